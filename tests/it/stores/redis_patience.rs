//! A Redis that is slow and alive, and one that is silent: how long a run waits for it, and how long
//! the runs of a host do without it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nomad_clients::model::node::NodeId;
use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{Error, How, Look, Place, Published, Store as _, Want};

use crate::support::bench::{NoticeRecorder, place};
use crate::support::fake_redis::FakeRedis;
use crate::support::process::{Process, With, X, records};
use crate::support::redis_server::RedisServer;
use crate::support::relay::{Relay, Treatment};

const MS: Duration = Duration::from_millis(1);

/// A host, and a Redis that holds a publication of `bytes` bytes.
struct Host {
    home: tempfile::TempDir,
    server: RedisServer,
}

impl Host {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), server: RedisServer::start() }
    }

    /// Redis has a publication that came this long after its list.
    fn filled(self, lag: Duration) -> Self {
        let list_sent = Instant::now().checked_sub(lag);
        let mut process = Process::new(open(&place("a0", &self.server.url())), 'N');
        process.own(How::Get);
        let with = With { list_sent, ..With::default() };
        assert_eq!(process.put_with(5, &records(&[(X, 3)]), with), Published::Done);
        self
    }

    fn folder(&self) -> std::path::PathBuf {
        self.home.path().join("cache")
    }

    fn place(&self, url: &str) -> Place {
        Place { folder: Some(self.folder()), ..place("a0", url) }
    }

    /// A Redis that treats each question so.
    fn through(&self, rule: impl Fn(usize) -> Treatment + Send + Sync + 'static) -> Relay {
        Relay::start(self.server.socket(), move |question| rule(question.number))
    }
}

fn open(place: &Place) -> Arc<RedisStore> {
    Arc::new(RedisStore::new(place, Notifier::nobody()).unwrap())
}

fn late(ms: u32) -> impl Fn(usize) -> Treatment {
    move |_| Treatment::Late(MS * ms)
}

fn is_hit(store: &RedisStore) -> Result<bool, Error> {
    store.look(Want::Records).map(|look| matches!(look, Look::Hit(_)))
}

fn timed_out(ms: u32) -> Result<bool, Error> {
    Err(Error::TimedOut { after: MS * ms })
}

