//! Real processes, killed and stopped at any moment, against one Redis and Nomads that change all
//! the time: no answer may be older than the promises of the cache allow.
//!
//! `HISTORY_SECONDS` says how long (default 20), `SEED` what is done when.

pub(crate) mod check;
mod trouble;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::alone::alone;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use check::{Answer, Clear, Promised};
use nomad_clients::discovery::PROBE_FROM;
use trouble::Trouble;
use worker::{Figures, Random, Worker};

const WORKERS: usize = 8;
/// Several workers each, in a history with trouble.
const HOSTS: usize = 3;
/// The longest that Redis is stopped.
const STOPPED_MAX: Duration = Duration::from_secs(20);
const NAMES: [&str; 2] = ["east", "west"];

/// What changes, and how often.
#[derive(Clone, Copy)]
pub(crate) struct Scenery {
    /// Of each cluster.
    nodes: usize,
    /// Between two changes, at most.
    pause: Duration,
}

const BUSY: Scenery = Scenery { nodes: 5, pause: Duration::from_millis(35) };
/// So many nodes that Nomad is asked whether anything has changed, and often nothing has.
const LARGE: Scenery = Scenery { nodes: 1000, pause: Duration::from_secs(8) };

/// So many that there are copies of them, and always something new.
const TROUBLED: Scenery = Scenery { nodes: 50, pause: Duration::from_millis(200) };

/// The truth, and everything that was shown.
pub(crate) struct History {
    pub(crate) began: Instant,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) answers: Mutex<Vec<Answer>>,
    pub(crate) clears: Mutex<Vec<Clear>>,
    pub(crate) odd: Mutex<Vec<String>>,
    pub(crate) figures: Mutex<Figures>,
    pub(crate) over: AtomicBool,
}

/// One simulated Nomad, and what its nodes said when.
pub(crate) struct Cluster {
    pub(crate) sim: nomad_sim::Sim,
    name: &'static str,
    /// The version that each node has at this moment. Locked for writing while Nomad changes, so
    /// that what is read here is what Nomad answers.
    truth: RwLock<Vec<u64>>,
}

impl Cluster {
    fn new(name: &'static str, nodes: usize) -> Self {
        let sim = worker::simulator(name, nodes);
        let cluster = Self { sim, name, truth: RwLock::new(vec![0; nodes]) };
        for node in 0..nodes {
            cluster.change(node);
        }
        cluster
    }

    /// Gives one node its next version.
    fn change(&self, node: usize) {
        let mut truth = self.truth.write().unwrap();
        let version = truth.iter().max().unwrap() + 1;
        worker::set_version(&self.sim, &format!("{}-{node}", self.name), version);
        truth[node] = version;
    }

    pub(crate) fn versions(&self) -> Vec<u64> {
        self.truth.read().unwrap().clone()
    }
}

