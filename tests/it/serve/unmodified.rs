//! `304 Not Modified`: what it says, and what it costs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::thread;

use rustix::process::Signal;

use super::Room;
use crate::support::served::{Response, response};

const PATHS: [&str; 4] = [
    "/api/clients",
    "/api/discover/clients",
    "/api/clients?status=ready",
    "/api/clients?full=true",
];

/// All headers in the order of their names, with `*` for what the moment decides.
fn headers(response: &Response) -> Vec<(&str, String)> {
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| name != "content-length")
        .map(|(name, value)| (&**name, known(name, value)))
        .collect();
    headers.sort();
    headers
}

fn known(name: &str, value: &str) -> String {
    let is_of_now = match name {
        "age" => value.parse::<u64>().is_ok(),
        "server-timing" => value.strip_prefix("cache;dur=").is_some_and(|ms| {
            ms.parse::<f64>().is_ok() && ms.split_once('.').is_some_and(|(_, rest)| rest.len() == 1)
        }),
        "date" => value.ends_with(" GMT"),
        _ => false,
    };
    if is_of_now { "*".to_owned() } else { value.to_owned() }
}

#[test]
fn it_has_the_headers_of_the_whole_answer() {
    let room = Room::new();
    for path in PATHS {
        room.served.get(path);
        let whole = room.served.get(path);
        let tag = whole.header("etag");
        let same = room.served.ask("GET", path, &[("if-none-match", tag)], "");
        assert_eq!((same.status, same.body.len()), (304, 0), "{path}");
        assert_eq!(headers(&same), headers(&whole), "{path}");
        let expected = [
            ("age", "*"),
            ("cache-control", "private, no-cache"),
            ("connection", "close"),
            ("content-type", "application/json"),
            ("cross-origin-resource-policy", "same-origin"),
            ("date", "*"),
            ("etag", tag),
            ("server-timing", "*"),
            ("vary", "accept-encoding"),
            ("x-cache", "HIT"),
            ("x-content-type-options", "nosniff"),
            ("x-nomad-calls", "0"),
        ];
        assert_eq!(
            headers(&same),
            expected.map(|(name, value)| (name, value.to_owned())),
            "{path}"
        );
    }
}

/// Whether each of its threads has stopped.
fn stands_still(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads
        .map(|thread| fs::read_to_string(thread.unwrap().path().join("stat")).unwrap())
        .all(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T')))
}

/// They arrive while the server stands still, so that it finds them all at once.
#[test]
fn those_who_came_together_cost_one_look() {
    let room = Room::new();
    room.served.get("/api/clients");
    let tag = room.served.get("/api/clients").header("etag").to_owned();
    let head = format!(
        "GET /api/clients HTTP/1.1\r\nhost: {}\r\nif-none-match: {tag}\r\n\r\n",
        room.served.at
    );
    let mut streams: Vec<_> = (0..50).map(|_| room.served.connect()).collect();
    let mut ask_all = || {
        room.served.signal(Signal::STOP);
        while !stands_still(room.served.id()) {
            thread::yield_now();
        }
        streams.iter_mut().for_each(|stream| stream.write_all(head.as_bytes()).unwrap());
        room.served.signal(Signal::CONT);
        for stream in &mut streams {
            let (mut answer, mut byte) = (Vec::new(), [0]);
            while !answer.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
            assert_eq!(response(&answer).status, 304);
        }
    };
    // The first time the connections are accepted one by one.
    ask_all();
    room.redis.cli(&["CONFIG", "RESETSTAT"]);
    ask_all();
    let redis::Value::BulkString(stats) = room.redis.cli(&["INFO", "commandstats"]) else {
        panic!("no statistics")
    };
    let stats = String::from_utf8(stats).unwrap();
    assert!(stats.contains("cmdstat_mget:calls=1,"), "{stats}");
}
