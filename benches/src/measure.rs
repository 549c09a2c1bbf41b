//! Runs in turn, medians, ratios.

use std::fmt;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) peer: String,
    pub(crate) ours: Amount,
    pub(crate) peers: Amount,
    pub(crate) goal: Goal,
}

impl Row {
    /// Bytes that were counted, and how many they may be.
    pub(crate) fn bytes(path: &str, counted: u64, most: u64) -> Self {
        Self {
            path: path.to_owned(),
            peer: "the most it may be".to_owned(),
            ours: Amount::Bytes(counted),
            peers: Amount::Bytes(most),
            goal: Goal::AtMost(1.0),
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    Time(Duration),
    Rate(f64),
    Bytes(u64),
}

impl Amount {
    fn number(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Rate(rate) => rate,
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
            Self::Bytes(bytes) => bytes as f64,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{:.2} ms", time.as_secs_f64() * 1e3),
            Self::Rate(rate) => write!(f, "{rate:.0}/s"),
            Self::Bytes(bytes @ ..10_000) => write!(f, "{bytes} B"),
            Self::Bytes(_) => write!(f, "{:.2} MB", self.number() / 1e6),
        }
    }
}

/// What the ratio of ours to the peer's should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ours.number() / self.peers.number();
        let (sign, goal, met) = match self.goal {
            Goal::AtMost(goal) => ('≤', goal, ratio <= goal),
            Goal::AtLeast(goal) => ('≥', goal, ratio >= goal),
        };
        let word = if met { "reached" } else { "missed" };
        let Self { path, peer, ours, peers, .. } = self;
        write!(f, "| {path} | {peer} | {ours} | {peers} | {ratio:.2} | {sign} {goal} | {word} |")
    }
}

/// The medians of both, run in turn: whatever else the machine does hits both alike.
pub(crate) fn pair(
    rounds: usize,
    mut ours: impl FnMut() -> Result<Duration>,
    mut peers: impl FnMut() -> Result<Duration>,
) -> Result<(Duration, Duration)> {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        times.0.push(ours()?);
        times.1.push(peers()?);
    }
    Ok((median(times.0), median(times.1)))
}

pub(crate) fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("measures are numbers"));
    values[values.len() / 2]
}

/// The time of a whole process, which must succeed.
pub(crate) fn timed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    let took = began.elapsed();
    if status.success() { Ok(took) } else { Err(anyhow!("{command:?}: {status}")) }
}

/// The most memory that a process ever had, in bytes, as far as looking at it often can tell.
pub(crate) fn peak(command: &mut Command) -> Result<u64> {
    let mut child = command.stdin(Stdio::null()).spawn()?;
    let mut most = 0;
    while child.try_wait()?.is_none() {
        most = most.max(high_water(&child).unwrap_or(0));
        thread::sleep(Duration::from_micros(200));
    }
    Ok(most)
}

fn high_water(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// Processor, cores, memory and system: figures without them say nothing.
pub(crate) fn machine() -> String {
    let first = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("unknown", |(_, value)| value).trim().to_owned()
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{}, {cores} cores, {}, Linux {}",
        first("/proc/cpuinfo", "model name"),
        first("/proc/meminfo", "MemTotal"),
        system.trim()
    )
}
