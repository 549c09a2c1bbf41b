//! Connections are kept, and a dead one is replaced; whoever asks for patience gets it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nomad_clients::model::node::NodeId;
use nomad_clients::nomad::{FailureKind, HttpNomad, Nomad as _};
use nomad_sim::{Fault, Fleet, Sim, Times, Where};

use crate::support::wire_server::{Act, WireServer};

use super::{answer, check, hurried, json, node, node_json, nomad};

const ADDRESS: Option<&str> = Some("set NOMAD_ADDR or pass --address");
const CLOSED: &str = "cannot reach Nomad at {at}: connection closed without an answer";
const LIMIT: Option<&str> =
    Some("Nomad limits connections and requests per address: try again, or lower --concurrency");

fn stub_list() -> Vec<u8> {
    json(&format!("[{}]", node_json()))
}

/// Asks for all details from 16 threads at once, `rounds` times; gives how many were asked.
fn all_details(nomad: &HttpNomad, rounds: usize) -> usize {
    let ids: Vec<NodeId> = nomad.stubs().unwrap().stubs.into_iter().map(|stub| stub.id).collect();
    let next = AtomicUsize::new(0);
    let end = ids.len() * rounds;
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= end {
                        return;
                    }
                    assert!(nomad.node(&ids[at % ids.len()]).unwrap().is_some());
                }
            });
        }
    });
    end
}

#[test]
fn sixteen_threads_share_their_connections() {
    let sim = Sim::start(Fleet::generated(100));
    let nomad = nomad(&sim.address());
    let asked = all_details(&nomad, 5);
    assert_eq!(nomad.calls(), asked as u64 + 1);
    assert_eq!(sim.ledger().len(), asked + 1);
    assert!(sim.connections() <= 16, "{} connections", sim.connections());
    // All of them are idle now, and none is made in vain.
    let before = sim.connections();
    nomad.stubs().unwrap();
    assert_eq!(sim.connections(), before);
}

/// Another process of this host may need its slot.
#[test]
fn what_nobody_uses_is_closed_but_for_one() {
    let sim = Sim::start(Fleet::generated(100));
    sim.fault(Where::Nodes, Times::next(100), Fault::Delay(Duration::from_millis(20)));
    let nomad = nomad(&sim.address());
    all_details(&nomad, 1);
    assert!(sim.most_open() > 1, "{} connections", sim.most_open());
    let until = Instant::now() + Duration::from_secs(60);
    while sim.open() > 1 {
        assert!(Instant::now() < until, "{} connections", sim.open());
        thread::yield_now();
    }
    let before = sim.connections();
    nomad.stubs().unwrap();
    assert_eq!(sim.connections(), before, "the one that was kept");
    all_details(&nomad, 1);
}

#[test]
fn a_dead_kept_connection_is_replaced_once() {
    let server = WireServer::start(|asked| match asked.line() {
        line if line.contains("/v1/nodes") => Act::Keep(stub_list()),
        _ if asked.connection == 1 => Act::Close(Vec::new()),
        _ => Act::Keep(json(&node_json())),
    });
    let nomad = nomad(&server.address());
    nomad.stubs().unwrap();
    assert!(nomad.node(&node()).unwrap().is_some());
    let connections: Vec<usize> = server.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!((connections, nomad.calls()), (vec![1, 1, 2], 3));
}

#[test]
fn a_reset_of_a_kept_connection_is_survived() {
    let sim = Sim::start(Fleet::recorded());
    let nomad = nomad(&sim.address());
    let id = nomad.stubs().unwrap().stubs[0].id.clone();
    sim.fault(Where::Nodes, Times::ONCE, Fault::Reset);
    assert!(nomad.node(&id).unwrap().is_some());
    assert_eq!((sim.connections(), nomad.calls()), (2, 3));
    // The second one may be dead, too: then it is no accident.
    sim.fault(Where::Nodes, Times::ALWAYS, Fault::Close);
    check(nomad.node(&id), &sim.address(), (FailureKind::Outage, CLOSED, ADDRESS));
    assert_eq!(nomad.calls(), 5);
}

