//! The routes and their answers, to the letter.

use nomad_sim::{Fault, Times, Where};
use serde_json::json;

use super::Room;
use crate::support::served::Response;

const DETAILS: [&str; 5] =
    ["node worker-1", "node worker-2", "node worker-3", "node worker-4", "node worker-5"];

/// What was asked, the details in the order of their names.
fn asked(room: &Room) -> Vec<String> {
    let mut asked = room.sim.asked();
    asked.sort();
    asked
}

/// `X-Cache`, `X-Nomad-Calls`, and the envelope without the nodes.
#[track_caller]
fn envelope(response: &Response) -> (String, String, serde_json::Value) {
    assert_eq!((response.status, response.header("content-type")), (200, "application/json"));
    let mut json = response.json();
    let clients = json["output"]["clients"].take();
    assert_eq!(clients.as_array().unwrap().len(), 5);
    (response.header("x-cache").to_owned(), response.header("x-nomad-calls").to_owned(), json)
}

fn counts(cached: bool, [new, changed, unchanged, gone]: [u32; 4]) -> serde_json::Value {
    let total = new + changed + unchanged;
    json!({"success": true, "cached": cached, "output": {"clients": null, "stats": {"total": total,
        "new": new, "changed": changed, "updated": changed, "cached": unchanged, "gone": gone}}})
}

#[test]
fn each_state_of_the_cache_in_its_envelope() {
    let room = Room::new();
    let get = |query: &str| room.served.get(&format!("/api/discover/clients{query}"));
    let expected = |cache: &str, calls: &str, counts| (cache.to_owned(), calls.to_owned(), counts);
    let cold = get("");
    assert_eq!(envelope(&cold), expected("MISS", "6", counts(false, [5, 0, 0, 0])));
    assert_eq!(asked(&room), [&["list"], &DETAILS[..]].concat());
    let hot = get("");
    assert_eq!(envelope(&hot), expected("HIT", "0", counts(true, [0, 0, 5, 0])));
    assert_eq!(hot.header("age"), "0");
    assert!(hot.header("server-timing").starts_with("cache;dur="));
    room.sim.cluster().set_eligible("worker-3", false);
    let stale = get("?refresh=true");
    assert_eq!(envelope(&stale), expected("STALE", "2", counts(false, [0, 1, 4, 0])));
    assert!(stale.header("server-timing").starts_with("nomad;dur="));
    assert_eq!(asked(&room), ["list", "node worker-3"]);
    let forced = room.served.ask("POST", "/api/discover/clients?force=true", &[], "");
    assert_eq!(envelope(&forced), expected("BYPASS", "6", counts(false, [5, 0, 0, 0])));
    assert_eq!(asked(&room), [&["list"], &DETAILS[..]].concat());
    let clients = |response: &Response| response.json()["output"]["clients"].clone();
    assert_eq!(clients(&forced), clients(&stale));
    assert_eq!(clients(&stale)[2]["eligibility"], "ineligible");
    room.served.ask("POST", "/api/cache/clear", &[], "");
    let refreshed = get("?refresh=true");
    assert_eq!(envelope(&refreshed), expected("MISS", "6", counts(false, [5, 0, 0, 0])));
}

