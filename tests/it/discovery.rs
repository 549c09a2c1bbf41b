//! The decision: what is asked, reused, published and counted; against a fake Nomad and memory.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::discovery::{Answer, Discovery, Error, How, Leaving, Policy, Progress, Source, Want};
use nomad_clients::model::node::{Detail, Full, NodeId, Record};
use nomad_clients::model::remark::{Level, Tell};
use nomad_clients::nomad::{self, Kind, Listing};
use nomad_clients::model::rows::Rows;
use nomad_clients::store::{Class, Enter, Entered, Flight, Publication, Published, Refuse, Store};

use crate::support::fake_nomad::{FakeNomad, detail, id, outage, stub};
use crate::support::memory;

/// One Nomad, one cache, and everything that was remarked.
struct World {
    nomad: Arc<FakeNomad>,
    store: Arc<dyn Store>,
    remarks: Arc<Mutex<Vec<(Level, String)>>>,
}

struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: usize) {}
    fn advance(&self) {}
    fn end(&self) {}
}

impl World {
    fn with(nodes: &[(&str, u64)]) -> Self {
        Self { nomad: Arc::new(FakeNomad::with(nodes)), store: memory::store(), remarks: Arc::default() }
    }

    /// A world whose cache is filled already.
    fn filled(nodes: &[(&str, u64)]) -> Self {
        let world = Self::with(nodes);
        world.ask(How::Get).unwrap();
        world.nomad.asked();
        world
    }

    fn discovery(&self, timeout: Duration) -> Discovery {
        let remarks = Arc::clone(&self.remarks);
        Discovery {
            nomad: Arc::<FakeNomad>::clone(&self.nomad),
            store: Arc::clone(&self.store),
            policy: Policy {
                concurrency: 4,
                timeout,
                deadline: Instant::now() + timeout,
                shared: false,
            },
            tell: Tell::new(move |remark| remarks.lock().unwrap().push((remark.level, remark.text))),
            progress: Arc::new(NoProgress),
            leaving: Arc::new(Leaving::default()),
            sleep: Arc::new(|_| std::thread::yield_now()),
        }
    }

    /// Asks, and does `meanwhile` once, when it first waits for another's fetch.
    fn ask_while(&self, how: How, meanwhile: impl FnOnce() + Send + 'static) -> Result<Answer, Error> {
        let once = Mutex::new(Some(meanwhile));
        let sleep = move |_| {
            if let Some(meanwhile) = once.lock().unwrap().take() {
                meanwhile();
            }
        };
        Discovery { sleep: Arc::new(sleep), ..self.discovery(Duration::from_secs(30)) }.nodes(how, Want::Full)
    }

    fn ask(&self, how: How) -> Result<Answer, Error> {
        self.discovery(Duration::from_secs(30)).nodes(how, Want::Full)
    }

    fn told(&self, level: Level) -> Vec<String> {
        let remarks = self.remarks.lock().unwrap();
        remarks.iter().filter(|(of, _)| *of == level).map(|(_, text)| text.clone()).collect()
    }

    /// Takes the lease as another process would.
    fn another_flight(&self, token: &str) -> Flight {
        let refuse = Refuse::Everything;
        match self.store.enter(&Enter { token, how: How::Refresh, refuse: &refuse, waited: None }).unwrap() {
            Entered::Own(flight) => *flight,
            other => panic!("the lease is free: {other:?}"),
        }
    }
}

/// Names and racks: the rack tells which detail a row came from.
fn rows(answer: &Answer) -> Vec<(String, Option<String>)> {
    let records: Vec<Record> = serde_json::from_slice(&answer.snapshot.all).unwrap();
    records.into_iter().map(|record| (record.name, record.meta.map(|meta| meta["rack"].clone()))).collect()
}

fn row(name: &str, rack: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(rack.to_owned()))
}

/// new, changed, cached, gone
fn counts(answer: &Answer) -> [usize; 4] {
    let tally = answer.tally;
    [tally.new, tally.changed, tally.cached, tally.gone]
}

fn listing(index: u64, nodes: &[(&str, u64)]) -> Result<Listing, nomad::Error> {
    let stubs = nodes.iter().map(|(name, modify_index)| stub(name, *modify_index)).collect();
    Ok(Listing { stubs, index: Some(index), known_leader: true, last_contact_ms: 0 })
}

