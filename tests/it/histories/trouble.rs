//! What happens to Redis, and to the files of a host, while a history is played.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use redis::Value;

use super::History;
use super::check::Clear;
use super::worker::Random;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use crate::support::signal::stop_for;

/// Ways in which a publication is refused or never ends: a command of Redis, and the one that takes
/// it back.
const REFUSALS: [(&str, &str); 8] = [
    ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
    ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
    ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ("ACL SETUSER default -eval", "ACL SETUSER default +@all"),
    ("ACL SETUSER default -set", "ACL SETUSER default +@all"),
    ("ACL SETUSER default -hset", "ACL SETUSER default +@all"),
    ("ACL SETUSER default -@write", "ACL SETUSER default +@all"),
    ("CLIENT PAUSE 60000 WRITE", "CLIENT UNPAUSE"),
];
/// Computes for so many milliseconds; nobody else is answered meanwhile.
const COMPUTE: &str = "local function now() local t = redis.call('TIME') \
    return t[1] * 1000 + t[2] / 1000 end \
    local till = now() + ARGV[1] while now() < till do end";
/// What somebody types to empty the cache; the last ones take the epoch along.
const CLEARS: [(&str, bool); 5] = [
    ("DEL nomad:clients:all", false),
    ("DEL nomad:clients:all nomad:clients:hash", false),
    ("DEL nomad:clients:meta", false),
    ("DEL nomad:clients:epoch", true),
    ("FLUSHALL", true),
];

/// One thread of it.
pub(super) struct Trouble<'a> {
    pub(super) history: &'a History,
    pub(super) redis: &'a mut RedisServer,
    pub(super) hosts: &'a [Sandbox],
    pub(super) random: Random,
    /// Redis is stopped no longer than this.
    pub(super) longest: Duration,
}

/// One kind of it.
type Happen<'a> = fn(&mut Trouble<'a>);

impl<'a> Trouble<'a> {
    const ALL: [(&'static str, Happen<'a>); 7] = [
        ("slow", Self::slow),
        ("stopped", Self::stopped),
        ("restarted empty", Self::restarted_empty),
        ("rolled back", Self::rolled_back),
        ("publications refused", Self::refusing),
        ("copies spoilt", Self::spoilt),
        ("cleared by hand", Self::cleared_by_hand),
    ];

    /// Makes trouble for so long; gives how often which.
    pub(super) fn make(mut self, time: Duration) -> BTreeMap<&'static str, u64> {
        let (began, mut made) = (Instant::now(), BTreeMap::new());
        // Each once before any of them again: a short history has them all.
        let mut next = self.random.below(Self::ALL.len());
        while began.elapsed() < time {
            let (name, happen) = Self::ALL[next];
            happen(&mut self);
            *made.entry(name).or_default() += 1;
            self.sleep(100, 1200);
            let is_first_round = made.len() < Self::ALL.len();
            next = if is_first_round { next + 1 } else { self.random.below(Self::ALL.len()) };
            next %= Self::ALL.len();
        }
        made
    }

    fn sleep(&mut self, shortest: usize, longest: usize) {
        let ms = shortest + self.random.below(longest - shortest);
        thread::sleep(Duration::from_millis(ms as u64));
    }

    fn say(&self, command: &str) {
        self.command(&command.split(' ').collect::<Vec<_>>());
    }

    fn command(&self, words: &[&str]) {
        let reply = self.redis.cli(words);
        assert!(!matches!(reply, Value::ServerError(_)), "{words:?}: {reply:?}");
    }

    /// Alive, but each question may wait for long.
    fn slow(&mut self) {
        for _ in 0..6 {
            let ms = (50 + self.random.below(500)).to_string();
            self.command(&["EVAL", COMPUTE, "0", &ms]);
            self.sleep(1, 30);
        }
    }

    fn stopped(&mut self) {
        let most = usize::try_from(self.longest.as_millis()).unwrap();
        let ms = 100 + self.random.below(most);
        stop_for(self.redis.id(), Duration::from_millis(ms as u64));
    }

    fn restarted_empty(&mut self) {
        let _ = fs::remove_file(self.dump());
        self.redis.restart(&[]);
    }

    /// Something is published, or cleared, of which Redis then knows nothing.
    fn rolled_back(&mut self) {
        self.say("SAVE");
        self.sleep(300, 1500);
        self.redis.restart(&[]);
        // Nobody on any host remembers what was cleared by hand.
        self.history.clears.lock().unwrap().retain(|clear| clear.host.is_some());
    }

    fn dump(&self) -> PathBuf {
        self.redis.folder().join("dump.rdb")
    }

    fn refusing(&mut self) {
        match self.random.below(REFUSALS.len() + 2) {
            0 => self.unsaved(),
            1 => self.cutting_off(),
            other => {
                let (begin, end) = REFUSALS[other - 2];
                self.say(begin);
                self.sleep(300, 2000);
                self.say(end);
            }
        }
        // For five minutes a host does not ask a Redis that lacks a command.
        for host in self.hosts {
            let _ = fs::remove_file(host.cache().join("redis-skip"));
        }
    }

    /// The last dump failed: Redis accepts no writes.
    fn unsaved(&mut self) {
        let _ = fs::remove_file(self.dump());
        fs::create_dir(self.dump()).unwrap();
        self.command(&["CONFIG", "SET", "save", "3600 1000000"]);
        self.say("BGSAVE");
        self.sleep(500, 2000);
        self.command(&["CONFIG", "SET", "save", ""]);
        fs::remove_dir(self.dump()).unwrap();
    }

    /// Connections are lost at any moment.
    fn cutting_off(&mut self) {
        for _ in 0..30 {
            self.say("CLIENT KILL TYPE normal");
            self.sleep(1, 60);
        }
    }

    /// Bytes of copies are not what they were.
    fn spoilt(&mut self) {
        for host in self.hosts {
            let files = fs::read_dir(host.cache()).into_iter().flatten().flatten();
            let paths = files.map(|file| file.path());
            let is_copy = |path: &PathBuf| path.to_string_lossy().contains(".copy");
            for path in paths.filter(is_copy) {
                self.spoil(path);
            }
        }
    }

    fn spoil(&mut self, path: PathBuf) {
        let Ok(mut bytes) = fs::read(&path) else { return };
        let at = self.random.below(bytes.len().max(1));
        match self.random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.clear(),
            2 => bytes.extend_from_slice(b"more"),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1),
        }
        if fs::write(path, bytes).is_ok() {
            self.history.figures.lock().unwrap().spoilt += 1;
        }
    }

    fn cleared_by_hand(&mut self) {
        let (command, is_whole) = CLEARS[self.random.below(CLEARS.len())];
        let truths: Vec<Vec<u64>> =
            self.history.clusters.iter().map(|cluster| cluster.versions()).collect();
        self.say(command);
        let end = self.history.now();
        let clears = truths.into_iter().enumerate().map(|(cluster, true_at_begin)| Clear {
            cluster,
            host: None,
            end,
            true_at_begin,
            notes: command.to_owned(),
        });
        if is_whole {
            self.history.clears.lock().unwrap().extend(clears);
        }
    }
}