#[test]
fn the_bytes_are_those_of_the_command_line() {
    let room = Room::new();
    let list = |args: &str| room.sandbox.stdout(&format!("list {args}"));
    for (path, args) in [
        ("/api/clients", "--json"),
        ("/api/clients?full=true", "--json --full"),
        ("/api/clients?status=ready,down&dc=dc2", "--json --status ready,down --dc dc2"),
        ("/api/clients?meta=rack%3Dr1&sort=-name", "--json --meta rack=r1 --sort -name"),
        (
            "/api/clients?attr=kernel.name%3Dlinux&limit=2",
            "--json --attr kernel.name=linux --limit 2",
        ),
        ("/api/clients?drain", "--json --drain"),
        ("/api/clients?columns=name,meta.rack", "--json -c name,meta.rack"),
        ("/api/clients?columns=%2Battr.kernel.name", "--json -c +attr.kernel.name"),
        (
            "/api/clients?nomad-version=%3C99&driver=exec",
            "--json --nomad-version <99 --driver exec",
        ),
        ("/api/clients?class=nowhere", "--json --class nowhere"),
    ] {
        let response = room.served.get(path);
        assert_eq!((response.status, response.text()), (200, list(args).as_str()), "{path}");
    }
    let show = room.sandbox.stdout("show worker-2 --json");
    let id = room.sim.cluster().id("worker-2");
    for node in ["worker-2", &id, &id[..8], "worker%2D2"] {
        let response = room.served.get(&format!("/api/clients/{node}"));
        assert_eq!((response.status, response.text()), (200, show.as_str()), "{node}");
    }
    assert_eq!(asked(&room).len(), 6, "one fetch served all");
}

#[test]
fn what_a_client_holds_is_not_sent_again() {
    let room = Room::new();
    for path in ["/api/clients", "/api/discover/clients", "/api/clients?status=ready"] {
        room.served.get(path);
        let first = room.served.get(path);
        let tag = first.header("etag").to_owned();
        assert!(tag.len() > 10, "{first:?}");
        let again = |tag: &str| room.served.ask("GET", path, &[("if-none-match", tag)], "");
        let same = again(&tag);
        assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, &*tag), "{path}");
        assert_eq!(same.header("x-cache"), "HIT");
        assert_eq!(again("\"other\"").status, 200);
        let zipped = room.served.ask("GET", path, &[("accept-encoding", "gzip")], "");
        assert_eq!(zipped.header("content-encoding"), "gzip");
        assert_eq!(zipped.header("etag"), format!("{}-gz\"", &tag[..tag.len() - 1]));
        let mut unzipped = String::new();
        let mut decoder = flate2::read::GzDecoder::new(&zipped.body[..]);
        std::io::Read::read_to_string(&mut decoder, &mut unzipped).unwrap();
        assert_eq!(unzipped, first.text(), "{path}");
        assert_eq!(again(zipped.header("etag")).status, 304);
    }
    let tag = room.served.get("/api/clients").header("etag").to_owned();
    room.sim.cluster().set_eligible("worker-3", false);
    room.sandbox.stdout("refresh");
    let changed = room.served.ask("GET", "/api/clients", &[("if-none-match", &tag)], "");
    assert_eq!(changed.status, 200);
}

#[test]
fn heads_and_options_and_what_is_not_there() {
    let room = Room::new();
    let whole = room.served.get("/api/clients");
    let head = room.served.ask("HEAD", "/api/clients", &[], "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-type", "etag", "content-length"] {
        assert_eq!(head.header(name), room.served.get("/api/clients").header(name), "{name}");
    }
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    let options = room.served.ask("OPTIONS", "/api/discover/clients", &[], "");
    assert_eq!((options.status, options.header("allow")), (204, "GET, POST, HEAD, OPTIONS"));
    let delete = room.served.ask("DELETE", "/api/cache/clear", &[], "");
    assert_eq!(delete.header("allow"), "POST, OPTIONS");
    assert_eq!(delete.problem(), (405, "this path accepts POST, OPTIONS".to_owned()));
    assert_eq!(room.served.get("/api/cache/clear").status, 405, "a GET clears nothing");
    let problem = |path: &str| room.served.get(path).problem();
    assert_eq!(problem("/api"), (404, "there is nothing at this path".to_owned()));
    assert_eq!(problem("/api/clients/nobody"), (404, "no node named \"nobody\"".to_owned()));
    let (status, words) = problem("/api/clients/worker-*");
    assert!(
        status == 409 && words.starts_with("\"worker-*\" names 5 nodes: worker-1 ("),
        "{words}"
    );
    let why = "unknown parameter \"stauts\"; did you mean \"status\"?";
    assert_eq!(problem("/api/clients?stauts=ready"), (400, why.to_owned()));
    for (path, accept) in [
        ("/api/clients", "text/html"),
        ("/api/cache/stats", "application/xml"),
        ("/api/events", "application/json"),
        ("/", "application/json"),
    ] {
        let response = room.served.ask("GET", path, &[("accept", accept)], "");
        assert_eq!(response.problem().0, 406, "{path}");
    }
}

