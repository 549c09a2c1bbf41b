//! Real processes, killed and stopped at any moment, against one Redis and Nomads that change all
//! the time: no answer may be older than the promises of the cache allow.
//!
//! `HISTORY_SECONDS` says how long (default 20), `SEED` what is done when.

mod check;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::redis_server::RedisServer;
use check::{Answer, Clear, Violation};
use worker::Worker;

const NODES: usize = 5;
const WORKERS: usize = 8;

/// The truth, and everything that was shown.
pub struct History {
    pub began: Instant,
    pub clusters: Vec<Cluster>,
    pub answers: Mutex<Vec<Answer>>,
    pub clears: Mutex<Vec<Clear>>,
    pub odd: Mutex<Vec<String>>,
    pub figures: Mutex<worker::Figures>,
    pub over: AtomicBool,
}

/// One simulated Nomad, and what its nodes said when.
pub struct Cluster {
    pub sim: nomad_sim::Sim,
    /// The version that each node has at this moment. Locked for writing while Nomad changes, so
    /// that what is read here is what Nomad answers.
    truth: RwLock<Vec<u64>>,
}

impl Cluster {
    fn new(name: &str) -> Self {
        let sim = worker::simulator(name, NODES);
        let cluster = Self { sim, truth: RwLock::new(vec![0; NODES]) };
        for node in 0..NODES {
            cluster.change(node);
        }
        cluster
    }

    /// Gives one node its next version.
    fn change(&self, node: usize) {
        let mut truth = self.truth.write().unwrap();
        let version = truth.iter().max().unwrap() + 1;
        worker::set_version(&self.sim, node, version);
        truth[node] = version;
    }

    pub fn versions(&self) -> Vec<u64> {
        self.truth.read().unwrap().clone()
    }
}

impl History {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            clusters: vec![Cluster::new("east"), Cluster::new("west")],
            answers: Mutex::default(),
            clears: Mutex::default(),
            odd: Mutex::default(),
            figures: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn change_until_over(&self, seed: u64) {
        let mut random = worker::Random(seed);
        while !self.over.load(Ordering::Relaxed) {
            self.clusters[random.below(2)].change(random.below(NODES));
            thread::sleep(Duration::from_millis(5 + random.below(30) as u64));
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn no_answer_breaks_a_promise() {
    let (seconds, seed) = (setting("HISTORY_SECONDS", 20), setting("SEED", 1));
    let (history, redis) = (History::new(), RedisServer::start());
    let worker = |number| Worker::new(number, seed, &redis.url());
    thread::scope(|scope| {
        scope.spawn(|| history.change_until_over(seed));
        for number in 0..WORKERS {
            let (history, worker) = (&history, worker(number));
            scope.spawn(move || worker.work(history));
        }
        thread::sleep(Duration::from_secs(seconds));
        history.over.store(true, Ordering::Relaxed);
    });
    let answers = history.answers.into_inner().unwrap();
    let clears = history.clears.into_inner().unwrap();
    let figures = history.figures.into_inner().unwrap();
    eprintln!("{} answers, {} clears, {figures}", answers.len(), clears.len());
    assert!(answers.len() as u64 > seconds, "the workers work");
    let violations: Vec<Violation> = check::violations(&answers, &clears);
    assert_eq!((violations, history.odd.into_inner().unwrap()), (Vec::new(), Vec::new()), "seed {seed}");
}
