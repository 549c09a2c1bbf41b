//! A Redis that is there and refuses: it asks for patience, takes no writes, or is an old one.

use crate::redis_rows::trouble::{self, Trouble};

use super::Room;

const NOTHING: &str = "skipped cache/last hour: no requests";
const UNKNOWN: &str =
    "skipped cache/state: unknown: nothing is cached yet, or a check above failed";
const MEMORY: &str = "warning redis/memory: SIZE used, no maximum, noeviction → set maxmemory (10 KB a node is plenty) and maxmemory-policy allkeys-lru: an evicted cache is only cold";

#[track_caller]
fn check(trouble: &Trouble, expected: &[&str]) {
    Room::new().with_url(&trouble.url).finds("", 1, expected);
}

#[test]
fn one_that_asks_for_patience_is_waited_for() {
    let skipped =
        "skipped redis/tls credentials version latency commands keys writes memory: needs reached";
    for (trouble, why) in [
        (trouble::loading(), "busy: LOADING → wait until it has loaded its data"),
        (
            trouble::busy(),
            "busy: BUSY → wait until its script has ended, or end that with SCRIPT KILL",
        ),
        (
            trouble::master_down(),
            "busy: MASTERDOWN → wait until it has its primary again, or pass the primary with --redis",
        ),
    ] {
        check(&trouble, &[&format!("problem redis/reached: {why}"), skipped, UNKNOWN]);
    }
}

#[test]
fn one_that_takes_no_writes_now_is_still_read() {
    let why = "Redis cannot save and rejects writes (MISCONF): nothing can be cached → check the Redis log: the disk may be full, or its directory not writable";
    let writes = format!("problem redis/writes: {why}");
    check(&trouble::cannot_save(), &[&writes, MEMORY, NOTHING]);
    let why = "Redis has too few replicas and rejects writes (NOREPLICAS): nothing can be cached → restore its replicas, or lower min-replicas-to-write";
    let writes = format!("problem redis/writes: {why}");
    check(&trouble::too_few_replicas(), &[&writes, MEMORY, NOTHING]);
}

/// HELLO came with Redis 6.
#[test]
fn one_older_than_redis_6() {
    let arguments = [&super::GOOD[..], &["--rename-command", "HELLO", ""]].concat();
    let warning = "warning redis/version: older than Redis 6; not tested → upgrade Redis";
    Room::with_redis(&arguments).finds("", 0, &[warning, NOTHING]);
}
