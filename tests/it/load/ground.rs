//! A hot cache, the callers of one host, and everything that they were shown.

use std::collections::HashMap;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Options, Sim, Times, Where};

use super::Size;
use super::scene::Scene;
use crate::histories::check::{Answer, Promised, violations};
use crate::histories::is_without_redis;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;

/// Nodes whose metadata changes, in turn, and how often one does.
pub(super) const WATCHED: usize = 20;
const CHANGE_EVERY: Duration = Duration::from_millis(250);
/// Different answers that are remembered.
const REMEMBERED: usize = 8;
/// How many details a run asks for at a time, if nothing else is set.
const CONCURRENCY: u32 = 16;
/// Longer than any scene: nothing expires, so nothing need be fetched.
const ARGS: [&str; 7] = ["list", "--json", "-v", "--ttl", "10m", "--detail-ttl", "10m"];

/// What a scene cost.
pub(super) struct Outcome {
    /// Of each run, ascending.
    pub(super) times: Vec<Duration>,
    /// Requests to Nomad: lists, other questions about the list, details.
    pub(super) lists: usize,
    pub(super) probes: usize,
    pub(super) details: usize,
    /// Runs that printed a warning, and runs that went on without Redis.
    pub(super) warned: usize,
    pub(super) without_redis: usize,
    /// Answers that break a promise, and runs that failed.
    pub(super) objections: Vec<String>,
    /// The machine's load at the end of the scene.
    pub(super) load: String,
}

pub(super) struct Ground {
    sim: Sim,
    sandbox: Sandbox,
    /// IDs of the watched nodes, and where each one is in `truth`.
    watched: HashMap<String, usize>,
    /// The version of each watched node. Locked for writing while Nomad changes.
    truth: RwLock<Vec<u64>>,
    began: Instant,
    over: AtomicBool,
    runs: Mutex<Vec<Run>>,
    odd: Mutex<Vec<String>>,
    /// The last of them that differ, as most runs show one of these.
    recent: Mutex<Vec<Shown>>,
}

#[derive(Clone)]
struct Shown {
    bytes: Arc<Vec<u8>>,
    versions: Vec<u64>,
}

struct Run {
    answer: Answer,
    warned: bool,
    without_redis: bool,
}

/// Plays one scene with a Redis and a Nomad of its own.
pub(super) fn play(scene: Scene, size: Size) -> Outcome {
    let mut redis = RedisServer::start();
    let ground = Ground::new(&redis.url(), size);
    // The second run finds what the first has published.
    ground.run();
    ground.run();
    ground.sim.asked();
    ground.runs.lock().unwrap().clear();
    thread::scope(|scope| {
        scope.spawn(|| ground.change_until_over());
        for _ in 0..size.callers {
            scope.spawn(|| {
                while !ground.over.load(Ordering::Relaxed) {
                    ground.run();
                }
            });
        }
        scene.play(&mut redis, &ground, size.time);
        ground.over.store(true, Ordering::Relaxed);
    });
    ground.outcome(scene)
}

impl Ground {
    fn new(redis: &str, size: Size) -> Self {
        let fleet = Fleet::generated(size.nodes);
        let sim = Sim::start(Options { fleet, seed: Some(1), ..Options::default() });
        let delay = size.fetch * CONCURRENCY / size.nodes;
        sim.fault(Where::Nodes, Times::ALWAYS, Fault::Delay(delay));
        let ids = sim.cluster().nodes().take(WATCHED).map(|node| node.id.to_string()).collect();
        let ids: Vec<String> = ids;
        let ground = Self {
            sandbox: Sandbox::redis(redis).nomad(&sim.address()),
            sim,
            truth: RwLock::new(vec![0; ids.len()]),
            watched: ids.into_iter().zip(0..).collect(),
            began: Instant::now(),
            over: AtomicBool::new(false),
            runs: Mutex::default(),
            odd: Mutex::default(),
            recent: Mutex::default(),
        };
        for (id, at) in &ground.watched {
            ground.change(id, *at);
        }
        ground
    }

