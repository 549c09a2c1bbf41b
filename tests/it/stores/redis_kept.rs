//! The copy of `all` that outlives it, as it stands in Redis.

use std::sync::Arc;

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{Base, How, Published};
use redis::Value;

use super::redis_traffic::Monitor;
use crate::support::bench::place;
use crate::support::fake_redis::FakeRedis;
use crate::support::process::{Process, Records, X, Y, records, records_of};
use crate::support::redis_server::RedisServer;

const KEPT: &str = "nomad:clients:kept";
const ALL: &str = "nomad:clients:all";

struct Room {
    server: RedisServer,
}

impl Room {
    /// With a publication of index 5 that is kept.
    fn new() -> Self {
        let room = Self { server: RedisServer::start() };
        room.put("a0", &xy());
        room
    }

    fn process(&self, scope: &str) -> Process {
        let store = RedisStore::new(&place(scope, &self.server.url()), Notifier::nobody()).unwrap();
        Process::new(Arc::new(store), 'N')
    }

    /// One that has the flight.
    fn owner(&self, scope: &str) -> Process {
        let mut process = self.process(scope);
        process.own(How::Refresh);
        process
    }

    fn put(&self, scope: &str, records: &Records) {
        assert_eq!(self.owner(scope).put(5, records), Published::Done);
    }

    /// One that has read what is kept.
    fn about_to_put_again(&self) -> (Process, Base) {
        let process = self.owner("a0");
        let kept = process.base().unwrap();
        assert_eq!(Some(&*kept.all), self.get(KEPT).as_ref());
        (process, kept)
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.server.bytes(&["GET", key])
    }

    fn left(&self, key: &str) -> i64 {
        self.server.int(&["PTTL", key])
    }
}

fn xy() -> Records {
    records(&[(X, 3), (Y, 4)])
}

/// Redis before 6.2, or a user without the right to copy: then the bytes travel, and nothing is asked
/// of Nomad.
#[test]
fn what_redis_can_not_copy_is_sent() {
    let room = Room::new();
    let before = room.get(ALL);
    let (process, kept) = room.about_to_put_again();
    room.server.cli(&["DEL", ALL]);
    room.server.cli(&["ACL", "SETUSER", "default", "-copy"]);
    assert_eq!((process.put_again(&kept), room.get(ALL)), (Published::Done, before));
    assert_eq!(process.whole(), Some(xy()));
}

/// Whichever right is missing, no `all` is left that the old meta line calls fresh.
#[test]
fn what_is_refused_midway_serves_nothing() {
    for right in ["pexpire", "del", "set", "time", "hlen", "strlen", "get"] {
        let room = Room::new();
        let (process, kept) = room.about_to_put_again();
        room.server.cli(&["DEL", ALL]);
        room.server.cli(&["ACL", "SETUSER", "default", &format!("-{right}")]);
        let published = process.try_put_again(&kept);
        room.server.cli(&["ACL", "SETUSER", "default", "+@all"]);
        assert!(!matches!(published, Ok(Published::Done)), "{right}: {published:?}");
        let left = room.left(ALL);
        assert!(left <= 60_000, "{right}: {left}");
    }
}

#[test]
fn where_redis_can_copy_no_bytes_travel() {
    let room = Room::new();
    let (process, kept) = room.about_to_put_again();
    let mut monitor = Monitor::of(&room.server);
    assert_eq!(process.put_again(&kept), Published::Done);
    drop(room.process("a0").hit());
    let seen = monitor.until("MGET");
    assert_eq!(seen.iter().filter(|line| line.contains("EVAL")).count(), 1, "{seen:?}");
    assert!(!seen.iter().any(|line| line.contains("version")), "{seen:?}");
}

/// Another program's meta, or none: it does not say what the hash is.
#[test]
fn without_the_meta_it_is_refused() {
    let room = Room::new();
    let (process, kept) = room.about_to_put_again();
    room.server.cli(&["DEL", "nomad:clients:meta", ALL]);
    assert!(matches!(process.put_again(&kept), Published::Rebase(_)));
    assert_eq!(room.get(ALL), None);
}

/// They are large, and everything is fetched in any case.
#[test]
fn damaged_full_records_are_read_once_for_a_base() {
    let room = Room::new();
    let owner = room.owner("a0");
    room.server.cli(&["HSET", "nomad:clients:hash", X, "{}"]);
    let mut monitor = Monitor::of(&room.server);
    assert!(owner.base().is_none());
    room.server.cli(&["PING"]);
    let asked = monitor.until("PING");
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("HGETALL")).count(), 1, "{asked:?}");
}

#[test]
fn no_copy_is_left_under_the_own_names() {
    // The other scope moves to the literal names as soon as they are free.
    let room = Room::new();
    room.put("b1", &records_of("b1", &[(X, 3)]));
    let own = || room.server.cli(&["KEYS", "nomad:clients:*:kept"]);
    let none = Value::Array(Vec::new());
    assert_ne!(own(), none);
    room.server.cli(&["DEL", "nomad:clients:meta"]);
    room.put("b1", &records_of("b1", &[(X, 3)]));
    assert_eq!((own(), room.get(ALL)), (none, room.get(KEPT)));
}

/// The clock of a forged reply may say anything.
#[test]
fn the_time_of_a_forged_reply_breaks_nothing() {
    const OWN: &[u8] = b"*7\r\n$3\r\nOWN\r\n$16\r\n0123456789abcdef\r\n$0\r\n\r\n$4\r\nNabc\r\n$3\r\nlit\r\n$20\r\n18446744073709551615\r\n:0\r\n";
    const FENCED: &[u8] = b"*1\r\n$6\r\nFENCED\r\n";
    let forging = FakeRedis::scripted(&[OWN, FENCED]);
    let store = RedisStore::new(&place("a0", &forging.url()), Notifier::nobody()).unwrap();
    let mut process = Process::new(Arc::new(store), 'N');
    process.own(How::Get);
    assert_eq!(process.put(3, &records(&[(X, 3)])), Published::Fenced);
}
