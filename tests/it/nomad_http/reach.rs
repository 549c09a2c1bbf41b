//! Nomad can't be reached, or not in time.

use std::time::{Duration, Instant};

use nomad_clients::nomad::{Error, FailureKind, Nomad as _};
use nomad_sim::{Fault, Fleet, Refusing, Sim, Times, Where};

use crate::support::wire_server::{Act, WireServer};

use super::{NODE, check, hurried, json, node, nomad};

const ADDRESS: Option<&str> = Some("set NOMAD_ADDR or pass --address");

#[test]
fn a_refused_connection_says_where_and_what_to_do() {
    let nobody = Refusing::start();
    let (at, nomad) = (nobody.address(), nomad(&nobody.address()));
    let refused = (FailureKind::Outage, "cannot reach Nomad at {at}: connection refused", ADDRESS);
    check(nomad.stubs(), &at, refused);
    check(nomad.node(&node()), &at, refused);
    assert_eq!(nomad.calls(), 2, "what was refused is not tried again");
}

#[test]
fn a_host_that_is_not_there_is_named() {
    // A label of more than 63 characters: no name server is asked for it.
    let at = format!("http://{}.invalid:4646", "a".repeat(64));
    check(
        nomad(&at).stubs(),
        &at,
        (FailureKind::Outage, "cannot reach Nomad at {at}: no such host", ADDRESS),
    );
}

#[test]
fn a_socket_that_is_not_there_is_named() {
    let at = "unix:///nonexistent/nomad.sock";
    check(
        nomad(at).stubs(),
        at,
        (FailureKind::Outage, "cannot reach Nomad at {at}: no such socket", ADDRESS),
    );
}

/// The text names what was left of the time when the request began: at most `most` seconds.
#[track_caller]
fn runs_out<T: std::fmt::Debug>(result: Result<T, Error>, at: &str, what: &str, most: f64) {
    let error = result.unwrap_err();
    let after = error.what.strip_prefix(&format!("cannot reach Nomad at {at}: timed out after "));
    let limit = after.and_then(|rest| rest.strip_suffix(&format!(" ({what})")));
    let limit: jiff::SignedDuration = limit.unwrap_or_else(|| panic!("{error}")).parse().unwrap();
    let seconds = limit.as_secs_f64();
    assert!(seconds <= most, "{error}");
    let hint = Some("pass a longer --timeout".to_owned());
    assert_eq!((error.kind, error.hint), (FailureKind::TimedOut, hint));
}

#[test]
fn silence_ends_with_the_time_of_the_command() {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::Everything, Times::ALWAYS, Fault::Never);
    let (at, began) = (sim.address(), Instant::now());
    let quick = || hurried(&at, Duration::from_millis(300));
    runs_out(quick().stubs(), &at, "list", 0.3);
    runs_out(quick().node(&node()), &at, &format!("node {NODE}"), 0.3);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let late = hurried(&at, Duration::ZERO);
    runs_out(late.stubs(), &at, "list", 0.0);
    assert_eq!(late.calls(), 0, "nothing is sent after the end");
}

#[test]
fn a_drip_ends_after_ten_seconds() {
    let server =
        WireServer::start(|_| Act::Drip(json(&"[".repeat(500)), Duration::from_millis(100)));
    let began = Instant::now();
    check(
        nomad(&server.address()).stubs(),
        &server.address(),
        (FailureKind::TimedOut, "cannot reach Nomad at {at}: timed out after 10s (list)", None),
    );
    assert!((9_500..12_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn an_answer_that_stops_in_the_middle_is_given_up_sooner() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{".to_vec();
    let server = WireServer::start(move |_| Act::Hang(head.clone()));
    let began = Instant::now();
    check(
        nomad(&server.address()).stubs(),
        &server.address(),
        (
            FailureKind::TimedOut,
            "cannot reach Nomad at {at}: timed out after 5s without a byte (list)",
            None,
        ),
    );
    assert!((4_500..7_500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[test]
fn a_handshake_that_never_comes_counts_as_connecting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("https://{}", listener.local_addr().unwrap());
    let hint = Some("use http:// in the address if Nomad has no TLS");
    let connect =
        (FailureKind::TimedOut, "cannot reach Nomad at {at}: timed out after 3s (connect)", hint);
    check(nomad(&at).stubs(), &at, connect);
    runs_out(hurried(&at, Duration::from_millis(500)).stubs(), &at, "list", 0.5);
}