#[test]
fn connections_that_were_closed_meanwhile_cost_nothing() {
    let sim = Sim::start(Fleet::recorded());
    let nomad = nomad(&sim.address());
    all_details(&nomad, 10);
    sim.close_connections();
    let before = nomad.calls();
    assert_eq!(nomad.stubs().unwrap().stubs.len(), 5);
    assert!(nomad.calls() <= before + 2);
}

#[test]
fn a_connection_that_closes_without_an_answer_is_tried_once_more() {
    for fault in [Fault::Close, Fault::Reset] {
        let sim = Sim::start(Fleet::recorded());
        sim.fault(Where::Everything, Times::ALWAYS, fault);
        let nomad = nomad(&sim.address());
        check(nomad.stubs(), &sim.address(), (FailureKind::Outage, CLOSED, ADDRESS));
        assert_eq!((sim.ledger().len(), nomad.calls()), (2, 2));
    }
}

#[test]
fn what_was_begun_is_not_asked_again() {
    let server = WireServer::start(|asked| match asked.line() {
        line if line.contains("/v1/nodes") => Act::Keep(stub_list()),
        _ => Act::Close(b"HTTP/1.1 200 OK\r\nContent-".to_vec()),
    });
    let nomad = nomad(&server.address());
    nomad.stubs().unwrap();
    check(nomad.node(&node()), &server.address(), (FailureKind::Outage, CLOSED, ADDRESS));
    assert_eq!((server.asked().len(), nomad.calls()), (2, 2));
}

/// Refuses the first request with this header and answers the second.
fn impatient(header: &'static str) -> WireServer {
    let asked = AtomicUsize::new(0);
    WireServer::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Act::Keep(answer("429 Too Many Requests", header, "slow down")),
        _ => Act::Keep(stub_list()),
    })
}

#[test]
fn nomad_gets_the_time_that_it_asks_for() {
    for header in [
        "Retry-After: 1\r\n",
        "Date: Mon, 23 Nov 2026 10:00:00 GMT\r\nRetry-After: Mon, 23 Nov 2026 10:00:01 GMT\r\n",
    ] {
        let server = impatient(header);
        let (nomad, began) = (nomad(&server.address()), Instant::now());
        assert_eq!(nomad.stubs().unwrap().stubs.len(), 1);
        let took = began.elapsed();
        assert!((1.0..4.0).contains(&took.as_secs_f64()), "{took:?} for {header}");
        assert_eq!((server.connections(), nomad.calls()), (1, 2));
    }
}

#[test]
fn patience_has_an_end() {
    let expected = (FailureKind::Outage, "Nomad at {at} answered 429: slow down", LIMIT);
    for header in ["Retry-After: 3600\r\n", "Retry-After: soon\r\n", ""] {
        let server = impatient(header);
        let nomad = hurried(&server.address(), Duration::from_secs(5));
        let began = Instant::now();
        check(nomad.stubs(), &server.address(), expected);
        assert!(began.elapsed() < Duration::from_secs(2), "{header}");
        assert_eq!(nomad.calls(), 1, "{header}");
    }
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, Fault::too_many_requests(Some("0")));
    let nomad = nomad(&sim.address());
    let expected = (FailureKind::Outage, "Nomad at {at} answered 429: too many requests", LIMIT);
    check(nomad.stubs(), &sim.address(), expected);
    assert_eq!(nomad.calls(), 2, "one more try, not two");
}

#[test]
fn one_connection_too_many_is_an_outage() {
    let sim = Sim::start(Fleet::recorded());
    sim.limit_connections(Some(0));
    let error = nomad(&sim.address()).stubs().unwrap_err();
    assert_eq!(error.kind, FailureKind::Outage);
    let refused = format!(
        "Nomad at {} answered 429: Your IP is issuing too many concurrent connections, please rate limit your calls",
        sim.address()
    );
    // The server closes while we still write: the answer may be lost.
    let lost = CLOSED.replace("{at}", &sim.address());
    assert!([refused, lost].contains(&error.what), "{error}");
}
