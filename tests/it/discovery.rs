//! The decision: what is asked, reused, published and counted; against a fake Nomad and memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use nomad_clients::discovery::{Answer, Error, How, Request, Source, Want};
use nomad_clients::model::node::{Detail, Full, Stub};
use nomad_clients::model::notice::Level;
use nomad_clients::nomad::{self, FailureKind};

use crate::support::fake_nomad::{detail, id, outage};
use crate::support::odd_store::OddStore;
use crate::support::world::{World, counts, listing, row, rows};

#[test]
fn a_cold_cache_asks_for_everything_once() {
    let world = World::with(&[("web-10", 4), ("web-2", 5), ("db", 6)]);
    let cold = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node db", "node web-10", "node web-2"]);
    assert_eq!(
        (cold.source, counts(&cold), cold.tally.nomad_calls),
        (Source::Nomad { cold: true }, [3, 0, 0, 0], 4)
    );
    assert_eq!(rows(&cold), [row("db", "r6"), row("web-2", "r5"), row("web-10", "r4")]);

    let hot = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
    assert_eq!((hot.source, counts(&hot)), (Source::Cache, [0, 0, 3, 0]));
    assert_eq!(hot.snapshot.all, cold.snapshot.all);
    let sorted = |answer: &Answer| {
        let mut fulls = answer.snapshot.fulls.clone().unwrap();
        fulls.sort();
        fulls
    };
    assert_eq!(sorted(&hot), sorted(&cold));
}

#[test]
fn a_refresh_fetches_only_what_changed() {
    let world = World::filled(&[("a", 4), ("b", 5), ("c", 6)]);
    world.nomad.put("b", 9);
    world.nomad.put("d", 10);
    world.nomad.remove("c");
    let answer = world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node b", "node d"]);
    assert_eq!((answer.source, counts(&answer)), (Source::Nomad { cold: false }, [1, 1, 1, 1]));
    assert_eq!(rows(&answer), [row("a", "r4"), row("b", "r9"), row("d", "r10")]);
    assert_eq!(rows(&world.ask(How::Get).unwrap()), rows(&answer));
}

#[test]
fn a_refresh_of_nothing_new_is_one_call() {
    let world = World::filled(&[("a", 4), ("b", 5)]);
    let answer = world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["list"]);
    assert_eq!(counts(&answer), [0, 0, 2, 0]);
}

#[test]
fn force_uses_nothing_that_is_cached() {
    let world = World::filled(&[("a", 4), ("b", 5)]);
    let answer = world.ask(How::Force).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node a", "node b"]);
    assert_eq!((answer.source, counts(&answer)), (Source::Nomad { cold: true }, [2, 0, 0, 0]));
}

#[test]
fn a_stub_that_says_otherwise_is_asked_for_again() {
    let world = World::filled(&[("a", 4)]);
    // An allocation report moves the table's index, not the node's; the status text is the list's.
    world.nomad.change("a", |stub, _| stub.status_description = "from the list".to_owned());
    let answer = world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node a"]);
    let (_, json) = &answer.snapshot.fulls.as_ref().unwrap()[0];
    assert_eq!(Full::from_json(json).unwrap().record.status_description, "from the list");
}

#[test]
fn a_rebuilt_cluster_with_equal_indexes_is_noticed() {
    type Change = fn(&mut Stub);
    let changes: [Change; 7] = [
        |stub| stub.create_index = 3,
        |stub| stub.name = "b".to_owned(),
        |stub| stub.datacenter = "dc2".to_owned(),
        |stub| stub.node_class = "gpu".to_owned(),
        |stub| stub.node_pool = "edge".to_owned(),
        |stub| stub.address = "10.0.0.6".to_owned(),
        |stub| stub.version = "2.0.5".to_owned(),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let world = World::filled(&[("a", 4)]);
        world.nomad.change("a", |stub, detail| {
            change(stub);
            detail.facts.meta.insert("rack".to_owned(), "rebuilt".to_owned());
        });
        let answer = world.ask(How::Refresh).unwrap();
        assert_eq!(rows(&answer)[0].1.as_deref(), Some("rebuilt"), "change {at}");
        assert_eq!(counts(&answer), [0, 1, 0, 0], "change {at}");
    }
}

fn other_life() -> Detail {
    detail("a", 4, "other life")
}

#[test]
fn an_index_that_went_back_drops_the_base() {
    let world = World::filled(&[("a", 4), ("b", 50)]);
    for _ in 0..2 {
        world.nomad.answer_list(listing(7, &[("a", 4)]));
    }
    world.nomad.change("a", |_, detail| *detail = other_life());
    let answer = world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "list", "node a"]);
    assert_eq!(rows(&answer), [row("a", "other life")]);
    assert_eq!(world.told(Level::Note), ["the Nomad index went back (50 → 7); cache rebuilt"]);
    assert_eq!(rows(&world.ask(How::Get).unwrap()), rows(&answer), "published");
}

