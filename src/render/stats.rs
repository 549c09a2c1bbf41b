//! What is in the cache and what it was good for, as a page and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::model::format::{bytes, millis, span};
use crate::model::json;
use crate::model::text::sanitised;
use crate::store::{KeyStats, Memory, Sample, Stats};

/// Whose nodes the cache holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClusterSection {
    /// Without credentials.
    pub(crate) address: String,
    pub(crate) region: Option<String>,
}

/// The last hour in all.
struct Hour {
    sum: Sample,
    nomad_calls: u64,
    saved: u64,
}

impl Hour {
    fn of(stats: &Stats) -> Self {
        let sum = Sample::sum(&stats.minutes);
        // Without a cache every request would have been the list and a detail for each node.
        let without = stats.nodes.map_or(0, |nodes| nodes.saturating_add(1));
        Self {
            sum,
            nomad_calls: sum.nomad_calls.saturating_add(sum.follow_calls),
            // What following costs is no part of an answer: else this would fall while one watches.
            saved: sum.requests().saturating_mul(without).saturating_sub(sum.nomad_calls),
        }
    }

    fn hit_rate(&self) -> Option<f64> {
        let all = self.sum.requests();
        (all > 0).then(|| ratio(self.sum.hits, all))
    }
}

/// The object of `cache stats --json`, without a newline. Its keys come in the order of the contract.
pub(crate) fn stats_json(stats: &Stats, cluster: &ClusterSection) -> Vec<u8> {
    let hour = Hour::of(stats);
    json::bytes(&StatsPage {
        cache: CacheSection { kind: stats.kind, place: &stats.place },
        cluster,
        state: stats.state.name(),
        age_ms: stats.age.map(millis),
        fresh_for_ms: stats.fresh_for.map(millis),
        nodes: stats.nodes,
        keys: &stats.keys,
        memory: stats.memory.as_ref(),
        last_hour: LastHour {
            hits: hour.sum.hits,
            misses: hour.sum.misses,
            hit_rate: hour.hit_rate().map(|rate| (rate * 10_000.0).round() / 10_000.0),
            cached_ms_mean: hour.sum.mean_hit().map(in_ms),
            uncached_ms_mean: hour.sum.mean_miss().map(in_ms),
            nomad_calls: hour.nomad_calls,
            nomad_calls_saved: hour.saved,
            per_minute: stats.minutes.iter().map(Requests::of).collect(),
        },
    })
}

#[derive(Serialize)]
struct StatsPage<'a> {
    cache: CacheSection<'a>,
    cluster: &'a ClusterSection,
    state: &'static str,
    age_ms: Option<u64>,
    fresh_for_ms: Option<u64>,
    nodes: Option<u64>,
    keys: &'a [KeyStats],
    memory: Option<&'a Memory>,
    last_hour: LastHour,
}

#[derive(Serialize)]
struct CacheSection<'a> {
    kind: &'static str,
    #[serde(rename = "where")]
    place: &'a str,
}

#[derive(Serialize)]
struct LastHour {
    hits: u64,
    misses: u64,
    hit_rate: Option<f64>,
    cached_ms_mean: Option<f64>,
    uncached_ms_mean: Option<f64>,
    nomad_calls: u64,
    nomad_calls_saved: u64,
    per_minute: Vec<Requests>,
}

#[derive(Serialize)]
struct Requests {
    minute: String,
    hits: u64,
    misses: u64,
}

impl Requests {
    fn of((minute, counts): &(u64, Sample)) -> Self {
        Self { minute: minute_name(*minute), hits: counts.hits, misses: counts.misses }
    }
}

/// The page of `cache stats`.
pub(crate) fn stats(to: &mut dyn Write, stats: &Stats, cluster: &ClusterSection) -> io::Result<()> {
    let region =
        cluster.region.as_deref().map(|region| format!(", region {region}")).unwrap_or_default();
    line(to, "Cache", &format!("{} {}", stats.kind, stats.place))?;
    line(to, "Cluster", &format!("{}{region}", cluster.address))?;
    line(to, "State", &state(stats))?;
    line(to, "Nodes", &stats.nodes.map_or("-".to_owned(), |nodes| nodes.to_string()))?;
    for key in &stats.keys {
        let ttl = key.ttl.map(|ttl| format!(", {} left", span(ttl))).unwrap_or_default();
        let size = key.bytes.map_or("-".to_owned(), bytes);
        line(to, "Key", &format!("{} ({}, {size}{ttl})", key.key, key.kind))?;
    }
    if let Some(memory) = &stats.memory {
        let max =
            if memory.max_bytes == 0 { "no limit".to_owned() } else { bytes(memory.max_bytes) };
        line(to, "Memory", &format!("{} of {max}, {}", bytes(memory.used_bytes), memory.policy))?;
    }
    last_hour(to, stats)
}

fn state(stats: &Stats) -> String {
    let name = stats.state.name().to_uppercase();
    match (stats.age, stats.fresh_for) {
        (Some(since), Some(left)) => {
            format!("{name}, {} old, fresh for {}", span(since), span(left))
        }
        (Some(since), None) => format!("{name}, {} old", span(since)),
        _ => name,
    }
}

