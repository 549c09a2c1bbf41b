//! Answers that are none, and answers that are odd and good.

use std::net::TcpListener;

use nomad_clients::model::notice::Level;
use nomad_clients::model::secret::Secret;
use nomad_clients::nomad::{Access, FailureKind, HttpNomad, Listing, Nomad as _};
use nomad_sim::{Fault, Fleet, Framing, Sim, Times, Where};

use crate::support::wire_server::WireServer;

use super::{NODE, access, answer, check, heard, json, listening, node, node_json, nomad, open};

const ADDRESS: Option<&str> = Some("set NOMAD_ADDR or pass --address");
const DENIED: Option<&str> = Some(
    "set NOMAD_TOKEN or --token-file to a valid token with node:read; log in again if yours has expired",
);
const NO_TOKEN: Option<&str> = Some("set NOMAD_TOKEN or --token-file to a token with node:read");
const UNAUTHORIZED: Option<&str> = Some(
    "set NOMAD_HTTP_AUTH if a proxy requires a user and password; set NOMAD_TOKEN or --token-file if Nomad requires a token",
);
const LIMIT: Option<&str> =
    Some("Nomad limits connections and requests per address: try again, or lower --concurrency");
const REDIRECT: Option<&str> =
    Some("Nomad's API never redirects: pass --address with the address of Nomad itself");

/// What the list says under `fault`.
#[track_caller]
fn list(fault: Fault, expected: (FailureKind, &str, Option<&str>)) {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, fault);
    check(nomad(&sim.address()).stubs(), &sim.address(), expected);
    assert_eq!(sim.ledger().len(), 1, "nothing is asked twice");
}

/// The list that `fault` leaves usable.
fn good(fault: Fault) -> Listing {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, fault);
    let listing = nomad(&sim.address()).stubs().unwrap();
    assert_eq!(listing.stubs.len(), 5);
    listing
}

/// What the list says when these bytes are the answer.
#[track_caller]
fn raw(bytes: &[u8], expected: (FailureKind, &str, Option<&str>)) {
    let server = WireServer::saying(bytes);
    check(nomad(&server.address()).stubs(), &server.address(), expected);
}

#[test]
fn refused_credentials() {
    let refused = "permission denied: token needs node:read ({at})";
    let what = "permission denied: no token was sent ({at})";
    for text in ["Permission denied", "<html>login</html>"] {
        list(Fault::status(403, text), (FailureKind::Denied, what, NO_TOKEN));
        list(Fault::status(401, text), (FailureKind::Unauthorized, refused, UNAUTHORIZED));
    }
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, Fault::status(403, "Permission denied"));
    let access = Access { token: Some(Secret::new("t")), ..access(&sim.address()) };
    check(open(access).stubs(), &sim.address(), (FailureKind::Denied, refused, DENIED));
    let brotli = [("Content-Encoding", "br")];
    list(Fault::answer(403, &brotli, "x"), (FailureKind::Denied, what, NO_TOKEN));
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::Nodes, Times::ALWAYS, Fault::status(403, "Permission denied"));
    check(
        nomad(&sim.address()).node(&node()),
        &sim.address(),
        (FailureKind::Denied, what, NO_TOKEN),
    );
}

