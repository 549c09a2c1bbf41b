//! What goes over the line to a Redis, and what stays there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nomad_clients::clock;
use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{
    CacheState, Enter, How, KeyStats, Published, RefusedRevs, Sample, Store as _, Want,
};

use crate::support::bench::{NoticeRecorder, place, scope};
use crate::support::process::{Process, With, X, Y, records};
use crate::support::redis_server::RedisServer;

/// What `MONITOR` sees, as bare commands with their arguments.
pub(super) struct Monitor(BufReader<UnixStream>);

impl Monitor {
    pub(super) fn of(server: &RedisServer) -> Self {
        let mut socket = UnixStream::connect(server.socket()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.write_all(b"MONITOR\r\n").unwrap();
        let mut monitor = Self(BufReader::new(socket));
        monitor.line();
        monitor
    }

    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Everything until `last`; what scripts do inside is left out.
    pub(super) fn until(&mut self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let line = self.line();
            let (client, command) = line.split_once("] ").unwrap();
            if !client.ends_with(" lua") {
                seen.push(command.replace('"', ""));
            }
            if command.replace('"', "").starts_with(last) {
                return seen;
            }
        }
    }
}

fn store(url: &str) -> RedisStore {
    RedisStore::new(&place("a0", url), Notifier::nobody()).unwrap()
}

fn process(server: &RedisServer) -> Process {
    Process::new(std::sync::Arc::new(store(&server.url())), 'N')
}

fn filled(server: &RedisServer) -> Process {
    let mut process = process(server);
    process.own(How::Refresh);
    assert_eq!(process.put(5, &records(&[(X, 3), (Y, 5)])), Published::Done);
    process
}

fn hit() -> Sample {
    Sample::of(true, Duration::from_micros(1234), 0)
}

fn miss() -> Sample {
    Sample::of(false, Duration::from_micros(5678), 6)
}

#[test]
fn a_hit_is_one_round_trip_and_the_counters_come_after_it() {
    let server = RedisServer::start();
    filled(&server);
    let scope = scope("a0");
    let mut monitor = Monitor::of(&server);
    let reader = process(&server);
    assert!(reader.hit().is_some());
    reader.store.count(&hit());
    let minute = format!("nomad:clients:stats:{scope}:{}", clock::unix_seconds() / 60);
    let own = format!("nomad:clients:{scope}");
    assert_eq!(
        monitor.until("EXPIRE"),
        [
            "PTTL nomad:clients:all".to_owned(),
            format!("PTTL {own}:all"),
            format!("MGET nomad:clients:epoch nomad:clients:meta {own}:meta"),
            "STRLEN nomad:clients:all".to_owned(),
            format!("STRLEN {own}:all"),
            "GETRANGE nomad:clients:all 0 32767".to_owned(),
            format!("GETRANGE {own}:all 0 32767"),
            format!("HINCRBY {minute} hits 1"),
            format!("HINCRBY {minute} hit_us 1234"),
            format!("EXPIRE {minute} 3600"),
        ]
    );
    // The connection has ended with the counters: the next look opens another one.
    assert!(reader.whole().is_some());
    assert_eq!(monitor.until("HGETALL").last().unwrap(), "HGETALL nomad:clients:hash");
}

#[test]
fn the_greeting_shares_the_round_trip_of_a_look_and_precedes_a_write() {
    let server = RedisServer::start_with(&["--requirepass", "canary"]);
    let store = store(&format!("{}?db=3&pass=canary", server.url()));
    assert!(store.look(Want::Records).is_ok());
    let mut writer = Process::new(
        std::sync::Arc::new(self::store(&format!("{}?db=3&pass=canary", server.url()))),
        'N',
    );
    writer.own(How::Get);
    assert_eq!(writer.put(5, &records(&[(X, 3)])), Published::Done);
    assert!(writer.hit().is_some());
    let other = self::store(&format!("{}?pass=canary", server.url()));
    assert_eq!(
        other.look(Want::Records).unwrap(),
        nomad_clients::store::Look::Miss { refuse: None }
    );
}

#[test]
fn nothing_is_written_into_another_database() {
    let server = RedisServer::start();
    let store = store(&format!("{}?db=99", server.url()));
    let enter =
        Enter { token: "Nabc", how: How::Force, refuse: &RefusedRevs::Everything, waited: None };
    assert_eq!(store.enter(&enter).unwrap_err().to_string(), "DB index is out of range");
    assert_eq!(server.int(&["DBSIZE"]), 0);
}

#[test]
fn a_delta_sends_only_what_changed() {
    let server = RedisServer::start();
    filled(&server);
    let mut own = process(&server);
    own.own(How::Refresh);
    let base = own.base().unwrap();
    let mut monitor = Monitor::of(&server);
    assert_eq!(own.put_delta(9, &records(&[(X, 9), (Y, 5)]), &base), Published::Done);
    let seen = monitor.until("EVAL").remove(0);
    let tail = seen.split_once(&base.rev).unwrap().1;
    assert!(tail.contains(X) && !tail.contains(Y), "{tail}");
    assert!(tail.starts_with(" new 0 "), "none is gone: {tail}");
}

