//! The way to Redis, broken at each link.

use std::time::{Duration, Instant};

use redis::Value;

use crate::redis_rows::trouble::ACL;
use crate::support::fake_redis::{FakeRedis, nobody};
use crate::support::pki::file;
use crate::support::redis_server::RedisServer;
use crate::support::relay::{Relay, Treatment};
use crate::support::tls_front;

use super::{GOOD, Room};

pub(super) const NOTHING: &str = "skipped cache/last hour: no requests";
pub(super) const UNKNOWN: &str =
    "skipped cache/state: unknown: nothing is cached yet, or a check above failed";
pub(super) const FROM_REACHED: &str =
    "skipped redis/tls credentials version latency commands keys writes memory: needs reached";
const FROM_TLS: &str =
    "skipped redis/credentials version latency commands keys writes memory: needs tls";
const NO_INFO: &str =
    "skipped redis/memory: unknown: the user has no +info, which nothing else needs";

#[track_caller]
pub(super) fn unreached(url: &str, why: &str) {
    let problem = format!("problem redis/reached: {why}");
    Room::new().with_url(url).finds("", 1, &[&problem, FROM_REACHED, UNKNOWN]);
}

#[test]
fn nobody_listens() {
    let why = "connection refused → start Redis, pass another address with --redis or REDIS_URL, or use --cache local";
    unreached(&nobody(), why);
}

#[test]
fn the_name_has_no_address_or_something_else_answers() {
    let name = format!("redis://{}.invalid", "x".repeat(64));
    unreached(
        &name,
        "the host name cannot be resolved → check the address in --redis or REDIS_URL",
    );
    let why = "not a Redis server → pass the address of a Redis with --redis or REDIS_URL; rediss:// if it uses TLS";
    unreached(&FakeRedis::saying(b"SSH-2.0-x\r\n").url(), why);
    let silent = FakeRedis::silent();
    let why = "timed out after TIME → check whether Redis is stopped or overloaded, or a firewall drops packets; runs skip it meanwhile";
    unreached(&silent.url(), why);
}

#[test]
fn tls_that_fails() {
    let server = RedisServer::start_with(&GOOD);
    let port = tls_front::start(server.socket(), "server.pem", false);
    let room = Room::new().with_url(&format!("rediss://localhost:{port}"));
    room.finds(&format!("--redis-ca-cert {}", file("ca.pem").display()), 0, &[NOTHING]);
    let problem = "problem redis/tls: the certificate is signed by an unknown authority → pass --redis-ca-cert";
    let other = format!("--redis-ca-cert {}", file("other.pem").display());
    room.finds(&other, 1, &[problem, FROM_TLS, UNKNOWN]);
}

/// What a server with OpenSSL does with words that are not TLS: it hangs up. Another says so.
#[test]
fn plain_words_to_a_port_that_speaks_tls() {
    let server = RedisServer::start_with(&GOOD);
    let port = tls_front::start(server.socket(), "server.pem", false);
    let problem = "problem redis/tls: the server uses TLS: use rediss:// → use rediss:// in --redis or REDIS_URL";
    let room = Room::new().with_url(&format!("redis://localhost:{port}"));
    room.finds("", 1, &[problem, FROM_TLS, UNKNOWN]);
    let why = "connection lost → use rediss:// in --redis or REDIS_URL if it uses TLS; else check the Redis log";
    unreached(&FakeRedis::cut_off(b"").url(), why);
}

#[test]
fn tls_to_a_port_that_speaks_none() {
    let check = |url: &str, why: &str| {
        let room = Room::new().with_url(&url.replace("redis:", "rediss:"));
        let ca = format!("--redis-ca-cert {}", file("ca.pem").display());
        let problem = format!("problem redis/tls: {why}");
        room.finds(&ca, 1, &[&problem, FROM_TLS, UNKNOWN]);
    };
    let error = FakeRedis::saying(b"-ERR unknown command\r\n");
    let why = "the port does not speak TLS → use redis:// in --redis or REDIS_URL, or enable TLS in Redis";
    check(&error.url(), why);
    // Most greetings have no end of a line: Redis waits for it.
    let why = "timed out after TIME (TLS handshake) → use redis:// in --redis or REDIS_URL if it does not use TLS";
    check(&FakeRedis::silent().url(), why);
}

