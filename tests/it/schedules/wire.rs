//! The way from the processes to a Redis: a go-between that takes the pipelines apart, so that
//! each command is a step of its own, and that can break the rules on the way.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::actor::{Actor, Kind};
use super::resp::{self, Upstream, Words};

/// A process that waits longer than this may soon give up.
const PATIENCE: Duration = Duration::from_millis(400);

/// What is changed on the way. Honest ways change nothing.
pub(super) trait Tamper: Send + Sync {
    fn command(&self, _actor: &Actor, _words: &mut Words) {}
    fn reply(&self, _actor: &Actor, _words: &Words, _reply: &mut Vec<u8>) {}
    /// The order in which the commands of a pipeline are carried out.
    fn order(&self, _pipeline: &mut Vec<(usize, Words)>) {}
}

pub(super) struct Unchanged;

impl Tamper for Unchanged {}

/// The scripts, to tell them apart on the way.
pub(super) const SCRIPTS: [(&str, &str); 6] = [
    ("ENTER", include_str!("../../../src/store/redis/scripts/enter.lua")),
    ("PUBLISH", include_str!("../../../src/store/redis/scripts/publish.lua")),
    ("RENEW", include_str!("../../../src/store/redis/scripts/renew.lua")),
    ("RELEASE", include_str!("../../../src/store/redis/scripts/release.lua")),
    ("FAIL", include_str!("../../../src/store/redis/scripts/fail.lua")),
    ("VOID", include_str!("../../../src/store/redis/scripts/void.lua")),
];

/// Sockets that lead to one Redis, one for each process of a schedule.
pub(super) struct Wire {
    folder: TempDir,
    shared: Arc<Shared>,
    doors: Vec<JoinHandle<()>>,
}

struct Shared {
    upstream: Upstream,
    twist: Arc<dyn Tamper>,
    /// Who comes through which door.
    guests: Vec<Mutex<Option<Arc<Actor>>>>,
    closed: AtomicBool,
}

impl Wire {
    pub(super) fn new(redis: &Path, doors: usize, twist: Arc<dyn Tamper>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared {
            upstream: Upstream::connect(redis),
            twist,
            guests: (0..doors).map(|_| Mutex::default()).collect(),
            closed: AtomicBool::new(false),
        });
        let open = |door| {
            let listener = UnixListener::bind(socket(&folder, door)).unwrap();
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.open(&listener, door))
        };
        let doors = (0..doors).map(open).collect();
        Self { folder, shared, doors }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.shared.upstream
    }

    /// From now on who comes through this process's door is this process.
    pub(super) fn admit(&self, actor: &Arc<Actor>) -> PathBuf {
        *self.shared.guests[actor.index].lock().unwrap() = Some(Arc::clone(actor));
        socket(&self.folder, actor.index)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for (door, thread) in self.doors.drain(..).enumerate() {
            let _ = UnixStream::connect(socket(&self.folder, door));
            let _ = thread.join();
        }
    }
}

fn socket(folder: &TempDir, door: usize) -> PathBuf {
    folder.path().join(format!("p{door}"))
}

impl Shared {
    fn open(self: &Arc<Self>, listener: &UnixListener, door: usize) {
        while let Ok((client, _)) = listener.accept() {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let guest = self.guests[door].lock().unwrap().clone();
            let (shared, actor) = (Arc::clone(self), guest.expect("it was admitted"));
            std::thread::spawn(move || shared.serve(client, &actor));
        }
    }

    /// Serves one connection until either end has enough.
    fn serve(&self, mut client: UnixStream, actor: &Actor) {
        let (mut waiting, mut buffer) = (Vec::new(), [0; 64 << 10]);
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            waiting.extend_from_slice(&buffer[..read]);
            let (commands, taken) = resp::commands(&waiting);
            waiting.drain(..taken);
            if commands.is_empty() {
                continue;
            }
            let Some(replies) = self.pipeline(commands, actor) else { return };
            actor.notes().told = Some(Instant::now());
            if client.write_all(&replies).is_err() {
                return;
            }
        }
    }

    /// `None`: the schedule is over.
    fn pipeline(&self, commands: Vec<Words>, actor: &Actor) -> Option<Vec<u8>> {
        let mut pipeline: Vec<(usize, Words)> = commands.into_iter().enumerate().collect();
        self.twist.order(&mut pipeline);
        let mut replies = vec![Vec::new(); pipeline.len()];
        let (began, mut last) = (Instant::now(), "");
        for (at, words) in pipeline {
            let label = label(&words);
            // The two expiries are one step; what has no label is no step of the protocol.
            if !label.is_empty() && label != last {
                actor.gate.pass(label)?;
                if began.elapsed() > PATIENCE {
                    actor.world().disturbed = true;
                }
            }
            last = label;
            replies[at] = self.carry_out(label, words, actor);
        }
        Some(replies.concat())
    }

    fn carry_out(&self, label: &str, mut words: Words, actor: &Actor) -> Vec<u8> {
        self.twist.command(actor, &mut words);
        if label == "DEL" {
            self.guard(actor);
        }
        if label == "MGET" {
            actor.looks();
        }
        if label == "PUBLISH" {
            actor.notes().publishes = Some(Instant::now());
        }
        let mut reply = self.upstream.exchange(&resp::packed(&words), 1);
        let is_refused = actor.world().limits.refuses;
        if words[0] == b"EVAL" && reply[0] == b'-' && !is_refused {
            let why = String::from_utf8_lossy(&reply).into_owned();
            actor.world().violation('C', format!("{label} stopped: {why}"));
        }
        if label == "GET" {
            actor.notes().epoch = redis::parse_redis_value(&reply).ok().and_then(text);
        }
        if label == "DEL" && actor.kind == Kind::Clear {
            actor.world().clears += 1;
        }
        self.twist.reply(actor, &words, &mut reply);
        reply
    }

    /// A clear remembers the epoch that its GET found. If its DEL deletes another one, nobody
    /// remembers that.
    fn guard(&self, actor: &Actor) {
        let epoch = text(self.upstream.ask(&["GET", "nomad:clients:epoch"]));
        let found = actor.notes().epoch.take();
        let mut world = actor.world();
        let known = epoch.is_none() || epoch == found;
        world.limits.unguarded |= !known && !epoch.is_some_and(|epoch| world.dead.contains(&epoch));
        world.dead.extend(found);
    }
}

fn text(value: redis::Value) -> Option<Vec<u8>> {
    match value {
        redis::Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// What a command is called in the schedule; empty if it is no step.
fn label(words: &Words) -> &'static str {
    match &*words[0] {
        b"PTTL" => "PTTL",
        b"MGET" => "MGET",
        // What LOOK asks behind the meta lines is one step.
        b"STRLEN" | b"GETRANGE" | b"HLEN" => "STRLEN",
        b"HGETALL" => "HGETALL",
        b"GET" => "GET",
        b"DEL" => "DEL",
        b"EVAL" => SCRIPTS.iter().find(|(_, text)| words[1] == text.as_bytes()).expect("ours").0,
        _ => "",
    }
}
