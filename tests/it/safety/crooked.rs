//! S9, S24: somebody else who may write to the Redis forges what is there, sums included, or keeps
//! others from their turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::sealed::sealed;
use nomad_clients::store::meta;

use super::{Room, good};
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Output, failure};

const META: &str = "nomad:clients:meta";
const ALL: &str = "nomad:clients:all";
const HASH: &str = "nomad:clients:hash";

/// The fields of the meta line; writes it again after `change`.
fn meta(redis: &RedisServer, change: impl FnOnce(&mut Vec<String>)) {
    let line = String::from_utf8(redis.bytes(&["GET", META]).unwrap()).unwrap();
    let mut fields: Vec<String> = line.split('|').map(str::to_owned).collect();
    change(&mut fields);
    redis.cli(&["SET", META, &fields.join("|"), "KEEPTTL"]);
}

/// Another `all`, with its right length and sum.
fn forge_all(redis: &RedisServer, all: &[u8]) {
    redis.cli(&[b"SET", ALL.as_bytes(), all, b"KEEPTTL"]);
    meta(redis, |fields| {
        fields[6] = all.len().to_string();
        fields[7] = meta::sum(all);
    });
}

/// Another hash, with its right count and sum.
fn forge_hash(redis: &RedisServer, records: &[(&str, &[u8])]) {
    redis.cli(&["DEL", HASH]);
    for (id, record) in records {
        redis.cli(&[b"HSET", HASH.as_bytes(), id.as_bytes(), &sealed(record)]);
    }
    redis.cli(&["PEXPIRE", HASH, "300000"]);
    meta(redis, |fields| {
        fields[5] = records.len().to_string();
    });
}

/// What must not reach a terminal.
fn steers(text: &str) -> bool {
    let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || hides(c))
}

/// Whatever is forged: it ends as it should, steers nothing, and asks Nomad for nothing odd.
#[track_caller]
fn check_harmless(room: &Room, what: &str, args: &str) -> Output {
    let said = room.sandbox.run(args);
    assert!([0, 1].contains(&said.code), "{what}, {args}: {said:?}");
    assert!(!said.stderr.contains("internal error"), "{what}, {args}: {said:?}");
    assert!(said.stderr.len() < 1000, "{what}, {args}: {} bytes of errors", said.stderr.len());
    assert!(!steers(&said.stderr), "{what}, {args}: {said:?}");
    let data = ["json", "yaml"].iter().any(|format| args.contains(format));
    assert!(data || !steers(&said.stdout), "{what}, {args}: {said:?}");
    let raw = said.stdout.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    assert!(!raw, "{what}, {args}: {said:?}");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-?=_".contains(&byte);
    for asked in room.sim.ledger() {
        assert!(asked.target.bytes().all(plain), "{what}: {}", asked.target);
    }
    said
}

/// What no record of ours can hold is not even looked at: the answer comes from Nomad, and heals it.
#[test]
fn s9_bytes_that_steer_a_terminal_are_no_cache() {
    let room = Room::new();
    let all = room.all();
    let full = room.sandbox.stdout("list --json --full");
    for forged in [
        &b"[{\"id\":\"\x1b[2J\"}]"[..],
        b"[\n]",
        b"\x1b]52;c;cm0gLXJmIC8=\x07",
        "[\"\u{9b}2J\"]".as_bytes(),
        b"[\"\x9b2J\"]",
        "[\"\u{2028}\"]".as_bytes(),
        b"[\"\x7f\"]",
    ] {
        forge_all(&room.redis, forged);
        assert_eq!(room.sandbox.run("list --json"), good(&all, ""), "{forged:?}");
        forge_all(&room.redis, forged);
        let said = room.sandbox.run("list --json -v");
        let why = "cache entry ignored: contains control characters\n";
        assert!(said.stderr.starts_with(why), "{}", said.stderr);
        assert_eq!(room.sandbox.run("list --json"), good(&all, ""), "it has healed");
    }
    let id = room.sim.cluster().id("worker-1");
    let record = format!("{{\"id\":\"{id}\",\"name\":\"\u{1b}[2J\"}}");
    forge_hash(&room.redis, &[(&id, record.as_bytes())]);
    assert_eq!(room.sandbox.run("list --json --full"), good(&full, ""));
}

