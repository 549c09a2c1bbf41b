//! One of the processes' makers: starts the program again and again, and does not always let it end.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use nomad_sim::{Fleet, Sim};
use serde_json::Value;

use super::check::{Answer, Clear};
use super::{Cluster, History, NAMES, is_without_redis};
use crate::support::sandbox::Sandbox;
use crate::support::signal::stop_for;

/// `cache clear` can't be sure, or may not clear; it says so.
const NOT_CLEARED: [i32; 2] = [7, 4];
/// Longer than the lease of 3 s.
const STOPPED: Duration = Duration::from_millis(3500);

/// A small generator: the same seed does the same things.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// A cluster whose nodes are `<name>-0`, `<name>-1`, …
pub(crate) fn simulator(name: &str, nodes: usize) -> Sim {
    let sim = Sim::start(Fleet::empty());
    for node in 0..nodes {
        sim.cluster().register(&format!("{name}-{node}"));
    }
    sim
}

pub(crate) fn set_version(sim: &Sim, name: &str, version: u64) {
    sim.cluster().set_meta(name, "version", Some(&version.to_string()));
}

/// The highest that any process took.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) killed: u64,
    pub(crate) stopped: u64,
    /// Runs that were stopped in the midst of a call to Redis and gave it up, and those of the same
    /// machine that avoid it after that. The protocol promises them no order, and they say so.
    pub(crate) without_redis: u64,
    /// Refreshes that took one call to Nomad: with many nodes it is the question whether anything has changed.
    pub(crate) of_one_call: u64,
    /// What Redis went through, and how often; copies on hosts that were spoilt.
    pub(crate) troubles: BTreeMap<&'static str, u64>,
    pub(crate) spoilt: u64,
    pub(crate) rss_kb: u64,
    pub(crate) descriptors: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { killed, stopped, without_redis, of_one_call, troubles, .. } = self;
        let Self { spoilt, rss_kb, descriptors, .. } = self;
        write!(
            f,
            "{killed} killed, {stopped} stopped, {without_redis} without Redis, {of_one_call} refreshed by one call, at most {rss_kb} KB and {descriptors} descriptors a process"
        )?;
        if troubles.is_empty() {
            return Ok(());
        }
        write!(f, ", {troubles:?}, {spoilt} copies spoilt")
    }
}

pub(crate) struct Worker<'a> {
    host: usize,
    sandbox: &'a Sandbox,
    random: Random,
}

/// What is typed, how often (in 20), and whether it must ask Nomad after its begin.
const COMMANDS: [(&str, usize, bool); 5] = [
    ("list --json", 10, false),
    ("list --json --full", 3, false),
    ("list --json --refresh", 3, true),
    ("list --json --force", 2, true),
    ("cache clear", 2, false),
];

impl<'a> Worker<'a> {
    pub(crate) fn new(number: usize, seed: u64, (host, sandbox): (usize, &'a Sandbox)) -> Self {
        Self { host, sandbox, random: Random(seed.wrapping_mul(1000) + number as u64) }
    }

    pub(crate) fn work(mut self, history: &History) {
        while !history.over.load(Ordering::Relaxed) {
            self.step(history);
        }
    }

    fn step(&mut self, history: &History) {
        let of = self.random.below(history.clusters.len());
        let cluster = &history.clusters[of];
        let (command, fresh) = self.command();
        let (begin, true_at_begin) = (history.now(), cluster.versions());
        let mut child = self
            .sandbox
            .command(command.split(' '))
            .env("NOMAD_ADDR", cluster.sim.address())
            .args(["--ttl", "2s", "-v"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if !self.disturb(&mut child, history) {
            return;
        }
        let (stdout, stderr, code) = finish(&mut child, history);
        let end = history.now();
        let warned = stderr.lines().any(|line| line.starts_with("warning: "));
        let warned = warned || is_without_redis(&stderr);
        if command.ends_with("--refresh") && stderr.contains(" · 1 Nomad call · ") {
            history.figures.lock().unwrap().of_one_call += 1;
        }
        let is_uncleared = command == "cache clear" && NOT_CLEARED.contains(&code);
        if warned || is_uncleared {
            history.figures.lock().unwrap().without_redis += 1;
        }
        match (command, code) {
            ("cache clear", _) if warned || is_uncleared => {}
            ("cache clear", 0) => {
                history.clears.lock().unwrap().push(Clear {
                    cluster: of,
                    host: Some(self.host),
                    end,
                    true_at_begin,
                    notes: stderr,
                });
            }
            (_, 0) => match shown(&stdout, cluster, of) {
                Ok(shown) => {
                    let notes = stderr;
                    let answer = Answer {
                        cluster: of,
                        host: self.host,
                        warned,
                        command,
                        begin,
                        end,
                        true_at_begin,
                        shown,
                        fresh,
                        notes,
                    };
                    history.answers.lock().unwrap().push(answer);
                }
                Err(odd) => history.odd.lock().unwrap().push(odd),
            },
            _ => history.odd.lock().unwrap().push(format!("{command}: exit {code}: {stderr}")),
        }
    }

    fn command(&mut self) -> (&'static str, bool) {
        let mut ticket = self.random.below(20);
        for (command, share, fresh) in COMMANDS {
            if ticket < share {
                return (command, fresh);
            }
            ticket -= share;
        }
        (COMMANDS[0].0, false)
    }

    /// One in ten is killed, one in fifty stopped for longer than a lease. `false` = it is dead.
    fn disturb(&mut self, child: &mut Child, history: &History) -> bool {
        let ticket = self.random.below(50);
        if ticket > 5 {
            return true;
        }
        thread::sleep(Duration::from_millis(self.random.below(25) as u64));
        if ticket > 0 {
            child.kill().unwrap();
            child.wait().unwrap();
            history.figures.lock().unwrap().killed += 1;
            return false;
        }
        stop_for(child.id(), STOPPED);
        history.figures.lock().unwrap().stopped += 1;
        true
    }
}

/// Reads the program's output to its end, looking at what it takes meanwhile.
fn finish(child: &mut Child, history: &History) -> (String, String, i32) {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    note_figures(child.id(), history);
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    note_figures(child.id(), history);
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (stdout, stderr, child.wait().unwrap().code().unwrap_or(-1))
}

fn note_figures(pid: u32, history: &History) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let descriptors =
        std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64);
    let mut figures = history.figures.lock().unwrap();
    figures.rss_kb = figures.rss_kb.max(peak);
    figures.descriptors = figures.descriptors.max(descriptors);
}

/// The versions that an answer shows, by node; odd = rows of another cluster, or too few.
fn shown(stdout: &str, cluster: &Cluster, of: usize) -> Result<Vec<u64>, String> {
    let rows: Vec<Value> =
        serde_json::from_str(stdout).map_err(|error| format!("{error}: {stdout}"))?;
    let name = NAMES[of];
    let version = |node: usize| {
        let row = rows.iter().find(|row| row["name"] == format!("{name}-{node}"))?;
        row["meta"]["version"].as_str()?.parse().ok()
    };
    let versions: Option<Vec<u64>> = (0..cluster.versions().len()).map(version).collect();
    let versions = versions.filter(|versions| versions.len() == rows.len());
    versions.ok_or_else(|| format!("rows that are not of {name}: {stdout}"))
}
