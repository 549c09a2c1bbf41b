//! Nothing that was shown on a host is followed by something older, whatever Redis, files and Nomad do.

mod unpublished;

use std::sync::Arc;
use std::time::Duration;

use nomad_clients::discovery::{How, Source};
use nomad_clients::model::notice::{Level, Notifier};
use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::nomad::Listing;
use nomad_clients::store::monotonic::MonotonicStore;
use nomad_clients::store::{BootClock, Look, Published, Want};

use crate::support::bench::{Bench, OracleBench, RedisBench, place};
use crate::support::process::{Process, With, X, records};
use crate::support::world::{World, counts, listing};

/// A process whose host remembers in this folder.
fn process(bench: &dyn Bench, host: &tempfile::TempDir) -> Process {
    let mut place = place("a0", "");
    place.folder = Some(host.path().join("cache"));
    let boot = BootClock::of_this_boot(None);
    let store = MonotonicStore::new(bench.store("a0"), &place, boot, Notifier::nobody());
    Process::new(Arc::new(store), 'N')
}

/// Publishes and shows this.
#[track_caller]
fn shows(process: &mut Process, index: u64) -> Snapshot {
    process.own(How::Refresh);
    assert_eq!(process.put(index, &records(&[(X, index)])), Published::Done);
    let hit = process.hit().unwrap();
    process.store.printed(&hit);
    hit
}

/// The same after a restart from an older dump, or a failover to a replica that lags.
#[test]
fn a_cache_that_goes_back_shows_this_host_nothing_older() {
    let bench = RedisBench::new();
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = shows(&mut process(&bench, &here), 5);
    let saved = bench.save().unwrap();
    let new = shows(&mut process(&bench, &here), 9);
    for part in &saved.0 {
        bench.server.cli(&["DEL", &part.0]);
    }
    bench.restore(&saved);
    let mut next = process(&bench, &here);
    assert_eq!(next.store.look(Want::Full), Ok(Look::Miss { refuse: Some(old.rev) }));
    assert_eq!(next.store.present(), Ok(None));
    assert_eq!(next.store.last(Want::Full), None);
    assert_eq!(next.store.shown(), (9, new.rev));
    assert_eq!(process(&bench, &there).hit().map(|hit| hit.index), Some(5), "another host");
    // Nothing changes that but something as new.
    next.store.clear();
    bench.restore(&saved);
    assert_eq!(next.hit(), None);
    next.own(How::Refresh);
    assert_eq!(next.put(9, &records(&[(X, 9)])), Published::Done);
    assert_eq!(process(&bench, &here).hit().map(|hit| hit.index), Some(9));
}

#[test]
fn a_partial_publication_counts_too() {
    let bench = OracleBench::new();
    let host = tempfile::tempdir().unwrap();
    shows(&mut process(&bench, &host), 9);
    bench.store("a0").clear();
    let mut other = Process::refreshing(&bench);
    let partial = With { partial: true, ..With::default() };
    assert_eq!(other.put_with(5, &records(&[(X, 5)]), partial), Published::Done);
    assert!(bench.store("a0").partial(&other.token).unwrap().is_some());
    assert_eq!(process(&bench, &host).store.partial(&other.token), Ok(None));
    other.flight = None;
}

/// Another process of this host was faster.
#[test]
fn what_is_older_than_what_was_shown_is_not_published() {
    let bench = OracleBench::new();
    let host = tempfile::tempdir().unwrap();
    let mut slow = process(&bench, &host);
    slow.own(How::Refresh);
    let shown = Snapshot {
        rev: "N9".to_owned(),
        index: 9,
        newest: 9,
        count: 0,
        all: b"[]".to_vec().into(),
        fulls: None,
        age: Duration::ZERO,
        since: Duration::ZERO,
    };
    process(&bench, &host).store.printed(&shown);
    let older =
        |published| matches!(published, Published::Older { index: 9, rev, .. } if rev == "N9");
    assert!(older(slow.put(8, &records(&[(X, 8)]))));
    assert_eq!(process(&bench, &host).hit(), None);
    let reset = With { reset: Some("N9"), ..With::default() };
    assert_eq!(slow.put_with(8, &records(&[(X, 8)]), reset), Published::Done);
}

