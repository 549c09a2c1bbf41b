//! G16: with a secret in every input and everything told, no trouble brings one to light.

use std::path::Path;

use nomad_sim::{Fault, Times, Where};

use super::Room;
use super::trouble::{self, Trouble};

/// In the token, in the password of a proxy and in those of Redis (see `trouble`).
const CANARY: &str = "canary";

fn check_silent(room: &Room, options: &str, args: &str) {
    let args = format!("{args} -vv{options}");
    let output = room
        .sandbox
        .command(args.split(' '))
        .env("NOMAD_TOKEN", "token-canary")
        .env("NOMAD_HTTP_AUTH", "me:auth-canary")
        .output()
        .unwrap();
    for said in [output.stdout, output.stderr] {
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains(CANARY), "{args}: {said}");
    }
    check_files(room.sandbox.home());
}

fn check_files(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_files(&path);
        } else {
            let held = std::fs::read(&path).unwrap();
            let told = held.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes());
            assert!(!told && !path.to_string_lossy().contains(CANARY), "{}", path.display());
        }
    }
}

fn check(trouble: &Trouble) {
    let room = Room::new(&trouble.url);
    for args in ["list", "refresh", "show worker-1 --json", "cache stats", "doctor", "cache clear"]
    {
        check_silent(&room, &trouble.options, args);
    }
}

#[test]
fn g16_no_trouble_of_redis_tells_a_secret() {
    let member = trouble::user(&trouble::ACL.split(' ').collect::<Vec<_>>());
    for trouble in [
        member,
        trouble::refused(),
        trouble::wrong_password(),
        trouble::user_off(),
        trouble::user(&["~nomad:clients*", "+mget", "+pttl"]),
        trouble::user(&["~other*", "+@all"]),
        trouble::member_without("+hset"),
        trouble::replica(),
        trouble::out_of_memory(),
        trouble::cluster(),
        trouble::http_server(),
        trouble::tls_to_a_plain_port(),
    ] {
        check(&trouble);
    }
}

/// What a Redis holds, too.
#[test]
fn g16_no_fault_of_nomad_tells_a_secret() {
    let redis = crate::support::redis_server::RedisServer::start();
    let room = Room::new(&redis.url());
    let html = || Fault::answer(200, &[("Content-Type", "text/html")], "<html>log in</html>");
    let faults: [fn() -> Fault; 4] = [
        || Fault::status(500, "No cluster leader"),
        || Fault::status(403, "Permission denied"),
        || Fault::answer(302, &[("Location", "http://elsewhere.invalid/")], ""),
        || Fault::answer(200, &[("Content-Type", "application/json")], "[{"),
    ];
    for fault in faults.into_iter().chain([html as fn() -> Fault]) {
        for place in [Where::List, Where::Nodes] {
            room.sim.fault(place, Times::ALWAYS, fault());
            for args in ["list", "refresh", "list --force", "list --stale-if-error 1h", "doctor"] {
                check_silent(&room, "", args);
            }
            room.sim.heal();
        }
        check_silent(&room, "", "list");
    }
    let redis::Value::Array(keys) = redis.cli(&["KEYS", "*"]) else { panic!("keys") };
    assert!(!keys.is_empty());
    for key in keys {
        let redis::Value::BulkString(key) = key else { panic!("a key") };
        let dump = [redis.cli(&[b"GET", &key[..]]), redis.cli(&[b"HGETALL", &key[..]])];
        let text = String::from_utf8_lossy(&key).into_owned() + &shown(&dump);
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// All strings in these values.
fn shown(values: &[redis::Value]) -> String {
    let text = |value: &redis::Value| match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::Array(inner) => shown(inner),
        _ => String::new(),
    };
    values.iter().map(text).collect()
}
