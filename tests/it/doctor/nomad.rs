//! The way to Nomad, broken at each link.

use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Listen, Options, Refusing, Silent, Sim, Times, Where};

use crate::support::fake_redis::FakeRedis;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use crate::support::tls_front;

use super::{GOOD, Room};

const ASKED: &str = "skipped cache/last hour: no requests";
pub(super) const FROM_REACHED: &str =
    "skipped nomad/tls answer leader token permission version latency: needs reached";

#[test]
fn nobody_listens() {
    let refusing = Refusing::start();
    let room = Room::new().at(&refusing.address());
    let problem = format!(
        "problem nomad/reached: cannot reach Nomad at {}: connection refused → set NOMAD_ADDR or pass --address",
        refusing.address()
    );
    room.finds("", 1, &[&problem, FROM_REACHED, ASKED]);
}

#[test]
fn the_name_has_no_address() {
    // No label may be that long, so nobody is asked for it.
    let address = format!("http://{}.invalid:4646", "x".repeat(64));
    let problem = format!(
        "problem nomad/address: cannot reach Nomad at {address}: no such host → set NOMAD_ADDR or pass --address"
    );
    let skipped =
        "skipped nomad/reached tls answer leader token permission version latency: needs address";
    Room::new().at(&address).finds("", 1, &[&problem, skipped, ASKED]);
}

#[test]
fn silence_ends_with_the_time_and_redis_is_checked_meanwhile() {
    let silent = Silent::start();
    let room = Room::new().at(&silent.address());
    let began = Instant::now();
    let said = room.run("doctor --json --timeout 2s");
    assert!(began.elapsed() < Duration::from_secs(4));
    let found = super::troubles(&said.stdout);
    let start = format!(
        "problem nomad/reached: cannot reach Nomad at {}: timed out after ",
        silent.address()
    );
    let end = " (connect) → pass a longer --timeout";
    let seconds = found[0].strip_prefix(&start).and_then(|rest| rest.strip_suffix(end));
    assert!(seconds.is_some_and(|seconds| seconds.len() <= 4), "{found:?}");
    assert_eq!((&found[1..], said.code), (&[FROM_REACHED.to_owned(), ASKED.to_owned()][..], 1));
}

/// A Nomad behind TLS with this certificate.
#[track_caller]
fn tls(cert: &str, args: &str, problem: &str) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nomad");
    let listen = Some(Listen::Unix(socket.clone()));
    let sim = Sim::start(Options { listen, ..Fleet::recorded().into() });
    let address = format!("https://127.0.0.1:{}", tls_front::start(socket, cert, false));
    let redis = RedisServer::start_with(&GOOD);
    let sandbox = Sandbox::redis(&redis.url()).nomad(&address);
    let room = Room { sim, redis, sandbox };
    let problem = problem.replace(" NOMAD:", &format!(" {address}:"));
    let skipped = "skipped nomad/answer leader token permission version latency: needs tls";
    match problem.as_str() {
        "" => room.finds(args, 0, &[ASKED]),
        warning if warning.starts_with("warning") => room.finds(args, 0, &[warning, ASKED]),
        _ => room.finds(args, 1, &[&problem, skipped, ASKED]),
    }
}

#[test]
fn certificates_are_named_as_what_they_are() {
    let ca = format!("--ca-cert {}", crate::support::pki::file("ca.pem").display());
    tls("server.pem", &ca, "");
    tls(
        "server.pem",
        "",
        "problem nomad/tls: cannot reach Nomad at NOMAD: TLS: the certificate is signed by an unknown authority → pass --ca-cert or set NOMAD_CACERT",
    );
    tls(
        "expired.pem",
        &ca,
        "problem nomad/tls: cannot reach Nomad at NOMAD: TLS: the certificate has expired → renew the certificate of Nomad, or set the clock of this machine",
    );
    tls(
        "server.pem",
        "--tls-skip-verify",
        "warning nomad/tls: encrypted, but anybody can pretend to be Nomad: its certificate is not verified → unset NOMAD_SKIP_VERIFY and --tls-skip-verify, and name its authority with --ca-cert",
    );
}

