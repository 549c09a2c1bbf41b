//! What is answered when Nomad or the cache are in trouble; many who ask at once.

use std::thread;
use std::time::{Duration, Instant};

use nomad_sim::{Fault, Times, Where};

use super::Room;
use crate::support::redis_server::without_redis;

#[test]
fn each_failure_has_its_status_and_its_words() {
    let room = Room::with("--no-follow --timeout 1s");
    let at = room.sim.address();
    for (fault, status, words) in [
        (Fault::html(200), 502, format!("not a Nomad API answer (text/html) from {at}")),
        (Fault::status(503, "away"), 503, format!("Nomad at {at} answered 503: away")),
        (
            Fault::status(403, "Permission denied"),
            403,
            format!("permission denied: no token was sent ({at})"),
        ),
        (
            Fault::Hold(nomad_sim::Gate::new()),
            504,
            format!("cannot reach Nomad at {at}: timed out after 1s (list)"),
        ),
    ] {
        room.sim.fault(Where::List, Times::ALWAYS, fault);
        let (found, said) = room.served.get("/api/clients").problem();
        assert!(found == status && said.contains(&words), "{found} {said}");
        assert!(room.served.get("/healthz").status == 200);
        room.sim.heal();
        // Failures are not asked for again within a second.
        while room.served.get("/api/clients").status != 200 {
            thread::sleep(Duration::from_millis(20));
        }
        room.served.ask("POST", "/api/cache/clear", &[], "");
    }
}

#[test]
fn rows_without_details_are_shown_and_counted() {
    let room = Room::new();
    room.sim.fault(Where::node("worker-3"), Times::ALWAYS, Fault::status(500, "broken"));
    let answer = room.served.get("/api/discover/clients");
    assert_eq!((answer.status, answer.header("x-missing-details")), (200, "1"));
    assert_eq!(answer.header("etag"), "");
    let json = answer.json();
    let missing = &json["output"]["missing"];
    assert_eq!(missing[0]["id"], room.sim.cluster().id("worker-3"));
    assert!(missing[0]["why"].as_str().unwrap().contains("500"), "{missing}");
    let rows = json["output"]["clients"].as_array().unwrap();
    let nulls: Vec<&str> = rows
        .iter()
        .filter(|row| row["meta"].is_null())
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(nulls, ["worker-3"]);
}

#[test]
fn a_hundred_at_once_cost_one_fetch() {
    let room = Room::new();
    let held = room.sim.hold(Where::List);
    let answers: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> =
            (0..100).map(|_| scope.spawn(|| room.served.get("/api/discover/clients"))).collect();
        assert!(held.await_waiting(1, Duration::from_secs(10)));
        held.open();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut asked = room.sim.asked();
    asked.sort();
    assert_eq!((asked.len(), &*asked[0], &*asked[1]), (6, "list", "node worker-1"));
    assert!(answers.iter().all(|answer| answer.status == 200));
    let calls: u32 =
        answers.iter().map(|answer| answer.header("x-nomad-calls").parse::<u32>().unwrap()).sum();
    assert_eq!(calls, 6, "the calls are told once");
}

/// At most one list a second, and none older than its request.
#[test]
fn s17_requests_to_refresh_are_coalesced() {
    let room = Room::new();
    room.served.get("/api/clients");
    room.sim.asked();
    let began = std::time::Instant::now();
    thread::scope(|scope| {
        for worker in 0..8 {
            let (served, sim) = (&room.served, &room.sim);
            scope.spawn(move || {
                for round in 0..10 {
                    let value = format!("{worker}-{round}");
                    sim.cluster().set_meta("worker-1", &format!("key{worker}"), Some(&value));
                    let answer = served.get("/api/discover/clients?refresh=true").json();
                    let shown = &answer["output"]["clients"][0]["meta"][format!("key{worker}")];
                    assert_eq!(shown, &value, "it was written before it was asked for");
                }
            });
        }
    });
    let lists = room.sim.asked().iter().filter(|what| *what == "list").count() as u64;
    let most = began.elapsed().as_secs() + 2;
    assert!(lists <= most, "{lists} lists in {:?}", began.elapsed());
}

/// A clear by anybody is seen by the next request, though the nodes are in memory.
#[test]
fn nothing_of_before_a_clear_is_served() {
    let room = Room::new();
    for round in 0..20 {
        room.sim.cluster().set_meta("worker-1", "round", Some(&round.to_string()));
        room.sandbox.stdout("cache clear");
        let answer = room.served.get("/api/clients");
        assert_eq!(answer.json()[0]["meta"]["round"], round.to_string());
        assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT");
    }
}

/// `serve` goes on with its last list while that is fresh, and says so. A Redis that comes back empty
/// has been cleared.
#[test]
fn a_redis_that_goes_away_and_comes_back() {
    let mut room = Room::with("--no-follow --ttl 10m");
    let before = room.served.get("/api/clients");
    assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT");
    room.sim.asked();
    room.redis.kill();
    for _ in 0..2 {
        let answer = room.served.get("/api/clients");
        assert_eq!((answer.header("x-cache"), &answer.body), ("HIT", &before.body));
    }
    assert_eq!(room.sim.asked(), [""; 0]);
    let metrics = room.served.get("/metrics");
    let line = metrics.text().lines().find(|line| line.starts_with("nomad_clients_cache_errors"));
    assert!(!line.unwrap().ends_with(" 0"), "{line:?}");

    room.sim.cluster().set_meta("worker-1", "rack", Some("moved"));
    room.redis.restart(&[]);
    let answer = room.served.get("/api/clients");
    assert_eq!(
        (answer.header("x-cache"), &answer.json()[0]["meta"]["rack"]),
        ("MISS", &"moved".into())
    );
    assert_eq!(room.sim.asked().len(), 6, "one list and five details");
    let cached = room.redis.bytes(&["GET", "nomad:clients:all"]).unwrap();
    assert!([&cached[..], b"\n"].concat() == answer.body, "it is cached again");
    assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT");
    assert_eq!(room.sim.asked(), [""; 0]);

    let (code, said) = room.served.end();
    let lost =
        format!("warning: {}\n", without_redis(&room.redis.url(), "reach", "connection refused"));
    let kept = "warning: serving the last list from Redis while it is fresh\n";
    assert_eq!((code, said), (0, lost + kept));
}

/// After that the files of this machine serve.
#[test]
fn without_redis_the_local_files_serve_once_the_last_list_is_old() {
    let mut room = Room::with("--no-follow --ttl 5s");
    room.served.get("/api/clients");
    room.redis.kill();
    room.sim.asked();
    let began = Instant::now();
    while room.served.get("/api/clients").header("x-cache") == "HIT" {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never old");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(room.sim.asked().len(), 6, "one list and five details");
    assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT", "by the local files");
}
