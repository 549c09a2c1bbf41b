//! What is cached: each key, whether it is served and why, and what it was good for.

use std::time::Duration;

use crate::model::format::{bytes, count, span, took};
use crate::store::{CacheEntry, CacheMode, CacheState, KeyRole, KeyStats, Place, Sample, Stats};

use super::{Findings, Section};

/// Longer than this, and reading is what people wait for.
const SLOW: Duration = Duration::from_millis(500);
/// Fewer runs than this say nothing of the rule.
const FEW: u64 = 10;

/// `index` is that of Nomad now.
pub(super) fn checks(place: &Place, entry: Option<&CacheEntry>, index: Option<u64>) -> Findings {
    let mut found = Findings::of(Section::Cache, &[]);
    if place.choice == CacheMode::None {
        let said = "none (--cache none): every run fetches everything from Nomad";
        found.warning("state", said, "use --cache auto, redis or local");
        return found;
    }
    let Some(entry) = entry else {
        found.skipped("state", "unknown: nothing is cached yet, or a check above failed");
        return found;
    };
    for (stats, role) in &entry.keys {
        key(&mut found, stats, *role);
    }
    state(&mut found, place, entry);
    if let (CacheState::Hot | CacheState::Stale, Some(then), Some(now)) =
        (entry.stats.state, entry.index, index)
    {
        found.ok("nomad", moved(then, now));
    }
    if let Some(time) = entry.took {
        let advice = "the connection to Redis is slow for this many nodes: use a closer one, or --cache local";
        found.ok_if(time <= SLOW, "read", format!("reading it takes {}", took(time)), advice);
    }
    last_hour(&mut found, &entry.stats);
    found
}

fn key(found: &mut Findings, KeyStats { key, kind, bytes: size, ttl }: &KeyStats, role: KeyRole) {
    let size = size.map(|size| format!("{}, ", bytes(size))).unwrap_or_default();
    let whose = match role {
        KeyRole::Ours => "this cluster",
        KeyRole::Others => "another cluster or token",
        KeyRole::Shared => "shared by all clusters",
        KeyRole::WrongType => {
            let said = format!("{key}: {kind}, {size}unexpected type; not served");
            let advice = "run nomad-clients cache clear; if it comes back, another program uses this name: choose another with --cache-prefix";
            return found.problem("key", said, advice);
        }
    };
    // Who may not know the type need not read that.
    let kind = Some(format!("{kind}, ")).filter(|_| kind != "?").unwrap_or_default();
    match ttl {
        Some(ttl) => {
            found.ok("key", format!("{key}: {kind}{size}{} left, {whose}", span(*ttl)));
        }
        None => {
            let said = format!("{key}: {kind}{size}never expires, {whose}; not served");
            found.warning("key", said, "run nomad-clients cache clear: another program wrote it");
        }
    }
}

fn state(found: &mut Findings, place: &Place, entry: &CacheEntry) {
    let Stats { state, age, fresh_for, nodes, .. } = &entry.stats;
    let word = state.name().to_uppercase();
    if place.ttl.is_zero() {
        let advice = "set --ttl (60s is usual), or every run asks Nomad";
        let said = format!("{word}: with --ttl 0s nothing is ever fresh");
        return found.warning("state", said, advice);
    }
    let cold = "nothing is cached for this address and token";
    let end = match (state, entry.why.as_deref()) {
        (CacheState::Cold, Some(_)) if entry.is_of_others => {
            format!("{cold}; the plain names belong to another cluster")
        }
        (_, Some(why)) => {
            let advice = "run nomad-clients refresh, or wait for the next run: both rewrite it";
            return found.warning("state", format!("not served: {why}"), advice);
        }
        (CacheState::Cold, None) => format!("{cold}: the next run asks Nomad for everything"),
        (CacheState::Hot | CacheState::Stale, None) => {
            let nodes = count(nodes.unwrap_or(0), "node");
            let old = age.map(|age| format!("{} old", span(age))).unwrap_or_default();
            let served = match *state == CacheState::Hot {
                true => format!(
                    "served for {} more without asking Nomad",
                    span(fresh_for.unwrap_or_default())
                ),
                false => format!(
                    "no longer served (--ttl {}): the next run asks Nomad what has changed",
                    typed(place.ttl)
                ),
            };
            format!("{nodes}, {old}, {served}")
        }
    };
    found.ok("state", format!("{word}: {end}"));
}

fn moved(then: u64, now: u64) -> String {
    if then == now {
        return format!("nothing has changed there since it was cached (index {now})");
    }
    format!(
        "something has changed there since it was cached (index {then}, now {now}): list --refresh shows it at once"
    )
}

fn last_hour(found: &mut Findings, stats: &Stats) {
    let sum = Sample::sum(&stats.minutes);
    let all = sum.requests();
    if all == 0 {
        return found.skipped("last hour", "no requests");
    }
    let mean = |words: &str, mean: Option<Duration>| {
        mean.map(|mean| format!("{words}{}", took(mean))).unwrap_or_default()
    };
    let cached = mean(", in ", sum.mean_hit());
    let asked = mean("; the others in ", sum.mean_miss());
    let percent = sum.hits.saturating_mul(100) / all;
    let said = format!("{percent} % of {} from the cache{cached}{asked}", count(all, "run"));
    let advice = "let nomad-clients serve keep the cache fresh, or set a longer --ttl";
    found.ok_if(all < FEW || percent >= 50, "last hour", said, advice);
}

/// As people type it: `60s`, `500ms`.
fn typed(ttl: Duration) -> String {
    match ttl.subsec_millis() {
        0 => format!("{}s", ttl.as_secs()),
        _ => format!("{}ms", ttl.as_millis()),
    }
}
