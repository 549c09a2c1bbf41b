//! What a store tells of itself: what is present, what was cleared, and the statistics.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Error;

/// A publication that is fresh, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    pub rev: String,
    /// `X-Nomad-Index` of the list.
    pub index: u64,
    /// Since the list was asked for.
    pub age: Duration,
    /// Since it was published.
    pub since: Duration,
}

/// A list that Redis has shown, or that was to be written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownList {
    /// `X-Nomad-Index` of the list, or the highest index among its details.
    pub index: u64,
    /// Since the list was asked for, or longer.
    pub age: Duration,
}

/// Answered requests, for the statistics: one run's, or those of a moment of `serve`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Answered by the first LOOK.
    pub hits: u64,
    /// From the start of the command until the answer stood, summed.
    pub hit_time: Duration,
    pub misses: u64,
    pub miss_time: Duration,
    /// For what was answered.
    pub nomad_calls: u64,
    /// For nobody yet: by `serve`, which follows Nomad.
    pub follow_calls: u64,
}

impl Sample {
    /// One answer.
    pub fn of(hit: bool, took: Duration, nomad_calls: u64) -> Self {
        if hit {
            Self { hits: 1, hit_time: took, ..Self::default() }
        } else {
            Self { misses: 1, miss_time: took, nomad_calls, ..Self::default() }
        }
    }

    pub fn add(&mut self, other: &Self) {
        let add = |to: &mut u64, by: u64| *to = to.saturating_add(by);
        add(&mut self.hits, other.hits);
        add(&mut self.misses, other.misses);
        add(&mut self.nomad_calls, other.nomad_calls);
        add(&mut self.follow_calls, other.follow_calls);
        self.hit_time = self.hit_time.saturating_add(other.hit_time);
        self.miss_time = self.miss_time.saturating_add(other.miss_time);
    }

    /// All these together.
    pub fn sum<'a>(samples: impl IntoIterator<Item = &'a (u64, Self)>) -> Self {
        samples.into_iter().fold(Self::default(), |mut sum, (_, sample)| {
            sum.add(sample);
            sum
        })
    }

    pub fn requests(&self) -> u64 {
        self.hits.saturating_add(self.misses)
    }

    /// From the start of a command until the answer stood, on average; `None` if there was none.
    pub fn mean_hit(&self) -> Option<Duration> {
        mean(self.hit_time, self.hits)
    }

    pub fn mean_miss(&self) -> Option<Duration> {
        mean(self.miss_time, self.misses)
    }

    pub(super) fn hit_us(&self) -> u64 {
        micros(self.hit_time)
    }

    pub(super) fn miss_us(&self) -> u64 {
        micros(self.miss_time)
    }
}

fn mean(time: Duration, count: u64) -> Option<Duration> {
    micros(time).checked_div(count).map(Duration::from_micros)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The outcome of a clear, one line per place.
#[derive(Debug, Clone, Default)]
pub struct Cleared {
    pub places: Vec<ClearedPlace>,
}

#[derive(Debug, Clone)]
pub struct ClearedPlace {
    /// It is a Redis, which other machines may read too.
    pub is_redis: bool,
    /// `redis://localhost:6379/0` or the directory.
    pub place: String,
    pub outcome: Result<(), Error>,
}

/// What is in the cache and what it was good for in the last hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// `redis`, `local` or `none`.
    pub kind: &'static str,
    /// URL without credentials, or the directory.
    pub place: String,
    pub state: CacheState,
    /// Since the list was asked for; `None` when cold.
    pub age: Option<Duration>,
    pub fresh_for: Option<Duration>,
    pub nodes: Option<u64>,
    pub keys: Vec<KeyStats>,
    pub memory: Option<Memory>,
    /// Unix minutes that have counts, oldest first.
    pub minutes: Vec<(u64, Sample)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheState {
    Hot,
    Stale,
    Cold,
}

impl CacheState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Stale => "stale",
            Self::Cold => "cold",
        }
    }
}

/// One key (or file) of the cache. `ttl` is `None` if it never expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyStats {
    pub key: String,
    /// `string`, `hash` or `file`; for `doctor` also another type of Redis, or `?`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// `None` = this user may not know.
    pub bytes: Option<u64>,
    #[serde(rename = "ttl_ms", serialize_with = "in_millis")]
    pub ttl: Option<Duration>,
}

/// Whose key it is, and whether it can be what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    Ours,
    /// The nodes of another cluster, or as another token sees them.
    Others,
    /// Of all clusters that share the names.
    Shared,
    WrongType,
}

/// The cache of this scope, as `doctor` finds it.
#[derive(Debug, Clone)]
pub struct CacheEntry {
    pub stats: Stats,
    /// All keys that exist, whoever they belong to.
    pub keys: Vec<(KeyStats, KeyRole)>,
    /// The plain names are another's: nothing of this scope can be there.
    pub is_of_others: bool,
    /// Why nothing is served from it, if there is a reason beyond its age.
    pub why: Option<String>,
    /// The index of Nomad that it was published with, if it is known.
    pub index: Option<u64>,
    /// How long it took to read from Redis what a run reads.
    pub took: Option<Duration>,
}

#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
fn in_millis<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(to)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Memory {
    pub used_bytes: u64,
    /// 0 = no limit.
    pub max_bytes: u64,
    pub policy: String,
}

impl fmt::Display for CacheState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
