//! What a run does while another one fetches, and what it leaves behind when it ends early.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nomad_clients::discovery::{Discovery, Error, How, Request, Shutdown, Source, Want};
use nomad_clients::model::node::AllJson;
use nomad_clients::model::node::{Detail, Full, NodeId};
use nomad_clients::model::rows::Rows;
use nomad_clients::nomad::{self, Listing};
use nomad_clients::store::{
    Enter, Entered, FailureClass, Flight, Publication, Published, RefusedRevs, Store,
};

use crate::support::fake_nomad::{FakeNomad, detail, id, stub};
use crate::support::world::{World, counts, listing, row, rows};

#[test]
fn who_waits_learns_of_the_failure() {
    let world = World::with(&[("a", 3)]);
    let (flight, store) = (world.another_flight("N1"), Arc::clone(&world.store));
    let asked = world.ask_while(How::Get, move || store.fail(flight.lease(), FailureClass::Denied));
    let Err(error @ Error::Shared(FailureClass::Denied)) = asked else { panic!("{asked:?}") };
    assert_eq!(
        error.to_string(),
        "permission denied: token needs node:read (from a concurrent refresh)"
    );
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn who_waits_for_an_answer_that_cannot_be_cached_asks_for_itself() {
    let world = World::with(&[("a", 3)]);
    let (flight, store) = (world.another_flight("N1"), Arc::clone(&world.store));
    let answer = world
        .ask_while(How::Get, move || store.fail(flight.lease(), FailureClass::NotCacheable))
        .unwrap();
    assert_eq!(rows(&answer), [row("a", "r3")]);
    assert_eq!(world.nomad.asked(), ["list", "node a"]);
}

#[test]
fn who_waits_is_served_without_a_call() {
    let world = World::with(&[("a", 3)]);
    let flight = world.another_flight("N1");
    let other = World {
        nomad: Arc::clone(&world.nomad),
        store: Arc::clone(&world.store),
        remarks: Arc::default(),
    };
    let answer = world.ask_while(How::Get, move || {
        other.store.release(flight.lease());
        other.ask(How::Get).unwrap();
        other.nomad.asked();
    });
    let answer = answer.unwrap();
    assert_eq!(
        (rows(&answer), answer.source, counts(&answer)),
        (vec![row("a", "r3")], Source::Served, [0, 0, 1, 0])
    );
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}

#[test]
fn a_refresh_is_served_by_what_began_after_it_and_counts_against_what_it_saw() {
    let world = World::filled(&[("a", 3), ("b", 4)]);
    let flight = world.another_flight("N1");
    let other = World {
        nomad: Arc::clone(&world.nomad),
        store: Arc::clone(&world.store),
        remarks: Arc::default(),
    };
    let answer = world.ask_while(How::Refresh, move || {
        other.store.release(flight.lease());
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
    let answer =
        world.ask_while(How::Get, move || publish_partial(&nomad, &*store, flight)).unwrap();
    assert_eq!(rows(&answer), [row("a", "r3"), ("b".to_owned(), None)]);
    assert_eq!(answer.missing, [(id("b"), "failed in a concurrent refresh".to_owned())]);
    assert_eq!((answer.source, world.nomad.asked()), (Source::Served, Vec::new()));
}

/// What a fetch that could not get the detail of b leaves behind.
fn publish_partial(nomad: &FakeNomad, store: &dyn Store, flight: Flight) {
    let facts = detail("a", 3, "r3").facts;
    let nodes = vec![Full::new(&stub("a", 3), Some(facts)), Full::new(&stub("b", 4), None)];
    let fulls = Rows::of(nodes).fulls;
    let publication = Publication {
        index: 4,
        eff: 4,
        reset: None,
        list_sent: Instant::now(),
        partial: true,
        all: &AllJson::default(),
        count: 2,
        fulls: &fulls,
        base: None,
        gone: &[],
        probed: false,
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
    let discovery =
        Discovery { nomad: Arc::new(Panics), ..world.discovery(Duration::from_secs(30)) };
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        discovery.nodes(Request::new(How::Get, Want::Full))
    }));
    assert!(panicked.is_err());
    let _ = world.another_flight("N2");
}

#[test]
fn leaving_gives_the_lease_back() {
    let world = World::with(&[("a", 3)]);
    let discovery = world.discovery(Duration::from_secs(30));
    let leaving = Arc::clone(&discovery.shutdown);
    struct Leaves(Arc<Shutdown>, Arc<dyn Store>);
    impl nomad::Nomad for Leaves {
        fn stubs(&self) -> Result<Listing, nomad::Error> {
            self.0.release_lease();
            let refuse = RefusedRevs::Everything;
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
    Discovery { nomad, ..discovery }.nodes(Request::new(How::Get, Want::Full)).unwrap();
}

/// What catches signals is a thread, which an answer from the cache does not wait for.
#[test]
fn signals_are_caught_before_a_lease_is_taken_and_not_for_a_hit() {
    let world = World::with(&[("a", 3)]);
    let ask = |how| {
        let (sender, caught) = std::sync::mpsc::channel();
        let store = Arc::clone(&world.store);
        let shutdown = Arc::new(Shutdown::new(move |_| {
            let refuse = RefusedRevs::Everything;
            let enter = Enter { token: "N2", how: How::Refresh, refuse: &refuse, waited: None };
            let Ok(Entered::Own(flight)) = store.enter(&enter) else { panic!("a lease is held") };
            store.release(flight.lease());
            sender.send(()).unwrap();
        }));
        let discovery = Discovery { shutdown, ..world.discovery(Duration::from_secs(30)) };
        discovery.nodes(Request::new(how, Want::Full)).unwrap();
        drop(discovery);
        caught.iter().count()
    };
    assert_eq!([How::Get, How::Get, How::Refresh, How::Force].map(ask), [1, 0, 1, 1]);
}

#[test]
fn who_waits_too_long_gives_up() {
    let world = World::with(&[("a", 3)]);
    let _flight = world.another_flight("N1");
    let asked =
        world.discovery(Duration::from_millis(50)).nodes(Request::new(How::Get, Want::Records));
    assert!(matches!(asked, Err(Error::TimedOut(_))), "{asked:?}");
    assert_eq!(world.nomad.asked(), Vec::<String>::new());
}