fn last_hour(to: &mut dyn Write, stats: &Stats) -> io::Result<()> {
    let hour = Hour::of(stats);
    writeln!(to, "\nLast hour")?;
    let Some(rate) = hour.hit_rate() else {
        return writeln!(to, "  nothing was asked");
    };
    line(to, "  Hit rate", &format!("{} {:.0} %", bar(rate), rate * 100.0))?;
    line(to, "  Hits, misses", &format!("{}, {}", hour.sum.hits, hour.sum.misses))?;
    let mean = |mean: Option<Duration>| {
        mean.map_or("-".to_owned(), |mean| format!("{:.1} ms", in_ms(mean)))
    };
    let (cached, asked) = (mean(hour.sum.mean_hit()), mean(hour.sum.mean_miss()));
    line(to, "  Mean time", &format!("{cached} cached, {asked} from Nomad"))?;
    line(to, "  Nomad calls", &format!("{}, {} saved", hour.nomad_calls, hour.saved))?;
    writeln!(to, "\n  Minute (UTC)       from cache  from Nomad")?;
    for (minute, Sample { hits, misses, .. }) in &stats.minutes {
        let minute = minute_name(*minute)[..16].replace('T', " ");
        writeln!(to, "  {minute}  {hits:10}  {misses:10}")?;
    }
    Ok(())
}

fn line(to: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(to, "{label:<14}  {}", sanitised(text))
}

/// Twenty places, filled by the part of requests that the cache answered.
fn bar(rate: f64) -> String {
    let filled = (0..20).filter(|place| f64::from(*place) + 0.5 <= rate * 20.0).count();
    format!("{}{}", "█".repeat(filled), "░".repeat(20 - filled))
}

/// In milliseconds, rounded to a tenth.
fn in_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of an hour are far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// RFC 3339, to the minute.
fn minute_name(minute: u64) -> String {
    let second = i64::try_from(minute * 60).unwrap_or(0);
    jiff::Timestamp::from_second(second).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ClusterSection, Hour, stats_json};
    use super::{bar, in_ms, minute_name};
    use crate::store::{CacheState, KeyStats, Memory, Sample, Stats};

    /// The example of the contract, byte for byte.
    #[test]
    fn the_object_is_that_of_the_contract() {
        let counts = Sample {
            hits: 48,
            hit_time: Duration::from_micros(48 * 2100),
            misses: 2,
            miss_time: Duration::from_millis(236),
            nomad_calls: 14,
            follow_calls: 0,
        };
        let stats = Stats {
            kind: "redis",
            place: "redis://localhost:6379/0".to_owned(),
            state: CacheState::Hot,
            age: Some(Duration::from_secs(12)),
            fresh_for: Some(Duration::from_secs(48)),
            nodes: Some(5),
            keys: vec![KeyStats {
                key: "nomad:clients:all".to_owned(),
                kind: "string".into(),
                bytes: Some(3821),
                ttl: Some(Duration::from_secs(48)),
            }],
            memory: Some(Memory {
                used_bytes: 1_258_291,
                max_bytes: 268_435_456,
                policy: "allkeys-lru".to_owned(),
            }),
            minutes: vec![(29_673_010, counts)],
        };
        let cluster = ClusterSection { address: "http://10.0.0.5:4646".to_owned(), region: None };
        let expected = concat!(
            r#"{"cache":{"kind":"redis","where":"redis://localhost:6379/0"},"#,
            r#""cluster":{"address":"http://10.0.0.5:4646","region":null},"#,
            r#""state":"hot","age_ms":12000,"fresh_for_ms":48000,"nodes":5,"#,
            r#""keys":[{"key":"nomad:clients:all","type":"string","bytes":3821,"ttl_ms":48000}],"#,
            r#""memory":{"used_bytes":1258291,"max_bytes":268435456,"policy":"allkeys-lru"},"#,
            r#""last_hour":{"hits":48,"misses":2,"hit_rate":0.96,"cached_ms_mean":2.1,"#,
            r#""uncached_ms_mean":118.0,"nomad_calls":14,"nomad_calls_saved":286,"#,
            r#""per_minute":[{"minute":"2026-06-02T06:10:00Z","hits":48,"misses":2}]}}"#
        );
        assert_eq!(String::from_utf8(stats_json(&stats, &cluster)).unwrap(), expected);
    }

    /// `serve` follows Nomad while somebody watches, which takes nothing from what was saved.
    #[test]
    fn what_was_saved_does_not_fall_while_one_watches() {
        let hour = |follow_calls| {
            let counts =
                Sample { hits: 10, misses: 1, nomad_calls: 6, follow_calls, ..Sample::default() };
            let stats = Stats {
                kind: "redis",
                place: String::new(),
                state: CacheState::Hot,
                age: None,
                fresh_for: None,
                nodes: Some(5),
                keys: Vec::new(),
                memory: None,
                minutes: vec![(1, counts)],
            };
            let Hour { nomad_calls, saved, .. } = Hour::of(&stats);
            (nomad_calls, saved)
        };
        assert_eq!([hour(0), hour(100)], [(6, 60), (106, 60)]);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(bar(0.96), "███████████████████░");
        assert_eq!(bar(0.0), "░".repeat(20));
        assert_eq!(in_ms(Duration::from_micros(2149)).to_string(), "2.1");
        assert_eq!(Sample::default().mean_hit(), None);
        assert_eq!(minute_name(29_400_000), "2025-11-24T16:00:00Z");
    }
}
