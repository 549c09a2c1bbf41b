//! S6, S7, G16: with a secret in every input and everything told, no trouble brings one to light.
//!
//! `nomad`, `redis`: the fault matrix; here what else there is to a process.

mod nomad;
mod redis;

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ::redis::Value;
use nomad_sim::{Fault, Fleet, Gate, Sim, Times, Where};

use crate::support::pki::file;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Output, Sandbox};
use crate::support::served::Served;

/// In the token, in the passwords of proxies and of Redis (see `trouble`), in the access token.
const CANARY: &str = "canary";
/// `me:auth-canary` as HTTP Basic writes it.
const PAIR: &str = "bWU6YXV0aC1jYW5hcnk";
/// `me:proxy-canary` likewise.
const PROXY_PAIR: &str = "bWU6cHJveHktY2FuYXJ5";
/// `me:file-canary` likewise.
const FILE_PAIR: &str = "bWU6ZmlsZS1jYW5hcnk";

/// How many cases are tried at once.
const AT_ONCE: usize = 8;

/// A machine with a secret in everything that may hold one.
struct Room {
    sim: Sim,
    sandbox: Sandbox,
}

impl Room {
    fn new(redis: &str) -> Self {
        let sim = Sim::start(Fleet::recorded());
        let sandbox = secretive(redis, &sim.address());
        Self { sim, sandbox }
    }
}

fn secretive(redis: &str, nomad: &str) -> Sandbox {
    let path = |name: &str| file(name).display().to_string();
    Sandbox::redis(redis)
        .nomad(nomad)
        .with("NOMAD_TOKEN", "token-canary")
        .with("NOMAD_HTTP_AUTH", "me:auth-canary")
        .with("HTTPS_PROXY", "")
        .with("HTTP_PROXY", "http://me:proxy-canary@127.0.0.1:1")
        .with("NOMAD_CLIENTS_ACCESS_TOKEN", "access-canary-0123456789")
        .with("NOMAD_CACERT", &path("ca.pem"))
        .with("NOMAD_CLIENT_CERT", &path("client.pem"))
        .with("NOMAD_CLIENT_KEY", &path("server.key"))
}

/// Lines of the private keys that only they have: the first says what kind of key it is.
fn key_lines() -> Vec<String> {
    let lines = |name: &str| {
        let pem = std::fs::read_to_string(file(name)).unwrap();
        let lines = pem.lines().filter(|line| !line.starts_with("-----")).skip(1);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    [lines("server.key"), lines("another.key")].concat()
}

/// Checks all cases. Most of them wait, so several are tried at once.
fn each<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(case);
                }
            });
        }
    });
}

#[track_caller]
fn check_text(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let keys = key_lines();
    assert!(!keys.is_empty());
    let pairs = [CANARY, PAIR, PROXY_PAIR, FILE_PAIR];
    let encoded = ["cHctY2FuYXJ5", "70772d63616e617279", "pw-can"];
    for secret in keys.iter().map(String::as_str).chain(pairs).chain(encoded) {
        assert!(!text.contains(secret), "{what}: {text}");
    }
}

/// Neither what it says nor what it leaves holds a secret; what it says, for who knows more of it.
#[track_caller]
fn check_silent(sandbox: &Sandbox, options: &str, args: &str) -> Output {
    let args = format!("{args} -vv{options}");
    let output = sandbox.command(args.split(' ')).output().unwrap();
    check_text(&args, &output.stdout);
    check_text(&args, &output.stderr);
    check_files(sandbox.home());
    output.into()
}

