//! Nomad has refused a token: what is cached for it is not shown any more, whatever Redis permits.

use std::path::Path;
use std::sync::Arc;

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::fallback::FallbackStore;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{
    Entered, Error, How, Look, Place, Published, RefusedRevs, Store as _, Want,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::bench::{NoticeRecorder, place};
use crate::support::fake_redis::nobody;
use crate::support::process::{Process, X, records};
use crate::support::redis_server::RedisServer;

/// A host with a cache directory.
struct Host {
    server: RedisServer,
    home: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let server = RedisServer::start();
        let may = ["+mget", "+pttl", "+strlen", "+getrange", "+hgetall"];
        let user = ["ACL", "SETUSER", "v", "on", ">p", "~nomad:clients*", "-@all"];
        server.cli(&[&user[..], &may[..]].concat());
        Self { server, home: tempfile::tempdir().unwrap() }
    }

    fn place(&self, scope: &str, user: &str, folder: Option<&Path>) -> Place {
        let url = format!("{}{user}", self.server.url());
        Place { folder: folder.map(Path::to_owned), ..place(scope, &url) }
    }

    /// A process of this host.
    fn process(&self, scope: &str, user: &str) -> Process {
        run(&self.place(scope, user, Some(&self.home.path().join("cache")))).0
    }

    /// One of another host, which has filled the cache.
    fn elsewhere(&self, scope: &str) -> Process {
        let mut process = run(&self.place(scope, "", None)).0;
        process.own(How::Refresh);
        assert_eq!(process.put(5, &records(&[(X, 5)])), Published::Done);
        process
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.server.id().cast_signed()).unwrap();
        kill_process(id, signal).unwrap();
    }
}

fn run(place: &Place) -> (Process, NoticeRecorder) {
    let ear = NoticeRecorder::default();
    let redis = RedisStore::new(place, ear.tell()).unwrap();
    let store = FallbackStore::new(Arc::new(redis), Err(Error::NoHome), ear.tell());
    (Process::new(Arc::new(store), 'N'), ear)
}

const VIEWER: &str = "?user=v&pass=p";

/// Nothing of Redis is shown in any way.
#[track_caller]
fn sees_nothing(process: &Process) {
    let rev = match process.store.look(Want::Records).unwrap() {
        Look::Miss { refuse } => refuse,
        hit => panic!("a hit: {hit:?}"),
    };
    assert!(rev.is_some(), "or ENTER would call it a hit again");
    assert_eq!((process.whole(), process.store.last(Want::Full)), (None, None));
    assert!(process.store.present().unwrap().is_none());
}

#[test]
fn a_viewer_whose_token_is_refused_sees_nothing_until_there_is_a_newer_list() {
    let host = Host::new();
    let (elsewhere, other) = (host.elsewhere("a0"), host.elsewhere("b0"));
    let viewer = host.process("a0", VIEWER);
    assert!(viewer.hit().is_some() && viewer.store.present().unwrap().is_some());
    viewer.store.void(None).unwrap();
    sees_nothing(&viewer);
    sees_nothing(&host.process("a0", VIEWER));
    sees_nothing(&host.process("a0", ""));
    assert!(host.process("b0", VIEWER).hit().is_some() && other.hit().is_some(), "another token");
    assert!(elsewhere.hit().is_some(), "another host is not told");

    let mut member = host.process("a0", "");
    let Look::Miss { refuse: Some(rev) } = member.store.look(Want::Records).unwrap() else {
        panic!("no such publication");
    };
    let entered = member.enter(How::Get, &RefusedRevs::Revs(vec![rev]), None);
    assert!(matches!(entered, Entered::Own(_)), "{entered:?}");
    assert_eq!(member.put(7, &records(&[(X, 7)])), Published::Done);
    assert_eq!(viewer.hit().map(|hit| hit.index), Some(7));
    assert!(viewer.store.last(Want::Full).is_some() && viewer.store.present().unwrap().is_some());
}

/// Redis was silent when it was asked: nobody waits for it again.
#[test]
fn a_redis_that_is_avoided_is_not_believed_later() {
    let host = Host::new();
    host.elsewhere("a0");
    let denied = host.process("a0", "");
    host.signal(Signal::STOP);
    assert_eq!(denied.hit(), None);
    denied.store.void(None).unwrap();
    host.signal(Signal::CONT);
    std::fs::remove_file(host.home.path().join("cache/redis-skip")).unwrap();
    sees_nothing(&host.process("a0", ""));
}

/// Without a folder nothing can be noted: Redis is asked once more, and is back.
#[test]
fn a_redis_that_was_given_up_is_voided_all_the_same() {
    let host = Host::new();
    let elsewhere = host.elsewhere("a0");
    let (denied, _) = run(&host.place("a0", "", None));
    host.signal(Signal::STOP);
    assert_eq!(denied.hit(), None);
    host.signal(Signal::CONT);
    denied.store.void(None).unwrap();
    assert_eq!((elsewhere.hit(), elsewhere.store.last(Want::Full)), (None, None));
}

#[test]
fn what_can_neither_be_voided_nor_noted_is_reported() {
    let host = Host::new();
    let elsewhere = host.elsewhere("a0");
    let (denied, _) = run(&host.place("a0", VIEWER, None));
    let why = denied.store.void(None).unwrap_err().to_string();
    assert!(why.starts_with("Redis does not permit eval"), "{why}");
    assert_eq!(denied.hit(), None, "this process knows it");
    assert!(elsewhere.hit().is_some());
}

/// Nobody named a Redis, and there is none.
#[test]
fn a_redis_that_was_never_there_need_not_be_voided() {
    let place = place("a0", &nobody());
    let redis = RedisStore::new(&place, Notifier::nobody()).unwrap();
    let store =
        FallbackStore::new(Arc::new(redis), Err(Error::NoHome), Notifier::nobody()).unasked();
    assert!(matches!(store.look(Want::Records), Ok(Look::Miss { .. })));
    store.void(None).unwrap();
}