/// A world whose host has shown this, and whose cache holds it.
fn showing(nodes: &[(&str, u64)]) -> World {
    let mut world = World::with(nodes);
    let boot = BootClock::of_this_boot(None);
    let inner = Arc::clone(&world.store);
    world.store = Arc::new(MonotonicStore::new(inner, &place("a0", ""), boot, Notifier::nobody()));
    world.store.printed(&world.ask(How::Get).unwrap().snapshot);
    world.nomad.asked();
    world
}

#[test]
fn a_list_below_what_was_shown_is_asked_for_twice() {
    let world = showing(&[("a", 4), ("b", 50)]);
    world.store.clear();
    world.nomad.answer_list(listing(7, &[("a", 4)]));
    let answer = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list", "list", "node a", "node b"]);
    assert_eq!((answer.snapshot.index, world.store.shown().0), (50, 50));
    assert_eq!(world.told(Level::Note), Vec::<String>::new());
}

#[test]
fn a_restored_cluster_is_reported_once_and_shown() {
    for is_cached in [true, false] {
        let world = showing(&[("a", 4), ("b", 50)]);
        if !is_cached {
            world.store.clear();
        }
        world.nomad.become_like(&listing(7, &[("a", 4)]).unwrap());
        let answer = world.ask(How::Refresh).unwrap();
        assert_eq!(world.nomad.asked(), ["list", "list", "node a"]);
        assert_eq!(world.told(Level::Note), ["the Nomad index went back (50 → 7); cache rebuilt"]);
        world.store.printed(&answer.snapshot);
        assert_eq!(world.store.shown(), (7, answer.snapshot.rev.clone()));
        let again = world.ask(How::Get).unwrap();
        assert_eq!((again.source, again.snapshot.index), (Source::Cache, 7));
        world.ask(How::Refresh).unwrap();
        assert_eq!(world.nomad.asked(), ["list"]);
        assert_eq!(world.told(Level::Note).len(), 1);
    }
}

/// Its record names the index of the list all the same.
#[test]
fn a_detail_that_is_newer_than_its_list_counts() {
    let world = showing(&[("a", 4)]);
    world.nomad.change("a", |_, detail| detail.modify_index = 60);
    let answer = world.ask(How::Force).unwrap();
    world.store.printed(&answer.snapshot);
    assert_eq!((answer.snapshot.index, world.store.shown()), (4, (60, answer.snapshot.rev)));
    assert_eq!(world.ask(How::Get).unwrap().source, Source::Cache);
}

/// The cheap question is no proof that a cluster was restored.
#[test]
fn a_restored_cluster_is_recognised_behind_the_cheap_question() {
    let world = showing(&[("a", 4)]);
    world.nomad.put("a", 50);
    let newer = world.ask(How::Refresh).unwrap();
    world.store.clear();
    let old = listing(4, &[("a", 4)]).unwrap();
    world.nomad.become_like(&old);
    world.ask(How::Get).unwrap();
    world.store.printed(&newer.snapshot);
    world.nomad.be_probed(None);
    world.nomad.asked();
    world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["first", "list", "list", "node a"]);
}

/// A server without a leader may lag: its list proves nothing about the cluster, and what was shown of
/// it is newer than the cache.
#[test]
fn without_a_leader_nothing_was_restored() {
    let world = showing(&[("a", 4), ("b", 50)]);
    let lagging = Listing { known_leader: false, ..listing(7, &[("a", 4)]).unwrap() };
    world.nomad.answer_list(Ok(lagging));
    let answer = world.ask(How::Refresh).unwrap();
    assert_eq!(world.nomad.asked(), ["list"]);
    assert_eq!((world.store.shown().0, world.told(Level::Note).len()), (50, 0));
    world.store.printed(&answer.snapshot);
    let after = world.ask(How::Get).unwrap();
    assert_eq!(world.nomad.asked(), ["list"], "a fresh hit from before");
    assert_eq!(counts(&after), [0, 0, 2, 0]);
    world.store.printed(&after.snapshot);
    assert_eq!(world.ask(How::Get).unwrap().source, Source::Cache);
}