fn check_files(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        check_text("a path", path.as_os_str().as_encoded_bytes());
        if path.is_dir() {
            check_files(&path);
        } else {
            check_text(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

/// S7: everything that the Redis holds, keys and values.
fn check_redis(redis: &RedisServer) {
    let Value::Array(keys) = redis.cli(&["KEYS", "*"]) else { panic!("keys") };
    assert!(!keys.is_empty());
    for key in keys {
        let Value::BulkString(key) = key else { panic!("a key") };
        check_text("a key", &key);
        check_text("a value", &texts(&redis.cli(&[b"GET", &key[..]])));
        check_text("a hash", &texts(&redis.cli(&[b"HGETALL", &key[..]])));
    }
}

/// All strings in this value.
fn texts(value: &Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => [bytes, &b"\n"[..]].concat(),
        Value::Array(inner) => inner.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Some servers, and proxies above all, repeat what they were sent.
fn echoes() -> Vec<Fault> {
    let echo = format!("you sent token-canary and Basic {PAIR}= that is me:auth-canary");
    let kind = |name: &str, value: &str| Fault::answer(200, &[(name, value)], "x");
    vec![
        Fault::status(500, &echo),
        Fault::status(400, &echo),
        Fault::status(429, &echo),
        Fault::status(500, &format!("{}token-canary", "x".repeat(196))),
        Fault::answer(302, &[("Location", "http://token-canary.auth-canary.test/")], ""),
        kind("Content-Type", "token-canary"),
        kind("Content-Encoding", "token-canary"),
        Fault::answer(200, &[("Content-Type", "application/json")], "\"token-canary\""),
        Fault::answer(
            200,
            &[("Content-Type", "application/json")],
            "[{\"auth-canary\": 1, \"ID\": \"token-canary\"}]",
        ),
    ]
}

/// Where the cache would be there is a file, or no room at all.
#[test]
fn s6_trouble_with_files_leaks_no_secret() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = secretive("", &sim.address()).with("NOMAD_CLIENTS_CACHE", "local");
    for args in ["list", "list --full", "refresh", "cache stats"] {
        check_silent(&sandbox, "", args);
    }
    std::fs::remove_dir_all(sandbox.cache()).unwrap();
    std::fs::write(sandbox.cache(), "mine").unwrap();
    for args in ["list", "cache stats", "cache clear"] {
        check_silent(&sandbox, "", args);
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(["list", "-vv"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    check_text("a full disk", &output.stderr);
}

/// What is wrong is named, and never what stands there.
#[test]
fn s6_inputs_that_are_wrong_leak_no_secret() {
    let sandbox = Sandbox::local().configured();
    for text in [
        "redis = 'redis://:canary@host:port'",
        "redis = 'rediss//:canary@host'",
        "redis = canary",
        "address = 'http://me:canary@host:port'",
        "address = 'http://me:canary@host/pa th'",
        "canary",
        "token = 'canary'\ntoken-file = 5",
        "ttl = \"canary",
    ] {
        sandbox.write("c.toml", text);
        let output = sandbox.command(["list", "-vv", "--config", "c.toml"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{text}");
        let said = String::from_utf8(output.stderr).unwrap();
        // The key that is unknown is named: it stands before the = and is no value.
        assert!(!said.contains(CANARY) || text == "canary", "{text}: {said}");
    }
    for (name, value) in [
        ("REDIS_URL", "redis://:canary@host:port"),
        ("REDIS_URL", "redis://:can/canary@host"),
        ("NOMAD_ADDR", "http://me:canary@host:port"),
        ("NOMAD_ADDR", "http://me:pass/canary@host"),
        ("NOMAD_TOKEN", "can\u{1}canary"),
        ("NOMAD_TOKEN", "canary canary"),
        ("NOMAD_CLIENTS_ACCESS_TOKEN", "canary"),
        ("HTTP_PROXY", "http://me:canary@host:port"),
    ] {
        let mut command = sandbox.command(["serve", "-vv", "--listen", "0.0.0.0:1"]);
        command.env("NOMAD_ADDR", "http://10.0.0.5:4646").env(name, value);
        let output = command.output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{name}={value}");
        check_text(&format!("{name}={value}"), &output.stderr);
        check_text(name, &output.stdout);
    }
}

/// What everybody on the machine can see of a process, and what a crash would leave of it.
#[test]
fn s6_a_process_shows_no_secret() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let token = room.sandbox.write("token", "file-canary\n");
    let gate: Gate = room.sim.hold(Where::List);
    let mut child = room
        .sandbox
        .command(["list", "--token-file", token.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(gate.await_waiting(1, Duration::from_secs(10)));
    let of = |name: &str| std::fs::read(format!("/proc/{}/{name}", child.id())).unwrap();
    check_text("the command line", &of("cmdline"));
    check_text("its name", &of("comm"));
    let limits = String::from_utf8(of("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"]);
    let sent = room.sim.ledger();
    assert_eq!(sent[0].header("X-Nomad-Token"), Some("file-canary"));
    gate.open();
    assert!(child.wait().unwrap().success());
}

/// There is no option for a token, and what can hold a password is warned of when it is typed.
#[test]
fn s6_a_password_that_was_typed_is_worth_a_warning() {
    let sim = Sim::start(Fleet::recorded());
    let redis = RedisServer::start_with(&["--requirepass", "canary"]);
    let sandbox = Sandbox::empty().nomad(&sim.address()).with("NOMAD_CLIENTS_CACHE", "auto");
    let said = sandbox.run(&format!("list -o name --redis {}?pass=canary", redis.url()));
    let warning = |option: &str, variable: &str| {
        format!(
            "warning: the password in --{option} is visible in the process list; use {variable}\n"
        )
    };
    assert_eq!((said.stderr, said.code), (warning("redis", "REDIS_URL"), 0));
    let address = sim.address().replace("http://", "http://me:canary@");
    let said = sandbox.run(&format!("list -o name --cache none -a {address}"));
    assert_eq!((said.stderr, said.code), (warning("address", "NOMAD_ADDR"), 0));
    let set = Sandbox::redis(&format!("{}?pass=canary", redis.url())).nomad(&address);
    assert_eq!(set.run("list -o name").stderr, "");
    let said = sandbox.run("list --token canary");
    assert_eq!(said.code, 2);
}

/// The server and all that it says to those who know the access token, and to those who don't.
#[test]
fn s6_what_is_served_leaks_no_secret() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let served = Served::start(&room.sandbox, "-vv --no-follow --listen 127.0.0.2:0");
    check_text(
        "the command line",
        &std::fs::read(format!("/proc/{}/cmdline", served.id())).unwrap(),
    );
    let good = [("authorization", "Bearer access-canary-0123456789")];
    let bad = [("authorization", "Bearer wrong-canary-0123456789")];
    for path in [
        "/",
        "/api/clients",
        "/api/discover/clients?force=true",
        "/api/cache/stats",
        "/metrics",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/login",
        "/nowhere",
    ] {
        for headers in [&good[..], &bad[..], &[]] {
            let answer = served.ask("GET", path, headers, "");
            check_text(path, &answer.body);
            check_text(path, format!("{answer:?}").as_bytes());
        }
    }
    for fault in echoes() {
        room.sim.fault(Where::List, Times::ALWAYS, fault);
        let answer = served.ask("GET", "/api/discover/clients?force=true", &good, "");
        assert!([502, 503].contains(&answer.status), "{answer:?}");
        check_text("an error", &answer.body);
        room.sim.heal();
    }
    let (code, said) = served.end();
    assert_eq!(code, 0);
    check_text("its log", said.as_bytes());
    check_redis(&redis);
    check_files(room.sandbox.home());
}
