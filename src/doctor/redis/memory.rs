//! The memory of the server, and what happens when it is full.

use crate::doctor::Checks;
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
pub(super) fn check(checks: &mut Checks, memory: Option<Memory>) {
    let Some(Memory { used_bytes, max_bytes, policy }) = memory else {
        let why = "unknown: the user has no +info, which nothing else needs";
        return checks.skipped("memory", why);
    };
    let used = bytes(used_bytes);
    if max_bytes == 0 {
        return checks.warning("memory", format!("{used} used, no maximum, {policy}"), LIMIT);
    }
    let said = format!("{used} of {} used, {policy}", bytes(max_bytes));
    let is_full = used_bytes >= max_bytes;
    match policy.as_str() {
        "noeviction" if is_full => {
            checks.problem("memory", format!("{said}: full, nothing can be cached"), EVICT);
        }
        "noeviction" if used_bytes >= max_bytes / 10 * 9 => {
            checks.warning("memory", format!("{said}: nearly full"), EVICT);
        }
        "noeviction" if max_bytes - used_bytes < LITTLE => {
            let nodes = (max_bytes - used_bytes) / PER_NODE;
            checks.warning("memory", format!("{said}: room for about {nodes} nodes"), EVICT);
        }
        policy if is_full && policy.starts_with("volatile") => {
            let said = format!("{said}: full, what is needed to fill the cache is evicted first");
            checks.warning("memory", said, EVICT);
        }
        _ if is_full => checks.ok("memory", format!("{said}: full, keys are evicted")),
        _ => checks.ok("memory", said),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::doctor::{CheckStatus, Checks, Section};
    use crate::store::Memory;

    #[test]
    fn a_full_server_matters_as_its_policy_says() {
        let said = |used_bytes: u64, policy: &str| {
            let mut checks = Checks::of(Section::Redis);
            let policy = policy.to_owned();
            let (used_bytes, max_bytes) = (used_bytes << 20, 1000 << 20);
            check(&mut checks, Some(Memory { used_bytes, max_bytes, policy }));
            let said = checks.all.remove(0);
            (said.state, said.said.split_once(": ").map(|(_, end)| end.to_owned()))
        };
        let end = |text: &str| Some(text.to_owned());
        assert_eq!(said(899, "noeviction"), (CheckStatus::Ok, None));
        assert_eq!(said(900, "noeviction"), (CheckStatus::Warning, end("nearly full")));
        let mut checks = Checks::of(Section::Redis);
        let (used_bytes, max_bytes, policy) = (1 << 20, 3 << 20, "noeviction".to_owned());
        check(&mut checks, Some(Memory { used_bytes, max_bytes, policy }));
        assert_eq!(
            checks.all[0].said,
            "1.0 MiB of 3.0 MiB used, noeviction: room for about 204 nodes"
        );
        let full = end("full, nothing can be cached");
        assert_eq!(said(1000, "noeviction"), (CheckStatus::Problem, full));
        assert_eq!(said(999, "allkeys-lru"), (CheckStatus::Ok, None));
        assert_eq!(said(1001, "allkeys-lru"), (CheckStatus::Ok, end("full, keys are evicted")));
        let first = end("full, what is needed to fill the cache is evicted first");
        assert_eq!(said(1001, "volatile-ttl"), (CheckStatus::Warning, first));
    }
}