#[test]
fn a_cold_cache_asks_for_everything_once() {
    let world = World::with(&[("web-10", 4), ("web-2", 5), ("db", 6)]);
    let cold = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "node db", "node web-10", "node web-2"]);
    assert_eq!((cold.source, counts(&cold), cold.tally.nomad_calls), (Source::Nomad { cold: true }, [3, 0, 0, 0], 4));
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
fn what_the_stub_says_wins() {
    let world = World::filled(&[("a", 4)]);
    // An allocation report moves the table's index, not the node's; the status text is the list's.
    world.nomad.change("a", |stub, _| stub.status_description = "from the list".to_owned());
    let answer = world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["list"]);
    let (_, json) = &answer.snapshot.fulls.as_ref().unwrap()[0];
    assert_eq!(Full::from_json(json).unwrap().record.status_description, "from the list");
}

#[test]
fn a_rebuilt_cluster_with_equal_indexes_is_noticed() {
    type Change = fn(&mut nomad_clients::model::node::Stub);
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
    assert_eq!(world.told(Level::Note), ["nomad index went back (50 → 7): cache rebuilt"]);
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
    let Err(Error::Nomad(error)) = world.ask(How::Get) else { panic!("it is not the node asked for") };
    assert_eq!(error.kind, Kind::NotNomad);
    assert_eq!(error.what, format!("not an answer of Nomad's: asked for node {}, got {}", id("a"), id("b")));
}

#[test]
fn a_missing_detail_keeps_its_row_and_is_asked_for_again() {
    let world = World::with(&[("a", 3), ("b", 4), ("c", 5)]);
    world.nomad.fail("b", outage("500"));
    let answer = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked().iter().filter(|asked| *asked == "node b").count(), 3, "two retries");
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
    let Err(Error::Details { failed, total, why }) = world.ask(How::Get) else { panic!("all failed") };
    assert!((4..=8).contains(&failed), "stops early: {failed}");
    assert_eq!((total, why.as_str()), (30, "500"));
}

#[test]
fn a_refused_token_fails_at_once() {
    let world = World::with(&[("a", 3), ("b", 4)]);
    let denied = nomad::Error { kind: Kind::Denied, what: "permission denied".to_owned(), hint: None };
    world.nomad.fail("a", denied);
    assert!(matches!(world.ask(How::Get), Err(Error::Nomad(error)) if error.kind == Kind::Denied));
    assert_eq!(world.nomad.asked().iter().filter(|asked| *asked == "node a").count(), 1);
}

