//! S6, G16: every trouble of Redis, with a password in its address.

use super::{Room, check_redis, check_silent, each};
use crate::redis_rows::spoilt::{HARMS, KEYS, MODES, harm, key};
use crate::redis_rows::trouble::{self, ACL, Trouble};
use crate::support::redis_server::RedisServer;

type Make = fn() -> Trouble;

/// All that `redis_rows` can bring about.
const TROUBLES: [(&str, Make); 34] = [
    ("none", || trouble::user(&ACL.split(' ').collect::<Vec<_>>())),
    ("refused", trouble::refused),
    ("unknown host", trouble::unknown_host),
    ("black hole", trouble::black_hole_on_connect),
    ("silent", trouble::silent),
    ("silent at ENTER", trouble::silent_at_enter_of_a_user),
    ("slow", trouble::slow),
    ("wrong password", trouble::wrong_password),
    ("no AUTH", trouble::no_auth),
    ("echo of AUTH", || trouble::echoing(false)),
    ("echo of a password", || trouble::echoing(true)),
    ("user off", trouble::user_off),
    ("viewer", || trouble::user(&["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange"])),
    ("other keys", || trouble::user(&["~other*", "+@all"])),
    ("no HSET", || trouble::member_without("+hset")),
    ("replica", trouble::replica),
    ("master down", trouble::master_down),
    ("out of memory", trouble::out_of_memory),
    ("cannot save", trouble::cannot_save),
    ("too few replicas", trouble::too_few_replicas),
    ("loading", trouble::loading),
    ("busy", trouble::busy),
    ("cluster down", trouble::cluster_down),
    ("cluster", trouble::cluster),
    ("no room", trouble::no_room),
    ("HTTP", trouble::http_server),
    ("garbage", trouble::garbage),
    ("TLS: good", || trouble::tls("server.pem", "ca.pem")),
    ("TLS: expired", || trouble::tls("expired.pem", "ca.pem")),
    ("TLS: other name", || trouble::tls("other.pem", "ca.pem")),
    ("TLS: unknown authority", || trouble::tls("server.pem", "other-ca.pem")),
    ("TLS: plain port", trouble::tls_to_a_plain_port),
    ("TLS: client", || trouble::tls_for_clients("client.pem", "server.key")),
    ("TLS: foreign client", || trouble::tls_for_clients("foreign-client.pem", "server.key")),
];

/// A user without a password may be greeted with any.
fn with_password(url: &str) -> String {
    match url.split_once("://") {
        _ if url.contains("pass=") => url.to_owned(),
        Some(("unix", path)) => format!("unix://{path}?user=default&pass=pw-canary"),
        Some((scheme, host)) => format!("{scheme}://default:pw-canary@{host}"),
        None => panic!("no URL: {url}"),
    }
}

fn check(name: &str, trouble: &Trouble, url: &str) {
    let room = Room::new(url);
    for args in ["list", "refresh", "show worker-1 --json", "cache stats", "doctor", "cache clear"]
    {
        let said = check_silent(&room.sandbox, &trouble.options, args);
        if ["list", "refresh"].contains(&args) {
            assert_eq!(said.code, 0, "{name}: {args}: {}", said.stderr);
        }
    }
}

#[test]
fn s6_no_trouble_of_redis_leaks_a_secret() {
    each(&TROUBLES, |(name, make)| {
        let trouble = make();
        check(name, &trouble, &with_password(&trouble.url));
    });
    let trouble = trouble::no_password();
    check("no password", &trouble, &trouble.url);
}

/// What is named is the file.
#[test]
fn s6_a_key_that_does_not_fit_is_not_shown() {
    for key in ["another.key", "client.pem"] {
        let trouble = trouble::tls_for_clients("client.pem", key);
        let room = Room::new(&with_password(&trouble.url));
        for args in ["list", "cache stats", "doctor", "cache clear"] {
            let said = check_silent(&room.sandbox, &trouble.options, args);
            assert!(said.code != 0 || said.stderr.contains("warning"), "{key}: {args}: {said:?}");
        }
    }
}

/// R12: each key spoilt in each way.
#[test]
fn s6_damaged_keys_leak_no_secret() {
    each(&KEYS, |of| {
        let redis = RedisServer::start();
        let room = Room::new(&with_password(&redis.url()));
        for (how, mode) in HARMS.iter().flat_map(|how| MODES.map(|mode| (how, mode))) {
            redis.cli(&["FLUSHALL"]);
            // A large value may have taken longer than a run waits for Redis.
            let _ = std::fs::remove_file(room.sandbox.cache().join("redis-skip"));
            assert_eq!(check_silent(&room.sandbox, "", "list").code, 0);
            harm(&redis, &key(&redis, of), how);
            assert_eq!(check_silent(&room.sandbox, "", mode).code, 0, "{of}, {how}, {mode}");
        }
        check_redis(&redis);
    });
}
