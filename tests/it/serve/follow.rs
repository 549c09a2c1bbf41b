//! Following: the cache is always hot, one follows for all, and Nomad is asked little.

use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Times, Where};
use rustix::process::Signal;

use super::Room;
use crate::support::served::Served;

const LIMIT: Duration = Duration::from_secs(15);

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn metric(served: &Served, name: &str) -> f64 {
    let metrics = served.get("/metrics");
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |rest| rest.trim().parse().unwrap())
}

/// The cache holds this eligibility, as somebody sees it who asks nobody else.
fn cached(room: &Room, node: usize) -> Option<String> {
    let all = room.redis.bytes(&["GET", "nomad:clients:all"])?;
    let all: serde_json::Value = serde_json::from_slice(&all).unwrap();
    Some(all[node - 1]["eligibility"].as_str()?.to_owned())
}

#[test]
fn the_cache_is_hot_before_anybody_asks_and_follows_every_change() {
    let room = Room::following();
    until("the cache is filled", || cached(&room, 3).as_deref() == Some("eligible"));
    room.sim.cluster().set_eligible("worker-3", false);
    until("the change is cached", || cached(&room, 3).as_deref() == Some("ineligible"));
    room.sim.asked();
    let list = room.sandbox.run("list --json -v");
    assert!(
        list.stderr.contains("cached") && list.stderr.contains("0 Nomad calls"),
        "{}",
        list.stderr
    );
    let held = |what: &String| what.contains("per_page=1");
    assert!(room.sim.asked().iter().all(held));
}

/// Who has seen the index move does not ask whether it has.
#[test]
fn a_change_is_listed_at_once_however_many_nodes_there_are() {
    let room = Room::of(Fleet::generated(200), "--follow-interval 0s");
    let held = |what: &str| what.contains("per_page=1&index=");
    until("a request is held", || room.sim.ledger().iter().any(|asked| held(&asked.what)));
    room.sim.asked();
    let name = room.sim.cluster().nodes().next().unwrap().name.to_string();
    room.sim.cluster().set_meta(&name, "rack", Some("moved"));
    let is_cached = || {
        let all = room.redis.bytes(&["GET", "nomad:clients:all"]).unwrap();
        String::from_utf8(all).unwrap().contains(r#""rack":"moved""#)
    };
    until("the change is cached", is_cached);
    let mut asked = room.sim.asked();
    asked.retain(|what| !held(what));
    assert_eq!(asked, ["list".to_owned(), format!("node {name}")]);
}

/// Nothing moves: nothing but one held request.
#[test]
fn an_idle_cluster_costs_one_held_request() {
    let room = Room::following();
    let held = |what: &&String| what.contains("per_page=1&index=");
    until("a request is held", || room.sim.ledger().iter().any(|asked| held(&&asked.what)));
    room.sim.asked();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(room.sim.asked(), Vec::<String>::new());
    let asked = room.sim.ledger();
    let held: Vec<_> = asked.iter().filter(|asked| held(&&asked.what)).collect();
    assert!(held.len() == 1 && held[0].what.ends_with("ms"), "{held:?}");
    let wait: u64 =
        held[0].what.rsplit_once("wait=").unwrap().1.trim_end_matches("ms").parse().unwrap();
    assert!((40_000..=55_000).contains(&wait), "{wait}");
}

/// An answer is renewed before its time is over, though nothing has moved.
#[test]
fn a_quiet_cluster_stays_hot() {
    let room = Room::with("--ttl 12s --redis-timeout 20s");
    until("the cache is filled", || cached(&room, 1).is_some());
    let began = Instant::now();
    let mut misses = 0;
    while began.elapsed() < Duration::from_secs(18) {
        let answer = room.served.get("/api/clients");
        misses += usize::from(answer.header("x-cache") != "HIT");
        std::thread::sleep(Duration::from_millis(60));
    }
    let (code, stderr) = room.served.end();
    assert_eq!((misses, code), (0, 0), "{stderr}");
}

/// Reports of allocations move the index and change no node: they must not cost a list each.
#[test]
fn a_storm_of_allocations_is_not_a_storm_of_lists() {
    let room = Room::following();
    until("the cache is filled", || cached(&room, 1).is_some());
    room.sim.asked();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        room.sim.cluster().report_allocation("worker-1");
        std::thread::sleep(Duration::from_millis(10));
    }
    let lists = room.sim.asked().iter().filter(|what| *what == "list").count();
    // 0, 0.1, 0.2, 0.4, 0.8, 1.6 s apart.
    assert!((3..=8).contains(&lists), "{lists} lists");
    assert!(metric(&room.served, "nomad_clients_follow_lists_total{changed=\"false\"}") >= 3.0);
    assert!(metric(&room.served, "nomad_clients_follow_pause_seconds") >= 0.8);
    room.sim.cluster().set_eligible("worker-3", false);
    until("a change is seen all the same", || cached(&room, 3).as_deref() == Some("ineligible"));
    until("and the pause is over", || {
        metric(&room.served, "nomad_clients_follow_pause_seconds") == 0.0
    });
}