#[test]
fn one_server_that_lags_changes_nothing() {
    let world = World::filled(&[("a", 4), ("b", 50)]);
    world.nomad.answer_list(listing(7, &[("a", 4)]));
    let answer = world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "list"]);
    assert_eq!(counts(&answer), [0, 0, 2, 0]);
    assert_eq!(world.told(Level::Note), Vec::<String>::new());
}

#[test]
fn a_detail_older_than_its_stub_means_list_again() {
    let world = World::with(&[("a", 3)]);
    world.nomad.answer_list(listing(9, &[("a", 9)]));
    let answer = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "list", "node a", "node a"]);
    assert_eq!(rows(&answer), [row("a", "r3")]);
}

#[test]
fn a_source_that_never_settles_is_given_up() {
    let world = World::with(&[("a", 3)]);
    for _ in 0..4 {
        world.nomad.answer_list(listing(9, &[("a", 9)]));
    }
    assert!(matches!(world.ask(How::Get), Err(Error::Unsettled(4))));
    assert_eq!(world.nomad.asked().iter().filter(|asked| *asked == "list").count(), 4);
}

/// Lists that are older than the cache, and others whose details are older than they are.
#[test]
fn four_lists_are_the_most_whatever_is_wrong_with_them() {
    let world = World::filled(&[("a", 50)]);
    for _ in 0..4 {
        world.nomad.answer_list(listing(7, &[("a", 4)]));
        world.nomad.answer_list(listing(60, &[("a", 60)]));
    }
    assert!(matches!(world.ask(How::Refresh), Err(Error::Unsettled(4))));
    assert_eq!(world.nomad.asked().iter().filter(|asked| *asked == "list").count(), 4);
}

#[test]
fn a_base_that_is_lost_is_reported_and_one_that_breaks_down_is_not_swallowed() {
    let mut world = World::with(&[("a", 4)]);
    world.store = Arc::new(OddStore::new(|| None));
    world.ask(How::Get).unwrap();
    assert_eq!(world.told(Level::Verbose), Vec::<String>::new());
    assert_eq!(rows(&world.ask(How::Refresh).unwrap()), [row("a", "r4")]);
    let told = "the cached details are gone or damaged; all are fetched again";
    assert_eq!(world.told(Level::Verbose), [told]);

    world.store = Arc::new(OddStore::new(|| panic!("the base breaks down")));
    world.ask(How::Get).unwrap();
    let broken = catch_unwind(AssertUnwindSafe(|| world.ask(How::Refresh).map(drop)));
    let why = broken.unwrap_err();
    assert_eq!(why.downcast_ref::<&str>(), Some(&"the base breaks down"));
}

/// A file of certificates that can't be used is no outage: an old answer would hide it.
#[test]
fn a_setting_that_can_not_be_used_is_reported_in_spite_of_an_old_answer() {
    let world = World::filled(&[("a", 4)]);
    let failure = |kind| Err(nomad::Error { kind, what: "why".to_owned(), hint: None });
    let oldest = Duration::from_secs(3600);
    world.nomad.answer_list(failure(FailureKind::Outage));
    assert!(world.ask_stale(How::Refresh, oldest).unwrap().outage.is_some());
    world.nomad.answer_list(failure(FailureKind::Config));
    assert!(matches!(world.ask_stale(How::Refresh, oldest), Err(Error::Nomad(_))));
}

#[test]
fn a_node_that_vanished_after_the_list_is_gone() {
    let world = World::with(&[("a", 3), ("b", 4)]);
    world.nomad.vanish("b");
    let answer = world.ask(How::Get).unwrap();
    assert_eq!((rows(&answer), counts(&answer)), (vec![row("a", "r3")], [1, 0, 0, 0]));
    assert!(answer.missing.is_empty());
}

#[test]
fn a_detail_of_another_node_is_refused() {
    let world = World::with(&[("a", 3)]);
    world.nomad.change("a", |_, of| *of = detail("b", 3, "r3"));
    let Err(Error::Nomad(error)) = world.ask(How::Get) else {
        panic!("it is not the node asked for")
    };
    assert_eq!(error.kind, FailureKind::NotNomad);
    assert_eq!(
        error.what,
        format!("not an answer of Nomad's: asked for node {}, got {}", id("a"), id("b"))
    );
}