/// No certificate is praised that nobody has shown.
#[test]
fn a_handshake_that_never_was() {
    // Time enough that only the handshake's own limit can end it.
    let args = "--timeout 5m";
    let check = |host: &str, why: &str| {
        let address = format!("https://{host}");
        let problem = format!(
            "problem nomad/tls: cannot reach Nomad at {address}: {why} → use http:// in the address if Nomad has no TLS"
        );
        let skipped = "skipped nomad/answer leader token permission version latency: needs tls";
        Room::new().at(&address).finds(args, 1, &[&problem, skipped, ASKED]);
    };
    let silent = FakeRedis::silent().url().replace("redis://", "https://");
    // Where the time is over before the greeting, nothing was learnt of that.
    let hurried = || Room::new().at(&silent).run("doctor --json --timeout 950ms").stdout;
    let greeted = |said: &String| said.contains("(TLS handshake)");
    let said = std::iter::repeat_with(hurried).take(40).find(greeted).expect("it was greeted");
    let advice = " (TLS handshake) → pass a longer --timeout, or use http:// in the address if Nomad has no TLS";
    assert!(super::troubles(&said)[0].ends_with(advice), "{said}");
    let host = |fake: &FakeRedis| fake.url().replace("redis://", "");
    check(&host(&FakeRedis::silent()), "timed out after 3s (TLS handshake)");
    check(&host(&FakeRedis::cut_off(b"")), "connection closed without an answer");
    check(&host(&FakeRedis::saying(b"-ERR unknown command\r\n")), "TLS: the answer is not TLS");
    let sim = Sim::start(Fleet::recorded());
    check(&sim.address().replace("http://", ""), "TLS: the answer is not TLS");
}

/// Through a proxy nobody can tell whose silence it is.
#[test]
fn no_handshake_through_a_proxy_that_is_not_there() {
    let refusing = Refusing::start();
    let room = Room::new().at("https://nomad.example.com:4646");
    let room = Room { sandbox: room.sandbox.with("HTTPS_PROXY", &refusing.address()), ..room };
    let way = "skipped nomad/reached: the proxy connects: see answer";
    let tls = "skipped nomad/tls: not tried: see answer";
    let problem = "problem nomad/answer: cannot reach Nomad at https://nomad.example.com:4646: the proxy refused the connection → set NO_PROXY if Nomad needs no proxy";
    let skipped = "skipped nomad/leader token permission version latency: needs answer";
    room.finds("", 1, &[way, tls, problem, skipped, ASKED]);
}

/// As behind a proxy that drops what it does not know.
#[test]
fn an_answer_without_its_index() {
    for index in [None, Some("soon")] {
        let room = Room::new();
        room.sim.fault(Where::List, Times::ALWAYS, Fault::header("X-Nomad-Index", index));
        let warning = "warning nomad/index: the answer has no usable X-Nomad-Index: nothing is ever cached → let the proxy before Nomad pass the X-Nomad-* headers unchanged";
        room.finds("", 0, &[warning, ASKED]);
    }
}

#[test]
fn a_certificate_file_that_is_missing() {
    let room = Room::new().at("https://127.0.0.1:1");
    let skipped = "skipped nomad/address reached tls answer leader token permission version latency: needs settings";
    room.finds(
        "--ca-cert none.pem",
        1,
        &["problem nomad/settings: cannot read none.pem: no such file or directory → correct that setting", skipped, ASKED],
    );
}

#[test]
fn something_else_answers() {
    let room = Room::new();
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::html(200));
    let problem = "problem nomad/answer: not a Nomad API answer (text/html) from NOMAD → set NOMAD_ADDR or pass --address";
    let skipped = "skipped nomad/leader token permission version latency: needs answer";
    room.finds("", 1, &[problem, skipped, ASKED]);
}

#[test]
fn an_error_of_others_is_harmless_text() {
    let room = Room::new();
    let text = "boom \u{1b}[31mred \u{202e}";
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, text));
    let said = room.run("doctor");
    assert_eq!(said.code, 1);
    let line = "  problem  answer       Nomad at NOMAD answered 500: boom \\u{1b}[31mred \\u{202e}\n                        → check the Nomad agent there, then try again\n";
    assert!(said.stdout.contains(line), "{}", said.stdout);
}

#[test]
fn no_leader_and_still_the_token_is_checked() {
    let room = Room::new();
    room.sim.cluster().leaderless = true;
    let problem = "problem nomad/leader: the servers have no leader: nothing can be listed → restore a majority of the servers (nomad server members), then try again";
    room.finds("", 1, &[problem, ASKED]);
}

/// The list needs node:read, and nobody got so far.
#[test]
fn a_list_that_fails_says_nothing_of_the_token() {
    let problem = "problem nomad/permission: Nomad at NOMAD answered 500: boom → check the Nomad agent there, then try again";
    let found = |given: &str| format!("skipped nomad/token: {given}; needs permission");
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::status(500, "boom"));
    room.finds("", 1, &[&found("none given"), problem, NO_LATENCY, ASKED]);
    let room = with_token(room);
    room.finds("", 1, &[&found("given"), problem, NO_LATENCY, ASKED]);
}

/// Silence after the question, not on the way there.
#[test]
fn the_time_of_a_step_is_rounded() {
    let room = Room::new();
    let leader = Where::Target("/v1/status/leader".to_owned());
    room.sim.fault(leader, Times::ALWAYS, Fault::Delay(Duration::from_secs(60)));
    let said = room.run("doctor --json --timeout 2s");
    let found = super::troubles(&said.stdout);
    let start = "problem nomad/answer: cannot reach Nomad at NOMAD: timed out after ";
    let end = " (leader) → pass a longer --timeout";
    let limit = found[0].strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    assert!(limit.is_some_and(|limit| limit.len() <= 5), "{found:?}");
}

