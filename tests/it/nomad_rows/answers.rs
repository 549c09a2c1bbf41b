//! N4 to N7: Nomad, or something in front of it, answers with an error or a page.

use std::time::Duration;

use nomad_sim::{Fault, Times, Where};

use super::{EVERYTHING, NOTHING, Room};

const DENIED: &str = "error: permission denied: token needs node:read (NOMAD)\nhint: set NOMAD_TOKEN or --token-file to a valid token with node:read; log in again if yours has expired\n";
const NO_TOKEN: &str = "error: permission denied: no token was sent (NOMAD)\nhint: set NOMAD_TOKEN or --token-file to a token with node:read\n";
const ADDRESS: &str = "hint: set NOMAD_ADDR or pass --address\n";
const LIMITS: &str =
    "hint: Nomad limits connections and requests per address: try again, or lower --concurrency\n";

/// The list is answered so; it is asked for once, and the run fails with these words.
#[track_caller]
fn fails(fault: Fault, code: i32, stderr: &str) {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, fault);
    room.fails("list --json", code, stderr);
    assert_eq!(room.sim.asked(), ["list"]);
    assert_eq!(room.cached(), NOTHING);
}

#[test]
fn n04_a_missing_token_is_named() {
    fails(Fault::status(403, "Permission denied"), 4, NO_TOKEN);
    let who = "error: permission denied: token needs node:read (NOMAD)\nhint: set NOMAD_HTTP_AUTH if a proxy requires a user and password; set NOMAD_TOKEN or --token-file if Nomad requires a token\n";
    fails(Fault::status(401, "ACL token not found"), 4, who);
}

#[test]
fn n04_a_token_without_node_read_gets_nothing() {
    let room = Room::new().with("NOMAD_TOKEN", "6f1c36aa-1111-4000-8000-000000000001");
    room.sim.cluster().tokens = Some(["another".to_owned()].into());
    room.fails("list --json", 4, DENIED);
    assert_eq!(room.sim.asked(), ["list"]);
}

#[test]
fn n04_an_expired_cache_does_not_help_a_refused_token() {
    for args in ["list --json --ttl 0s", "list --json --refresh", "refresh", "list --force"] {
        let room = Room::new().with("NOMAD_TOKEN", "6f1c36aa-1111-4000-8000-000000000001");
        room.succeeds("list --json", "", &EVERYTHING);
        room.sim.fault(Where::List, Times::ALWAYS, Fault::status(403, "Permission denied"));
        room.succeeds("list --json", "", &EVERYTHING);
        room.sim.asked();
        let said = room.run(args);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str(), said.code), ("", DENIED, 4));
        assert_eq!(room.sim.asked(), ["list"], "{args}");
        // From the next run on it sees nothing, fresh as it may be.
        assert_eq!(room.cached(), NOTHING, "{args}");
        room.fails("list --json", 4, DENIED);
    }
}

#[test]
fn n04_a_token_that_is_refused_a_detail_ends_the_run() {
    let room = Room::new();
    room.sim.fault(Where::node("worker-3"), Times::ALWAYS, Fault::status(403, "Permission denied"));
    room.fails("list --json --concurrency 1", 4, NO_TOKEN);
    let asked = room.sim.asked();
    assert!(asked.contains(&"node worker-3".to_owned()) && asked.len() <= 6, "{asked:?}");
    assert_eq!(room.cached(), NOTHING);
}

#[test]
fn n05_a_retry_after_that_fits_is_honoured() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ONCE, Fault::too_many_requests(Some("1")));
    room.succeeds("list --json", "", &EVERYTHING);
    let ledger = room.sim.ledger();
    assert_eq!(ledger.len(), 7);
    assert!(ledger[1].at - ledger[0].at >= Duration::from_secs(1), "not before it may");
}

#[test]
fn n05_a_second_429_is_the_end() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::too_many_requests(Some("0")));
    let stderr = format!("error: Nomad at NOMAD answered 429: too many requests\n{LIMITS}");
    room.fails("list", 5, &stderr);
    assert_eq!(room.sim.asked(), ["list", "list"]);
}

#[test]
fn n05_a_retry_after_beyond_the_time_left_is_not_waited_for() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::too_many_requests(Some("60")));
    let stderr = format!("error: Nomad at NOMAD answered 429: too many requests\n{LIMITS}");
    room.fails("list --timeout 5s", 5, &stderr);
    assert_eq!(room.sim.asked(), ["list"]);
    assert!(room.sim.ledger()[0].at < Duration::from_secs(5));
}

#[test]
fn n05_without_a_retry_after_nothing_is_repeated() {
    let stderr = format!("error: Nomad at NOMAD answered 429: too many requests\n{LIMITS}");
    fails(Fault::too_many_requests(None), 5, &stderr);
}