/// The time that a publication takes to arrive is part of the age.
#[test]
fn a_slow_way_to_redis_counts_as_age() {
    let server = RedisServer::start();
    let mut own = process(&server);
    own.own(How::Get);
    let id = rustix::process::Pid::from_raw(server.id().try_into().unwrap()).unwrap();
    let signal = |signal| rustix::process::kill_process(id, signal).unwrap();
    signal(rustix::process::Signal::STOP);
    let list_sent = Some(Instant::now());
    let with = With { list_sent, ..With::default() };
    std::thread::scope(|threads| {
        let publishing = threads.spawn(|| own.put_with(5, &records(&[(X, 3)]), with));
        std::thread::sleep(Duration::from_millis(200));
        signal(rustix::process::Signal::CONT);
        assert_eq!(publishing.join().unwrap(), Published::Done);
    });
    let shown = own.hit().unwrap();
    assert!((195..2000).contains(&shown.age.as_millis()), "{:?}", shown.age);
}

#[test]
fn the_lease_lives_for_three_seconds_and_is_renewed() {
    let server = RedisServer::start();
    let mut own = process(&server);
    own.own(How::Get);
    let lease = format!("nomad:clients:lease:{}", scope("a0"));
    server.cli(&["PEXPIRE", &lease, "1000"]);
    assert!(own.store.renew(own.flight().lease()).unwrap());
    let left = server.int(&["PTTL", &lease]);
    assert!((2000..=3000).contains(&left), "{left}");
}

#[test]
fn the_expiries_are_the_protocols() {
    let server = RedisServer::start();
    filled(&server);
    let left = |key: &str| server.int(&["PTTL", &format!("nomad:clients:{key}")]);
    for (key, ttl) in [("all", 60_000), ("hash", 300_000), ("meta", 300_000), ("epoch", 86_400_000)]
    {
        assert!((ttl - 5000..=ttl).contains(&left(key)), "{key}: {}", left(key));
    }
}

#[test]
fn stats_report_what_is_there_and_what_it_was_good_for() {
    let server = RedisServer::start();
    let reader = filled(&server);
    reader.store.count(&miss());
    assert!(reader.hit().is_some());
    reader.store.count(&Sample { follow_calls: 3, ..Sample::default() });
    for _ in 0..2 {
        assert!(reader.hit().is_some());
        reader.store.count(&hit());
    }
    let until = Instant::now() + Duration::from_secs(5);
    let stats = loop {
        let stats = reader.store.stats().unwrap();
        if Sample::sum(&stats.minutes).hits == 2 {
            break stats;
        }
        assert!(Instant::now() < until, "the counters never came: {stats:?}");
    };
    let expected = Sample {
        hits: 2,
        hit_time: Duration::from_micros(2468),
        misses: 1,
        miss_time: Duration::from_micros(5678),
        nomad_calls: 6,
        follow_calls: 3,
    };
    assert_eq!(Sample::sum(&stats.minutes), expected);
    assert_eq!((stats.kind, stats.place, stats.state), ("redis", server.url(), CacheState::Hot));
    assert_eq!(stats.nodes, Some(2));
    assert!(stats.fresh_for.unwrap() > Duration::from_secs(50));
    assert!(stats.age.unwrap() < Duration::from_secs(10));
    assert_eq!(stats.memory.unwrap().policy, "noeviction");
    let named: Vec<_> =
        stats.keys.iter().map(|KeyStats { key, kind, .. }| (&**key, &**kind)).collect();
    assert_eq!(
        named,
        [
            ("nomad:clients:all", "string"),
            ("nomad:clients:hash", "hash"),
            ("nomad:clients:kept", "string"),
            ("nomad:clients:meta", "string"),
            ("nomad:clients:epoch", "string"),
        ]
    );
    assert!(stats.keys.iter().all(|key| key.bytes > Some(0) && key.ttl.is_some()));
}

#[test]
fn stats_of_an_expired_and_of_an_empty_cache() {
    let server = RedisServer::start();
    let reader = filled(&server);
    server.cli(&["DEL", "nomad:clients:all"]);
    let stats = reader.store.stats().unwrap();
    assert_eq!((stats.state, stats.nodes, stats.fresh_for), (CacheState::Stale, Some(2), None));
    assert!(stats.age.unwrap() < Duration::from_secs(10));
    reader.store.clear();
    let stats = reader.store.stats().unwrap();
    assert_eq!((stats.state, stats.nodes, stats.age), (CacheState::Cold, None, None));
    assert_eq!((stats.keys, stats.minutes), (vec![], vec![]));
}

/// S7: nothing that is written holds the password, and `-vv` does not show it either.
#[test]
fn secrets_stay_out() {
    let server = RedisServer::start_with(&["--requirepass", "canary"]);
    let ear = NoticeRecorder::default();
    let shown = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let into = std::sync::Arc::clone(&shown);
    let tell = Notifier::new(move |remark| into.lock().unwrap().push_str(&remark.text));
    let url = format!("{}?pass=canary", server.url());
    let store = std::sync::Arc::new(RedisStore::new(&place("a0", &url), tell).unwrap());
    let mut own = Process::new(store, 'N');
    own.own(How::Get);
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    assert!(own.whole().is_some());
    own.store.count(&miss());
    assert!(own.store.clear().places.iter().all(|place| !place.place.contains("canary")));
    let bad =
        RedisStore::new(&place("a0", "redis://:canary@h:notaport"), ear.tell()).err().unwrap();
    assert_eq!(bad.to_string(), "the Redis URL has a port that is not a number from 1 to 65535");
    let shown = shown.lock().unwrap().clone();
    assert!(shown.contains("redis EVAL publish: ") && !shown.contains("canary"), "{shown}");
}
