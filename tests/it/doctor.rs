//! `doctor`: a healthy chain whole, and each link broken in turn.
//!
//! | where | what is broken |
//! |---|---|
//! | here | nothing; the configuration |
//! | `nomad` | name, connection, TLS, answer, leader, token, right, speed, clock |
//! | `redis` | connection, TLS, credentials, rights, memory, role |
//! | `refusing` | a Redis that asks for patience, takes no writes, or is old |
//! | `certificates` | those that no library accepts, each told for what it is |
//! | `strangers` | what listens there is an HTTP server, a cluster, a Sentinel, or lacks a command |
//! | `steady` | what differs from run to run becomes a word |
//! | `tls` | certificates and alerts, the same for Nomad and Redis |
//! | `cached` | keys, state, the cache directory; nothing is ever changed |

mod cached;
mod certificates;
mod nomad;
mod redis;
mod refusing;
mod steady;
mod strangers;
mod tls;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use nomad_sim::{Fault, Fleet, Sim, Times, Where};
use serde_json::Value;

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Output, Sandbox, failure};

use steady::steady;

/// As Redis should be.
const GOOD: [&str; 4] = ["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"];

/// A cluster of five nodes, a good Redis, and a machine that knows both.
struct Room {
    sim: Sim,
    redis: RedisServer,
    sandbox: Sandbox,
}

impl Room {
    fn new() -> Self {
        Self::with_redis(&GOOD)
    }

    fn with_redis(arguments: &[&str]) -> Self {
        let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start_with(arguments));
        let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
        Self { sim, redis, sandbox }
    }

    /// Another Nomad than the simulator.
    fn at(self, address: &str) -> Self {
        Self { sandbox: Sandbox::redis(&self.redis.url()).nomad(address), ..self }
    }

    /// Another Redis.
    fn with_url(self, url: &str) -> Self {
        Self { sandbox: Sandbox::redis(url).impatient().nomad(&self.sim.address()), ..self }
    }

    /// A run, with names in place of what differs from test to test.
    fn run(&self, args: &str) -> Output {
        let said = self.sandbox.run(args);
        let uid = format!("uid {}", rustix::process::getuid().as_raw());
        let stdout = said
            .stdout
            .replace(&self.sim.address(), "NOMAD")
            .replace(&self.redis.url(), "REDIS")
            .replace(&self.sandbox.home().display().to_string(), "HOME")
            .replace(&uid, "uid ME");
        Output { stdout: steady(&stdout), ..said }
    }

    /// What is not ok, a line each, and the exit code; stderr must be empty.
    #[track_caller]
    fn finds(&self, args: &str, code: i32, expected: &[&str]) {
        let mut said = self.run(&format!("doctor --json {args}"));
        // Steps have limits that a busy machine may exceed: what is expected then shows in the next.
        let is_late = |text: &str| text.contains("timed out after ");
        for _ in 0..20 {
            if expected.iter().any(|line| is_late(line)) || !is_late(&said.stdout) {
                break;
            }
            said = self.run(&format!("doctor --json {args}"));
        }
        assert_eq!((said.stderr.as_str(), said.code), ("", code), "{}", said.stdout);
        let found = troubles(&said.stdout);
        assert_eq!(found, expected, "{found:#?}");
    }
}

/// `problem nomad/reached: … → …` for all that is neither ok nor just skipped, and for each link in
/// one line what was skipped.
#[track_caller]
fn troubles(json: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(json).unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = Vec::new();
    let mut counts = [0, 0];
    for check in report["checks"].as_array().unwrap() {
        let [link, name, state, said, advice] =
            ["link", "check", "state", "said", "advice"].map(|key| text(check, key));
        match state.as_str() {
            "ok" => assert_eq!(advice, ""),
            "skipped" => {
                let (start, why) = (format!("skipped {link}/"), format!(": {said}"));
                match lines
                    .last_mut()
                    .filter(|last| last.starts_with(&start) && last.ends_with(&why))
                {
                    Some(last) => last.insert_str(last.len() - why.len(), &format!(" {name}")),
                    None => lines.push(format!("{start}{name}{why}")),
                }
            }
            _ => {
                counts[usize::from(state == "problem")] += 1;
                assert_ne!(advice, "", "{name} says what to do");
                lines.push(format!("{state} {link}/{name}: {said} → {advice}"));
            }
        }
    }
    assert_eq!(report["ok"], Value::from(counts[1] == 0));
    assert_eq!((&report["warnings"], &report["problems"]), (&counts[0].into(), &counts[1].into()));
    lines
}