#[test]
fn a_clear_as_older_pages_ask_for_it() {
    let room = Room::new();
    for body in ["", "{\"pattern\":\"nomad:*\"}", "no JSON at all"] {
        room.served.get("/api/clients");
        let headers = [("content-type", "application/json")];
        let cleared = room.served.ask("POST", "/api/cache/clear", &headers, body);
        let places = json!([room.redis.url(), room.sandbox.cache().display().to_string()]);
        assert_eq!(cleared.status, 200);
        assert_eq!(cleared.json(), json!({"success": true, "cleared": places}));
        assert_eq!(room.redis.bytes(&["GET", "nomad:clients:all"]), None);
        assert_eq!(room.served.get("/api/clients").header("x-cache"), "MISS");
    }
}

#[test]
fn requests_are_counted_as_runs_are() {
    let room = Room::new();
    for _ in 0..4 {
        room.served.get("/api/discover/clients");
    }
    let stats = room.served.get("/api/cache/stats").json();
    let hour = &stats["last_hour"];
    assert_eq!(
        [&stats["success"], &stats["state"], &hour["hits"], &hour["misses"], &hour["nomad_calls"]],
        [&json!(true), &json!("hot"), &json!(3), &json!(1), &json!(6)]
    );
    let printed: serde_json::Value =
        serde_json::from_str(&room.sandbox.stdout("cache stats --json")).unwrap();
    assert_eq!(printed["last_hour"]["hits"], 3);
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&stats), [&keys(&printed)[..], &["success".to_owned()]].concat());
    assert!(room.served.get("/api/cache/stats").text().starts_with("{\"success\":true,\"cache\":"));
}

#[test]
fn alive_and_ready() {
    let mut room = Room::new();
    let said = |path: &str| {
        let response = room.served.get(path);
        (response.status, response.text().to_owned())
    };
    assert_eq!(said("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(said("/readyz"), (200, "ready\n".to_owned()));
    room.redis.kill();
    let sandbox =
        crate::support::sandbox::Sandbox::redis(&room.redis.url()).nomad(&room.sim.address());
    let served = crate::support::served::Served::start(&sandbox, "--no-follow");
    let ready = served.get("/readyz");
    assert_eq!((ready.status, ready.text()), (200, "ready\ndegraded: cache: connection refused\n"));
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.get("/api/clients").status, 200, "the files of this machine serve");
}

#[test]
fn ready_as_long_as_there_is_a_nomad_or_a_list() {
    let room = Room::new();
    assert_eq!(room.served.get("/readyz").status, 200, "nothing is cached yet");
    room.served.get("/api/clients");
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "No cluster leader"));
    let ready = room.served.until("/readyz", |ready| ready.text() != "ready\n");
    let text = ready.text().to_owned();
    assert_eq!(ready.status, 200);
    assert!(text.starts_with("ready\ndegraded: nomad: "), "{text}");
    assert!(text.contains("No cluster leader") && text.lines().count() == 2, "{text}");
    assert_eq!(room.served.ask("POST", "/api/cache/clear", &[], "").status, 200);
    let (status, why) = room.served.until("/readyz", |ready| ready.text() != text).problem();
    assert_eq!(status, 503, "{why}");
    assert!(why.starts_with("not ready: "), "{why}");
    assert!(why.ends_with("; no list within its TTL is cached"), "{why}");
    room.sim.heal();
    room.served.until("/readyz", |ready| ready.text() == "ready\n");
}
