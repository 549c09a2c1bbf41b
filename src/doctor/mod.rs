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

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::model::notice::Notifier;
use crate::model::text::printable;
use crate::nomad::Access;
use crate::parallel;
use crate::store::{CacheEntry, CacheMode, Place};

use clock::ClockReading;

pub(crate) use configuration::{Provenance, unconfigured};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) link: Section,
    /// Unique within the link, unless it is that of a key or of a right.
    #[serde(rename = "check")]
    pub(crate) name: &'static str,
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

/// The checks of one section in their order, and what other sections need of it.
struct Findings {
    link: Section,
    /// Each of these needs those before it.
    order: &'static [&'static str],
    checks: Vec<Check>,
    /// The cache that answers now.
    entry: Option<CacheEntry>,
    /// Of Nomad's list, as it is now.
    index: Option<u64>,
    clock: Option<ClockReading>,
}

impl Findings {
    fn of(link: Section, order: &'static [&'static str]) -> Self {
        Self { link, order, checks: Vec::new(), entry: None, index: None, clock: None }
    }

    fn add(&mut self, name: &'static str, state: CheckStatus, said: &str, advice: Option<&str>) {
        // Names, versions and errors of others may stand in it.
        let safe = |text: &str| printable(text).into_owned();
        let (said, advice) = (safe(said), advice.map(safe));
        self.checks.push(Check { link: self.link, name, state, said, advice });
    }

    fn ok(&mut self, name: &'static str, said: impl AsRef<str>) {
        self.add(name, CheckStatus::Ok, said.as_ref(), None);
    }

    fn warning(&mut self, name: &'static str, said: impl AsRef<str>, advice: impl AsRef<str>) {
        self.add(name, CheckStatus::Warning, said.as_ref(), Some(advice.as_ref()));
    }

    /// A warning, unless it is `fine`.
    fn ok_if(&mut self, fine: bool, name: &'static str, said: impl AsRef<str>, advice: &str) {
        match fine {
            true => self.ok(name, said),
            false => self.warning(name, said, advice),
        }
    }

    fn problem(&mut self, name: &'static str, said: impl AsRef<str>, advice: impl AsRef<str>) {
        self.add(name, CheckStatus::Problem, said.as_ref(), Some(advice.as_ref()));
    }

    fn skipped(&mut self, name: &'static str, why: impl AsRef<str>) {
        self.add(name, CheckStatus::Skipped, why.as_ref(), None);
    }

    /// What comes after `name` can't be known.
    fn skip_after(&mut self, name: &str) {
        let after = self.order.iter().skip_while(|known| **known != name).skip(1);
        after.for_each(|skipped| self.skipped(skipped, format!("needs {name}")));
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
pub(crate) fn examined(
    found: &Provenance,
    access: &Access,
    place: &Place,
    notifier: &Notifier,
) -> Vec<Check> {
    let time = TimeLeft { until: access.deadline };
    let uses = |mode| place.choice == CacheMode::Auto || place.choice == mode;
    let mut asked = vec![Section::Nomad];
    asked.extend(uses(CacheMode::Redis).then_some(Section::Redis));
    let mut asked = parallel::each(asked, |section| match section {
        Section::Redis => redis::examined(place, time, notifier),
        _ => nomad::examined(access, time, notifier),
    })
    .into_iter();
    let mut next = |section| asked.next().unwrap_or_else(|| Findings::of(section, &[]));
    let (nomad, redis) = (next(Section::Nomad), next(Section::Redis));
    let files = uses(CacheMode::Local).then(|| local::examined(place, redis.entry.is_some()));
    let files = files.unwrap_or_else(|| Findings::of(Section::Files, &[]));
    let entry = redis.entry.as_ref().or(files.entry.as_ref());
    let cache = cache::checks(place, entry, nomad.index);
    let clock = clock::checks(nomad.clock, redis.clock);
    let all = [configuration::checks(found), nomad, redis, files, cache, clock];
    all.into_iter().flat_map(|found| found.checks).collect()
}
