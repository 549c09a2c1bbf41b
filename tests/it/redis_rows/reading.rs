//! A list while Redis is in trouble: the whole answer, one line of warning at most, and where it
//! is cached instead.

use std::time::{Duration, Instant};

use super::Room;
use super::trouble::{self, ACL, Trouble};
use crate::support::redis_server::RedisServer;
use crate::support::redis_server::without_redis;

/// What the calls of a second list tell of what the first one cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cached {
    /// In the files of this machine.
    Local,
    /// The same, and Redis is still asked first: the second list says nothing.
    Beside,
}

/// Two lists print everything, the second one without a call; they warn with `warning`.
#[track_caller]
fn check(trouble: &Trouble, warning: &str, cached: Cached) {
    let room = Room::new(&trouble.url);
    let args = format!("list --json{}", trouble.options);
    let stderr = if warning.is_empty() { String::new() } else { format!("warning: {warning}\n") };
    let began = Instant::now();
    room.lists(&args, &stderr, 6);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let again = room.sandbox.run(&args);
    assert_eq!(again.code, 0);
    assert_eq!(room.sim.asked().len(), 0, "{}", again.stderr);
    let lines = if cached == Cached::Local { stderr.lines().count() } else { 0 };
    assert_eq!(again.stderr.lines().count(), lines, "{}", again.stderr);
}

/// Redis can be read and not written: the files of this machine stand in for it.
#[track_caller]
fn check_beside(trouble: &Trouble, why: &str) {
    check(trouble, &format!("the answer could not be cached: {why}"), Cached::Beside);
}

/// Redis can't be used: the files of this machine are the cache.
#[track_caller]
fn check_local(trouble: &Trouble, why: &str) {
    check(trouble, &without_redis(&trouble.url, "reach", why), Cached::Local);
}

/// The same of one that is there.
#[track_caller]
fn check_unfit(trouble: &Trouble, why: &str) {
    check(trouble, &without_redis(&trouble.url, "use", why), Cached::Local);
}

#[test]
fn r2_nobody_listens() {
    check_local(&trouble::refused(), "connection refused");
    check_local(&trouble::unknown_host(), "the host name cannot be resolved");
}

#[test]
fn r3_silence() {
    check_local(&trouble::black_hole_on_connect(), "timed out after 500ms");
    check_local(&trouble::silent(), "timed out after 1s");
    check_local(&trouble::silent_at_enter(), "timed out after 1s");
}

/// G13: a run within two seconds of a silence does not wait for the next; one a second probes.
#[test]
fn r3_the_next_run_does_not_wait() {
    let silent = trouble::silent();
    let room = Room::new(&silent.url);
    assert_eq!(room.sandbox.run("list").code, 0);
    let said = room.sandbox.run("list -vv");
    assert!(!said.stderr.contains("redis PTTL, PTTL, MGET:"), "{}", said.stderr);
    assert!(
        said.stderr.contains("(timed out a moment ago; not tried again yet); using"),
        "{}",
        said.stderr
    );
}

#[test]
fn r4_tls_that_can_not_be_trusted() {
    let expired = "tls: the certificate has expired: renew the certificate of Redis, or set the clock of this machine";
    check_local(&trouble::tls("expired.pem", "ca.pem"), expired);
    let other = "tls: the certificate is for another name: pass that name in --redis";
    check_local(&trouble::tls("other.pem", "ca.pem"), other);
    let unknown = "tls: the certificate is signed by an unknown authority: pass --redis-ca-cert";
    check_local(&trouble::tls("server.pem", "other-ca.pem"), unknown);
    check_local(&trouble::tls_to_a_plain_port(), "tls: the port does not speak TLS");
}

#[test]
fn r5_credentials_that_are_refused() {
    let warning = "Redis rejected the credentials; using the local cache";
    for trouble in [trouble::wrong_password(), trouble::no_password(), trouble::user_off()] {
        check(&trouble, warning, Cached::Local);
    }
}

#[test]
fn r6_a_read_only_user_learns_on_a_miss_what_it_lacks() {
    let viewer = trouble::user(&["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange"]);
    check_beside(&viewer, &format!("Redis does not permit eval (the user needs {ACL})"));
}

#[test]
fn r7_keys_or_a_command_that_is_not_granted() {
    let needs = format!("(the user needs {ACL})");
    let keys = "Redis does not permit access to the keys nomad:clients*";
    let stranger = trouble::user(&["~other*", "+@all"]);
    check(&stranger, &format!("{keys} {needs}; using the local cache"), Cached::Local);
    let inner = "Redis does not permit a command of the script";
    check_beside(&trouble::member_without("+hset"), &format!("{inner} {needs}"));
}

/// The scripts take what they may not read for what is not there: a publication is then refused as
/// one that came too late.
#[test]
fn r7_without_get_nothing_is_cached_and_v_says_why() {
    let redis = RedisServer::start();
    redis.cli(&["ACL", "SETUSER", "default", "-get"]);
    let said = Room::new(&redis.url()).sandbox.run("list -v -o id");
    let first = said.stderr.lines().next();
    let why = "not cached: a clear or a newer fetch came in between, or a permission is missing (nomad-clients doctor)";
    assert_eq!((first, said.code), (Some(why), 0));
}

#[test]
fn r8_a_replica_is_read_and_not_written() {
    check_beside(&trouble::replica(), "Redis is a read-only replica");
}

#[test]
fn r9_a_redis_that_refuses_to_write() {
    check_beside(&trouble::out_of_memory(), "Redis is out of memory");
    check_beside(&trouble::cannot_save(), "Redis cannot save and rejects writes (MISCONF)");
    let alone = "Redis has too few replicas and rejects writes (NOREPLICAS)";
    check_beside(&trouble::too_few_replicas(), alone);
}

#[test]
fn r10_a_redis_that_asks_for_patience() {
    let redises =
        [trouble::loading(), trouble::busy(), trouble::cluster_down(), trouble::master_down()];
    for trouble in redises {
        check(&trouble, "", Cached::Local);
    }
}

#[test]
fn r11_a_cluster_is_named() {
    let what = "Redis is a cluster (CROSSSLOT); redis-cluster:// is not supported";
    check_unfit(&trouble::cluster(), what);
}

#[test]
fn r17_no_redis_server() {
    check_unfit(&trouble::http_server(), "an HTTP server, not a Redis server");
    check_unfit(&trouble::garbage(), "not a Redis server");
    let full = "Redis has reached maxclients";
    check_unfit(&trouble::no_room(), full);
}

#[test]
fn r18_a_redis_that_is_slow() {
    check_local(&trouble::slow(), "timed out after 1s");
}
