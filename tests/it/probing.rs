//! The cheap question before the list: when it is asked, and when its answer is believed.

mod kept;
mod recorded;

use std::time::Duration;

use nomad_clients::discovery::{Answer, How, PROBE_FROM, Request, Source, Want};
use nomad_clients::model::node::Stub;
use nomad_clients::model::notice::Level;
use nomad_clients::nomad::{self, FailureKind};

use crate::support::bench::{Bench as _, OracleBench};
use crate::support::fake_nomad::{FakeNomad, id, outage};
use crate::support::world::{World, counts};

/// A filled cache in front of a Nomad that can be asked cheaply.
fn probed() -> World {
    let world = World::filled(&[("a", 4), ("b", 5), ("c", 6)]);
    world.nomad.be_probed(None);
    world
}

fn refreshed(world: &World) -> (Answer, Vec<String>) {
    let answer = world.ask(How::Refresh).unwrap();
    (answer, world.nomad.asked())
}

#[test]
fn nothing_changed_is_one_cheap_call_and_a_new_publication() {
    let world = probed();
    let before = world.ask(How::Get).unwrap();
    let (answer, asked) = refreshed(&world);
    assert_eq!(asked, ["first"]);
    assert_eq!((answer.source, counts(&answer)), (Source::Nomad { cold: false }, [0, 0, 3, 0]));
    assert_eq!(answer.snapshot.all, before.snapshot.all);
    assert_ne!(answer.snapshot.rev, before.snapshot.rev, "published anew");
    assert_eq!(answer.snapshot.index, before.snapshot.index);
    let hit = world.ask(How::Get).unwrap();
    assert_eq!((hit.snapshot.rev, hit.snapshot.all), (answer.snapshot.rev, before.snapshot.all));
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
    let sorted = |fulls: Option<Vec<_>>| {
        let mut fulls = fulls.unwrap();
        fulls.sort();
        fulls
    };
    assert_eq!(sorted(hit.snapshot.fulls), sorted(before.snapshot.fulls));
}

#[test]
fn whatever_moves_the_index_leads_to_the_list() {
    let changes: [fn(&FakeNomad); 4] = [
        |nomad| nomad.put("b", 9),
        |nomad| nomad.put("d", 9),
        |nomad| nomad.remove("c"),
        // An allocation report.
        |nomad| nomad.set_index(9),
    ];
    for change in changes {
        let world = probed();
        change(&world.nomad);
        let (_, asked) = refreshed(&world);
        assert_eq!(asked[..2], ["first", "list"]);
        assert_eq!(refreshed(&world).1, ["first"], "the cache has the new index");
    }
}

/// As after a restore: what is known says nothing any more.
#[test]
fn an_index_that_went_back_leads_to_the_list() {
    let world = probed();
    world.nomad.set_index(5);
    let (_, asked) = refreshed(&world);
    assert_eq!(asked, ["first", "list", "list", "node a", "node b", "node c"]);
    assert_eq!(world.told(Level::Note), ["the Nomad index went back (6 → 5); cache rebuilt"]);
}

#[test]
fn a_rebuilt_cluster_with_the_very_index_is_noticed_by_its_first_node() {
    let lowest = ["a", "b", "c"].into_iter().min_by_key(|name| id(name)).unwrap();
    let changes: [fn(&mut Stub); 4] = [
        |stub| stub.create_index = 3,
        |stub| stub.modify_index = 3,
        |stub| stub.name = "x".to_owned(),
        |stub| stub.id = id("0"),
    ];
    for change in changes {
        let world = probed();
        world.nomad.change(lowest, |stub, detail| {
            change(stub);
            detail.id = stub.id.clone();
        });
        let (_, asked) = refreshed(&world);
        assert_eq!(asked[..2], ["first", "list"]);
    }
    let world = probed();
    ["a", "b", "c"].into_iter().for_each(|name| world.nomad.remove(name));
    world.nomad.set_index(6);
    assert_eq!(refreshed(&world).1, ["first", "list"], "none is left");
}

