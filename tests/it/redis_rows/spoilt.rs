//! R12: every key of the protocol, spoilt in every way, and then asked for in every way: the right
//! answer, without a word, and the next publication heals it.

use super::trouble::until;
use super::{Room, check};
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Output;

pub(crate) const KEYS: [&str; 5] = ["all", "hash", "meta", "epoch", "lease"];

pub(crate) const HARMS: [&str; 11] = [
    "evicted",
    "expired",
    "wrong type",
    "garbage",
    "truncated",
    "bit flip",
    "empty",
    "null",
    "[]",
    "large",
    "version 1",
];

pub(crate) const MODES: [&str; 3] = ["list --json", "list --json --refresh", "list --json --full"];
/// For a value that is data.
const LARGE: usize = 100 << 20;
/// For one that is a line: each script copies it, which on a busy machine takes 32 MB longer than
/// a run waits.
const LARGE_LINE: usize = 8 << 20;

/// The names under which this cluster's entries stand; a free lease gets the name it would have.
pub(crate) fn key(redis: &RedisServer, of: &str) -> String {
    if of != "lease" {
        return format!("nomad:clients:{of}");
    }
    let meta = redis.bytes(&["GET", "nomad:clients:meta"]).unwrap();
    let scope = String::from_utf8(meta).unwrap().split('|').nth(1).unwrap().to_owned();
    format!("nomad:clients:lease:{scope}")
}

fn spoilt(old: &[u8], how: &str) -> Vec<u8> {
    match how {
        "garbage" => b"\x00\xff\xfe\x1b[2J".to_vec(),
        "truncated" => old[..old.len() / 2].to_vec(),
        "bit flip" => {
            let mut flipped = old.to_vec();
            if let Some(byte) = flipped.last_mut() {
                *byte ^= 1;
            }
            flipped
        }
        "null" => b"null".to_vec(),
        "[]" => b"[]".to_vec(),
        "large" if old.first().is_some_and(|byte| b"[{".contains(byte)) => vec![b'x'; LARGE],
        "large" => vec![b'x'; LARGE_LINE],
        "version 1" => String::from_utf8_lossy(old).replace("v2|", "v1|").into_bytes(),
        _ => Vec::new(),
    }
}

pub(crate) fn harm(redis: &RedisServer, key: &str, how: &str) {
    let field = first_field(redis, key);
    match (how, &field) {
        ("evicted", _) => drop(redis.cli(&["DEL", key])),
        ("expired", _) => {
            redis.cli(&["PEXPIRE", key, "1"]);
            until("it expires", || redis.int(&["EXISTS", key]) == 0);
        }
        ("wrong type", _) => {
            redis.cli(&["DEL", key]);
            redis.cli(&["LPUSH", key, "x"]);
        }
        (_, Some((field, old))) => {
            redis.cli(&[b"HSET", key.as_bytes(), field, &spoilt(old, how)]);
        }
        _ => {
            let old = redis.bytes(&["GET", key]).unwrap_or_default();
            redis.cli(&[b"SET", key.as_bytes(), &spoilt(&old, how), b"KEEPTTL"]);
        }
    }
}

/// One field of a hash and its value.
fn first_field(redis: &RedisServer, key: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    use redis::Value::{Array, BulkString};
    let Array(fields) = redis.cli(&["HGETALL", key]) else { return None };
    match fields.as_slice() {
        [BulkString(field), BulkString(value), ..] => Some((field.clone(), value.clone())),
        _ => None,
    }
}

/// 33 cases of one key.
fn check_key(of: &str) {
    let redis = RedisServer::start();
    let room = Room::patient(&redis.url());
    let all = room.all();
    let bare =
        room.sandbox.command(["list", "--json", "--full", "--cache", "none"]).output().unwrap();
    let full = String::from_utf8(bare.stdout).unwrap();
    for how in HARMS {
        for mode in MODES {
            let expected = if mode.ends_with("--full") { &full } else { &all };
            let (said, calls) = asked_of_spoilt(&redis, &room, of, how, mode);
            let [spoilt, whole, rows, again] = said;
            assert_eq!((spoilt.stderr.as_str(), spoilt.code), ("", 0), "{of}, {how}, {mode}");
            check(&spoilt, expected, "");
            // A refresh has healed it; so has whoever could not use what was there.
            check(&whole, &full, "");
            check(&rows, &all, "");
            check(&again, &full, "");
            assert_eq!(calls, 0, "{of}, {how}, {mode}");
        }
    }
}

/// Fills the cache, spoils one key, and asks: so, and then by those who come after, the last of whom
/// should cost no call to Nomad.
fn asked_of_spoilt(
    redis: &RedisServer,
    room: &Room,
    of: &str,
    how: &str,
    mode: &str,
) -> ([Output; 4], usize) {
    filled(redis, room);
    harm(redis, &key(redis, of), how);
    let [spoilt, whole, rows] =
        [mode, "list --json --full", "list --json"].map(|args| room.sandbox.run(args));
    room.sim.asked();
    let again = room.sandbox.run("list --json --full");
    ([spoilt, whole, rows, again], room.sim.asked().len())
}

/// Nothing is cached but by one run.
fn filled(redis: &RedisServer, room: &Room) {
    redis.cli(&["FLUSHALL"]);
    let said = room.sandbox.run("list --json");
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
}

#[test]
fn r12_the_answer_that_people_read() {
    check_key(KEYS[0]);
}

#[test]
fn r12_the_full_records() {
    check_key(KEYS[1]);
}

#[test]
fn r12_the_meta_line() {
    check_key(KEYS[2]);
}

#[test]
fn r12_the_epoch() {
    check_key(KEYS[3]);
}

#[test]
fn r12_the_lease() {
    check_key(KEYS[4]);
}

#[test]
fn r12_with_v_the_reason_is_reported() {
    let redis = RedisServer::start();
    let room = Room::patient(&redis.url());
    filled(&redis, &room);
    harm(&redis, &key(&redis, "all"), "bit flip");
    let said = room.sandbox.run("list --json -v");
    let first = said.stderr.lines().next().unwrap_or_default();
    assert_eq!(first, "cache entry ignored: wrong checksum");
}
