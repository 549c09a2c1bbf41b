//! R20: `cache clear` in every trouble: done, or an error that says what may still be shown.

use super::Room;
use super::trouble::{self, ACL, Trouble};
use crate::support::sandbox::{Output, failure};

/// It fails, and what this machine keeps is cleared all the same.
#[track_caller]
fn check(trouble: &Trouble, code: i32, why: &str) {
    let room = Room::new(&trouble.url);
    let local = room.sandbox.cache();
    let stderr = format!(
        "note: cleared {}\nerror: cache NOT cleared in redis: {why}; old data may be served up to 60 s; rerun\n",
        local.display()
    );
    let said = room.sandbox.run(&format!("cache clear{}", trouble.options));
    assert_eq!(said, failure(code, &stderr));
}

#[test]
fn r20_nobody_listens_or_answers() {
    check(&trouble::refused(), 7, "connection refused");
    check(&trouble::unknown_host(), 7, "the host name cannot be resolved");
    check(&trouble::silent(), 7, "timed out after 5s");
    check(&trouble::black_hole_on_connect(), 7, "timed out after 5s");
}

#[test]
fn r20_tls_that_can_not_be_trusted() {
    let expired = "tls: the certificate has expired: renew the certificate of Redis, or set the clock of this machine";
    check(&trouble::tls("expired.pem", "ca.pem"), 7, expired);
    check(&trouble::tls_to_a_plain_port(), 7, "tls: the port does not speak TLS");
}

#[test]
fn r20_without_the_right_to_it() {
    check(&trouble::wrong_password(), 4, "Redis rejected the credentials");
    check(&trouble::user_off(), 4, "Redis rejected the credentials");
    let viewer = trouble::user(&["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange"]);
    check(&viewer, 4, &format!("Redis does not permit del (the user needs {ACL})"));
    let keys = "Redis does not permit access to the keys nomad:clients*";
    check(&trouble::user(&["~other*", "+@all"]), 4, &format!("{keys} (the user needs {ACL})"));
}

#[test]
fn r20_a_redis_that_can_not_write() {
    check(&trouble::replica(), 7, "Redis is a read-only replica");
    check(&trouble::cannot_save(), 7, "Redis cannot save and rejects writes (MISCONF)");
    let alone = "Redis has too few replicas and rejects writes (NOREPLICAS)";
    check(&trouble::too_few_replicas(), 7, alone);
}

#[test]
fn r20_a_redis_that_asks_for_patience() {
    check(&trouble::loading(), 7, "busy: LOADING");
    check(&trouble::busy(), 7, "busy: BUSY");
    check(&trouble::cluster_down(), 7, "busy: CLUSTERDOWN");
    check(&trouble::master_down(), 7, "Redis is a read-only replica");
}

#[test]
fn r20_no_redis_server() {
    check(&trouble::http_server(), 7, "an HTTP server, not a Redis server");
}

/// Without memory Redis still deletes.
#[test]
fn r20_out_of_memory_is_cleared() {
    let trouble = trouble::out_of_memory();
    let room = Room::new(&trouble.url);
    let local = room.sandbox.cache();
    let stdout = format!("cleared {}\ncleared {}\n", trouble.url, local.display());
    assert_eq!(room.sandbox.run("cache clear"), Output { stdout, stderr: String::new(), code: 0 });
}