#[test]
fn s9_forged_values_are_wrong_data_at_worst() {
    let room = Room::new();
    room.sandbox.stdout("list");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let all = String::from_utf8(room.redis.bytes(&["GET", ALL]).unwrap()).unwrap();
    let hostile = r#""\u001b[31m\u202e\u200b\r\n=cmd\u0000\ud83d""#;
    let named = all.replace("\"worker-1\"", "\"\\u001b[31m\\u202e\\u200b\\r\\n=cmd\"");
    let broken = all.replace("\"worker-1\"", hostile);
    let path = all.replacen("\"id\":\"", "\"id\":\"../../../etc/passwd?", 1);
    let number = all.replacen("\"memory_mb\":", "\"memory_mb\":1e999,\"x\":", 1);
    let long = "x".repeat(100_000);
    let text = all.replacen("\"memory_mb\":", &format!("\"memory_mb\":\"{long}\",\"x\":"), 1);
    let forged = [
        "null", "{}", "[1]", "[{}]", "[[]]", "0", "\"\"", "[", &deep, &named, &broken, &path,
        &number, &text,
    ];
    for forged in forged {
        for args in [
            "list",
            "list -o wide",
            "list --json",
            "list -o csv",
            "list -o yaml",
            "list -o name",
            "list --status ready",
            "list --count-by dc --json",
            "show worker-1",
            "cache stats",
            "list --refresh",
        ] {
            forge_all(&room.redis, forged.as_bytes());
            check_harmless(&room, &forged.chars().take(60).collect::<String>(), args);
        }
        room.sandbox.run("cache clear");
        room.sandbox.stdout("list");
    }
}

#[test]
fn s9_forged_full_records_and_meta_lines() {
    let room = Room::new();
    room.sandbox.stdout("list");
    let id = room.sim.cluster().id("worker-1");
    let deep =
        format!("{{\"id\":\"{id}\",\"meta\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let named = format!(
        "{{\"id\":\"{id}\",\"name\":\"\\u001b[2J\\u202e\",\"meta\":{{\"\\u0007\":\"\\u009b\"}}}}"
    );
    let short = format!("{{\"id\":\"{id}\"}}");
    let odd = "{\"id\":\"../../../etc/passwd\"}";
    let lists: [&[(&str, &[u8])]; 5] = [
        &[(&id, deep.as_bytes())],
        &[(&id, named.as_bytes())],
        &[(&id, short.as_bytes())],
        &[("../../../etc/passwd", odd.as_bytes())],
        &[],
    ];
    for records in lists {
        for args in [
            "list --full --json",
            "show worker-1",
            "list -c name,meta",
            "list --refresh",
            "show worker-1 --json",
        ] {
            forge_hash(&room.redis, records);
            check_harmless(&room, "hash", args);
        }
        room.sandbox.run("cache clear");
        room.sandbox.stdout("list");
    }
    let most = u64::MAX.to_string();
    for (field, value) in [
        (4, format!("{most:0>20}")),
        (5, most.clone()),
        (6, most.clone()),
        (8, most.clone()),
        (9, most),
    ] {
        for args in ["list", "list --refresh", "list -v", "cache stats", "list --full --json"] {
            meta(&room.redis, |fields| fields[field].clone_from(&value));
            check_harmless(&room, &format!("field {field} of the meta line"), args);
        }
        room.sandbox.run("cache clear");
        room.sandbox.stdout("list");
    }
}

/// The counters of an hour that nobody had.
#[test]
fn s9_forged_counters_are_wrong_numbers_at_worst() {
    let room = Room::new();
    room.sandbox.stdout("list");
    let line = String::from_utf8(room.redis.bytes(&["GET", META]).unwrap()).unwrap();
    let scope = line.split('|').nth(1).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let minute = now.as_secs() / 60;
    for value in ["18446744073709551615", "-1", "1e308", "x\u{1b}[2J", ""] {
        for back in 0..3 {
            let key = format!("nomad:clients:stats:{scope}:{}", minute - back);
            for field in ["hits", "hit_us", "misses", "miss_us", "nomad_calls"] {
                room.redis.cli(&["HSET", &key, field, value]);
            }
        }
        for args in ["cache stats", "list"] {
            check_harmless(&room, value, args);
        }
        let stats = check_harmless(&room, value, "cache stats --json").stdout;
        let believed = value.parse::<u64>().is_ok();
        assert_eq!(stats.contains(&u64::MAX.to_string()), believed, "{stats}");
    }
}