#[test]
fn a_wrong_password() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    for url in [format!("{}?pass=wrong-canary", server.url()), server.url()] {
        let room = Room::new().with_url(&url);
        let problem = "problem redis/credentials: Redis rejected the credentials → set the right ones in REDIS_URL or --redis: redis://USER:PASSWORD@HOST:PORT/0";
        let skipped =
            "skipped redis/version latency commands keys writes memory: needs credentials";
        room.finds("", 1, &[problem, skipped, UNKNOWN]);
        assert!(!room.run("doctor -vv").stdout.contains("canary"));
    }
}

/// One whose user may do only this.
#[track_caller]
fn user(rules: &[&str], code: i32, expected: &[&str]) {
    let server = RedisServer::start_with(&GOOD);
    let fixed = ["ACL", "SETUSER", "nc", "on", ">pw-canary", "-@all"];
    assert_eq!(server.cli(&[&fixed[..], rules].concat()), Value::Okay);
    let room = Room::new().with_url(&format!("{}?user=nc&pass=pw-canary", server.url()));
    room.finds("", code, expected);
}

/// The member's rights, but one.
fn without(command: &str) -> Vec<&'static str> {
    ACL.split(' ').filter(|rule| *rule != format!("+{command}")).collect()
}

#[test]
fn the_rights_of_a_member_are_enough() {
    user(&without("nothing"), 0, &[NO_INFO, NOTHING]);
}

#[test]
fn each_missing_command_is_named_with_what_it_costs() {
    for name in ["get", "set", "del", "hset", "hdel", "hlen", "pexpire", "time", "eval"] {
        let problem = format!(
            "problem redis/commands: may not run {name}: nothing can be cached → ACL SETUSER nc +{name}"
        );
        let unknown = "skipped redis/writes: needs commands";
        let expected = [&problem, unknown, NO_INFO, NOTHING];
        let known = [&problem, NO_INFO, NOTHING];
        user(&without(name), 1, if name == "set" { &expected } else { &known });
    }
    let details = "problem redis/commands: may not run hgetall: show, --full and refreshes ask Nomad for everything → ACL SETUSER nc +hgetall";
    user(&without("hgetall"), 1, &[details, NO_INFO, NOTHING]);
    let copy = "warning redis/commands: may not run copy: a refresh that finds nothing changed sends all records to Redis again → ACL SETUSER nc +copy";
    user(&without("copy"), 0, &[copy, NO_INFO, NOTHING]);
    let hmget = "warning redis/commands: may not run hmget: serve reads all full records to show one node, and cache stats has no hit rate → ACL SETUSER nc +hmget";
    user(&without("hmget"), 0, &[hmget, NO_INFO, NOTHING]);
    for name in ["hincrby", "expire"] {
        let warning = format!(
            "warning redis/commands: may not run {name}: cache stats has no hit rate → ACL SETUSER nc +{name}"
        );
        user(&without(name), 0, &[&warning, NO_INFO, NOTHING]);
    }
}

#[test]
fn without_reading_nothing_is_known() {
    for name in ["mget", "strlen"] {
        let problem = format!(
            "problem redis/commands: may not run {name}: nothing can be read → ACL SETUSER nc +{name}"
        );
        let unknown = if name == "mget" { UNKNOWN } else { NOTHING };
        user(&without(name), 1, &[&problem, NO_INFO, unknown]);
    }
}

#[test]
fn a_read_only_user_is_reported_as_such() {
    let warning = format!(
        "warning redis/commands: may run no command that writes: uses what others cache, caches nothing → enough for a reader; otherwise: ACL SETUSER nc {ACL}"
    );
    let skipped = "skipped redis/writes: needs commands";
    user(
        &["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange", "+hgetall"],
        0,
        &[&warning, skipped, NO_INFO, NOTHING],
    );
    // It reads what others cache, and is shown no question marks.
    let room = Room::new();
    room.sandbox.stdout("list");
    let rules = [
        "ACL",
        "SETUSER",
        "nc",
        "on",
        ">pw",
        "-@all",
        "~*",
        "+mget",
        "+pttl",
        "+strlen",
        "+getrange",
        "+hgetall",
    ];
    assert_eq!(room.redis.cli(&rules), Value::Okay);
    let url = format!("{}?user=nc&pass=pw", room.redis.url());
    let said = Room { sandbox: room.sandbox.with("REDIS_URL", &url), ..room }.run("doctor").stdout;
    assert!(
        said.contains(
            "  ok       key          nomad:clients:meta: string, SIZE, TIME left, this cluster\n"
        ),
        "{said}"
    );
}

