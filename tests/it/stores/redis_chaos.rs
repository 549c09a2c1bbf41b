//! R12: whatever somebody does to one of the keys, it is a miss at worst, and the next
//! publication heals it.

use std::sync::Arc;

use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{Entered, How, Published, RefusedRevs};

use crate::support::bench::{NoticeRecorder, place, scope};
use crate::support::process::{Process, Records, X, Y, records};
use crate::support::redis_server::RedisServer;

/// What is done to a key, by name.
const HARMS: [&str; 11] = [
    "absent",
    "wrong type",
    "garbage",
    "truncated",
    "bit flip",
    "empty",
    "null",
    "[]",
    "never expires",
    "version 1",
    "large",
];

fn harm(server: &RedisServer, key: &str, how: &str) {
    let kept = ["never expires", "absent", "wrong type"].contains(&how);
    let is_hash = key.ends_with(":hash");
    let old =
        if is_hash || kept { Vec::new() } else { server.bytes(&["GET", key]).unwrap_or_default() };
    let new: Vec<u8> = match how {
        "garbage" => b"\x00\xff\xfe\x1b[2J".to_vec(),
        "truncated" => old[..old.len() / 2].to_vec(),
        "bit flip" => {
            let mut flipped = old;
            if let Some(byte) = flipped.last_mut() {
                *byte ^= 1;
            }
            flipped
        }
        "null" => b"null".to_vec(),
        "[]" => b"[]".to_vec(),
        "version 1" => String::from_utf8_lossy(&old).replace("v2|", "v1|").into_bytes(),
        "large" => vec![b'x'; 4 << 20],
        _ => Vec::new(),
    };
    match how {
        "absent" => server.cli(&["DEL", key]),
        "never expires" => server.cli(&["PERSIST", key]),
        "wrong type" => {
            server.cli(&["DEL", key]);
            server.cli(&["LPUSH", key, "x"])
        }
        _ if is_hash => server.cli(&[b"HSET", key.as_bytes(), X.as_bytes(), &new]),
        _ => server.cli(&[b"SET", key.as_bytes(), &new, b"KEEPTTL"]),
    };
}

/// What may be shown: nothing, or exactly what was published.
fn check_shown(shown: Option<&Records>, published: &Records, case: &str) {
    assert!(shown.is_none_or(|shown| shown == published), "{case}: {shown:?}");
}

#[test]
fn every_key_spoilt_in_every_way_heals() {
    let server = RedisServer::start();
    let lease = format!("nomad:clients:lease:{}", scope("a0"));
    let ear = NoticeRecorder::default();
    let open = || Arc::new(RedisStore::new(&place("a0", &server.url()), ear.tell()).unwrap());
    let (first, second) = (records(&[(X, 3), (Y, 5)]), records(&[(X, 9), (Y, 5)]));
    let keys = ["all", "hash", "meta", "epoch"].map(|key| format!("nomad:clients:{key}"));
    for key in keys.iter().chain([&lease]) {
        for how in HARMS {
            let case = format!("{key}, {how}");
            server.cli(&["FLUSHALL"]);
            let mut own = Process::new(open(), 'N');
            own.own(How::Refresh);
            assert_eq!(own.put(5, &first), Published::Done);
            harm(&server, key, how);
            let mut next = Process::new(open(), 'N');
            if let Some(shown) = next.hit() {
                assert_eq!(shown.rev, own.token, "{case}");
            }
            check_shown(next.whole().as_ref(), &first, &case);
            let mut entered = next.enter(How::Refresh, &RefusedRevs::Everything, None);
            if let Entered::Wait { .. } = entered {
                // Somebody's lease, as it may be: it ends, or this run's time does.
                assert_eq!(key, &lease, "{case}");
                server.cli(&["DEL", key]);
                entered = next.enter(How::Refresh, &RefusedRevs::Everything, None);
            }
            assert!(matches!(entered, Entered::Own(_)), "{case}: {entered:?}");
            let base = next.base();
            let mut published = base.as_ref().map(|base| next.put_delta(9, &second, base));
            if matches!(published, None | Some(Published::Rebase(_))) {
                published = Some(next.put(9, &second));
            }
            assert_eq!(published, Some(Published::Done), "{case}");
            assert_eq!(next.whole().as_ref(), Some(&second), "{case}");
        }
    }
    let heard = ear.heard();
    assert!(
        heard.iter().all(|line| line.starts_with("Verbose: cache entry ignored: ")),
        "{heard:?}"
    );
}

/// What a person with `-v` is told.
#[test]
fn the_reason_is_reported() {
    let server = RedisServer::start();
    let told = |key: &str, how: &str| {
        server.cli(&["FLUSHALL"]);
        let ear = NoticeRecorder::default();
        let store = Arc::new(RedisStore::new(&place("a0", &server.url()), ear.tell()).unwrap());
        let mut own = Process::new(store, 'N');
        own.own(How::Refresh);
        own.put(5, &records(&[(X, 3)]));
        harm(&server, &format!("nomad:clients:{key}"), how);
        assert_eq!(own.whole(), None);
        ear.heard().join(", ").replace("Verbose: cache entry ignored: ", "")
    };
    assert_eq!(told("all", "bit flip"), "wrong checksum");
    assert_eq!(told("all", "wrong type"), "wrong type");
    assert_eq!(told("all", "never expires"), "unexpected TTL");
    assert_eq!(told("all", "absent"), "");
    assert_eq!(told("meta", "absent"), "no meta line");
    assert_eq!(told("meta", "version 1"), "unreadable meta line");
    assert_eq!(told("epoch", "absent"), "no epoch");
    assert_eq!(told("epoch", "garbage"), "was cleared");
    assert_eq!(told("hash", "empty"), "its full records belong to another publication");
}