fn lease(redis: &RedisServer) -> String {
    let line = String::from_utf8(redis.bytes(&["GET", META]).unwrap()).unwrap();
    format!("nomad:clients:lease:{}", line.split('|').nth(1).unwrap())
}

/// A lease that never ends, or hardly ever, is nobody's: it is taken, and ends again.
#[test]
fn s24_a_lease_without_an_end_keeps_nobody() {
    let room = Room::new();
    let all = room.all();
    room.sandbox.stdout("list");
    let lease = lease(&room.redis);
    for ttl in [None, Some("3600000")] {
        room.redis.cli(&["DEL", ALL, META, HASH]);
        room.redis.cli(&["SET", &lease, "Nfeedfeedfeedfeed"]);
        if let Some(ttl) = ttl {
            room.redis.cli(&["PEXPIRE", &lease, ttl]);
        }
        room.sim.asked();
        let began = Instant::now();
        assert_eq!(room.sandbox.run("list --json"), good(&all, ""));
        assert!(began.elapsed() < Duration::from_secs(3), "it did not wait: {:?}", began.elapsed());
        assert_eq!(room.sim.asked().len(), 6);
        assert!(room.redis.int(&["PTTL", &lease]) <= 3000, "what it left behind ends");
        assert_eq!(room.sandbox.run("list --json"), good(&all, ""));
        assert_eq!(room.sim.asked().len(), 0, "the answer was cached");
    }
}

/// One that is renewed for ever can't be told from an owner at work: whoever waits gives up in time.
#[test]
fn s24_a_lease_that_is_renewed_for_ever_is_waited_for_until_the_time_is_over() {
    let room = Room::new();
    room.sandbox.stdout("list");
    let lease = lease(&room.redis);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                room.redis.cli(&["SET", &lease, "Nfeedfeedfeedfeed", "PX", "3000"]);
            }
        });
        while room.redis.bytes(&["GET", &lease]).is_none_or(|held| held != b"Nfeedfeedfeedfeed") {
            thread::yield_now();
        }
        room.redis.cli(&["DEL", ALL]);
        room.sim.asked();
        for args in ["list --json --timeout 1s", "refresh --timeout 1s"] {
            let began = Instant::now();
            let stderr = "error: cannot get the nodes: timed out after 1s while waiting for a concurrent refresh\n";
            assert_eq!(room.sandbox.run(args), failure(5, stderr), "{args}");
            assert!(began.elapsed() < Duration::from_secs(3), "{args}: {:?}", began.elapsed());
        }
        assert_eq!(room.sim.asked(), Vec::<String>::new());
        let forced = room.sandbox.run("list -o name --force --timeout 5s");
        assert_eq!((forced.code, forced.stdout.lines().count()), (0, 5), "{}", forced.stderr);
        over.store(true, Ordering::Relaxed);
    });
}

/// An epoch that never ends is an epoch; one that changes all the time voids what is published, and
/// everybody still gets an answer.
#[test]
fn s24_an_epoch_that_is_kept_or_changed_for_ever_keeps_nobody() {
    let room = Room::new();
    let all = room.all();
    room.sandbox.stdout("list");
    room.redis.cli(&["PERSIST", "nomad:clients:epoch"]);
    room.sim.asked();
    assert_eq!(room.sandbox.run("list --json"), good(&all, ""));
    assert_eq!(room.sim.asked().len(), 0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u64.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                room.redis.cli(&["SET", "nomad:clients:epoch", &format!("{number:016x}")]);
            }
        });
        for args in ["list --json", "list --json --refresh", "list --json --force"] {
            assert_eq!(room.sandbox.run(args), good(&all, ""), "{args}");
        }
        over.store(true, Ordering::Relaxed);
    });
}
