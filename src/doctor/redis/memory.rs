//! The memory of the server, and what happens when it is full.

use crate::doctor::CheckStatus::{Ok, Problem, Warning};
use crate::doctor::Findings;
use crate::model::format::bytes;
use crate::store::Memory;

const LIMIT: &str = "set maxmemory (10 KB a node is plenty) and maxmemory-policy allkeys-lru: an evicted cache is only cold";
const EVICT: &str =
    "raise maxmemory, or set maxmemory-policy allkeys-lru: an evicted cache is only cold";

/// In bytes: records, the array twice, and what Redis adds to them.
const PER_NODE: u64 = 10 << 10;
/// With less room a cluster of usual size may not fit.
const LITTLE: u64 = 16 << 20;

/// `None`: the user may not know.
pub(super) fn check(found: &mut Findings, memory: Option<Memory>) {
    let Some(Memory { used_bytes, max_bytes, policy }) = memory else {
        let why = "unknown: the user has no +info, which nothing else needs";
        return found.skipped("memory", why);
    };
    let used = bytes(used_bytes);
    if max_bytes == 0 {
        return found.warning("memory", format!("{used} used, no maximum, {policy}"), LIMIT);
    }
    let is_full = used_bytes >= max_bytes;
    let (state, end) = match policy.as_str() {
        "noeviction" if is_full => (Problem, ": full, nothing can be cached"),
        "noeviction" if used_bytes >= max_bytes / 10 * 9 => (Warning, ": nearly full"),
        "noeviction" if max_bytes - used_bytes < LITTLE => {
            let nodes = (max_bytes - used_bytes) / PER_NODE;
            (Warning, &*format!(": room for about {nodes} nodes"))
        }
        policy if is_full && policy.starts_with("volatile") => {
            (Warning, ": full, what is needed to fill the cache is evicted first")
        }
        _ if is_full => (Ok, ": full, keys are evicted"),
        _ => (Ok, ""),
    };
    let said = format!("{used} of {} used, {policy}{end}", bytes(max_bytes));
    found.add("memory", state, &said, Some(EVICT).filter(|_| state != Ok));
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::doctor::CheckStatus::{self, Ok, Problem, Warning};
    use crate::doctor::{Findings, Section};
    use crate::store::Memory;

    #[test]
    fn a_full_server_matters_as_its_policy_says() {
        let said = |used: u64, max: u64, policy: &str| {
            let mut found = Findings::of(Section::Redis, &[]);
            let (used_bytes, max_bytes, policy) = (used << 20, max << 20, policy.to_owned());
            check(&mut found, Some(Memory { used_bytes, max_bytes, policy }));
            let said = found.checks.remove(0);
            let end = said.said.split_once(": ").map(|(_, end)| end.to_owned());
            (said.state, end.unwrap_or_default())
        };
        let is = |state: CheckStatus, end: &str| (state, end.to_owned());
        assert_eq!(said(899, 1000, "noeviction"), is(Ok, ""));
        assert_eq!(said(900, 1000, "noeviction"), is(Warning, "nearly full"));
        assert_eq!(said(1, 3, "noeviction"), is(Warning, "room for about 204 nodes"));
        assert_eq!(said(1000, 1000, "noeviction"), is(Problem, "full, nothing can be cached"));
        assert_eq!(said(999, 1000, "allkeys-lru"), is(Ok, ""));
        assert_eq!(said(1001, 1000, "allkeys-lru"), is(Ok, "full, keys are evicted"));
        let first = "full, what is needed to fill the cache is evicted first";
        assert_eq!(said(1001, 1000, "volatile-ttl"), is(Warning, first));
    }
}