/// What docs/doctor.md says of it.
#[test]
fn a_few_small_questions_are_all_that_nomad_is_asked() {
    let room = Room::new();
    room.sandbox.stdout("doctor");
    assert_eq!(
        room.sim.asked(),
        [
            "GET /v1/status/leader",
            "GET /v1/agent/self",
            "GET /v1/nodes?per_page=1",
            "GET /v1/nodes?per_page=1",
            "GET /v1/nodes?per_page=1"
        ]
    );
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.md"));
    let words = guide.unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let told = "five small questions: for the leader, for itself, and three times for the first node of the list, never for details";
    assert!(words.contains(told));
}

const DENIED: &str = "problem nomad/permission: may not read nodes (node:read) → let the token's policy contain: node { policy = \"read\" }";
const HIDDEN: &str =
    "skipped nomad/version: unknown: the token has no agent:read, which nothing else needs";
const NO_LATENCY: &str = "skipped nomad/latency: needs permission";

#[test]
fn no_token_where_one_is_needed() {
    let room = Room::new();
    room.sim.cluster().tokens = Some(vec!["right".to_owned()].into_iter().collect());
    let problem =
        "problem nomad/token: none given, and Nomad requires one → set NOMAD_TOKEN or --token-file";
    room.finds("", 1, &[problem, DENIED, HIDDEN, NO_LATENCY, ASKED]);
}

fn with_token(room: Room) -> Room {
    Room { sandbox: room.sandbox.with("NOMAD_TOKEN", "canary"), ..room }
}

#[test]
fn a_token_that_may_not() {
    let room = with_token(Room::new());
    room.sim.cluster().tokens = Some(vec!["right".to_owned()].into_iter().collect());
    let warning = "warning nomad/token: given; Nomad does not say whether it is valid → nomad acl token self says what it is";
    room.finds("", 1, &[warning, DENIED, HIDDEN, NO_LATENCY, ASKED]);
    assert!(!room.run("doctor -vv").stdout.contains("canary"));
}

#[test]
fn a_token_that_has_expired() {
    let room = with_token(Room::new());
    room.sim.cluster().tokens = Some(vec!["right".to_owned()].into_iter().collect());
    let said = "ACL token not found or invalid workload identity: ACL token expired";
    room.sim.fault(
        Where::Target("/v1/agent/self".to_owned()),
        Times::ALWAYS,
        Fault::status(500, said),
    );
    let problem = "problem nomad/token: unknown to Nomad, or expired → log in again, and set NOMAD_TOKEN or --token-file";
    room.finds("", 1, &[problem, DENIED, HIDDEN, NO_LATENCY, ASKED]);
}

#[test]
fn a_nomad_that_is_slow_or_lags() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::Delay(Duration::from_millis(550)));
    room.sim.fault(Where::List, Times::ALWAYS, Fault::header("X-Nomad-Lastcontact", Some("7000")));
    let slow = "warning nomad/latency: a list of one node takes TIME → use a closer server, or run nomad-clients serve to keep the cache fresh for all";
    let lags = "warning nomad/contact: the server that answered has not heard from the leader for TIME → its answers may be old: ask another server, or wait";
    room.finds("", 0, &[slow, lags, ASKED]);
}

#[test]
fn an_old_nomad() {
    let room = Room::new();
    let body = r#"{"config":{"Version":{"Version":"1.5.9"}}}"#;
    room.sim.fault(Where::Target("/v1/agent/self".to_owned()), Times::ALWAYS, Fault::body(body));
    let warning = "warning nomad/version: Nomad 1.5.9, older than 1.6.0: it has no node pools → upgrade Nomad";
    room.finds("", 0, &[warning, ASKED]);
}

#[test]
fn a_clock_that_is_off() {
    let room = Room::new();
    let date = Fault::header("Date", Some("Mon, 23 Nov 2020 10:00:00 GMT"));
    room.sim.fault(Where::List, Times::ALWAYS, date);
    let warning = "warning clock/nomad: this machine's clock is TIME ahead of Nomad's → set the clock (NTP): certificates, tokens and the minutes of the statistics go by it; the age of what is cached does not";
    room.finds("", 0, &[ASKED, warning]);
}

#[test]
fn through_a_proxy_the_answer_shows_what_is_broken() {
    let refusing = Refusing::start();
    let room = Room::new().at("http://nomad.example.com:4646");
    let room = Room { sandbox: room.sandbox.with("HTTP_PROXY", &refusing.address()), ..room };
    let problem = "problem nomad/answer: cannot reach Nomad at http://nomad.example.com:4646: the proxy refused the connection → set NO_PROXY if Nomad needs no proxy";
    let way = "skipped nomad/reached: the proxy connects: see answer";
    let skipped = "skipped nomad/leader token permission version latency: needs answer";
    room.finds("", 1, &[way, problem, skipped, ASKED]);
}