#[test]
fn trouble_says_what_nomad_said() {
    list(
        Fault::status(500, "No cluster leader"),
        (
            FailureKind::Outage,
            "Nomad at {at} answered 500: No cluster leader",
            Some("try again when Nomad has elected a leader"),
        ),
    );
    list(
        Fault::status(503, "\n  upstream is away \nmore"),
        (FailureKind::Outage, "Nomad at {at} answered 503: upstream is away", None),
    );
    let body = Fault::answer(502, &[("Content-Type", "application/json")], r#"{"error":"bad"}"#);
    list(body, (FailureKind::Outage, r#"Nomad at {at} answered 502: {"error":"bad"}"#, None));
    list(Fault::status(504, ""), (FailureKind::Outage, "Nomad at {at} answered 504", None));
    list(
        Fault::too_many_requests(None),
        (FailureKind::Outage, "Nomad at {at} answered 429: too many requests", LIMIT),
    );
    list(
        Fault::status(400, "Invalid index"),
        (FailureKind::NotNomad, "Nomad at {at} answered 400: Invalid index", None),
    );
}

#[test]
fn what_nomad_said_is_short_and_harmless() {
    let hostile = format!("\u{1b}]52;c;x\u{7}\u{9b}2J\u{202e}{}", "é".repeat(1_000));
    let shown = format!("\\u{{1b}}]52;c;x\\u{{7}}\\u{{9b}}2J\\u{{202e}}{}", "é".repeat(166));
    assert_eq!(shown.chars().count(), 200);
    let what = format!("Nomad at {{at}} answered 500: {shown}");
    list(Fault::status(500, &hostile), (FailureKind::Outage, &what, None));
    // In a content type, where HTTP lets nothing else through: a long one.
    let long = "x".repeat(1_000);
    let what = format!("not a Nomad API answer (content-encoding {}) from {{at}}", &long[..183]);
    list(Fault::header("Content-Encoding", Some(&long)), (FailureKind::NotNomad, &what, ADDRESS));
}

#[test]
fn html_is_not_nomad_whatever_its_status() {
    let what = "not a Nomad API answer (text/html) from {at}";
    for status in [200, 400, 404, 500] {
        list(Fault::html(status), (FailureKind::NotNomad, what, ADDRESS));
    }
    let proxy = "a proxy got no answer from Nomad: check that Nomad is running, or set NOMAD_ADDR or pass --address";
    let page = "\n <!DOCTYPE html><title>502</title>";
    for fault in [Fault::html(502), Fault::html(503), Fault::status(504, page)] {
        list(fault, (FailureKind::NotNomad, what, Some(proxy)));
    }
    list(Fault::status(200, page), (FailureKind::NotNomad, what, ADDRESS));
}

#[test]
fn json_under_another_type_is_good_and_reported_once() {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::Everything, Times::ALWAYS, Fault::header("Content-Type", Some("text/html")));
    let (tell, remarks) = listening();
    let nomad = HttpNomad::open(access(&sim.address()), tell).unwrap();
    let listing = nomad.stubs().unwrap();
    assert!(nomad.node(&listing.stubs[0].id).unwrap().is_some());
    assert_eq!(
        heard(&remarks, Level::Verbose),
        ["the content type of the answer (list) is not JSON"]
    );
    good(Fault::header("Content-Type", None));
}

#[test]
fn cut_off_answers_say_where() {
    for (fault, length) in [(Fault::Cut(1_234), 1_234), (Fault::body("[{\"ID\":\"6f1c"), 12)] {
        let what = format!("answer cut off after {length} bytes (list, {{at}})");
        list(fault, (FailureKind::NotNomad, &what, None));
    }
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, Fault::framing(Framing::Lie(1_000_000)));
    let error = nomad(&sim.address()).stubs().unwrap_err();
    assert!(error.what.starts_with("answer cut off after 6"), "{error}");
    let lie = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[{\"ID\":";
    raw(lie, (FailureKind::NotNomad, "answer cut off after 7 bytes (list, {at})", None));
    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{\"ID\r\n5\r\nab";
    raw(chunk, (FailureKind::NotNomad, "answer cut off after 7 bytes (list, {at})", None));
    let empty = "not a Nomad API answer (empty) from {at}";
    list(Fault::body(""), (FailureKind::NotNomad, empty, ADDRESS));
}

#[test]
fn a_reset_in_the_middle_is_an_outage() {
    let what = "cannot reach Nomad at {at}: connection lost after 2000 bytes (list)";
    list(Fault::CutReset(2_000), (FailureKind::Outage, what, None));
}

#[test]
fn another_shape_is_named_by_its_path() {
    let shape = |body: &str, why: &str| {
        let what = format!("not a Nomad API answer (list, {{at}}): {why}");
        list(Fault::body(body), (FailureKind::NotNomad, &what, None));
    };
    shape("null", "invalid type: null, expected a sequence");
    shape("{}", "invalid type: map, expected a sequence");
    let stub = node_json();
    shape(&format!("[{stub},{stub}]"), &format!("[1].ID: {NODE} is listed twice"));
    let short = stub.replace(NODE, "6f1c36aa");
    shape(&format!("[{short}]"), "[0].ID: not a UUID");
    let odd = stub.replace("\"ModifyIndex\":9", "\"ModifyIndex\":\"9\"");
    shape(&format!("[{odd}]"), "[0].ModifyIndex: invalid type: string \"9\", expected u64");
    let sim = Sim::start(Fleet::recorded());
    let bytes = [b"[{\"ID\":\"", &b"\xff"[..], b"\"}]"].concat();
    sim.fault(Where::List, Times::ALWAYS, Fault::body(bytes));
    let error = nomad(&sim.address()).stubs().unwrap_err();
    assert_eq!(error.kind, FailureKind::NotNomad);
    assert!(error.what.contains("): [0].ID: invalid unicode code point"), "{error}");
}

#[test]
fn deep_nesting_is_refused() {
    let sim = Sim::start(Fleet::recorded());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    sim.fault(Where::List, Times::ALWAYS, Fault::body(deep));
    let error = nomad(&sim.address()).stubs().unwrap_err();
    assert_eq!(error.kind, FailureKind::NotNomad);
    assert!(error.what.contains("invalid type: sequence"), "{error}");
}

#[test]
fn unknown_encodings_are_refused() {
    for name in ["br", "deflate", "gzip, gzip", "zstd"] {
        let what = format!("not a Nomad API answer (content-encoding {name}) from {{at}}");
        let fault = Fault::header("Content-Encoding", Some(name));
        list(fault, (FailureKind::NotNomad, &what, ADDRESS));
    }
    let what = "not a Nomad API answer (broken gzip) from {at}";
    list(Fault::header("Content-Encoding", Some("gzip")), (FailureKind::NotNomad, what, ADDRESS));
    good(Fault::header("Content-Encoding", Some("identity")));
}

#[test]
fn redirects_are_refused_and_nothing_is_sent_on() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let other = elsewhere.local_addr().unwrap().to_string();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://user:secret@{other}/login?next=/v1/nodes#top");
        let what = format!("redirect to {other} refused ({{at}})");
        list(Fault::redirect(status, &location), (FailureKind::NotNomad, &what, REDIRECT));
    }
    for (location, host) in [
        ("https://login.example.com?a=b//c", "login.example.com"),
        ("//cdn.example.com/x", "cdn.example.com"),
    ] {
        let what = format!("redirect to {host} refused ({{at}})");
        list(Fault::redirect(302, location), (FailureKind::NotNomad, &what, REDIRECT));
    }
    assert!(elsewhere.accept().is_err(), "the other host was never asked");
    for location in ["/ui/", "ui?to=http://evil.example.com/"] {
        let sim = Sim::start(Fleet::recorded());
        sim.fault(Where::Everything, Times::ALWAYS, Fault::redirect(307, location));
        let host = sim.address().replace("http://", "");
        let what = format!("redirect to {host} refused ({{at}})");
        let nomad = nomad(&sim.address());
        check(nomad.stubs(), &sim.address(), (FailureKind::NotNomad, &what, REDIRECT));
        check(nomad.node(&node()), &sim.address(), (FailureKind::NotNomad, &what, REDIRECT));
        assert_eq!((sim.ledger().len(), nomad.calls()), (2, 2));
    }
}

#[test]
fn odd_indexes_make_an_answer_that_has_none() {
    for value in [None, Some("0"), Some("x"), Some("-1"), Some("18446744073709551616"), Some("")] {
        let listing = good(Fault::header("X-Nomad-Index", value));
        assert_eq!(listing.index, None, "{value:?}");
    }
    let listing = good(Fault::header("X-Nomad-Index", Some("18446744073709551615")));
    assert_eq!(listing.index, Some(u64::MAX));
}

#[test]
fn the_leader_is_known_unless_said_otherwise() {
    let known = |value| good(Fault::header("X-Nomad-Knownleader", value)).known_leader;
    assert_eq!([known(None), known(Some("true")), known(Some("false"))], [true, true, false]);
    let contact = |value| good(Fault::header("X-Nomad-Lastcontact", value)).last_contact_ms;
    assert_eq!([contact(None), contact(Some("9223372036854"))], [0, 9_223_372_036_854]);
}

#[test]
fn only_nomads_own_404_means_that_a_node_is_gone() {
    let sim = Sim::start(Fleet::recorded());
    assert!(nomad(&sim.address()).node(&node()).unwrap().is_none());
}

#[test]
fn a_404_of_another_kind_is_a_wrong_path() {
    let prefix = Some("check the path in NOMAD_ADDR; behind a proxy it may need a prefix");
    let what = "not a Nomad API answer (404, no such path) from {at}";
    let server = WireServer::saying(&answer("404 Not Found", "", ""));
    let at = server.address();
    check(nomad(&at).node(&node()), &at, (FailureKind::NotNomad, what, prefix));
    check(nomad(&at).stubs(), &at, (FailureKind::NotNomad, what, prefix));
    raw(&answer("404 Not Found", "", "node not found"), (FailureKind::NotNomad, what, prefix));
}

#[test]
fn a_detail_says_whose_it_is() {
    let other = NODE.replace("0a", "0b");
    let server = WireServer::saying(&json(&node_json().replace(NODE, &other)));
    let detail = nomad(&server.address()).node(&node()).unwrap().unwrap();
    assert_eq!(detail.id.as_str(), other, "who asked compares it");
}

#[test]
fn an_unknown_region_is_named() {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "rpc error: No path to region"));
    let nomad = open(Access { region: Some("mars".to_owned()), ..access(&sim.address()) });
    let what = "cannot reach region mars through Nomad at {at}: no path to region";
    let hint = Some("set NOMAD_REGION or --region to a region of this cluster");
    check(nomad.stubs(), &sim.address(), (FailureKind::Outage, what, hint));
    list(
        Fault::status(500, "No path to region"),
        (FailureKind::Outage, "Nomad at {at} answered 500: No path to region", None),
    );
}

#[test]
fn what_is_no_http_is_not_nomad() {
    let hint = Some("check that the address is that of the HTTP API, and whether it uses TLS");
    let what = "not a Nomad API answer from {at}: not HTTP";
    raw(b"-ERR unknown command 'GET'\r\n", (FailureKind::NotNomad, what, hint));
    let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: b\r\n".repeat(50_000)].concat();
    raw(&endless, (FailureKind::NotNomad, what, hint));
    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n[]\r\n";
    let what = "not a Nomad API answer (broken HTTP) from {at}";
    raw(chunk, (FailureKind::NotNomad, what, ADDRESS));
}