#[test]
fn n05_a_refused_connection_of_many_is_reported_in_nomads_words() {
    let room = Room::new();
    room.sim.limit_connections(Some(0));
    let stderr = format!(
        "error: Nomad at NOMAD answered 429: Your IP is issuing too many concurrent connections, please rate limit your calls\n{LIMITS}"
    );
    room.fails("list", 5, &stderr);
    assert_eq!(room.sim.connections(), 1);
}

#[test]
fn n06_no_leader_is_reported_in_nomads_words() {
    let room = Room::new();
    room.sim.cluster().leaderless = true;
    room.fails("list", 5, "error: Nomad at NOMAD answered 500: No cluster leader\nhint: try again when Nomad has elected a leader\n");
    assert_eq!(room.sim.asked(), ["list"]);
}

#[test]
fn n06_every_5xx_is_an_outage() {
    for status in [500, 502, 503, 504] {
        let stderr = format!("error: Nomad at NOMAD answered {status}: rpc error: EOF\n");
        fails(Fault::status(status, "\nrpc error: EOF\nsecond line\n"), 5, &stderr);
    }
    let json = Fault::answer(
        503,
        &[("Content-Type", "application/json")],
        "{\"message\":\"no healthy upstream\"}",
    );
    let stderr = "error: Nomad at NOMAD answered 503: {\"message\":\"no healthy upstream\"}\n";
    fails(json, 5, stderr);
    fails(Fault::status(502, ""), 5, "error: Nomad at NOMAD answered 502\n");
}

/// S19: what a server says can't steer the terminal, forge lines or fill the screen.
#[test]
fn n06_an_error_body_is_short_and_harmless() {
    let body = "\u{1b}[2J\u{1b}]0;owned\u{7}a\rb\u{9b}31m\u{202e}c\u{200b}";
    let stderr = "error: Nomad at NOMAD answered 500: \\u{1b}[2J\\u{1b}]0;owned\\u{7}a\\u{d}b\\u{9b}31m\\u{202e}c\\u{200b}\n";
    fails(Fault::status(500, body), 5, stderr);
    let stderr = format!("error: Nomad at NOMAD answered 500: {}\n", "é".repeat(200));
    fails(Fault::status(500, &"é".repeat(100_000)), 5, &stderr);
    let bytes =
        Fault::answer(500, &[("Content-Type", "text/plain")], [0xff, b'x', 0xfe].as_slice());
    fails(bytes, 5, "error: Nomad at NOMAD answered 500: \u{fffd}x\u{fffd}\n");
}

#[test]
fn n06_an_error_that_packs_a_bomb_is_read_in_part() {
    let room = Room::new();
    let status = Fault::change(|answer| answer.status = 500);
    room.sim.fault(Where::List, Times::ALWAYS, Fault::bomb(200));
    room.sim.fault(Where::List, Times::ALWAYS, status);
    room.fails("list", 5, "error: Nomad at NOMAD answered 500: [\n");
}

#[test]
fn n07_an_html_page_is_no_answer() {
    let stderr = format!("error: not a Nomad API answer (text/html) from NOMAD\n{ADDRESS}");
    for status in [200, 404, 500] {
        fails(Fault::html(status), 6, &stderr);
    }
    let stderr = "error: not a Nomad API answer (text/html) from NOMAD\nhint: a proxy got no answer from Nomad: check that Nomad is running, or set NOMAD_ADDR or pass --address\n";
    for status in [502, 503, 504] {
        fails(Fault::html(status), 6, stderr);
    }
}

/// As nginx says it.
#[test]
fn n07_a_page_that_says_what_it_misses() {
    for (text, hint) in [
        (
            "<title>400 No required SSL certificate was sent</title>",
            "pass --client-cert and --client-key: the proxy requires a client certificate",
        ),
        (
            "<center>The plain HTTP request was sent to HTTPS port</center>",
            "use https:// in the address",
        ),
    ] {
        let html = [("Content-Type", "text/html")];
        let stderr =
            format!("error: not a Nomad API answer (text/html) from NOMAD\nhint: {hint}\n");
        fails(Fault::answer(400, &html, text), 6, &stderr);
    }
}

#[test]
fn n07_a_login_page_without_a_type_is_no_answer() {
    let stderr = format!("error: not a Nomad API answer (text/html) from NOMAD\n{ADDRESS}");
    fails(Fault::answer(200, &[], "\n <!doctype html><form>password</form>"), 6, &stderr);
}

#[test]
fn n07_a_path_that_is_not_there_is_no_answer() {
    let stderr = "error: not a Nomad API answer (404, no such path) from NOMAD\nhint: check the path in NOMAD_ADDR; behind a proxy it may need a prefix\n";
    fails(Fault::status(404, "404 page not found"), 6, stderr);
}
