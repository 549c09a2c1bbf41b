//! What is cached: each key, whether it is served and why, and what it was good for.

use std::time::Duration;

use crate::model::format::{bytes, count, span, took};
use crate::store::redis::{CacheEntry, KeyFound, KeyOwner};
use crate::store::{CacheMode, CacheState, Minute, Place, Stats};

use super::{Check, Checks, Section};

/// Longer than this, and reading is what people wait for.
const SLOW: Duration = Duration::from_millis(500);
/// Fewer runs than this say nothing of the rule.
const FEW: u64 = 10;

/// `index` is that of Nomad now.
pub(super) fn checks(place: &Place, entry: Option<&CacheEntry>, index: Option<u64>) -> Vec<Check> {
    let mut checks = Checks::of(Section::Cache);
    if place.choice == CacheMode::None {
        let said = "none (--cache none): every run fetches everything from Nomad";
        checks.warning("state", said, "use --cache auto, redis or local");
        return checks.all;
    }
    let Some(entry) = entry else {
        checks.skipped("state", "unknown: nothing is cached yet, or a check above failed");
        return checks.all;
    };
    for key in &entry.keys {
        self::key(&mut checks, key);
    }
    state(&mut checks, place, entry);
    if let (CacheState::Hot | CacheState::Stale, Some(then), Some(now)) =
        (entry.stats.state, entry.index, index)
    {
        checks.ok("nomad", moved(then, now));
    }
    if let Some(time) = entry.took {
        reading(&mut checks, time);
    }
    last_hour(&mut checks, &entry.stats);
    checks.all
}

fn key(checks: &mut Checks, found: &KeyFound) {
    let KeyFound { key, kind, .. } = found;
    let whose = match found.whose {
        KeyOwner::Ours => "this cluster",
        KeyOwner::Others => "another cluster or token",
        KeyOwner::Everybodys => "shared by all clusters",
    };
    let size = found.bytes.map(|size| format!("{}, ", bytes(size))).unwrap_or_default();
    if !found.is_right_kind {
        let said = format!("{key}: {kind}, {size}unexpected type; not served");
        let advice = "run nomad-clients cache clear; if it comes back, another program uses this name: choose another with --cache-prefix";
        return checks.problem("key", said, advice);
    }
    // Who may not know the type need not read that.
    let kind = Some(format!("{kind}, ")).filter(|_| kind != "?").unwrap_or_default();
    match found.ttl {
        Some(ttl) => {
            let left = span(ttl.as_secs());
            checks.ok("key", format!("{key}: {kind}{size}{left} left, {whose}"));
        }
        None => {
            let said = format!("{key}: {kind}{size}never expires, {whose}; not served");
            checks.warning("key", said, "run nomad-clients cache clear: another program wrote it");
        }
    }
}

fn state(checks: &mut Checks, place: &Place, entry: &CacheEntry) {
    let Stats { state, age, fresh_for, nodes, .. } = &entry.stats;
    let old = age.map(|age| format!("{} old", span(age.as_secs()))).unwrap_or_default();
    let nodes = count(nodes.unwrap_or(0), "node");
    if place.ttl.is_zero() {
        let advice = "set --ttl (60s is usual), or every run asks Nomad";
        return checks.warning(
            "state",
            format!("{}: with --ttl 0s nothing is ever fresh", word(*state)),
            advice,
        );
    }
    let said = match (state, entry.why.as_deref()) {
        (CacheState::Cold, Some(_)) if entry.is_of_others => {
            "COLD: nothing is cached for this address and token; the plain names belong to another cluster".to_owned()
        }
        (_, Some(why)) => {
            let advice = "run nomad-clients refresh, or wait for the next run: both rewrite it";
            return checks.warning("state", format!("not served: {why}"), advice);
        }
        (CacheState::Hot, None) => {
            let left = span(fresh_for.map_or(0, |left| left.as_secs()));
            format!("HOT: {nodes}, {old}, served for {left} more without asking Nomad")
        }
        (CacheState::Stale, None) => {
            format!("STALE: {nodes}, {old}, no longer served (--ttl {}): the next run asks Nomad what has changed", typed(place.ttl))
        }
        (CacheState::Cold, None) => {
            "COLD: nothing is cached for this address and token: the next run asks Nomad for everything".to_owned()
        }
    };
    checks.ok("state", said);
}

fn word(state: CacheState) -> String {
    state.name().to_uppercase()
}

fn moved(then: u64, now: u64) -> String {
    if then == now {
        return format!("nothing has changed there since it was cached (index {now})");
    }
    format!(
        "something has changed there since it was cached (index {then}, now {now}): list --refresh shows it at once"
    )
}

fn reading(checks: &mut Checks, time: Duration) {
    let said = format!("reading it takes {}", took(time));
    if time > SLOW {
        let advice = "the connection to Redis is slow for this many nodes: use a closer one, or --cache local";
        checks.warning("read", said, advice);
    } else {
        checks.ok("read", said);
    }
}

fn last_hour(checks: &mut Checks, stats: &Stats) {
    let sum = |of: fn(&Minute) -> u64| stats.minutes.iter().map(of).fold(0, u64::saturating_add);
    let (hits, misses) = (sum(|minute| minute.hits), sum(|minute| minute.misses));
    let all = hits.saturating_add(misses);
    if all == 0 {
        return checks.skipped("last hour", "no requests");
    }
    let mean = |words: &str, us: u64, count: u64| {
        let mean = us.checked_div(count).map(Duration::from_micros);
        mean.map(|mean| format!("{words}{}", took(mean))).unwrap_or_default()
    };
    let cached = mean(", in ", sum(|minute| minute.hit_us), hits);
    let asked = mean("; the others in ", sum(|minute| minute.miss_us), misses);
    let percent = hits.saturating_mul(100) / all;
    let said = format!("{percent} % of {} from the cache{cached}{asked}", count(all, "run"));
    if all >= FEW && percent < 50 {
        let advice = "let nomad-clients serve keep the cache fresh, or set a longer --ttl";
        checks.warning("last hour", said, advice);
    } else {
        checks.ok("last hour", said);
    }
}

/// As people type it: `60s`, `500ms`.
fn typed(ttl: Duration) -> String {
    match ttl.subsec_millis() {
        0 => format!("{}s", ttl.as_secs()),
        _ => format!("{}ms", ttl.as_millis()),
    }
}