impl History {
    fn new(nodes: usize) -> Self {
        Self {
            began: Instant::now(),
            clusters: NAMES.map(|name| Cluster::new(name, nodes)).into(),
            answers: Mutex::default(),
            clears: Mutex::default(),
            odd: Mutex::default(),
            figures: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn change_until_over(&self, seed: u64, scenery: Scenery) {
        let mut random = Random(seed);
        let pause = usize::try_from(scenery.pause.as_millis()).unwrap();
        while !self.over.load(Ordering::Relaxed) {
            self.clusters[random.below(2)].change(random.below(scenery.nodes));
            thread::sleep(Duration::from_millis(5 + random.below(pause) as u64));
        }
    }
}

pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Everybody on one Redis, each from a machine of his own.
#[test]
fn no_answer_from_redis_breaks_a_promise() {
    let _alone = alone();
    let redis = RedisServer::start();
    let history = play(&hosts(WORKERS, &redis), BUSY, |_| sleep(setting("HISTORY_SECONDS", 20)));
    judge(history, Promised::Everywhere);
}

/// The same of clusters whose nodes are not listed while nothing has changed.
#[test]
fn no_answer_of_a_large_cluster_breaks_a_promise() {
    let _alone = alone();
    assert!(LARGE.nodes as u64 >= PROBE_FROM);
    let redis = RedisServer::start();
    let history = play(&hosts(WORKERS, &redis), LARGE, |_| sleep(setting("HISTORY_SECONDS", 40)));
    let figures = judge(history, Promised::Everywhere);
    assert!(figures.of_one_call > 0, "some are answered without a list: {figures}");
}

/// Everybody on the files of one machine.
#[test]
fn no_answer_from_files_breaks_a_promise() {
    let _alone = alone();
    let seconds = setting("HISTORY_SECONDS", 20) / 2;
    judge(play(&[Sandbox::local()], BUSY, |_| sleep(seconds)), Promised::Everywhere);
}

/// A Redis that is slow, stopped, restarted, rolled back, cleared by hand or refuses what is
/// published: on each host nothing older is shown than before.
#[test]
fn no_answer_beside_a_redis_in_trouble_breaks_a_promise() {
    let _alone = alone();
    let seconds = setting("HISTORY_SECONDS", 20);
    let mut redis = RedisServer::start();
    let hosts = hosts(HOSTS, &redis);
    let figures = play(&hosts, TROUBLED, |history| {
        let trouble = Trouble {
            history,
            redis: &mut redis,
            hosts: &hosts,
            random: Random(setting("SEED", 1)),
            longest: Duration::from_secs(seconds / 8).min(STOPPED_MAX),
        };
        let made = trouble.make(Duration::from_secs(seconds));
        history.figures.lock().unwrap().troubles = made;
    });
    judge(figures, Promised::OnEachHost);
}

fn hosts(count: usize, redis: &RedisServer) -> Vec<Sandbox> {
    (0..count).map(|_| Sandbox::redis(&redis.url())).collect()
}

fn sleep(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

/// Lets the workers work on these hosts until `meanwhile` returns.
fn play(hosts: &[Sandbox], scenery: Scenery, meanwhile: impl FnOnce(&History)) -> History {
    let (seed, history) = (setting("SEED", 1), History::new(scenery.nodes));
    thread::scope(|scope| {
        scope.spawn(|| history.change_until_over(seed, scenery));
        for number in 0..WORKERS {
            let host = number % hosts.len();
            let (history, worker) = (&history, Worker::new(number, seed, (host, &hosts[host])));
            scope.spawn(move || worker.work(history));
        }
        meanwhile(&history);
        history.over.store(true, Ordering::Relaxed);
    });
    history
}

fn judge(history: History, promised: Promised) -> Figures {
    let answers = history.answers.into_inner().unwrap();
    let clears = history.clears.into_inner().unwrap();
    let figures = history.figures.into_inner().unwrap();
    assert!(answers.len() >= WORKERS, "the workers work: {} answers", answers.len());
    assert!(figures.without_redis < answers.len() as u64, "most runs reach the cache: {figures}");
    let violations = check::violations(&answers, &clears, promised);
    report(&format!(
        "{} answers, {} clears, {} violations, {figures}",
        answers.len(),
        clears.len(),
        violations.len()
    ));
    let mut objections = history.odd.into_inner().unwrap();
    objections.extend(violations.into_iter().map(|violation| violation.0));
    assert!(objections.is_empty(), "seed {}:\n{}", setting("SEED", 1), objections.join("\n"));
    figures
}

/// Whether a run says that it could not use Redis, or could not keep there what it shows.
pub(crate) fn is_without_redis(notes: &str) -> bool {
    let words = ["; using the local cache", "; asking Nomad", "nothing is cached", "not be cached"];
    words.iter().any(|words| notes.contains(words))
}

/// Shown with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the figures of a long run")]
fn report(text: &str) {
    println!("{text}");
}