const HEALTHY: &str = "\
Configuration
  ok       file         none; would be read from HOME/.config/nomad-clients/config.toml
  ok       variables    NOMAD_ADDR, REDIS_URL
Nomad
  ok       address      NOMAD
  ok       reached      connected in TIME
  ok       tls          not needed on this machine
  ok       answer       speaks Nomad's API
  ok       leader       127.0.0.1:4647 (its address for servers)
  ok       token        none given, none needed
  ok       permission   may read nodes (node:read)
  ok       version      Nomad 2.0.5
  ok       latency      a list of one node takes TIME
Redis
  ok       address      REDIS
  ok       reached      answers
  ok       tls          not needed on this machine
  ok       credentials  none given, none needed
  ok       version      redis VERSION
  ok       latency      a round trip takes TIME
  ok       commands     may run mget pttl strlen getrange hgetall eval get set hset hdel hlen pexpire time copy hincrby expire hmget del info memory|usage role wait
  ok       keys         nomad:clients* granted, each kind of key tried
  ok       writes       not refused
  ok       memory       SIZE of SIZE used, allkeys-lru
Files of this machine
  ok       directory    HOME/.cache/nomad-clients
  ok       mode         0700, owned by this user (uid ME)
  ok       writable     files can be created
  ok       space        SIZE free
Cache
  ok       key          nomad:clients:all: string, SIZE, TIME left, this cluster
  ok       key          nomad:clients:hash: hash, SIZE, TIME left, this cluster
  ok       key          nomad:clients:kept: string, SIZE, TIME left, this cluster
  ok       key          nomad:clients:meta: string, SIZE, TIME left, this cluster
  ok       key          nomad:clients:epoch: string, SIZE, TIME left, shared by all clusters
  ok       state        HOT: 5 nodes, TIME old, served for TIME more without asking Nomad
  ok       nomad        nothing has changed there since it was cached (index 17)
  ok       read         reading it takes TIME
  ok       last hour    50 % of 2 runs from the cache, in TIME; the others in TIME
Clock
  ok       nomad        this machine's clock and Nomad's agree
  ok       redis        this machine's clock and that of Redis agree

All is well.
";

/// The version of the `redis-server` that is installed.
fn version(room: &Room) -> String {
    let info = String::from_utf8(room.redis.bytes(&["INFO", "server"]).unwrap()).unwrap();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap();
    version.trim().to_owned()
}

#[test]
fn a_healthy_chain_is_all_well() {
    let room = Room::new();
    room.sandbox.stdout("list");
    room.sandbox.stdout("list");
    let expected = HEALTHY.replace("VERSION", &version(&room));
    assert_eq!(room.run("doctor"), Output { stdout: expected, stderr: String::new(), code: 0 });
}