#[test]
fn one_of_several_follows_and_another_takes_over_when_it_dies() {
    let room = Room::following();
    until("one follows", || metric(&room.served, "nomad_clients_follower") == 1.0);
    let second = Served::start(&room.sandbox, "--follow-interval 0s");
    second.get("/api/clients");
    let mut events = second.events(None);
    assert_eq!(events.news().name, "ready");
    room.sim.cluster().set_eligible("worker-1", false);
    assert_eq!(events.news().data["name"], "worker-1");
    assert_eq!(metric(&second, "nomad_clients_follower"), 0.0);
    let held = room.sim.ledger().iter().filter(|asked| asked.what.contains("index=")).count();
    assert!(held <= 3, "one of them holds a request: {held}");
    room.served.signal(Signal::KILL);
    let began = Instant::now();
    until("another takes over", || metric(&second, "nomad_clients_follower") == 1.0);
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    room.sim.cluster().set_eligible("worker-2", false);
    assert_eq!(events.news().data["name"], "worker-2");
}

#[test]
fn who_ends_gives_the_right_to_follow_back() {
    let room = Room::following();
    let follow = || -> usize {
        let keys = room.redis.cli(&["KEYS", "nomad:clients:follow:*"]);
        let redis::Value::Array(keys) = keys else { panic!("{keys:?}") };
        keys.len()
    };
    until("it follows", || follow() == 1);
    let Room { served, .. } = &room;
    served.signal(Signal::INT);
    until("the right is given back", || follow() == 0);
}

/// A restored or rebuilt cluster answers with a lower index than was asked for.
#[test]
fn an_index_that_goes_back_means_that_everything_is_listed_again() {
    let room = Room::with("--ttl 4s --follow-interval 0s");
    until("the cache is filled", || cached(&room, 3).as_deref() == Some("eligible"));
    let saved = room.sim.cluster().save();
    room.sim.cluster().set_eligible("worker-3", false);
    until("the change is cached", || cached(&room, 3).as_deref() == Some("ineligible"));
    // The held request is not released by this: it ends with its time.
    room.sim.cluster().restore(&saved);
    until("the restored state is cached", || cached(&room, 3).as_deref() == Some("eligible"));
    room.sim.cluster().set_eligible("worker-3", false);
    until("and what comes after it", || cached(&room, 3).as_deref() == Some("ineligible"));
}

#[test]
fn an_outage_is_reported_once_and_survived() {
    let room = Room::following();
    until("the cache is filled", || cached(&room, 3).is_some());
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "No cluster leader"));
    room.sim.close_connections();
    until("failures are counted", || {
        metric(&room.served, "nomad_clients_follow_failures_total") >= 2.0
    });
    assert_eq!(
        room.served.get("/api/clients").header("x-cache"),
        "HIT",
        "the cache is still fresh"
    );
    assert_eq!(room.served.get("/readyz").status, 200, "so a list can be answered");
    room.sim.heal();
    room.sim.cluster().set_eligible("worker-3", false);
    until("it goes on", || cached(&room, 3).as_deref() == Some("ineligible"));
    let (code, said) = room.served.end();
    assert_eq!(code, 0);
    assert!(
        said.starts_with("warning: cannot follow Nomad: ") && said.lines().count() <= 2,
        "{said}"
    );
}

#[test]
fn who_does_not_follow_asks_when_he_is_asked() {
    let room = Room::new();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(room.sim.asked(), Vec::<String>::new());
    room.served.get("/api/clients");
    room.sim.cluster().set_eligible("worker-3", false);
    assert_eq!(room.served.get("/api/clients").header("x-cache"), "HIT");
    assert_eq!(cached(&room, 3).as_deref(), Some("eligible"));
}