/// Another database than 0 has to be chosen. What is advised is done, and all is well.
#[test]
fn a_database_that_may_not_be_chosen() {
    let server = RedisServer::start_with(&GOOD);
    let member: Vec<&str> =
        ["ACL", "SETUSER", "nc", "on", ">pw"].into_iter().chain(ACL.split(' ')).collect();
    assert_eq!(server.cli(&member), Value::Okay);
    let room = Room::new().with_url(&format!("{}?user=nc&pass=pw&db=3", server.url()));
    let cure = format!("ACL SETUSER nc {ACL} +select");
    let problem = format!(
        "problem redis/reached: Redis does not permit select (the user needs {ACL} +select) → {cure}"
    );
    room.finds("", 1, &[&problem, FROM_REACHED, UNKNOWN]);
    assert_eq!(server.cli(&cure.split(' ').collect::<Vec<_>>()), Value::Okay);
    room.finds("", 0, &[NO_INFO, NOTHING]);
    let viewer = "ACL SETUSER nc -@all +mget +pttl +strlen +getrange +hgetall +select";
    assert_eq!(server.cli(&viewer.split(' ').collect::<Vec<_>>()), Value::Okay);
    let said = room.run("doctor --json").stdout;
    assert!(
        super::troubles(&said)[0].ends_with(&format!("→ enough for a reader; otherwise: {cure}")),
        "{said}"
    );
}

#[test]
fn keys_that_are_not_granted() {
    let rights = without("nothing");
    let other: Vec<&str> =
        rights.iter().map(|rule| if rule.starts_with('~') { "~other*" } else { *rule }).collect();
    let problem = "problem redis/keys: none of the keys nomad:clients* is granted → ACL SETUSER nc ~nomad:clients*";
    user(&other, 1, &[problem, NO_INFO, UNKNOWN]);
    // All but the epoch; the name of a scope may begin with an `e` too.
    let mut read_only: Vec<&str> =
        rights.into_iter().filter(|rule| !rule.starts_with('~')).collect();
    read_only.extend(["~nomad:clients:[^e]*", "~nomad:clients:e[^p]*"]);
    let problem = |what: &str| {
        format!(
            "problem redis/keys: may not {what} nomad:clients:epoch → ACL SETUSER nc ~nomad:clients*"
        )
    };
    user(&read_only, 1, &[&problem("read"), &problem("write"), NO_INFO, UNKNOWN]);
}

#[test]
fn memory_without_a_maximum() {
    let room = Room::with_redis(&[]);
    let warning = "warning redis/memory: SIZE used, no maximum, noeviction → set maxmemory (10 KB a node is plenty) and maxmemory-policy allkeys-lru: an evicted cache is only cold";
    room.finds("", 0, &[warning, NOTHING]);
}

#[test]
fn memory_that_is_full() {
    let room = Room::with_redis(&["--maxmemory", "1"]);
    let writes = "problem redis/writes: Redis is out of memory: nothing can be cached → raise maxmemory, or set maxmemory-policy allkeys-lru";
    let memory = "problem redis/memory: SIZE of SIZE used, noeviction: full, nothing can be cached → raise maxmemory, or set maxmemory-policy allkeys-lru: an evicted cache is only cold";
    room.finds("", 1, &[writes, memory, NOTHING]);
    let room = Room::with_redis(&["--maxmemory", "1", "--maxmemory-policy", "volatile-ttl"]);
    let memory = "warning redis/memory: SIZE of SIZE used, volatile-ttl: full, what is needed to fill the cache is evicted first → raise maxmemory, or set maxmemory-policy allkeys-lru: an evicted cache is only cold";
    room.finds("", 1, &[writes, memory, NOTHING]);
}

#[test]
fn a_replica() {
    let room = Room::new();
    room.redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let version = super::version(&room);
    let problem = format!(
        "problem redis/version: redis {version}, a replica: nothing can be cached in it → pass the primary with --redis"
    );
    let writes = "problem redis/writes: Redis is a read-only replica: nothing can be cached → pass the primary with --redis";
    room.finds("", 1, &[&problem, writes, NOTHING]);
}

#[test]
fn a_redis_that_is_far_away() {
    let room = Room::new();
    let relay = Relay::start(room.redis.socket(), |_| Treatment::Late(Duration::from_millis(60)));
    let room = room.with_url(&relay.url());
    let warning = "warning redis/latency: a round trip takes TIME → use a closer Redis, or --cache local: every run waits for it";
    room.finds("", 0, &[warning, NOTHING]);
}

