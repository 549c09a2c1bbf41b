//! A Redis that misbehaves: every row ends in time, with the right kind of error and one clear line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{Entered, Error, ErrorKind, How, Look, Published, Store, Want};

use crate::support::bench::{NoticeRecorder, place};
use crate::support::fake_redis::{FakeRedis, LOADING, NOTHING, nobody};
use crate::support::process::{Process, With, X, Y, records};
use crate::support::redis_server::RedisServer;
use crate::support::relay::{Relay, Treatment};

pub(super) const EMPTY: Look = Look::Miss { refuse: None };
pub(super) fn store(url: &str) -> Arc<RedisStore> {
    Arc::new(RedisStore::new(&place("a0", url), Notifier::nobody()).unwrap())
}

/// The error of a look, and how long it took.
fn look_error(url: &str) -> (Error, Duration) {
    let began = Instant::now();
    let error = store(url).look(Want::Records).unwrap_err();
    (error, began.elapsed())
}

#[track_caller]
fn check(url: &str, kind: ErrorKind, what: &str) {
    let (error, took) = look_error(url);
    assert_eq!((error.kind(), &*error.to_string()), (kind, what));
    assert!(took < Duration::from_secs(4), "{took:?}");
}

fn enter(store: &Arc<RedisStore>) -> Result<Entered, Error> {
    let revs = nomad_clients::store::RefusedRevs::Revs(Vec::new());
    let enter =
        nomad_clients::store::Enter { token: "Nabc", how: How::Get, refuse: &revs, waited: None };
    store.enter(&enter)
}

#[track_caller]
pub(super) fn check_enter(store: &Arc<RedisStore>, kind: ErrorKind, start: &str) {
    let error = enter(store).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().starts_with(start), "{error}");
}

pub(super) fn clear(store: &Arc<RedisStore>) -> Result<(), Error> {
    store.clear().places.remove(0).outcome
}

#[test]
fn r2_nobody_listens() {
    check(&nobody(), ErrorKind::Unavailable, "connection refused");
    check("unix:///nowhere/redis.sock", ErrorKind::Unavailable, "connection refused");
    check(
        "redis://no-such-host.invalid",
        ErrorKind::Unavailable,
        "the host name cannot be resolved",
    );
    assert_eq!(clear(&store(&nobody())).unwrap_err().to_string(), "connection refused");
}

#[test]
fn r3_silence_ends_in_time_and_the_next_run_does_not_wait_for_it() {
    let silent = FakeRedis::silent();
    let home = tempfile::tempdir().unwrap();
    let mut place = place("a0", &silent.url());
    place.folder = Some(home.path().join("cache"));
    let open = || RedisStore::new(&place, Notifier::nobody()).unwrap();
    let error = open().look(Want::Records).unwrap_err();
    assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Unavailable, "timed out after 1s"));
    let began = Instant::now();
    let error = open().look(Want::Records).unwrap_err();
    assert_eq!(error.to_string(), "timed out a moment ago; not tried again yet");
    assert!(began.elapsed() < Duration::from_millis(400));
    // Who wants to know whether it is back asks.
    assert_eq!(open().check().unwrap_err().to_string(), "timed out after 1s");
    let mut elsewhere = place.clone();
    elsewhere.redis.url = nomad_clients::model::secret::Secret::new(nobody());
    let other = RedisStore::new(&elsewhere, Notifier::nobody()).unwrap();
    assert_eq!(other.look(Want::Records).unwrap_err().to_string(), "connection refused");
}

#[test]
fn r3_silence_at_enter() {
    let silent = FakeRedis::scripted(&[NOTHING]);
    let store = store(&silent.url());
    assert_eq!(store.look(Want::Records).unwrap(), EMPTY);
    check_enter(&store, ErrorKind::Unavailable, "timed out after 1s");
}

/// R3 and R15: the publication takes effect after nobody waits for its answer any more.
#[test]
fn r3_silence_at_publish() {
    let server = RedisServer::start();
    let mut own = Process::new(store(&server.url()), 'N');
    own.own(How::Get);
    let id = rustix::process::Pid::from_raw(server.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::STOP).unwrap();
    let began = Instant::now();
    let error = own.try_put_with(5, &records(&[(X, 3)]), With::default()).unwrap_err();
    assert_eq!(error.to_string(), "timed out after 2s");
    assert!(began.elapsed() < Duration::from_secs(4));
    rustix::process::kill_process(id, rustix::process::Signal::CONT).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while own.hit().is_none() {
        assert!(Instant::now() < until, "it never took effect");
    }
}

