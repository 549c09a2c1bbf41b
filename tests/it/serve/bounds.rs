//! Bounds of what many clients together may take: memory, lists at Nomad, and the time of the others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Times, Where};
use rustix::process::{Pid, Signal, kill_process};

use super::Room;

/// A request that was answered, and whose answer is not read.
fn unread(room: &Room, path: &str) -> TcpStream {
    let mut stream = room.served.connect();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", room.served.at);
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 1024]).unwrap();
    stream
}

fn signal(room: &Room, signal: Signal) {
    let redis = Pid::from_raw(room.redis.id().try_into().unwrap()).unwrap();
    kill_process(redis, signal).unwrap();
}

/// How many connections Redis was ever asked for, this one included.
fn connections(room: &Room) -> u64 {
    let stats = String::from_utf8(room.redis.bytes(&["INFO", "stats"]).unwrap()).unwrap();
    let line =
        stats.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    line.trim().parse().unwrap()
}

fn lists(room: &Room) -> u64 {
    room.sim.asked().iter().filter(|what| *what == "list").count() as u64
}

/// All of them ask for the same of the same publication: its bytes are there once.
#[test]
#[cfg(target_os = "linux")]
fn slow_readers_of_a_large_answer_share_it_and_keep_nobody_waiting() {
    const READERS: usize = 60;
    let room = Room::of(Fleet::generated(2000), "--no-follow --ttl 10m");
    for path in ["/api/clients?full=true", "/api/clients?full=true&sort=-name"] {
        let size = room.served.get(path).body.len() / 1000;
        let (before, _) = room.served.size();
        let readers: Vec<TcpStream> = (0..READERS).map(|_| unread(&room, path)).collect();
        assert_eq!(room.served.get("/healthz").status, 200);
        let (with, _) = room.served.size();
        // With one of its own for each it would be sixty.
        assert!(with < before + 6 * size, "{path} of {size} KB: {before} KB, then {with} KB");
        drop(readers);
    }
    let whole = room.served.get("/api/clients?full=true");
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    assert!(whole.body.ends_with(b"}]\n"), "an answer in many pieces comes whole");
}

/// Nothing is ever fresh: each answer needs a list, and all who ask meanwhile share the next one.
#[test]
fn without_a_ttl_plain_questions_share_one_list_a_second() {
    let room = Room::with("--no-follow --ttl 0s");
    room.served.get("/api/clients");
    lists(&room);
    let began = Instant::now();
    thread::scope(|scope| {
        for worker in 0..8 {
            let (served, sim) = (&room.served, &room.sim);
            scope.spawn(move || {
                for round in 0..3 {
                    let value = format!("{worker}-{round}");
                    let key = format!("key{worker}");
                    sim.cluster().set_meta("worker-1", &key, Some(&value));
                    let path =
                        if worker % 2 == 0 { "/api/clients" } else { "/api/clients?limit=1" };
                    let shown = &served.get(path).json()[0]["meta"][&key];
                    assert_eq!(shown, &value, "it was written before it was asked for");
                }
            });
        }
    });
    let (lists, most) = (lists(&room), began.elapsed().as_secs() + 2);
    assert!(lists <= most, "{lists} lists in {:?}", began.elapsed());
}

/// What it shows is fresh: nothing is asked for again, and the reason is told.
#[test]
fn a_redis_that_hangs_costs_no_fetch_while_the_last_list_is_fresh() {
    let room = Room::with("--no-follow --ttl 10m");
    let before = room.served.get("/api/clients");
    assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT");
    room.sim.asked();
    signal(&room, Signal::STOP);
    for _ in 0..5 {
        let answer = room.served.get("/api/clients");
        assert_eq!((answer.header("x-cache"), &answer.body), ("HIT", &before.body));
    }
    assert_eq!(lists(&room), 0);
    signal(&room, Signal::CONT);
    let (code, said) = room.served.end();
    let kept = "warning: serving the last list from Redis while it is fresh\n";
    assert!(code == 0 && said.contains(kept), "{said}");
}

/// The list that stands in for a silent Redis has no full records: they are not fetched for it either.
#[test]
fn full_records_are_not_fetched_while_the_last_list_stands_in() {
    let room = Room::with("--no-follow --ttl 10m");
    room.served.get("/api/clients");
    room.sandbox.stdout("refresh");
    assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT", "without full records");
    let node = room.sandbox.stdout("list -o id").lines().next().unwrap().to_owned();
    room.sim.asked();
    signal(&room, Signal::STOP);
    for path in [format!("/api/clients/{node}"), "/api/clients?full=true".to_owned()] {
        let answer = room.served.get(&path);
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
        let problem: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
        assert_eq!(problem["detail"], "cannot read the full records: Redis does not answer");
    }
    assert_eq!(room.sim.asked(), Vec::<String>::new());
    signal(&room, Signal::CONT);
    // One request a second tries the Redis that is avoided.
    let is_read = || room.served.get(&format!("/api/clients/{node}")).status == 200;
    crate::redis_rows::trouble::until("Redis is used again", is_read);
}

/// Redis has shown that it has no list any more: what it had before is not shown while it hangs.
#[test]
fn what_another_host_has_cleared_is_not_served_while_redis_hangs() {
    let room = Room::with("--no-follow --ttl 10m");
    room.served.get("/api/clients");
    assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT");
    room.redis.cli(&["FLUSHDB"]);
    let failure = Fault::status(500, "No cluster leader");
    room.sim.fault(Where::Everything, Times::ALWAYS, failure);
    assert_eq!(room.served.get("/api/clients").status, 503);
    signal(&room, Signal::STOP);
    assert_eq!(room.served.get("/api/clients").status, 503);
    signal(&room, Signal::CONT);
}

/// Each clear waits for Redis as long as it may. They wait together, and nobody else with them.
#[test]
fn clears_of_a_redis_that_hangs_wait_together_and_keep_reads_free() {
    let room = Room::with("--no-follow --ttl 10m");
    room.served.get("/api/clients");
    let before = connections(&room);
    signal(&room, Signal::STOP);
    let began = Instant::now();
    let request = format!(
        "POST /api/cache/clear HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        room.served.at
    );
    let clears: Vec<TcpStream> = (0..120)
        .map(|_| {
            let mut stream = room.served.connect();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let answer = room.served.get("/api/clients");
    assert!(answer.status == 200 && began.elapsed() < Duration::from_secs(60), "{answer:?}");
    for mut clear in clears {
        let mut said = String::new();
        clear.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 503") && said.contains("NOT cleared"), "{said}");
    }
    signal(&room, Signal::CONT);
    // Redis takes now whoever has knocked. One by one on all threads they would hold up everything.
    let knocked = connections(&room) - before;
    assert!(knocked < 40, "{knocked} connections for 120 clears");
    assert_eq!(room.served.ask("POST", "/api/cache/clear", &[], "").status, 200);
}