/// `serve` asks for the record of one node in each request, one after the other.
#[test]
fn one_record_of_a_silent_redis_is_waited_for_once() {
    let host = Host::new().filled(Duration::ZERO);
    let silent = host.through(late(60_000));
    let record = format!(r#"{{"id":"{X}"}}"#);
    for why in [Error::TimedOut { after: 1000 * MS }, Error::Silent] {
        let ear = NoticeRecorder::default();
        let store = RedisStore::new(&host.place(&silent.url()), ear.tell()).unwrap();
        assert_eq!(store.full(record.as_bytes()), None);
        assert_eq!(ear.heard(), [format!("Verbose: cache entry ignored: {why}")]);
    }
}

#[test]
fn where_nobody_knows_what_a_fetch_costs_a_second_is_waited() {
    let host = Host::new().filled(Duration::ZERO);
    let look = |ms| is_hit(&open(&place("a0", &host.through(late(ms)).url())));
    assert_eq!([look(400), look(700)], [Ok(true), Ok(true)]);
    assert_eq!(look(20_000), timed_out(1000));
}

#[test]
fn who_has_read_what_a_fetch_costs_waits_as_long() {
    for (lag, ms) in [(8000, 3000), (3000, 20_000), (100, 20_000)] {
        let host = Host::new().filled(MS * lag);
        let relay =
            host.through(move |number| Treatment::Late(MS * if number == 0 { 0 } else { ms }));
        let store = open(&place("a0", &relay.url()));
        assert_eq!(is_hit(&store), Ok(true));
        match is_hit(&store) {
            Ok(hit) => assert!(hit && lag == 8000),
            // The publication took its time as well.
            Err(Error::TimedOut { after }) if lag == 3000 => assert!(after >= MS * lag),
            Err(error) => assert_eq!(Err(error), timed_out(500)),
        }
    }
}

/// The next run knows it from the note, before it has read anything.
#[test]
fn later_runs_of_the_host_know_what_a_fetch_costs() {
    let host = Host::new().filled(MS * 8000);
    assert_eq!(is_hit(&open(&host.place(&host.server.url()))), Ok(true));
    assert_eq!(is_hit(&open(&host.place(&host.through(late(3000)).url()))), Ok(true));
    let short = Host::new().filled(MS * 100);
    assert_eq!(is_hit(&open(&short.place(&short.server.url()))), Ok(true));
    assert_eq!(is_hit(&open(&short.place(&short.through(late(20_000)).url()))), timed_out(500));
}

#[test]
fn a_full_fetch_counts_and_a_short_refresh_does_not() {
    let host = Host::new();
    let mut process = Process::new(open(&host.place(&host.server.url())), 'N');
    let noted = || std::fs::read_to_string(note(&host.folder())).unwrap().trim().parse::<u64>();
    let slow = With { list_sent: Instant::now().checked_sub(MS * 4000), ..With::default() };
    process.own(How::Get);
    process.put_with(5, &records(&[(X, 3)]), slow);
    assert!(noted().unwrap() >= 4000);
    process.own(How::Refresh);
    let base = process.base().unwrap();
    process.put_delta(6, &records(&[(X, 4)]), &base);
    assert!(noted().unwrap() >= 4000);
    process.own(How::Refresh);
    process.put(7, &records(&[(X, 5)]));
    assert!(noted().unwrap() < 4000);
}

fn note(folder: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.into_iter().find(|file| file.extension().is_some_and(|it| it == "fetch-ms")).unwrap()
}

#[test]
fn the_user_decides_and_the_command_has_an_end() {
    let look = |silence, timeout| {
        let silent = FakeRedis::silent();
        let mut place = place("a0", &silent.url());
        (place.redis.silence, place.redis.timeout) = (silence, timeout);
        is_hit(&open(&place))
    };
    assert_eq!(look(Some(MS * 200), MS * 30_000), timed_out(200));
    assert_eq!(look(Some(MS * 30_000), MS * 700), timed_out(700));
    assert_eq!(look(None, MS * 1200), timed_out(400), "a third");
}

/// Three seconds for a payload, at 320 KB and at 20 KB in half a second.
#[test]
fn a_payload_that_keeps_coming_is_waited_for_and_a_trickle_is_not() {
    let host = Host::new();
    let full = format!(r#"{{"id":"{X}","pad":"{}"}}"#, "x".repeat(1 << 20));
    let mut owner = Process::new(open(&place("a0", &host.server.url())), 'N');
    owner.own(How::Refresh);
    let only = [(NodeId::parse(X).unwrap(), full.into_bytes().into())];
    assert_eq!(owner.put(5, &only.into_iter().collect()), Published::Done);
    let look = |bytes| {
        let relay = host.through(move |_| Treatment::Paced(bytes, MS * 100));
        open(&place("a0", &relay.url())).look(Want::Records)
    };
    assert!(matches!(look(64 << 10), Ok(Look::Hit(_))));
    assert!(matches!(look(4 << 10), Err(Error::TimedOut { .. })));
}

/// What the first connection says later does not matter.
#[test]
fn a_connection_that_died_is_replaced_within_the_same_patience() {
    let connections = AtomicUsize::new(0);
    let server = RedisServer::start();
    let socket = server.socket();
    let fake = FakeRedis::new(move |client| {
        if connections.fetch_add(1, Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_secs(60));
        }
        let _ = crate::support::fake_redis::pass(client, &socket);
    });
    let mut place = place("a0", &fake.url());
    place.redis.silence = Some(MS * 10_000);
    assert_eq!(is_hit(&open(&place)), Ok(false));
}

/// Runs of one host at a Redis that falls silent and comes back.
#[test]
fn a_silent_redis_is_avoided_probed_once_a_second_and_used_again() {
    let host = Host::new().filled(Duration::ZERO);
    let is_silent = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (silent, probes) = (Arc::clone(&is_silent), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&probes);
    let relay = host.through(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        let time = if silent.load(Ordering::SeqCst) { MS * 60_000 } else { Duration::ZERO };
        Treatment::Late(time)
    });
    let ear = NoticeRecorder::default();
    let place = host.place(&relay.url());
    let run = || is_hit(&RedisStore::new(&place, ear.tell()).unwrap());
    assert_eq!(run(), timed_out(1000));
    let (began, before) = (Instant::now(), probes.load(Ordering::SeqCst));
    let looks = || (0..50).filter(|_| run() == Err(Error::Silent)).count();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(looks)).collect();
        assert_eq!(runs.into_iter().map(|run| run.join().unwrap()).sum::<usize>(), 200);
    });
    let probed = probes.load(Ordering::SeqCst) - before;
    assert!(probed as u64 <= began.elapsed().as_secs() + 1, "{probed} in {:?}", began.elapsed());
    is_silent.store(false, Ordering::SeqCst);
    let until = Instant::now() + Duration::from_secs(20);
    while run() != Ok(true) {
        assert!(Instant::now() < until, "it is never used again");
        std::thread::sleep(MS * 20);
    }
    assert_eq!(run(), Ok(true), "for all");
    let heard = ear.heard();
    let back: Vec<_> = heard.iter().filter(|line| line.contains("answers again")).collect();
    let socket = relay.url().replace("unix://", "");
    assert_eq!(back, [&format!("Verbose: Redis at {socket} answers again")]);
}