#[test]
fn r3_clear_tries_for_five_seconds() {
    let began = Instant::now();
    let error = clear(&store(&FakeRedis::silent().url())).unwrap_err();
    assert_eq!(error.to_string(), "timed out after 5s");
    let took = began.elapsed();
    assert!((3..8).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_drip_is_silence() {
    check(&FakeRedis::dripping().url(), ErrorKind::Unavailable, "timed out after 1s");
}

#[test]
fn r5_wrong_credentials() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let refused = "Redis rejected the credentials";
    check(&server.url(), ErrorKind::Credentials, refused);
    check(&format!("{}?pass=wrong", server.url()), ErrorKind::Credentials, refused);
    check(&format!("{}?user=nobody&pass=secret", server.url()), ErrorKind::Credentials, refused);
    let error = clear(&store(&format!("{}?pass=wrong", server.url()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    let open = RedisServer::start();
    check(&format!("{}?pass=unneeded", open.url()), ErrorKind::Credentials, refused);
    server.cli(&["AUTH", "secret"]);
}

#[test]
fn r8_a_replica_can_be_read() {
    let server = RedisServer::start();
    let mut owner = Process::new(store(&server.url()), 'N');
    owner.own(How::Get);
    owner.put(5, &records(&[(X, 3)]));
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(owner.hit().is_some());
    let store = store(&server.url());
    server.cli(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]);
    let mut late = Process::new(Arc::clone(&store) as Arc<dyn Store>, 'N');
    let refuse = nomad_clients::store::RefusedRevs::Everything;
    let enter = nomad_clients::store::Enter {
        token: &late.token,
        how: How::Refresh,
        refuse: &refuse,
        waited: None,
    };
    let error = store.enter(&enter).unwrap_err();
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (ErrorKind::ReadOnly, "Redis is a read-only replica")
    );
    assert_eq!(clear(&store).unwrap_err().kind(), ErrorKind::ReadOnly);
    // The failover is over: the same store goes on.
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    late.own(How::Refresh);
}

#[test]
fn r9_out_of_memory_can_be_read_and_cleared() {
    let server = RedisServer::start();
    let mut owner = Process::new(store(&server.url()), 'N');
    owner.own(How::Get);
    owner.put(5, &records(&[(X, 3)]));
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(owner.hit().is_some());
    let other = store(&server.url());
    server.cli(&["DEL", "nomad:clients:all"]);
    check_enter(&other, ErrorKind::ReadOnly, "Redis is out of memory");
    clear(&other).unwrap();
    assert_eq!(server.int(&["DBSIZE"]), 0);
}

#[test]
fn r9_too_few_replicas_refuse_the_clear_too() {
    let server = RedisServer::start_with(&["--min-replicas-to-write", "1"]);
    let store = store(&server.url());
    assert_eq!(store.look(Want::Records).unwrap(), EMPTY);
    let what = "Redis has too few replicas and rejects writes (NOREPLICAS)";
    check_enter(&store, ErrorKind::ReadOnly, what);
    assert_eq!(clear(&store).unwrap_err().to_string(), what);
}

#[test]
fn r10_a_server_that_loads_is_asked_once_more() {
    let store = |answers: &'static [&'static [u8]]| store(&FakeRedis::scripted(answers).url());
    assert_eq!(store(&[LOADING, NOTHING]).look(Want::Records).unwrap(), EMPTY);
    let error = store(&[LOADING, LOADING, NOTHING]).look(Want::Records).unwrap_err();
    assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Unavailable, "busy: LOADING"));
}

#[test]
fn r11_a_cluster_is_named() {
    const MOVED: &[u8] = b"-MOVED 1 h:1\r\n-MOVED 1 h:1\r\n-CROSSSLOT x\r\n";
    let what = "Redis is a cluster (MOVED); redis-cluster:// is not supported";
    check(&FakeRedis::saying(MOVED).url(), ErrorKind::Unavailable, what);
}

