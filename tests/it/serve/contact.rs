//! Events tell whether Nomad answers, also when it just keeps silent.

use std::time::{Duration, Instant};

use nomad_sim::{Fault, Times, Where};
use serde_json::Value;

use super::Room;
use crate::support::served::Events;

const LIMIT: Duration = Duration::from_secs(40);

/// What the first event says of Nomad that fits.
#[track_caller]
fn told(events: &mut Events, fits: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let event = events.next().expect("the stream goes on");
        let nomad = &event.data["nomad"];
        if nomad.is_object() && fits(nomad) {
            return nomad.clone();
        }
        assert!(began.elapsed() < LIMIT, "{event:?}");
    }
}

fn is_up(nomad: &Value) -> bool {
    nomad["up"] == true
}

fn is_down(nomad: &Value) -> bool {
    nomad["up"] == false
}

#[test]
fn a_refusal_is_reported_at_once_and_its_end_too() {
    for args in ["--follow-interval 0s", "--no-follow"] {
        let room = Room::with(args);
        room.served.get("/api/clients");
        let follows = args != "--no-follow";
        if follows {
            until_a_question_is_held(&room);
        }
        let mut events = room.served.events(None);
        let up = told(&mut events, is_up);
        assert_eq!((&up["failing_ms"], &up["trouble"], &up["why"]), Default::default());
        let fault = Fault::status(500, "No cluster leader");
        room.sim.fault(Where::Everything, Times::ALWAYS, fault);
        if follows {
            // It lists on its own, and fails. Closing its connections could tear an answer.
            room.sim.cluster().report_allocation("worker-1");
            let failures = "\nnomad_clients_follow_failures_total 0\n";
            room.served.until("/metrics", |metrics| !metrics.text().contains(failures));
        }
        let refresh = room.served.get("/api/discover/clients?refresh=true");
        assert_eq!(refresh.status, 503);
        let down = told(&mut events, is_down);
        assert_eq!(down["trouble"], "unreachable");
        assert!(down["why"].as_str().unwrap().contains("No cluster leader"), "{down}");
        assert!(down["answered_ms"].as_u64() >= down["failing_ms"].as_u64(), "{down}");
        room.sim.heal();
        let up = told(&mut events, is_up);
        assert_eq!((&up["failing_ms"], &up["trouble"], &up["why"]), Default::default());
    }
}

/// Its list is complete then, and nothing is under way but that question.
#[track_caller]
fn until_a_question_is_held(room: &Room) {
    let began = Instant::now();
    while !room.sim.ledger().iter().any(|asked| asked.what.contains("per_page=1&index=")) {
        assert!(began.elapsed() < LIMIT, "a question is held");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A held question would tell it after a minute only.
#[test]
fn silence_is_reported_within_seconds() {
    let room = Room::following();
    until_a_question_is_held(&room);
    let mut events = room.served.events(None);
    told(&mut events, is_up);
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::Never);
    let down = told(&mut events, is_down);
    assert_eq!(down["trouble"], "unreachable");
    let answered = down["answered_ms"].as_u64().unwrap();
    assert!(answered < 40_000, "Nomad answered {answered} ms ago");
    room.sim.heal();
    told(&mut events, is_up);
}

/// A connection may die without a word: then what it was to tell never comes.
#[test]
fn a_held_question_that_is_lost_is_not_waited_for() {
    let room = Room::following();
    room.served.get("/api/clients");
    let held = Where::Target("/v1/nodes?per_page=1&index=".to_owned());
    room.sim.fault(held, Times::ALWAYS, Fault::Never);
    room.sim.close_connections();
    let mut events = room.served.events(None);
    told(&mut events, is_up);
    let began = Instant::now();
    room.sim.cluster().set_eligible("worker-3", false);
    assert_eq!(events.news().data["name"], "worker-3");
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}
