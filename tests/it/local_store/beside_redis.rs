//! Some processes of one host reach Redis and some do not: nobody is shown anything older than what
//! Redis has shown, and nobody's fetch is lost.

use std::sync::Arc;
use std::time::Duration;

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::fallback::FallbackStore;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{How, Look, Published, Want};

use crate::support::bench::{Bench as _, place};
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, X, Y, filled, records};
use crate::support::redis_server::RedisServer;

use super::keeping::redis_shows;

const SECOND: Duration = Duration::from_secs(1);

/// A healthy process of the same host.
fn sibling(bench: &LocalBench, server: &RedisServer) -> Process {
    let redis = RedisStore::new(&place("a0", &server.url()), Notifier::nobody()).unwrap();
    let local = bench.open(&bench.place("a0"), Notifier::nobody());
    Process::new(Arc::new(FallbackStore::new(Arc::new(redis), Ok(local), Notifier::nobody())), 'N')
}

/// It finds nothing in Redis, fetches, and publishes there.
fn publishes(bench: &LocalBench, server: &RedisServer, index: u64) -> Process {
    let mut sibling = sibling(bench, server);
    assert!(matches!(sibling.store.look(Want::Records).unwrap(), Look::Miss { .. }));
    sibling.own(How::Get);
    assert_eq!(sibling.put(index, &records(&[(X, index)])), Published::Done);
    sibling
}

/// One is on the local store in the midst of its fetch, the other one reaches Redis.
#[test]
fn a_fetch_under_way_is_not_disturbed() {
    let (bench, server) = (LocalBench::new(), RedisServer::start());
    let mut fallen = Process::on(&bench);
    fallen.own(How::Get);
    publishes(&bench, &server, 5);
    assert!(sibling(&bench, &server).hit().is_some());
    assert!(fallen.store.renew(fallen.flight().lease()).unwrap());
    assert_eq!(fallen.put(5, &records(&[(X, 5)])), Published::Done);
    assert_eq!(Process::on(&bench).whole(), Some(records(&[(X, 5)])), "nobody fetches it again");
}

/// What it brings is older than what Redis has shown: not to be served, and still a base.
#[test]
fn what_is_older_than_redis_is_only_a_base() {
    let (bench, server) = (LocalBench::new(), RedisServer::start());
    let mut fallen = Process::on(&bench);
    fallen.own(How::Get);
    bench.pass(SECOND);
    publishes(&bench, &server, 9);
    assert_eq!(fallen.put(5, &records(&[(X, 5)])), Published::Done);
    let mut next = Process::on(&bench);
    assert_eq!((next.hit(), next.store.last(Want::Full)), (None, None));
    assert_eq!(next.store.present().unwrap(), None);
    next.own(How::Get);
    assert_eq!(next.base().unwrap().fulls.unwrap().len(), 1, "only what has changed is asked for");
    bench.pass(SECOND);
    assert_eq!(next.put(9, &records(&[(X, 9)])), Published::Done);
    assert_eq!(Process::on(&bench).whole(), Some(records(&[(X, 9)])));
}

/// A refresh of what is there has read its base, or is about to.
#[test]
fn the_base_of_a_flight_stays() {
    let bench = LocalBench::new();
    let old = filled(&bench, "a0", 5, &records(&[(X, 3), (Y, 5)]));
    let own = Process::refreshing(&bench);
    bench.pass(SECOND);
    redis_shows(&bench, Some(9));
    assert_eq!(old.hit(), None, "it is older than what Redis has shown");
    let base = own.base().unwrap();
    assert_eq!(base.fulls.as_ref().unwrap().len(), 2);
    bench.pass(SECOND);
    assert_eq!(own.put_delta(9, &records(&[(X, 9), (Y, 5)]), &base), Published::Done);
    assert_eq!(old.whole(), Some(records(&[(X, 9), (Y, 5)])));
}

/// Redis may well have the older list.
#[test]
fn what_is_not_older_stays() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    for index in [4, 5] {
        redis_shows(&bench, Some(index));
        assert_eq!(own.whole(), Some(records(&[(X, 3)])), "{index}");
    }
    bench.pass(SECOND);
    redis_shows(&bench, Some(6));
    assert_eq!((own.hit(), bench.fulls().len()), (None, 1));
}

/// The next list will be newer, and what is here may have been cleared for all hosts.
#[test]
fn a_redis_that_has_nothing_hides_what_is_here() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    bench.pass(SECOND);
    redis_shows(&bench, None);
    assert_eq!(own.hit(), None);
    bench.pass(SECOND);
    let mut next = Process::on(&bench);
    next.own(How::Get);
    assert!(next.base().is_some());
    redis_shows(&bench, None);
    assert_eq!(next.put(5, &records(&[(X, 3)])), Published::Done);
    assert!(own.hit().is_some());
}

/// No lock is there to see: who works beside a stopped owner must not bring back the older either.
#[test]
fn a_flight_beside_another_is_measured_too() {
    let bench = LocalBench::new();
    let owner = Process::refreshing(&bench);
    let mut force = Process::forcing(&bench);
    force.come(How::Force);
    owner.store.release(owner.flight().lease());
    bench.pass(SECOND);
    redis_shows(&bench, Some(9));
    assert_eq!(force.put(5, &records(&[(X, 5)])), Published::Done);
    assert_eq!(force.hit(), None);
}

#[test]
fn a_clear_forgets_what_redis_has_shown() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    redis_shows(&bench, Some(9));
    assert!(bench.path("a0", "floor").exists());
    assert!(own.store.clear().places[0].outcome.is_ok());
    assert!(!bench.path("a0", "floor").exists());
}