/// The same lines as the text has.
#[test]
fn json_says_the_same_with_stable_keys() {
    let room = Room::new();
    room.sandbox.stdout("list");
    room.sandbox.stdout("list");
    let said = room.run("doctor --json");
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    let (mut link, mut checks) = (String::new(), Vec::new());
    for line in HEALTHY.lines().take_while(|line| !line.is_empty()) {
        match line.strip_prefix("  ok       ") {
            None => link = line.split(' ').next().unwrap().to_lowercase(),
            Some(rest) => {
                let (name, said) = (rest[..13].trim_end(), &rest[13..]);
                let said = said.replace("VERSION", &version(&room));
                checks.push(format!(
                    r#"{{"link":"{link}","check":"{name}","state":"ok","said":"{said}","advice":null}}"#
                ));
            }
        }
    }
    let checks = checks.join(",");
    let expected = format!(r#"{{"ok":true,"problems":0,"warnings":0,"checks":[{checks}]}}"#) + "\n";
    assert_eq!(said.stdout, expected);
}

#[test]
fn a_file_that_others_may_read_is_a_warning_and_its_password_is_not_shown() {
    let room = Room::new();
    let text = format!("redis = \"{}?pass=canary\"\nttl = \"30s\"\n", room.redis.url());
    let path = room.sandbox.write(".config/nomad-clients/config.toml", &text);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let warning = "warning configuration/file: HOME/.config/nomad-clients/config.toml sets redis, ttl, but REDIS_URL overrides redis; other users can read it, and it contains a password → chmod 600 HOME/.config/nomad-clients/config.toml";
    room.finds("", 0, &[warning, "skipped cache/last hour: no requests"]);
    assert!(!room.run("doctor -vv").stdout.contains("canary"));
}

#[test]
fn where_settings_come_from_is_shown_without_their_values() {
    let room = Room::new();
    room.sandbox.write(
        ".config/nomad-clients/config.toml",
        "ttl = \"30s\"\nredis = \"x\"\nregion = \"x\"\n",
    );
    let said = room.run("doctor --timeout 20s --region global --json");
    let expected = concat!(
        r#""checks":[{"link":"configuration","check":"file","state":"ok","said":"HOME/.config/nomad-clients/config.toml sets redis, region, ttl, but REDIS_URL overrides redis, but --region overrides region","advice":null},"#,
        r#"{"link":"configuration","check":"variables","state":"ok","said":"NOMAD_ADDR, REDIS_URL","advice":null},"#,
        r#"{"link":"configuration","check":"options","state":"ok","said":"--region, --timeout","advice":null},"#,
    );
    assert!(said.stdout.contains(expected), "{}", said.stdout);
}

/// What other commands warn of on stderr.
#[test]
fn a_password_that_was_typed_is_a_warning_and_is_not_shown() {
    let room = Room::new();
    let with = |url: &str, of: &str| url.replace("://", &format!("://{of}canary@"));
    let options = format!("--redis {}?pass=canary", room.redis.url());
    let unneeded = "problem redis/credentials: Redis rejected the credentials → set the right ones in REDIS_URL or --redis: redis://USER:PASSWORD@HOST:PORT/0";
    let warning = "warning configuration/options: --redis; other users can see the password of --redis in the process list → set REDIS_URL instead";
    let said = room.run(&format!("doctor --json {options}"));
    let found = troubles(&said.stdout);
    assert_eq!((&found[..2], said.code), (&[warning.to_owned(), unneeded.to_owned()][..], 1));
    let url = with(&crate::support::fake_redis::nobody(), ":");
    let both = format!("--redis {url} --address {}", with(&room.sim.address(), "me:"));
    let warning = "warning configuration/options: --address, --redis; other users can see the password of --address and of --redis in the process list → set NOMAD_ADDR and REDIS_URL instead";
    let said = room.run(&format!("doctor --json {both}"));
    assert_eq!((troubles(&said.stdout)[0].as_str(), said.stderr.as_str()), (warning, ""));
    for args in [options, both] {
        let said = room.run(&format!("doctor -vv {args}"));
        assert!(!(said.stdout + &said.stderr).contains("canary"));
    }
    let room = room.with_url(&url);
    assert!(!room.run("doctor").stdout.contains("process list"));
}

const UNCONFIGURED: [&str; 5] = [
    "skipped nomad/all: needs settings",
    "skipped redis/all: needs settings",
    "skipped files/all: needs settings",
    "skipped cache/all: needs settings",
    "skipped clock/all: needs settings",
];

#[track_caller]
fn unconfigured(room: &Room, args: &str, problem: &str) {
    room.finds(args, 1, &[&[problem], &UNCONFIGURED[..]].concat());
}

#[test]
fn a_broken_configuration_is_a_problem_and_wrong_usage_is_not() {
    let room = Room::new();
    room.sandbox.write("bad.toml", "ttl = \"30s\"\nrediss = \"x\"\n");
    unconfigured(
        &room,
        "--config bad.toml",
        "problem configuration/settings: invalid configuration (bad.toml:2): unknown key \"rediss\" → did you mean redis?",
    );
    unconfigured(
        &room,
        "--config none.toml",
        "problem configuration/settings: cannot read the configuration (none.toml): no such file or directory → repair that file, or name another one with --config FILE",
    );
    unconfigured(
        &room,
        "--token-file none",
        "problem configuration/settings: cannot read the token file (none): no such file or directory → correct it where it is set",
    );
    let usage = failure(
        2,
        "error: invalid value for --ttl: \"abc\" is not a duration; write 90s, 5m or 1m30s\n",
    );
    assert_eq!(room.run("doctor --ttl abc"), usage);
    let room = room.at("ftp://nomad");
    unconfigured(
        &room,
        "",
        "problem configuration/settings: invalid value of NOMAD_ADDR: must be http://HOST:PORT, https://HOST:PORT or unix:///PATH → correct it where it is set",
    );
}

/// `redis/latency` and so on: every check that this report has.
fn reported(json: &str) -> BTreeSet<String> {
    let report: Value = serde_json::from_str(json).unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| text(check, "link") + "/" + &text(check, "check")).collect()
}