    /// Gives one node its next version.
    fn change(&self, id: &str, at: usize) {
        let mut truth = self.truth.write().unwrap();
        truth[at] += 1;
        self.sim.cluster().set_meta(id, "turn", Some(&truth[at].to_string()));
    }

    fn change_until_over(&self) {
        for (id, at) in self.watched.iter().cycle() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            self.change(id, *at);
            thread::sleep(CHANGE_EVERY);
        }
    }

    pub(super) fn refresh(&self) {
        let said = self.sandbox.run("refresh --ttl 10m --detail-ttl 10m");
        if said.code != 0 {
            self.odd.lock().unwrap().push(format!("refresh: {said:?}"));
        }
    }

    /// One run of a caller.
    fn run(&self) {
        let true_at_begin = self.truth.read().unwrap().clone();
        let begin = self.began.elapsed();
        let mut child = self
            .sandbox
            .command(ARGS)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (bytes, notes, code) = finish(&mut child);
        let end = self.began.elapsed();
        if code != Some(0) {
            self.odd.lock().unwrap().push(format!("exit {code:?}: {notes}"));
            return;
        }
        let Some(shown) = self.versions(bytes) else {
            self.odd.lock().unwrap().push(format!("not every node once: {notes}"));
            return;
        };
        let warned = notes.lines().any(|line| line.starts_with("warning: "));
        let without_redis = is_without_redis(&notes);
        let answer = Answer {
            cluster: 0,
            host: 0,
            warned: warned || without_redis,
            command: "list --json",
            begin,
            end,
            true_at_begin,
            shown,
            fresh: false,
            notes,
        };
        self.runs.lock().unwrap().push(Run { answer, warned, without_redis });
    }

    /// What these bytes show of each watched node; `None` if they are not the whole list.
    fn versions(&self, bytes: Vec<u8>) -> Option<Vec<u64>> {
        // Compared without the lock.
        let recent = self.recent.lock().unwrap().clone();
        if let Some(known) = recent.into_iter().rfind(|shown| *shown.bytes == bytes) {
            return Some(known.versions);
        }
        let text = std::str::from_utf8(&bytes).ok()?;
        let (mut versions, mut rows) = (vec![0; self.watched.len()], 0);
        for row in text.strip_prefix('[')?.strip_suffix("]\n")?.split(r#"{"id":""#).skip(1) {
            rows += 1;
            let Some(at) = self.watched.get(row.split('"').next()?) else { continue };
            let turn = row.split_once(r#""turn":""#)?.1.split('"').next()?;
            versions[*at] = turn.parse().ok()?;
        }
        if rows != self.sim.cluster().len() {
            return None;
        }
        let mut recent = self.recent.lock().unwrap();
        if recent.len() == REMEMBERED {
            recent.remove(0);
        }
        recent.push(Shown { bytes: Arc::new(bytes), versions: versions.clone() });
        Some(versions)
    }

    fn outcome(self, scene: Scene) -> Outcome {
        let asked = self.sim.asked();
        let count = |prefix: &str| asked.iter().filter(|what| what.starts_with(prefix)).count();
        let (lists, details) = (count("list"), count("node "));
        let runs = self.runs.into_inner().unwrap();
        let answers: Vec<Answer> = runs.iter().map(|run| run.answer.clone()).collect();
        let mut times: Vec<Duration> =
            answers.iter().map(|answer| answer.end - answer.begin).collect();
        times.sort();
        let mut objections = self.odd.into_inner().unwrap();
        let found = violations(&answers, &[], Promised::OnEachHost);
        objections.extend(found.into_iter().map(|violation| violation.0));
        for objection in &mut objections {
            objection.insert_str(0, &format!("{scene}: "));
        }
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Outcome {
            times,
            lists,
            probes: asked.len() - lists - details,
            details,
            warned: runs.iter().filter(|run| run.warned).count(),
            without_redis: runs.iter().filter(|run| run.without_redis).count(),
            objections,
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// Reads all that it prints; its exit code.
fn finish(child: &mut Child) -> (Vec<u8>, String, Option<i32>) {
    let (mut stdout, mut stderr) = (Vec::new(), String::new());
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (stdout, stderr, child.wait().unwrap().code())
}