/// The very index, the very first node, and yet not the same nodes: for no longer than details are
/// kept, however often it is looked after.
#[test]
fn what_the_question_can_not_see_is_found_in_time() {
    let bench = OracleBench::new();
    let world = World { store: bench.store("a0"), ..World::with(&[("a", 4), ("b", 5), ("c", 6)]) };
    world.ask(How::Get).unwrap();
    world.nomad.be_probed(None);
    let highest = ["a", "b", "c"].into_iter().max_by_key(|name| id(name)).unwrap();
    world.nomad.change(highest, |stub, _| stub.status = "down".to_owned());
    world.nomad.asked();
    for _ in 0..4 {
        bench.pass(Duration::from_secs(61));
        assert_eq!(refreshed(&world).1, ["first"]);
    }
    bench.pass(Duration::from_secs(61));
    let (answer, asked) = refreshed(&world);
    assert_eq!(asked[..2], ["first", "list"]);
    assert!(
        String::from_utf8(answer.snapshot.all.to_vec()).unwrap().contains(r#""status":"down""#)
    );
}

#[test]
fn without_a_leader_the_list_decides() {
    let world = probed();
    world.nomad.lose_leader();
    let (_, asked) = refreshed(&world);
    assert_eq!(asked, ["first", "list"]);
    assert_eq!(world.told(Level::Warning), ["Nomad has no leader; data may be old"]);
}

#[test]
fn what_can_not_answer_it_is_asked_for_the_list() {
    let world = probed();
    let strange = nomad::Error { kind: FailureKind::NotNomad, what: "400".to_owned(), hint: None };
    world.nomad.be_probed(Some(strange));
    assert_eq!(refreshed(&world).1, ["first", "list"]);
    world.nomad.be_probed(Some(outage("no route")));
    assert_eq!(world.ask(How::Refresh).unwrap_err().to_string(), "no route");
    assert_eq!(world.nomad.asked(), ["first"], "nobody waits for the same twice");
}

#[test]
fn who_wants_everything_anew_or_has_nothing_complete_asks_for_the_list() {
    let world = probed();
    world.ask(How::Force).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node a", "node b", "node c"]);
    world.store.clear();
    world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node a", "node b", "node c"]);
    world.nomad.put("b", 9);
    world.nomad.fail("b", outage("no detail"));
    world.ask(How::Refresh).unwrap();
    world.nomad.heal();
    world.nomad.asked();
    assert_eq!(refreshed(&world).1, ["list", "node b"]);
    // Who follows Nomad has seen it move.
    let world = probed();
    let request = Request { skip_probe: true, ..Request::new(How::Refresh, Want::Records) };
    world.discovery(Duration::from_secs(30)).nodes(request).unwrap();
    assert_eq!(world.nomad.asked(), ["list"]);
}

#[test]
fn small_caches_ask_for_the_list_at_once() {
    for (count, asked) in [(PROBE_FROM - 1, ["list"]), (PROBE_FROM, ["first"])] {
        let names: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
        let nodes: Vec<_> = names.iter().map(|name| (name.as_str(), 3)).collect();
        let world = World::filled(&nodes);
        world.nomad.be_probed(None);
        let mut discovery = world.discovery(Duration::from_secs(30));
        discovery.policy.probe_from = PROBE_FROM;
        discovery.nodes(Request::new(How::Refresh, Want::Records)).unwrap();
        assert_eq!(world.nomad.asked(), asked, "{count} nodes");
    }
}

/// Even where something has always changed: the probe is cheap, and nobody need remember anything.
#[test]
fn it_is_asked_however_often_it_was_in_vain() {
    let world = probed();
    for index in 10..15 {
        world.nomad.set_index(index);
        let discovery = world.discovery(Duration::from_secs(30));
        discovery.nodes(Request::new(How::Refresh, Want::Records)).unwrap();
        assert_eq!(world.nomad.asked(), ["first", "list"]);
    }
}

/// The records of the cache are what a list would have made of them, also where texts look like
/// the seams between them.
#[test]
fn what_is_republished_is_what_the_list_would_have_made() {
    let world = World::with(&[("a", 4)]);
    world.nomad.change("a", |_, detail| {
        for text in [r#","attributes":{"#, r#"\",\"attributes\":{"#, "attributes"] {
            detail.facts.meta.insert(text.to_owned(), text.to_owned());
            detail.facts.attributes.insert(text.to_owned(), text.to_owned());
        }
    });
    let cold = world.ask(How::Get).unwrap();
    world.nomad.be_probed(None);
    world.nomad.asked();
    let (answer, asked) = refreshed(&world);
    assert_eq!(asked, ["first"]);
    assert_eq!(answer.snapshot.all, cold.snapshot.all);
}