#[test]
fn a_missing_detail_keeps_its_row_and_is_asked_for_again() {
    let world = World::with(&[("a", 3), ("b", 4), ("c", 5)]);
    world.nomad.fail("b", outage("500"));
    let answer = world.ask(How::Get).unwrap();
    assert_eq!(
        world.nomad.asked().iter().filter(|asked| *asked == "node b").count(),
        3,
        "two retries"
    );
    assert_eq!(answer.missing, [(id("b"), "500".to_owned())]);
    assert_eq!(rows(&answer), [row("a", "r3"), ("b".to_owned(), None), row("c", "r5")]);

    world.nomad.heal();
    let healed = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node b"]);
    assert_eq!((counts(&healed), healed.missing.len()), ([0, 1, 2, 0], 0));
}

#[test]
fn too_many_missing_details_are_a_failure() {
    let names: Vec<String> = (0..30).map(|at| format!("n{at}")).collect();
    let nodes: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 5)).collect();
    let world = World::with(&nodes);
    for name in &names {
        world.nomad.fail(name, outage("500"));
    }
    let Err(Error::Details { failed, total, why }) = world.ask(How::Get) else {
        panic!("all failed")
    };
    assert!((4..=8).contains(&failed), "stops early: {failed}");
    assert_eq!((total, why.as_str()), (30, "500"));
}

#[test]
fn a_refused_token_fails_at_once() {
    let world = World::with(&[("a", 3), ("b", 4)]);
    let denied = nomad::Error {
        kind: FailureKind::Denied,
        what: "permission denied".to_owned(),
        hint: None,
    };
    world.nomad.fail("a", denied);
    assert!(
        matches!(world.ask(How::Get), Err(Error::Nomad(error)) if error.kind == FailureKind::Denied)
    );
    assert_eq!(world.nomad.asked().iter().filter(|asked| *asked == "node a").count(), 1);
}

fn refused(kind: FailureKind) -> nomad::Error {
    nomad::Error { kind, what: "permission denied".to_owned(), hint: None }
}

/// Of this token, and only by Nomad's own word: a wrong password of a proxy is no revocation.
#[test]
fn a_refusal_voids_what_is_cached_for_the_token() {
    for (kind, shared, is_void) in [
        (FailureKind::Denied, false, true),
        (FailureKind::Denied, true, false),
        (FailureKind::Unauthorized, false, false),
    ] {
        let world = World::filled(&[("a", 3)]);
        world.nomad.answer_list(Err(refused(kind)));
        let mut discovery = world.discovery(Duration::from_secs(30));
        discovery.policy.shared = shared;
        assert!(discovery.nodes(Request::new(How::Refresh, Want::Full)).is_err());
        world.nomad.heal();
        world.nomad.asked();
        world.ask(How::Get).unwrap();
        assert_eq!(!world.nomad.asked().is_empty(), is_void, "{kind:?} {shared}");
    }
}

#[test]
fn without_a_leader_nothing_is_cached() {
    let world = World::with(&[("a", 3)]);
    world.nomad.lose_leader();
    assert_eq!(rows(&world.ask(How::Get).unwrap()), [row("a", "r3")]);
    assert_eq!(world.told(Level::Warning), ["Nomad has no leader; data may be old"]);
    world.nomad.asked();
    world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node a"]);
}

#[test]
fn without_an_index_nothing_is_cached() {
    let world = World::with(&[("a", 3)]);
    world.nomad.set_index(0);
    assert_eq!(rows(&world.ask(How::Get).unwrap()), [row("a", "r3")]);
    assert_eq!(world.told(Level::Warning), Vec::<String>::new());
    world.nomad.asked();
    world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node a"]);
}

#[test]
fn an_empty_cluster_is_an_answer_and_cached() {
    let world = World::with(&[]);
    world.nomad.set_index(3);
    assert_eq!(world.ask(How::Get).unwrap().snapshot.all.as_slice(), b"[]");
    world.nomad.asked();
    assert_eq!(world.ask(How::Get).unwrap().source, Source::Cache);
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn a_cluster_that_shares_no_node_with_the_cache_is_reported() {
    let world = World::filled(&[("a", 3), ("b", 4), ("c", 5)]);
    world.nomad.answer_list(listing(9, &[("x", 3)]));
    world.nomad.put("x", 3);
    world.ask(How::Refresh).unwrap();
    assert_eq!(
        world.told(Level::Warning),
        [
            "none of the cached nodes is listed any more: if two clusters share this address, give each its own --cache-prefix"
        ]
    );
}

#[test]
fn a_failure_frees_the_lease_and_is_not_cached() {
    let world = World::with(&[("a", 3)]);
    world.nomad.answer_list(Err(outage("no route")));
    assert!(matches!(world.ask(How::Get), Err(Error::Nomad(error)) if error.what == "no route"));
    assert_eq!(rows(&world.ask(How::Get).unwrap()), [row("a", "r3")]);
}
