//! Every link of the chain, checked one by one: what is, and what to do about it.
//!
//! Nothing is changed: neither Nomad nor the cache. What depends on a link that is broken is not
//! checked, and said to be skipped.

mod cache;
mod clock;
mod configuration;
mod local;
mod nomad;
mod redis;

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::model::notice::Notifier;
use crate::model::text::printable;
use crate::nomad::Access;
use crate::store::redis::CacheEntry;
use crate::store::{CacheMode, Place};

use clock::ClockReading;

pub(crate) use configuration::{Provenance, unconfigured};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) link: Section,
    /// Unique within the link, unless it is that of a key or of a right.
    #[serde(rename = "check")]
    pub(crate) name: String,
    pub(crate) state: CheckStatus,
    /// What is so.
    pub(crate) said: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
}

/// The parts of the chain, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Section {
    Configuration,
    Nomad,
    Redis,
    /// The files of this machine.
    Files,
    /// What is cached, wherever that is.
    Cache,
    Clock,
}

impl Section {
    pub(crate) const ALL: [Self; 6] =
        [Self::Configuration, Self::Nomad, Self::Redis, Self::Files, Self::Cache, Self::Clock];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStatus {
    Ok,
    /// Works, and could be better.
    Warning,
    Problem,
    /// Not checked, or not there and not needed.
    Skipped,
}

impl CheckStatus {
    /// As JSON has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }
}

/// What is to be examined.
pub(crate) struct Targets {
    pub(crate) found: Provenance,
    pub(crate) access: Access,
    pub(crate) place: Place,
    pub(crate) notifier: Notifier,
}

/// What was found out about one link, and what others need of it.
#[derive(Default)]
struct Findings {
    checks: Vec<Check>,
    /// The cache that answers now.
    entry: Option<CacheEntry>,
    /// Of Nomad's list, as it is now.
    index: Option<u64>,
    clock: Option<ClockReading>,
}

/// Checks of one link, in the order in which they were made.
struct Checks {
    link: Section,
    all: Vec<Check>,
}

impl Checks {
    fn of(link: Section) -> Self {
        Self { link, all: Vec::new() }
    }

    fn add(&mut self, name: &str, state: CheckStatus, said: String, advice: Option<String>) {
        // Names, versions and errors of others may stand in it.
        let safe = |text: String| printable(&text).into_owned();
        let (said, advice) = (safe(said), advice.map(safe));
        self.all.push(Check { link: self.link, name: name.to_owned(), state, said, advice });
    }

    fn ok(&mut self, name: &str, said: impl Into<String>) {
        self.add(name, CheckStatus::Ok, said.into(), None);
    }

    fn warning(&mut self, name: &str, said: impl Into<String>, advice: impl Into<String>) {
        self.add(name, CheckStatus::Warning, said.into(), Some(advice.into()));
    }

    fn problem(&mut self, name: &str, said: impl Into<String>, advice: impl Into<String>) {
        self.add(name, CheckStatus::Problem, said.into(), Some(advice.into()));
    }

    fn skipped(&mut self, name: &str, why: impl Into<String>) {
        self.add(name, CheckStatus::Skipped, why.into(), None);
    }

    /// These can't be known.
    fn skip_all(&mut self, names: &[&str], why: &str) {
        names.iter().for_each(|name| self.skipped(name, why));
    }
}

/// The time that is left for a link. Each step may take half of it, so that one that hangs leaves
/// time for those behind it.
#[derive(Debug, Clone, Copy)]
struct TimeLeft {
    until: Instant,
}

/// Why a check was not made that there was no time for.
const NO_TIME: &str = "no time left: pass a longer --timeout";

impl TimeLeft {
    fn left(self) -> Duration {
        self.until.saturating_duration_since(crate::clock::now())
    }

    fn step(self) -> Duration {
        self.left() / 2
    }

    /// Too little is left to blame anybody who did not answer in it.
    fn is_over(self) -> bool {
        self.left() < Duration::from_millis(4)
    }
}

/// Nomad and Redis are asked side by side.
pub(crate) fn examined(case: &Targets) -> Vec<Check> {
    let time = TimeLeft { until: case.access.deadline };
    let uses_redis = matches!(case.place.choice, CacheMode::Auto | CacheMode::Redis);
    let uses_files = matches!(case.place.choice, CacheMode::Auto | CacheMode::Local);
    let redis = || redis::examined(&case.place, time, &case.notifier);
    let (nomad, redis) = thread::scope(|scope| {
        let thread = uses_redis.then(|| thread::Builder::new().spawn_scoped(scope, redis));
        let nomad = nomad::examined(&case.access, time, &case.notifier);
        let redis = thread.map(|thread| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // Where no thread can be made, one after the other.
            Err(_) => redis(),
        });
        (nomad, redis)
    });
    let redis = redis.unwrap_or_default();
    let files = uses_files.then(|| local::examined(&case.place, redis.entry.is_some()));
    let files = files.unwrap_or_default();
    let entry = redis.entry.as_ref().or(files.entry.as_ref());
    let cache = cache::checks(&case.place, entry, nomad.index);
    let clock = clock::checks(nomad.clock, redis.clock);
    let configuration = configuration::checks(&case.found);
    [configuration, nomad.checks, redis.checks, files.checks, cache, clock].concat()
}