#[test]
fn r17_not_a_redis_server() {
    let what = "not a Redis server";
    let http = FakeRedis::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").url();
    check(&http, ErrorKind::Unavailable, "an HTTP server, not a Redis server");
    check(&FakeRedis::saying(b"\x16\x04\x01\x00\x02\x02\x50").url(), ErrorKind::Unavailable, what);
    let alert = FakeRedis::saying(b"\x15\x03\x01\x00\x02\x02\x50").url();
    check(&alert, ErrorKind::Unavailable, "the server uses TLS: use rediss://");
    check(
        &FakeRedis::saying(b":1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n").url(),
        ErrorKind::Unavailable,
        what,
    );
    check(
        &FakeRedis::saying(b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n").url(),
        ErrorKind::Unavailable,
        what,
    );
    let huge = FakeRedis::cut_off(b"*2147483647\r\n*2147483647\r\n$9223372036854775807\r\n");
    check(&huge.url(), ErrorKind::Unavailable, what);
    check(&FakeRedis::cut_off(b"").url(), ErrorKind::Unavailable, "connection lost");
}

#[test]
fn r17_no_room_for_one_more() {
    let server = RedisServer::start_with(&["--maxclients", "1"]);
    let until = Instant::now() + Duration::from_secs(5);
    let mut only = std::os::unix::net::UnixStream::connect(server.socket()).unwrap();
    let mut greeted = [0; 5];
    // The connection that has seen the server come up may be in its books for a moment.
    while std::io::Write::write_all(&mut only, b"PING\r\n").is_err()
        || std::io::Read::read(&mut only, &mut greeted).is_err()
        || &greeted != b"+PONG"
    {
        assert!(Instant::now() < until, "the only client was not let in");
        only = std::os::unix::net::UnixStream::connect(server.socket()).unwrap();
    }
    let what = "Redis has reached maxclients";
    check(&server.url(), ErrorKind::Unavailable, what);
    drop(only);
}

#[test]
fn r19_a_reply_that_is_cut_off() {
    let start = b":60000\r\n:-2\r\n*5\r\n$4\r\nabcd\r\n$1000000\r\nxxxxx";
    check(
        &FakeRedis::cut_off(start).url(),
        ErrorKind::Unavailable,
        "connection lost in the middle of a reply",
    );
}

/// Once, on a new connection, and never for a publication.
#[test]
fn a_reply_that_was_lost_is_asked_for_again() {
    let server = RedisServer::start();
    let mut owner = Process::new(store(&server.url()), 'N');
    owner.own(How::Get);
    assert_eq!(owner.put(5, &records(&[(X, 3), (Y, 5)])), Published::Done);
    for (lost, received) in [(1, 0), (1, 100), (2, 0), (2, 100)] {
        let questions = Arc::new(AtomicUsize::new(0));
        let asked = Arc::clone(&questions);
        let relay = Relay::start(server.socket(), move |question| {
            asked.fetch_add(1, Ordering::SeqCst);
            if question.number < lost { Treatment::Cut(received) } else { Treatment::Pass }
        });
        let found = store(&relay.url()).look(Want::Records);
        let error = if received == 0 { Error::Lost } else { Error::Truncated };
        match lost {
            1 => assert!(matches!(found, Ok(Look::Hit(_))), "{found:?}"),
            _ => assert_eq!(found, Err(error)),
        }
        assert_eq!(questions.load(Ordering::SeqCst), 2);
    }
    let relay = Relay::start(server.socket(), |question| {
        if question.number == 1 { Treatment::Cut(2) } else { Treatment::Pass }
    });
    let mut owner = Process::new(store(&relay.url()), 'N');
    owner.own(How::Refresh);
    let published = owner.try_put_with(6, &records(&[(X, 6)]), With::default());
    assert_eq!(published, Err(Error::Truncated), "published, and not twice");
}

#[test]
fn r22_a_replica_that_does_not_confirm() {
    let server = RedisServer::start_with(&["--repl-diskless-sync", "no"]);
    let mut replica = std::os::unix::net::UnixStream::connect(server.socket()).unwrap();
    std::io::Write::write_all(&mut replica, b"SYNC\r\n").unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let online =
        |role| matches!(role, redis::Value::Array(role) if role[2] != redis::Value::Array(vec![]));
    while !online(server.cli(&["ROLE"])) {
        assert!(Instant::now() < until, "the replica never came online");
    }
    server.cli(&["SET", "nomad:clients:all", "[]"]);
    let error = clear(&store(&server.url())).unwrap_err();
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (ErrorKind::Unavailable, "no replica confirmed it within 500ms")
    );
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_replaced() {
    let server = RedisServer::start();
    let mut own = Process::new(store(&server.url()), 'N');
    own.own(How::Get);
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(own.put(5, &records(&[(X, 3), (Y, 5)])), Published::Done);
}

/// R14: a restart without data in the middle of a flight.
#[test]
fn r14_a_restart_voids_the_flight() {
    let mut server = RedisServer::start();
    let mut own = Process::new(store(&server.url()), 'N');
    own.own(How::Get);
    server.restart(&[]);
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Fenced);
    assert_eq!(own.hit(), None);
    own.own(How::Get);
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
}

/// The guard at ENTER: cleared again once; when the dead epoch comes back once more, no cache.
#[test]
fn a_dead_epoch_is_never_published_under() {
    let server = RedisServer::start();
    let ear = NoticeRecorder::default();
    let store = Arc::new(RedisStore::new(&place("a0", &server.url()), ear.tell()).unwrap());
    let mut own = Process::new(Arc::clone(&store) as Arc<dyn Store>, 'N');
    own.own(How::Get);
    let dead = own.flight().epoch().to_owned();
    clear(&store).unwrap();
    let back = |_| server.cli(&["SET", "nomad:clients:epoch", &dead]);
    back(());
    own.own(How::Get);
    assert_ne!(own.flight().epoch(), dead);
    assert_eq!(
        ear.heard(),
        ["Verbose: cache entry ignored: was cleared before; Redis went back to an older state"]
    );
    back(());
    assert!(matches!(own.come(How::Get), Entered::Alone));
}
