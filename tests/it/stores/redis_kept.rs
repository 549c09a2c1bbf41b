//! The copy of `all` that outlives it: what may come between reading it and publishing it anew.

use std::sync::Arc;

use nomad_clients::model::node::NodeId;
use nomad_clients::model::remark::Tell;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{How, Publication, Published};

use crate::support::bench::place;
use crate::support::process::{Process, Records, X, Y, records};
use crate::support::redis_server::RedisServer;

const KEPT: &str = "nomad:clients:kept";
const ALL: &str = "nomad:clients:all";

fn id(text: &str) -> NodeId {
    NodeId::parse(text).unwrap()
}

struct Room {
    server: RedisServer,
}

impl Room {
    /// With a publication of index 5 that is kept.
    fn new() -> Self {
        let room = Self { server: RedisServer::start() };
        let owner = room.owner();
        assert_eq!(room.put(&owner, 5, &records(&[(X, 3), (Y, 4)])), Published::Done);
        room
    }

    fn process(&self) -> Process {
        let store = RedisStore::new(&place("a0", &self.server.url()), Tell::nobody()).unwrap();
        Process::new(Arc::new(store), 'N')
    }

    /// One that has the flight.
    fn owner(&self) -> Process {
        let mut process = self.process();
        process.own(How::Refresh);
        process
    }

    fn put(&self, process: &Process, index: u64, records: &Records) -> Published {
        let all = values(records);
        let fulls: Vec<_> = records.clone().into_iter().collect();
        let new = Publication { all: &all, fulls: &fulls, ..publication(process, index) };
        process.store.publish(process.flight(), &new).unwrap()
    }

    /// Publishes what is kept, and does `meanwhile` before.
    fn put_again(&self, meanwhile: impl FnOnce(&Process)) -> (Process, Published) {
        let process = self.owner();
        let kept = process.store.kept(process.flight(), &id(X)).unwrap();
        assert_eq!(Some(kept.all.clone()), self.get(KEPT));
        meanwhile(&process);
        let same = process.flight().meta.as_ref();
        let again = Publication { all: &kept.all, same, ..publication(&process, 5) };
        let published = process.store.publish(process.flight(), &again).unwrap();
        (process, published)
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.server.bytes(&["GET", key])
    }
}

fn values(records: &Records) -> Vec<u8> {
    let values: Vec<&[u8]> = records.values().map(Vec::as_slice).collect();
    [b"[", &values.join(&b","[..])[..], b"]"].concat()
}

fn publication(process: &Process, index: u64) -> Publication<'static> {
    Publication {
        index,
        eff: index,
        reset: None,
        list_sent: process.flight().entered,
        partial: false,
        all: &[],
        fulls: &[],
        base: None,
        keep: true,
        same: None,
    }
}

#[test]
fn what_is_kept_is_published_with_a_new_rev_and_the_same_records() {
    let room = Room::new();
    let before = room.get(ALL);
    let (process, published) = room.put_again(|_| drop(room.server.cli(&["DEL", ALL])));
    assert_eq!(
        (published, room.get(ALL), room.get(KEPT)),
        (Published::Done, before.clone(), before)
    );
    let hit = process.hit().unwrap();
    assert_eq!((hit.rev, hit.index, hit.count), (process.flight().watch.clone(), 5, 2));
    assert_eq!(process.whole(), Some(records(&[(X, 3), (Y, 4)])));
    assert_eq!(room.server.int(&["EXISTS", "nomad:clients:lease"]), 0);
    let left = room.server.int(&["PTTL", ALL]);
    assert!((1..=60_000).contains(&left), "{left}");
}

/// Nothing is written, and the flight goes on.
#[test]
fn without_the_copy_or_the_records_it_is_refused() {
    type Spoil = fn(&Room);
    let spoils: [Spoil; 3] = [
        |room| drop(room.server.cli(&["DEL", KEPT])),
        |room| drop(room.server.cli(&["HDEL", "nomad:clients:hash", X])),
        |room| drop(room.server.cli(&["DEL", "nomad:clients:meta"])),
    ];
    for (at, spoil) in spoils.into_iter().enumerate() {
        let room = Room::new();
        let (process, published) = room.put_again(|_| {
            room.server.cli(&["DEL", ALL]);
            spoil(&room);
        });
        assert_eq!((published, room.get(ALL)), (Published::Rebase, None), "{at}");
        assert_eq!(room.put(&process, 5, &records(&[(X, 3)])), Published::Done, "{at}");
    }
}

#[test]
fn after_a_clear_or_another_publication_it_is_fenced() {
    let room = Room::new();
    let (process, published) = room.put_again(|process| drop(process.store.clear()));
    assert_eq!((published, process.hit()), (Published::Fenced, None));
    assert_eq!(room.get(KEPT), None);

    let room = Room::new();
    let (process, published) = room.put_again(|_| {
        let mut force = room.process();
        force.token.replace_range(..1, "F");
        force.own(How::Force);
        assert_eq!(room.put(&force, 6, &records(&[(X, 6)])), Published::Done);
    });
    assert_eq!(published, Published::Fenced);
    // As for every fenced one: whoever prints something else than the cache has leaves nothing to show.
    assert_eq!((process.hit(), room.get(KEPT)), (None, Some(values(&records(&[(X, 6)])))));
}

#[test]
fn what_is_not_of_this_publication_is_not_offered() {
    let room = Room::new();
    room.server.cli(&["SET", KEPT, "[]"]);
    let process = room.owner();
    assert!(process.store.kept(process.flight(), &id(X)).is_none());
    let unknown = "6f1c36aa-0000-4000-8000-0000000000ff";
    let room = Room::new();
    let process = room.owner();
    assert!(process.store.kept(process.flight(), &id(unknown)).is_none());
}