#[test]
fn without_a_leader_nothing_is_cached() {
    let world = World::with(&[("a", 3)]);
    world.nomad.lose_leader();
    assert_eq!(rows(&world.ask(How::Get).unwrap()), [row("a", "r3")]);
    assert_eq!(world.told(Level::Warning), ["nomad has no leader, data may be old"]);
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
    assert_eq!(world.ask(How::Get).unwrap().snapshot.all, b"[]");
    world.nomad.asked();
    assert_eq!(world.ask(How::Get).unwrap().source, Source::Cache);
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn a_cluster_that_shares_no_node_with_the_cache_is_told() {
    let world = World::filled(&[("a", 3), ("b", 4), ("c", 5)]);
    world.nomad.answer_list(listing(9, &[("x", 3)]));
    world.nomad.put("x", 3);
    world.ask(How::Refresh).unwrap();
    assert_eq!(
        world.told(Level::Warning),
        ["none of the cached nodes is listed any more: if two clusters share this address, give each its own --cache-prefix"]
    );
}

#[test]
fn who_waits_learns_of_the_failure() {
    let world = World::with(&[("a", 3)]);
    let (flight, store) = (world.another_flight("N1"), Arc::clone(&world.store));
    let asked = world.ask_while(How::Get, move || store.fail(&flight, Class::Denied));
    let Err(error @ Error::Shared(Class::Denied)) = asked else { panic!("{asked:?}") };
    assert_eq!(error.to_string(), "permission denied: token needs node:read (from a concurrent refresh)");
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn who_waits_for_an_answer_that_cannot_be_cached_asks_for_itself() {
    let world = World::with(&[("a", 3)]);
    let (flight, store) = (world.another_flight("N1"), Arc::clone(&world.store));
    let answer = world.ask_while(How::Get, move || store.fail(&flight, Class::NotCacheable)).unwrap();
    assert_eq!(rows(&answer), [row("a", "r3")]);
    assert_eq!(world.nomad.asked(), ["list", "node a"]);
}

#[test]
fn who_waits_is_served_without_a_call() {
    let world = World::with(&[("a", 3)]);
    let flight = world.another_flight("N1");
    let other = World { nomad: Arc::clone(&world.nomad), store: Arc::clone(&world.store), remarks: Arc::default() };
    let answer = world.ask_while(How::Get, move || {
        other.store.release(&flight);
        other.ask(How::Get).unwrap();
        other.nomad.asked();
    });
    let answer = answer.unwrap();
    assert_eq!((rows(&answer), answer.source, counts(&answer)), (vec![row("a", "r3")], Source::Served, [0, 0, 1, 0]));
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn a_refresh_is_served_by_what_began_after_it_and_counts_against_what_it_saw() {
    let world = World::filled(&[("a", 3), ("b", 4)]);
    let flight = world.another_flight("N1");
    let other = World { nomad: Arc::clone(&world.nomad), store: Arc::clone(&world.store), remarks: Arc::default() };
    let answer = world.ask_while(How::Refresh, move || {
        other.store.release(&flight);
        other.nomad.put("b", 9);
        other.ask(How::Refresh).unwrap();
        other.nomad.asked();
    });
    let answer = answer.unwrap();
    assert_eq!((answer.source, counts(&answer)), (Source::Served, [0, 1, 1, 0]));
    assert_eq!(rows(&answer), [row("a", "r3"), row("b", "r9")]);
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn the_rows_of_a_partial_fetch_serve_those_who_waited_for_it() {
    let world = World::with(&[("a", 3), ("b", 4)]);
    let flight = world.another_flight("N1");
    let (nomad, store) = (Arc::clone(&world.nomad), Arc::clone(&world.store));
    let answer = world.ask_while(How::Get, move || publish_partial(&nomad, &*store, &flight)).unwrap();
    assert_eq!(rows(&answer), [row("a", "r3"), ("b".to_owned(), None)]);
    assert_eq!(answer.missing, [(id("b"), "failed in a concurrent refresh".to_owned())]);
    assert_eq!((answer.source, world.nomad.asked()), (Source::Served, Vec::new()));
}

/// What a fetch that could not get the detail of b leaves behind.
fn publish_partial(nomad: &FakeNomad, store: &dyn Store, flight: &Flight) {
    let facts = detail("a", 3, "r3").facts;
    let nodes = vec![Full::new(&stub("a", 3), Some(&facts)), Full::new(&stub("b", 4), None)];
    let fulls = Rows::of(nodes).fulls;
    let publication = Publication {
        index: 4,
        eff: 4,
        reset: None,
        list_sent: Instant::now(),
        partial: true,
        all: &[],
        fulls: &fulls,
        base: None,
    };
    assert_eq!(store.publish(flight, &publication).unwrap(), Published::Done);
    assert_eq!(nomad.asked(), Vec::<String>::new());
}

#[test]
fn a_panic_gives_the_lease_back() {
    struct Panics;
    impl nomad::Nomad for Panics {
        fn stubs(&self) -> Result<Listing, nomad::Error> {
            panic!("on purpose")
        }
        fn node(&self, _: &NodeId) -> Result<Option<Detail>, nomad::Error> {
            Ok(None)
        }
        fn calls(&self) -> u64 {
            0
        }
    }
    let world = World::with(&[("a", 3)]);
    let discovery = Discovery { nomad: Arc::new(Panics), ..world.discovery(Duration::from_secs(30)) };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| discovery.nodes(How::Get, Want::Full)));
    assert!(panicked.is_err());
    world.another_flight("N2");
}

#[test]
fn leaving_gives_the_lease_back() {
    let world = World::with(&[("a", 3)]);
    let discovery = world.discovery(Duration::from_secs(30));
    let leaving = Arc::clone(&discovery.leaving);
    struct Leaves(Arc<Leaving>, Arc<dyn Store>);
    impl nomad::Nomad for Leaves {
        fn stubs(&self) -> Result<Listing, nomad::Error> {
            self.0.leave();
            let refuse = Refuse::Everything;
            let enter = Enter { token: "N2", how: How::Refresh, refuse: &refuse, waited: None };
            assert!(matches!(self.1.enter(&enter), Ok(Entered::Own(_))), "the lease is free again");
            listing(9, &[])
        }
        fn node(&self, _: &NodeId) -> Result<Option<Detail>, nomad::Error> {
            Ok(None)
        }
        fn calls(&self) -> u64 {
            0
        }
    }
    let nomad = Arc::new(Leaves(leaving, Arc::clone(&world.store)));
    Discovery { nomad, ..discovery }.nodes(How::Get, Want::Full).unwrap();
}

#[test]
fn who_waits_too_long_gives_up() {
    let world = World::with(&[("a", 3)]);
    let _flight = world.another_flight("N1");
    let asked = world.discovery(Duration::from_millis(50)).nodes(How::Get, Want::Records);
    assert!(matches!(asked, Err(Error::TimedOut(_))), "{asked:?}");
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn a_failure_frees_the_lease_and_is_not_cached() {
    let world = World::with(&[("a", 3)]);
    world.nomad.answer_list(Err(outage("no route")));
    assert!(matches!(world.ask(How::Get), Err(Error::Nomad(error)) if error.what == "no route"));
    assert_eq!(rows(&world.ask(How::Get).unwrap()), [row("a", "r3")]);
}