/// What the second column of a row of the guide names. The link stands before its first check.
fn named(row: &str) -> Vec<String> {
    let mut link = String::new();
    let names = row.split(" | ").nth(1).unwrap().split('`').skip(1).step_by(2);
    let names = names.map(|name| {
        let capital = name.starts_with(|first: char| first.is_ascii_uppercase());
        let (first, rest) = name.split_once(' ').unwrap_or((name, ""));
        if capital {
            link = first.to_lowercase();
        }
        format!("{link}/{}", if capital { rest } else { name })
    });
    names.filter(|name| !name.ends_with('/') && !name.ends_with("/ok")).collect()
}

#[test]
fn the_names_in_a_row_belong_to_the_link_before_them() {
    let row = "| slow | `Cache last hour`: few; `Redis`: not `ok`: `reached`, `tls` | `x` |";
    assert_eq!(named(row), ["cache/last hour", "redis/reached", "redis/tls"]);
}

/// What docs/doctor.md tells people to look at is looked at, under that name.
#[test]
fn the_guide_names_only_what_is_checked() {
    let room = Room::new();
    room.sandbox.stdout("list");
    room.sandbox.stdout("list");
    room.sim.fault(Where::List, Times::ALWAYS, Fault::header("X-Nomad-Lastcontact", Some("7000")));
    let room = redis::silent_before(room);
    let mut checked = reported(&room.run("doctor --json --timeout 20s").stdout);
    room.sim.fault(Where::List, Times::ALWAYS, Fault::header("X-Nomad-Index", None));
    checked.extend(reported(&room.run("doctor --json --timeout 20s").stdout));
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.md"));
    let guide = guide.unwrap();
    let (_, guide) = guide.split_once("\n## Symptoms\n").unwrap();
    let rows = guide.lines().skip_while(|line| !line.starts_with("|---"));
    let names: Vec<String> = rows.filter(|line| line.starts_with("| ")).flat_map(named).collect();
    let unknown: Vec<&String> = names.iter().filter(|name| !checked.contains(*name)).collect();
    assert_eq!(unknown, [""; 0], "nothing of {checked:?}");
    assert!(names.len() > 20, "the guide is found");
    for symptom in
        ["stale data", "the cache does not work", "slow with a cache", "memory usage is high"]
    {
        assert!(guide.contains(&format!("\n| {symptom} | ")), "{symptom}");
    }
}
