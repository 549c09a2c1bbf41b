//! Copies on this host: what a hit moves with one, when it counts, and who makes it.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use nomad_clients::model::node::{AllJson, NodeId};
use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{CacheMode, How, Look, Place, Published, Store as _, Want};
use redis::Value;
use tempfile::TempDir;

use crate::support::bench::place;
use crate::support::interpose;
use crate::support::process::{Process, Records};
use crate::support::redis_server::RedisServer;

use super::redis_traffic::Monitor;

/// A host: its cache folder, and the Redis that it shares with others.
struct Host<'a> {
    server: &'a RedisServer,
    home: TempDir,
}

impl<'a> Host<'a> {
    fn of(server: &'a RedisServer) -> Self {
        let host = Self { server, home: TempDir::new().unwrap() };
        fs::DirBuilder::new().mode(0o700).create(host.folder()).unwrap();
        host
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    fn place(&self) -> Place {
        let place = place("a0", &self.server.url());
        Place { choice: CacheMode::Auto, folder: Some(self.folder()), ..place }
    }

    fn run(&self) -> RedisStore {
        RedisStore::new(&self.place(), Notifier::nobody()).unwrap()
    }

    /// A run that publishes; its copies are there when it is over.
    #[track_caller]
    fn publish(&self, index: u64, records: &Records) {
        let mut process = Process::new(Arc::new(self.run()), 'N');
        process.own(How::Refresh);
        assert_eq!(process.put(index, records), Published::Done);
    }

    /// What a run of its own sees.
    fn look(&self, want: Want) -> Look {
        self.run().look(want).unwrap()
    }

    #[track_caller]
    fn all(&self) -> AllJson {
        let Look::Hit(hit) = self.look(Want::Records) else { panic!("a miss") };
        hit.all
    }

    #[track_caller]
    fn whole(&self) -> Records {
        let Look::Hit(hit) = self.look(Want::Full) else { panic!("a miss") };
        hit.fulls.unwrap().into_iter().collect()
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder().join(format!("{}.{ending}", self.place().scope))
    }

    fn has(&self) -> [bool; 2] {
        ["copy", "copy-full"].map(|ending| self.file(ending).exists())
    }
}

/// So many nodes, each of about 1 KB.
fn nodes(count: u64, version: u64) -> Records {
    let node = |at: u64| {
        let id = format!("6f1c36aa-0000-4000-8000-{at:012x}");
        let full = format!(r#"{{"id":"{id}","version":{version},"pad":"{}"}}"#, "x".repeat(1000));
        (NodeId::parse(&id).unwrap(), full.into_bytes().into())
    };
    (0..count).map(node).collect()
}

fn all_of(records: &Records) -> Vec<u8> {
    let values: Vec<&[u8]> = records.values().map(|full| full.as_slice()).collect();
    [b"[", &values.join(&b","[..])[..], b"]"].concat()
}

/// The commands of a look, as one word each.
fn commands(server: &RedisServer, look: impl FnOnce()) -> Vec<String> {
    let mut monitor = Monitor::of(server);
    look();
    server.cli(&["ECHO", "end"]);
    let mut seen = monitor.until("ECHO");
    seen.pop();
    let word = |line: &String| line.split(' ').next().unwrap().to_owned();
    seen.iter().map(word).collect()
}

/// Bytes that went over the line meanwhile, both ways.
fn moved(server: &RedisServer, look: impl FnOnce()) -> u64 {
    let total = || -> (u64, u64) {
        let info = server.bytes(&["INFO", "stats"]).unwrap();
        let text = String::from_utf8(info).unwrap();
        let number = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(':').next().unwrap().parse().unwrap()
        };
        let answer = format!("${}\r\n{text}\r\n", text.len()).len() as u64;
        (number("total_net_input_bytes:") + number("total_net_output_bytes:"), answer)
    };
    let (before, answer) = total();
    look();
    total().0 - before - answer
}

const SMALL_LOOK: [&str; 5] = ["PTTL", "PTTL", "MGET", "STRLEN", "STRLEN"];

#[test]
fn with_a_copy_a_hit_moves_half_a_kilobyte() {
    let server = RedisServer::start();
    let (host, nodes) = (Host::of(&server), nodes(1500, 1));
    host.publish(5, &nodes);
    assert_eq!(host.has(), [true, true]);
    let all = all_of(&nodes);
    assert_eq!(commands(&server, || assert_eq!(*host.all(), all)), SMALL_LOOK);
    let full = [&SMALL_LOOK[..], &["HLEN", "HLEN"]].concat();
    assert_eq!(commands(&server, || assert!(host.whole() == nodes)), full);
    let stream = || {
        let Look::File(snapshot, file) = host.look(Want::Stream) else { panic!("no file") };
        let mut out = Vec::new();
        file.write_to(&mut out).unwrap();
        assert!(out == all && snapshot.all.is_empty());
        assert_eq!((snapshot.index, snapshot.count), (5, 1500));
    };
    assert_eq!(commands(&server, stream), SMALL_LOOK);
    for want in [Want::Records, Want::Stream, Want::Full] {
        let bytes = moved(&server, || assert!(!matches!(host.look(want), Look::Miss { .. })));
        assert!(bytes < 1000, "{want:?}: {bytes}");
    }
}

#[test]
fn another_host_reads_once() {
    let server = RedisServer::start();
    let nodes = nodes(1500, 1);
    Host::of(&server).publish(5, &nodes);
    let host = Host::of(&server);
    let first = [&SMALL_LOOK[..], &["GETRANGE", "GETRANGE", "PTTL", "MGET"]].concat();
    assert_eq!(commands(&server, || assert_eq!(*host.all(), all_of(&nodes))), first);
    assert_eq!(host.has(), [true, false]);
    assert_eq!(commands(&server, || assert_eq!(*host.all(), all_of(&nodes))), SMALL_LOOK);
    // The records are here: only the full ones are read.
    let full = [&SMALL_LOOK[..], &["HLEN", "HLEN"]].concat();
    let with_hash = [&full[..], &["HGETALL"]].concat();
    assert_eq!(commands(&server, || assert!(host.whole() == nodes)), with_hash);
    assert_eq!(host.has(), [true, true]);
    assert_eq!(commands(&server, || assert!(host.whole() == nodes)), full);
}

/// What is small comes along with LOOK, and there is no copy that would keep it from that.
#[test]
fn a_small_publication_is_one_round_trip_and_has_no_copy() {
    let server = RedisServer::start();
    let host = Host::of(&server);
    let few = nodes(20, 1);
    host.publish(5, &few);
    assert_eq!(host.has(), [false, false]);
    let first = [&SMALL_LOOK[..], &["GETRANGE", "GETRANGE"]].concat();
    assert_eq!(commands(&server, || assert_eq!(*host.all(), all_of(&few))), first);
    host.publish(6, &nodes(100, 1));
    assert_eq!(host.has(), [true, true]);
    // Another host publishes less: the first run here removes what is left of before.
    Host::of(&server).publish(7, &few);
    assert_eq!(*host.all(), all_of(&few));
    assert_eq!(host.has(), [false, false]);
    assert_eq!(commands(&server, || assert_eq!(*host.all(), all_of(&few))), first);
}

/// Redis decides: a copy of an older publication serves as long as its bytes are the valid ones.
#[test]
fn the_bytes_decide_whatever_epoch_and_rev_they_are_of() {
    let server = RedisServer::start();
    let (host, other, same) = (Host::of(&server), Host::of(&server), nodes(100, 1));
    host.publish(5, &same);
    assert!(host.run().clear().places.iter().all(|place| place.outcome.is_ok()));
    assert_eq!(host.look(Want::Records), Look::Miss { refuse: None });
    other.publish(6, &same);
    assert_eq!(commands(&server, || assert_eq!(*host.all(), all_of(&same))), SMALL_LOOK);
    let newer = nodes(100, 2);
    other.publish(7, &newer);
    let read = [&SMALL_LOOK[..], &["PTTL", "MGET"]].concat();
    assert_eq!(commands(&server, || assert_eq!(*host.all(), all_of(&newer))), read);
    assert!(host.whole() == newer, "nor are older full records shown with it");
}

/// A copy never serves what Redis would not.
#[test]
fn what_has_expired_or_never_expires_is_a_miss_with_a_copy_too() {
    let server = RedisServer::start();
    let (host, nodes) = (Host::of(&server), nodes(100, 1));
    host.publish(5, &nodes);
    let all = "nomad:clients:all";
    // Between the question for its expiry and the one for its length.
    let socket = server.socket();
    let removes = server.socket();
    let event = move || {
        let mut gone = redis::cmd("DEL");
        gone.arg(all);
        raw(&removes, &gone);
    };
    let look = interpose::look_at(socket, &host.place(), Box::new(event));
    assert!(matches!(look, Look::Miss { .. }), "{look:?}");
    for want in [Want::Records, Want::Stream, Want::Full] {
        assert_eq!(host.look(want), Look::Miss { refuse: None }, "expired");
    }
    host.publish(6, &nodes);
    server.cli(&["PERSIST", all]);
    assert!(matches!(host.look(Want::Stream), Look::Miss { refuse: Some(_) }), "never expires");
    host.publish(7, &nodes);
    server.cli(&["APPEND", all, "x"]);
    assert!(matches!(host.look(Want::Stream), Look::Miss { refuse: Some(_) }), "another length");
    host.publish(8, &nodes);
    server.cli(&["HDEL", "nomad:clients:hash", nodes.keys().next().unwrap().as_str()]);
    assert!(matches!(host.look(Want::Full), Look::Miss { refuse: Some(_) }), "a record is missing");
    assert!(matches!(host.look(Want::Stream), Look::File(..)));
    server.cli(&["DEL", "nomad:clients:meta"]);
    assert_eq!(host.look(Want::Stream), Look::Miss { refuse: None });
}

fn raw(socket: &Path, command: &redis::Cmd) {
    use std::io::{Read as _, Write as _};
    let mut line = std::os::unix::net::UnixStream::connect(socket).unwrap();
    line.write_all(&command.get_packed_command()).unwrap();
    assert!(line.read(&mut [0; 64]).unwrap() > 0);
}

/// What it is, and how it is done to a file.
type Spoiling<'a> = (&'static str, &'a dyn Fn(&Path));

/// A copy that is spoilt, cut off, foreign or a link is read anew, and written anew.
#[test]
fn a_spoilt_copy_is_read_again_and_heals() {
    let server = RedisServer::start();
    let (host, nodes) = (Host::of(&server), nodes(100, 1));
    host.publish(5, &nodes);
    let read = [&SMALL_LOOK[..], &["PTTL", "MGET"]].concat();
    let elsewhere = host.home.path().join("elsewhere");
    let spoil: [Spoiling<'_>; 4] = [
        ("a byte", &|file| {
            let mut bytes = fs::read(file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("cut off", &|file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("another header", &|file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, [b"copy0", &bytes[5..]].concat()).unwrap();
        }),
        ("a link", &|file| {
            fs::rename(file, &elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, file).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        spoil(&host.file("copy"));
        let seen = commands(&server, || assert_eq!(*host.all(), all_of(&nodes), "{what}"));
        let first = seen.iter().filter(|command| *command != "GETRANGE").collect::<Vec<_>>();
        assert_eq!(first, read.iter().collect::<Vec<_>>(), "{what}");
        assert_eq!(commands(&server, || assert_eq!(*host.all(), all_of(&nodes))), SMALL_LOOK);
    }
    fs::write(host.file("copy-full"), "copy1|").unwrap();
    assert!(host.whole() == nodes);
    fs::remove_file(host.file("copy")).unwrap();
    fs::create_dir(host.file("copy")).unwrap();
    assert_eq!(*host.all(), all_of(&nodes), "where no copy can be, the bytes are read");
}

/// Of all who come at once one reads the bytes, and the others its copy.
#[test]
fn one_reads_for_all_of_its_host() {
    const READERS: usize = 12;
    let server = RedisServer::start();
    let nodes = nodes(3000, 1);
    Host::of(&server).publish(5, &nodes);
    for want in [Want::Records, Want::Full] {
        let host = Host::of(&server);
        let (all, barrier) = (all_of(&nodes), Barrier::new(READERS));
        let seen = commands(&server, || {
            std::thread::scope(|scope| {
                for _ in 0..READERS {
                    scope.spawn(|| {
                        barrier.wait();
                        let Look::Hit(hit) = host.look(want) else { panic!("a miss") };
                        assert!(*hit.all == all);
                    });
                }
            });
        });
        let count = |name: &str| seen.iter().filter(|command| *command == name).count();
        assert_eq!(count("MGET"), READERS + 1, "{want:?}");
        assert_eq!(count("HGETALL"), usize::from(want == Want::Full), "{want:?}");
    }
}

/// The base of a refresh is the copy, if it is what the flight began with.
#[test]
fn the_base_is_the_copy() {
    let server = RedisServer::start();
    let (host, nodes) = (Host::of(&server), nodes(100, 1));
    host.publish(5, &nodes);
    let base = |host: &Host<'_>, want| {
        let mut process = Process::new(Arc::new(host.run()), 'N');
        process.own(How::Refresh);
        let mut base = None;
        let seen = commands(&server, || base = process.store.base(process.flight(), want));
        process.store.release(process.flight().lease());
        let base = base.unwrap();
        assert_eq!(*base.all, all_of(&nodes));
        assert_eq!(
            base.fulls.map(|fulls| fulls.into_iter().collect()),
            (want == Want::Full).then(|| nodes.clone())
        );
        seen
    };
    assert_eq!(base(&host, Want::Records), [""; 0]);
    assert_eq!(base(&host, Want::Full), [""; 0]);
    let other = Host::of(&server);
    assert_eq!(base(&other, Want::Records), ["MGET"]);
    fs::remove_file(host.file("copy-full")).unwrap();
    assert_eq!(base(&host, Want::Full), ["HGETALL"]);
}

/// Redis that evicts what nobody uses sees that it is used, though no bytes are read.
#[test]
fn a_look_touches_what_it_does_not_read() {
    let server =
        RedisServer::start_with(&["--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", "0"]);
    let host = Host::of(&server);
    host.publish(5, &nodes(100, 1));
    let used = |key: &str| match server.cli(&["OBJECT", "FREQ", &format!("nomad:clients:{key}")]) {
        Value::Int(used) => used,
        other => panic!("{other:?}"),
    };
    let before = [used("all"), used("hash")];
    assert!(matches!(host.look(Want::Stream), Look::File(..)));
    assert_eq!(used("all"), before[0] + 1);
    assert!(matches!(host.look(Want::Full), Look::Hit(_)));
    assert_eq!([used("all"), used("hash")], [before[0] + 2, before[1] + 1]);
}

/// What Nomad refuses to show any more does not stay on the disk either.
#[test]
fn a_refused_token_leaves_no_copies() {
    let server = RedisServer::start();
    let host = Host::of(&server);
    host.publish(5, &nodes(100, 1));
    assert_eq!(host.has(), [true, true]);
    host.run().void(None).unwrap();
    assert_eq!(host.has(), [false, false]);
}

/// `--cache redis`, `serve`, and a machine without a folder.
#[test]
fn who_keeps_no_copies_reads() {
    let server = RedisServer::start();
    let (host, nodes) = (Host::of(&server), nodes(100, 1));
    let places = [
        Place { choice: CacheMode::Redis, ..host.place() },
        Place { copies: false, ..host.place() },
        Place { folder: None, ..host.place() },
    ];
    for place in places {
        let run = || RedisStore::new(&place, Notifier::nobody()).unwrap();
        let mut process = Process::new(Arc::new(run()), 'N');
        process.own(How::Refresh);
        assert_eq!(process.put(5, &nodes), Published::Done);
        drop(process);
        for _ in 0..2 {
            let Look::Hit(hit) = run().look(Want::Stream).unwrap() else { panic!("no hit") };
            assert_eq!(*hit.all, all_of(&nodes));
        }
        assert_eq!(host.has(), [false, false]);
    }
}
