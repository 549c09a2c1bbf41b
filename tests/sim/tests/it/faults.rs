//! What goes wrong on demand.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Framing, Refusing, Sim, Times, Where};
use serde_json::json;

use crate::client::{connect, get, parse, raw};

const LIST: &str = "GET /v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n";

fn sim_with(fault: Fault) -> Sim {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, fault);
    sim
}

#[test]
fn faults_hit_the_requests_they_name_and_no_more() {
    let sim = Sim::start(Fleet::recorded());
    let target = |name: &str| format!("/v1/node/{}", sim.cluster().id(name));
    sim.fault(Where::node("worker-3"), Times::next(2), Fault::status(500, "rpc error: timeout"));
    sim.fault(Where::List, Times::ONCE.after(1), Fault::html(502));
    let seen: Vec<u16> = (0..3).map(|_| get(&sim, &target("worker-3")).status).collect();
    assert_eq!((seen, get(&sim, &target("worker-1")).status), (vec![500, 500, 200], 200));
    let seen: Vec<u16> = (0..3).map(|_| get(&sim, "/v1/nodes").status).collect();
    assert_eq!(seen, [200, 502, 200]);
    sim.fault(Where::Everything, Times::ALWAYS, Fault::too_many_requests(Some("2")));
    assert_eq!(get(&sim, "/v1/regions").header("Retry-After"), Some("2"));
    sim.heal();
    assert_eq!(get(&sim, "/v1/regions").status, 200);
}

#[test]
fn answers_can_be_changed_in_every_part() {
    let redirect = get(&sim_with(Fault::redirect(307, "http://evil.test/")), "/v1/nodes");
    assert_eq!((redirect.status, redirect.header("Location")), (307, Some("http://evil.test/")));
    let bare = get(&sim_with(Fault::header("Content-Type", None)), "/v1/nodes");
    assert_eq!((bare.header("Content-Type"), bare.json().as_array().unwrap().len()), (None, 5));
    let index = sim_with(Fault::header("X-Nomad-Index", Some("99999999999999999999")));
    assert_eq!(get(&index, "/v1/nodes").header("X-Nomad-Index"), Some("99999999999999999999"));
    assert_eq!(get(&sim_with(Fault::body("{\"a\":")), "/v1/nodes").text(), "{\"a\":");
    let zero = get(&sim_with(Fault::field("ModifyIndex", json!(0))), "/v1/nodes").json();
    assert!(zero.as_array().unwrap().iter().all(|stub| stub["ModifyIndex"] == 0));
    let sim = Sim::start(Fleet::recorded());
    sim.cluster().index_header = Some("garbage".to_owned());
    (sim.cluster().known_leader, sim.cluster().last_contact_ms) = (false, 9_223_372_036_854);
    let reply = get(&sim, "/v1/nodes");
    assert_eq!(reply.header("X-Nomad-Index"), Some("garbage"));
    assert_eq!(reply.header("X-Nomad-Knownleader"), Some("false"));
    assert_eq!(reply.header("X-Nomad-Lastcontact"), Some("9223372036854"));
}

#[test]
fn answers_can_break_off() {
    let whole = raw(&Sim::start(Fleet::recorded()), LIST).unwrap().len();
    let cut = raw(&sim_with(Fault::Cut(100)), LIST).unwrap();
    assert!(cut.len() < whole && String::from_utf8(cut).unwrap().contains("chunked"));
    let lie = raw(&sim_with(Fault::framing(Framing::Lie(9_999_999))), LIST).unwrap();
    assert!(String::from_utf8(lie).unwrap().contains("Content-Length: 9999999\r\n"));
    assert_eq!(raw(&sim_with(Fault::Close), LIST).unwrap(), b"");
    assert_eq!(raw(&sim_with(Fault::Raw(b"-ERR\r\n".to_vec())), LIST).unwrap(), b"-ERR\r\n");
    for fault in [Fault::Reset, Fault::CutReset(10)] {
        let sim = sim_with(fault);
        let error = raw(&sim, LIST).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(sim.ledger()[0].answered.is_none());
    }
    let refusing = Refusing::start();
    let error = TcpStream::connect(refusing.address().trim_start_matches("http://")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn kept_connections_can_die() {
    let sim = sim_with(Fault::CloseIdle(2));
    let mut stream = connect(&sim);
    stream.write_all(LIST.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    stream.write_all(LIST.as_bytes()).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert_eq!((rest.matches("HTTP/1.1 200").count(), rest.contains("Connection")), (1, false));
    assert_eq!((sim.ledger().len(), sim.connections()), (2, 1));
}

#[test]
fn answers_can_be_slow_or_never_come() {
    let sim = sim_with(Fault::Delay(Duration::from_millis(150)));
    let started = Instant::now();
    assert_eq!(get(&sim, "/v1/nodes").status, 200);
    assert!(started.elapsed() >= Duration::from_millis(150));

    let silent = |sim: &Sim| {
        let mut stream = connect(sim);
        stream.write_all(LIST.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        matches!(
            stream.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        )
    };
    assert!(silent(&sim_with(Fault::Never)));
    let hole = Sim::start(Fleet::recorded());
    hole.black_hole(true);
    assert!(silent(&hole));
    assert_eq!((hole.connections(), hole.ledger().len()), (1, 0));

    let sim = sim_with(Fault::Drip(1));
    let mut stream = connect(&sim);
    stream.write_all(LIST.as_bytes()).unwrap();
    let mut some = [0; 64];
    assert_eq!(stream.read(&mut some).unwrap(), 1);
}

#[test]
fn a_gate_holds_an_answer_before_or_after_it_is_made_up() {
    let sim = Sim::start(Fleet::recorded());
    for (late, index) in [(false, 18), (true, 18)] {
        let gate = nomad_sim::Gate::new();
        let fault = if late { Fault::HoldAnswer(gate.clone()) } else { Fault::Hold(gate.clone()) };
        sim.fault(Where::List, Times::ONCE, fault);
        let seen = std::thread::scope(|scope| {
            let reply = scope.spawn(|| get(&sim, "/v1/nodes").index());
            assert!(gate.await_waiting(1, Duration::from_secs(10)));
            sim.cluster().report_allocation("worker-1");
            gate.open();
            reply.join().unwrap()
        });
        assert_eq!(seen, index, "late: {late}");
    }
    assert_eq!((get(&sim, "/v1/nodes").index(), sim.asked()), (19, vec!["list".to_owned(); 3]));
}

#[test]
fn bodies_can_be_monstrous() {
    let huge = raw(&sim_with(Fault::Huge(3 << 20)), LIST).unwrap();
    assert!(huge.len() > 3 << 20 && huge.ends_with(b"]\r\n0\r\n\r\n"));
    let bomb = parse(&raw(&sim_with(Fault::bomb(300)), LIST).unwrap());
    assert_eq!(bomb.header("Content-Encoding"), Some("gzip"));
    assert!(bomb.body.len() < 1 << 20, "{}", bomb.body.len());
}

#[test]
fn too_many_connections_get_a_raw_429() {
    let sim = Sim::start(Fleet::recorded());
    sim.limit_connections(Some(2));
    let kept = [connect(&sim), connect(&sim)];
    let mut third = connect(&sim);
    let mut bytes = Vec::new();
    third.read_to_end(&mut bytes).unwrap();
    let file = nomad_sim::fixtures().join("2.0.5/47-too-many-connections/01-raw-429.json");
    let recorded = std::fs::read_to_string(file).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), recorded["raw_utf8"].as_str().unwrap());
    drop(kept);
    assert_eq!((sim.connections(), sim.most_open()), (3, 3));
}
