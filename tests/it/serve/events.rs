//! Server-sent events: changes as they happen, for who stays and for who comes back.

use std::io::{Read as _, Write as _};

use nomad_sim::Fleet;
use serde_json::json;

use super::Room;
use crate::support::served::{Event, Served};

fn record(room: &Room, name: &str) -> serde_json::Value {
    let clients = room.served.get("/api/clients?columns=id,name,eligibility").json();
    clients.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
}

#[track_caller]
fn check(event: &Event, name: &str, node: &str, eligibility: &str) {
    let told = (&*event.name, event.data["name"].as_str(), event.data["eligibility"].as_str());
    assert_eq!(told, (name, Some(node), Some(eligibility)), "{event:?}");
}

/// A server that has shown the nodes.
fn filled() -> Room {
    let room = Room::following();
    room.served.get("/api/clients");
    room
}

#[test]
fn a_change_in_nomad_is_an_event_without_anybody_asking() {
    let room = filled();
    let mut events = room.served.events(None);
    let ready = events.news();
    assert_eq!((&*ready.name, ready.id.is_empty()), ("ready", false));
    assert_eq!(ready.data["rev"], ready.id);
    room.sim.cluster().set_eligible("worker-3", false);
    check(&events.news(), "changed", "worker-3", "ineligible");
    assert_eq!(record(&room, "worker-3")["eligibility"], "ineligible");
    room.sim.cluster().register("worker-9");
    check(&events.news(), "new", "worker-9", "eligible");
    room.sim.cluster().purge("worker-9");
    check(&events.news(), "gone", "worker-9", "eligible");
    let beat = events.next().unwrap();
    assert_eq!((&*beat.name, &beat.data["rev"]), ("beat", &json!(beat.id)));
}

#[test]
fn who_comes_back_gets_what_came_meanwhile() {
    let room = filled();
    let mut events = room.served.events(None);
    let ready = events.news();
    drop(events);
    let mut watcher = room.served.events(None);
    assert_eq!(watcher.news().name, "ready");
    room.sim.cluster().set_eligible("worker-3", false);
    check(&watcher.news(), "changed", "worker-3", "ineligible");
    let mut back = room.served.events(Some(&ready.id));
    check(&back.news(), "changed", "worker-3", "ineligible");
    let mut lost = room.served.events(Some("Nnobody-knows-it"));
    assert_eq!(lost.news().name, "reset");
}

/// What another process publishes is an event here as well.
#[test]
fn other_servers_and_runs_are_noticed() {
    let room = Room::new();
    room.served.get("/api/clients");
    let mut events = room.served.events(None);
    assert_eq!(events.news().name, "ready");
    let other = Served::start(&room.sandbox, "--no-follow");
    room.sim.cluster().set_eligible("worker-1", false);
    other.get("/api/discover/clients?refresh=true");
    check(&events.news(), "changed", "worker-1", "ineligible");
    room.sim.cluster().set_eligible("worker-2", false);
    room.sandbox.stdout("refresh");
    check(&events.news(), "changed", "worker-2", "ineligible");
    // In this order: whoever has readers fills a cold cache at once.
    room.sim.cluster().set_eligible("worker-4", false);
    room.sandbox.stdout("cache clear");
    check(&events.news(), "changed", "worker-4", "ineligible");
}

#[test]
fn the_end_of_the_server_is_the_end_of_the_stream() {
    let room = filled();
    let mut events = room.served.events(None);
    assert_eq!(events.news().name, "ready");
    let began = std::time::Instant::now();
    assert_eq!(room.served.end(), (0, String::new()));
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    while events.next().is_some() {}
}

/// All nodes change three times; then each of many readers comes back for all of it and takes
/// nothing. What they lack is in memory once.
#[test]
#[cfg(target_os = "linux")]
fn readers_who_come_back_and_do_not_read_cost_no_memory() {
    const NODES: u32 = 190;
    const READERS: usize = 185;
    let room = Room::of(Fleet::generated(NODES), "--no-follow --ttl 10m");
    let refresh = || room.served.get("/api/discover/clients?refresh=true&columns=id,name").json();
    let names = refresh()["output"]["clients"].as_array().unwrap().clone();
    let mut watcher = room.served.events(None);
    let first = watcher.news().id;
    for turn in 0..3 {
        for node in &names {
            let value = turn.to_string().repeat(13_000);
            room.sim.cluster().set_meta(node["name"].as_str().unwrap(), "big", Some(&value));
        }
        assert_eq!(refresh()["output"]["stats"]["changed"], NODES);
        assert!((0..NODES).all(|_| watcher.news().name == "changed"));
    }
    let (before, _) = room.served.size();
    let request = format!(
        "GET /api/events HTTP/1.1\r\nhost: {}\r\nlast-event-id: {first}\r\n\r\n",
        room.served.at
    );
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let mut reader = room.served.connect();
            reader.write_all(request.as_bytes()).unwrap();
            // Head and first changes are there: it was answered.
            reader.read_exact(&mut [0; 4096]).unwrap();
            reader
        })
        .collect();
    let (with, _) = room.served.size();
    // Each would hold 7.4 MB of its own: 1.4 GB.
    assert!(with < before + 64_000, "{before} KB, with {READERS} readers {with} KB");
    let mut back = room.served.events(Some(&first));
    assert!((0..3 * NODES).all(|_| back.news().name == "changed"));
    drop(readers);
}
