//! A Redis that goes back to the past shows this host nothing from before a clear that it knows of.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{ErrorKind, How, Published, Store as _};
use tempfile::TempDir;

use crate::support::bench::place;
use crate::support::process::{Process, X, records};
use crate::support::redis_server::RedisServer;

const KEYS: [&str; 4] =
    ["nomad:clients:epoch", "nomad:clients:meta", "nomad:clients:all", "nomad:clients:hash"];

/// One Redis, and two hosts.
struct World {
    server: RedisServer,
    here: TempDir,
    there: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        Self { server: RedisServer::start(), here: folder(), there: folder() }
    }

    fn folder(&self, host: &TempDir) -> PathBuf {
        host.path().join("cache")
    }

    fn store(&self, host: &TempDir) -> Arc<RedisStore> {
        let mut place = place("a0", &self.server.url());
        place.folder = Some(self.folder(host));
        Arc::new(RedisStore::new(&place, Notifier::nobody()).unwrap())
    }

    /// A new process.
    fn on(&self, host: &TempDir) -> Process {
        Process::new(self.store(host), 'N')
    }

    #[track_caller]
    fn fills(&self, host: &TempDir, index: u64) {
        let mut process = self.on(host);
        process.own(How::Get);
        assert_eq!(process.put(index, &records(&[(X, index)])), Published::Done);
    }

    #[track_caller]
    fn clears(&self, host: &TempDir) {
        self.store(host).clear().places.remove(0).outcome.unwrap();
    }

    fn index(&self, host: &TempDir) -> Option<u64> {
        self.on(host).hit().map(|hit| hit.index)
    }

    fn saved(&self) -> Vec<(&'static str, Vec<u8>)> {
        KEYS.into_iter().filter_map(|key| Some((key, self.server.bytes(&["DUMP", key])?))).collect()
    }

    fn goes_back(&self, saved: &[(&str, Vec<u8>)]) {
        for (key, dump) in saved {
            self.server.cli(&[b"RESTORE", key.as_bytes(), b"60000", dump, b"REPLACE"]);
        }
    }
}

/// No process of this host has cleared anything.
#[test]
fn what_was_seen_replaced_is_not_shown_again() {
    let world = World::new();
    world.fills(&world.here, 5);
    let saved = world.saved();
    world.clears(&world.there);
    world.fills(&world.there, 6);
    assert_eq!(world.index(&world.here), Some(6));
    world.goes_back(&saved);
    assert_eq!(world.index(&world.here), None);
    assert_eq!(world.server.int(&["EXISTS", KEYS[2]]), 0, "cleared again, for everybody");
}

/// The clear finds the epoch of the other host's refill, not the one that this host has shown.
#[test]
fn a_clear_covers_what_this_host_had_seen() {
    let world = World::new();
    world.fills(&world.here, 5);
    let saved = world.saved();
    world.clears(&world.there);
    world.fills(&world.there, 6);
    world.clears(&world.here);
    world.goes_back(&saved);
    assert_eq!(world.index(&world.here), None);
}

/// A look alone has seen the epoch, and a failover brings it back after two clears.
#[test]
fn what_was_only_looked_at_is_covered_too() {
    let world = World::new();
    world.fills(&world.there, 5);
    assert_eq!(world.index(&world.here), Some(5));
    let saved = world.saved();
    world.server.cli(&["FLUSHALL"]);
    world.fills(&world.there, 6);
    world.clears(&world.here);
    world.clears(&world.here);
    world.goes_back(&saved);
    assert_eq!(world.index(&world.here), None);
}

#[test]
fn later_clears_push_nothing_out() {
    let world = World::new();
    world.fills(&world.here, 5);
    let saved = world.saved();
    world.clears(&world.here);
    for number in 0..100 {
        world.server.cli(&["SET", KEYS[0], &format!("{number:016x}")]);
        world.clears(&world.here);
    }
    world.goes_back(&saved);
    assert_eq!(world.index(&world.here), None);
}

/// Whoever holds the lock for a while delays the clears, and loses none.
#[test]
fn twelve_clears_at_a_busy_lock() {
    let world = World::new();
    world.fills(&world.here, 5);
    let saved = world.saved();
    let lock = File::options().write(true).open(world.folder(&world.here).join("pub.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let clear = || world.store(&world.here).clear().places.remove(0).outcome;
        let clears: Vec<_> = (0..12).map(|_| scope.spawn(clear)).collect();
        let until = Instant::now() + Duration::from_secs(4);
        while world.server.int(&["EXISTS", KEYS[0]]) > 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(!clears.iter().all(std::thread::ScopedJoinHandle::is_finished), "the note waits");
        lock.unlock().unwrap();
        clears.into_iter().map(|clear| clear.join().unwrap()).collect()
    });
    // On a machine that is too slow for it a clear says that it could not be sure.
    for outcome in outcomes {
        world.goes_back(&saved);
        assert!(outcome.is_err() || world.index(&world.here).is_none(), "{outcome:?}");
    }
}

#[test]
fn a_clear_that_can_not_be_noted_is_none() {
    let world = World::new();
    world.fills(&world.here, 5);
    let lock = File::options().write(true).open(world.folder(&world.here).join("pub.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    let began = Instant::now();
    let error = world.store(&world.here).clear().places.remove(0).outcome.unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(4500), "{:?}", began.elapsed());
    let folder = world.folder(&world.here).display().to_string();
    let why = format!("cache directory {folder}: pub.lock is held by another process");
    let what = format!("deleted, but not noted on this machine: {why}");
    assert_eq!((error.to_string(), error.kind()), (what, ErrorKind::ReadOnly));
    assert_eq!(world.server.int(&["EXISTS", KEYS[2]]), 0);
}

/// Two that look at the same time must not take each other's epoch for the one before.
#[test]
fn an_answer_that_was_slow_voids_nothing() {
    let world = World::new();
    world.fills(&world.here, 5);
    std::thread::scope(|scope| {
        let looks = || (0..50).map(|_| world.index(&world.here)).collect::<Vec<_>>();
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(looks)).collect();
        world.clears(&world.there);
        world.fills(&world.there, 6);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    world.clears(&world.there);
    world.fills(&world.there, 7);
    assert_eq!(world.index(&world.here), Some(7));
}