#[test]
fn what_is_not_chosen_is_not_checked() {
    let room = Room::new();
    let said = room.run("doctor --cache local");
    assert!(
        !said.stdout.contains("\nRedis\n") && said.stdout.contains("\nFiles of this machine\n")
    );
    let said = room.run("doctor --cache redis");
    assert!(
        said.stdout.contains("\nRedis\n") && !said.stdout.contains("\nFiles of this machine\n")
    );
    let warning = "warning cache/state: none (--cache none): every run fetches everything from Nomad → use --cache auto, redis or local";
    room.finds("--cache none", 0, &[warning]);
}

/// A server that answers as long as it is asked for no more than its version and its clock.
#[test]
fn a_clock_that_is_off_and_a_server_that_falls_silent() {
    let hello = b"*6\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n9\x1b[1m\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";
    let first: &'static [u8] =
        [&hello[..], b"*2\r\n$10\r\n1000000000\r\n$1\r\n0\r\n:-2\r\n"].concat().leak();
    let answers: &'static [&'static [u8]] = vec![first, hello, hello, hello].leak();
    let fake = FakeRedis::scripted(answers);
    let room = Room::new().with_url(&fake.url());
    let problem = "problem redis/commands: timed out after TIME → check whether Redis is stopped or overloaded, or a firewall drops packets; runs skip it meanwhile";
    let skipped = "skipped redis/keys writes memory: needs commands";
    let clock = "warning clock/redis: this machine's clock is TIME ahead of that of Redis → set the clock (NTP): certificates, tokens and the minutes of the statistics go by it; the age of what is cached does not";
    room.finds("", 1, &[problem, skipped, UNKNOWN, clock]);
}

/// The same room, where a run has found this Redis silent.
pub(super) fn silent_before(room: Room) -> Room {
    let silent = FakeRedis::silent();
    let sandbox = room.sandbox.with("REDIS_URL", &silent.url());
    sandbox.run("list");
    let mark = std::fs::read_to_string(sandbox.cache().join("redis-skip")).unwrap();
    // The same mark, for the good one.
    let mark = mark.replace(&(silent.url() + "/0"), &room.redis.url());
    sandbox.write(".cache/nomad-clients/redis-skip", &mark);
    Room { sandbox: sandbox.with("REDIS_URL", &room.redis.url()), ..room }
}

#[test]
fn a_redis_that_was_silent_a_moment_ago_is_left_alone_by_runs() {
    let warning = "warning redis/silence: timed out TIME ago; runs on this machine skip it for TIME → check its latency and load; the first run that it answers ends this";
    silent_before(Room::new()).finds("", 0, &[warning, NOTHING]);
}

/// Whoever only looks leaves nothing behind for the runs of others.
#[test]
fn a_redis_that_falls_silent_starts_no_backoff_for_later_runs() {
    let room = Room::new();
    let relay = Relay::start(room.redis.socket(), |question| match question.number {
        0..5 => Treatment::Pass,
        _ => Treatment::Late(Duration::from_secs(20)),
    });
    let room = room.with_url(&relay.url());
    let problem = "problem redis/memory: timed out after TIME → check whether Redis is stopped or overloaded, or a firewall drops packets; runs skip it meanwhile";
    room.finds("", 1, &[problem, UNKNOWN]);
    let relay = Relay::start(room.redis.socket(), |question| match question.number {
        0..8 => Treatment::Pass,
        _ => Treatment::Late(Duration::from_secs(20)),
    });
    let room = room.with_url(&relay.url());
    room.finds("", 1, &[&problem.replace("memory", "entry"), UNKNOWN]);
    assert!(!room.sandbox.cache().join("redis-skip").exists());
}

#[test]
fn a_redis_that_is_slower_than_the_time_that_was_given_is_not_blamed() {
    let room = Room::new();
    let late = |_: &_| Treatment::Late(Duration::from_millis(300));
    let relay = Relay::start(room.redis.socket(), late);
    let room = room.with_url(&relay.url());
    let began = Instant::now();
    let problem = "problem redis/reached: timed out after TIME → pass a longer --timeout";
    room.finds("--timeout 800ms", 1, &[problem, FROM_REACHED, UNKNOWN]);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn without_time_nobody_is_blamed() {
    let (nomad, redis) = (nomad_sim::Silent::start(), FakeRedis::silent());
    let room = Room::new().with_url(&redis.url());
    let room = Room { sandbox: room.sandbox.with("NOMAD_ADDR", &nomad.address()), ..room };
    let expected = [
        "skipped nomad/reached: no time left: pass a longer --timeout",
        super::nomad::FROM_REACHED,
        "skipped redis/reached: no time left: pass a longer --timeout",
        FROM_REACHED,
        UNKNOWN,
    ];
    room.finds("--timeout 1ms", 0, &expected);
}
