//! A Redis that is there and refuses: it asks for patience, takes no writes, or is an old one.

use crate::redis_rows::trouble::{self, Trouble};

use super::Room;

const NOTHING: &str = "skipped cache/last hour: nobody asked";
const UNKNOWN: &str =
    "skipped cache/state: not known: nothing is cached here yet, or a link above is broken";
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
            "busy: MASTERDOWN → wait until it has its primary again, or name the primary with --redis",
        ),
    ] {
        check(&trouble, &[&format!("problem redis/reached: {why}"), skipped, UNKNOWN]);
    }
}

#[test]
fn one_that_takes_no_writes_now_is_still_read() {
    let why = "redis can't save and refuses to write (MISCONF): nothing can be cached → look into Redis's log why it can't save: the disk, or the rights of its folder";
    let writes = format!("problem redis/writes: {why}");
    check(&trouble::cannot_save(), &[&writes, MEMORY, NOTHING]);
    let why = "redis misses replicas and refuses to write (NOREPLICAS): nothing can be cached → bring its replicas back, or lower min-replicas-to-write";
    let writes = format!("problem redis/writes: {why}");
    check(&trouble::too_few_replicas(), &[&writes, MEMORY, NOTHING]);
}

/// HELLO came with Redis 6.
#[test]
fn one_older_than_redis_6() {
    let arguments = [&super::GOOD[..], &["--rename-command", "HELLO", ""]].concat();
    let warning = "warning redis/version: older than Redis 6, which this program was not tried with → upgrade Redis";
    Room::with_redis(&arguments).finds("", 0, &[warning, NOTHING]);
}
