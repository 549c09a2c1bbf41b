//! N22 to N25 and the rest of the wire: connections, ways to Nomad, and what a request carries.

use nomad_sim::{Fault, Fleet, Listen, Options, Request, Times, Where};

use super::{EVERYTHING, NOTHING, Room};
use crate::support::redis_server::free_port;
use crate::support::sandbox::{Sandbox, failure};

#[test]
fn n22_a_thousand_nodes_cost_1001_calls_on_16_connections() {
    let room = Room::of(Fleet::generated(1000));
    let stdout = room.sandbox.stdout("list -o name --concurrency 16");
    assert_eq!(stdout.lines().count(), 1000);
    assert_eq!(room.sim.ledger().len(), 1001);
    assert!(room.sim.connections() <= 16, "{}", room.sim.connections());
    assert!(room.sim.most_in_flight() <= 16, "{}", room.sim.most_in_flight());
    assert_eq!(room.cached(), EVERYTHING);
}

#[test]
fn n23_a_kept_connection_that_is_dead_costs_nothing() {
    let room = Room::new();
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::CloseIdle(1));
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked().len(), 6);
}

#[test]
fn n23_a_connection_that_ends_without_an_answer_is_tried_once_more() {
    for fault in [Fault::Reset, Fault::Close] {
        let room = Room::new();
        room.sim.fault(Where::List, Times::ONCE, fault.clone());
        room.succeeds("list --json", "", &EVERYTHING);
        assert_eq!(room.sim.asked().len(), 7);
        room.sim.fault(Where::List, Times::ALWAYS, fault);
        let stderr = "error: cannot reach Nomad at NOMAD: connection closed without an answer\nhint: set NOMAD_ADDR or pass --address\n";
        room.fails("list --json --refresh", 5, stderr);
        assert_eq!(room.sim.asked(), ["list", "list"]);
    }
}

#[test]
fn n24_a_unix_socket_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let listen = Some(Listen::Unix(folder.path().join("nomad")));
    let room = Room::of(Options { listen, ..Fleet::recorded().into() });
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked().len(), 6);
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked(), NOTHING);
}

#[test]
fn n24_a_path_prefix_is_kept_and_a_final_slash_is_not() {
    let prefix = "/proxy/nomad".to_owned();
    let room = Room::of(Options { prefix, ..Fleet::recorded().into() });
    room.succeeds("list --json", "", &EVERYTHING);
    let ledger = room.sim.ledger();
    assert_eq!(ledger[0].target, "/proxy/nomad/v1/nodes");
    assert!(ledger[1].target.starts_with("/proxy/nomad/v1/node/"), "{}", ledger[1].target);
    let slash = format!("{}/", room.sim.address());
    let room = room.at(&slash);
    room.sim.asked();
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked(), NOTHING, "the same place, so the same cache");
}

#[test]
fn n24_another_way_to_nomad_has_a_cache_of_its_own() {
    let room = Room::new();
    room.succeeds("list --json", "", &EVERYTHING);
    let room = room.with("NOMAD_REGION", "global");
    room.sim.asked();
    assert_eq!(room.sandbox.stdout("list -o name").lines().count(), 5);
    assert_eq!(room.sim.asked().len(), 6);
    let both = ["all", "all", "hash", "hash", "meta", "meta"];
    assert_eq!(room.cached(), both);
    let other = room.sim.address().replace("127.0.0.1", "localhost");
    let room = room.at(&other);
    assert_eq!(room.sandbox.stdout("list -o name").lines().count(), 5);
    assert_eq!(room.sim.asked().len(), 6);
}

#[test]
fn n24_ipv6_is_asked() {
    let listen = Some(Listen::Tcp("[::1]:0".to_owned()));
    let room = Room::of(Options { listen, ..Fleet::recorded().into() });
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked().len(), 6);
    let host = room.sim.address().replace("http://", "");
    assert_eq!(room.sim.ledger()[0].header("Host"), Some(host.as_str()));
}

#[test]
fn n24_a_proxy_of_the_environment_is_used_unless_exempted() {
    let room = Room::new();
    let proxy = room.sim.address();
    let address = "http://nomad.invalid:4646";
    let room = room.at(address).with("HTTP_PROXY", &proxy);
    room.succeeds("list --json", "", &EVERYTHING);
    assert!(room.sim.asked().contains(&"list".to_owned()));
    let room = room.with("NO_PROXY", "*");
    let name = format!("http://{}.invalid:4646", "x".repeat(64));
    let stderr = format!(
        "error: cannot reach Nomad at {name}: no such host\nhint: set NOMAD_ADDR or pass --address\n"
    );
    room.fails(&format!("list --address {name}"), 5, &stderr);
    assert_eq!(room.sim.asked(), NOTHING);
}

#[test]
fn n25_an_unknown_region_is_named() {
    let room = Room::new();
    let stderr = "error: cannot reach region mars through Nomad at NOMAD: no path to region\nhint: set NOMAD_REGION or --region to a region of this cluster\n";
    room.fails("list --region mars", 5, stderr);
    assert_eq!(room.sim.ledger()[0].target, "/v1/nodes?region=mars");
    assert_eq!(room.sim.asked(), ["list"]);
}

/// All requests of a cold list.
#[track_caller]
fn requests(room: &Room, args: &str) -> Vec<Request> {
    room.succeeds(&format!("list --json {args}"), "", &EVERYTHING);
    let ledger = room.sim.ledger();
    assert_eq!(ledger.len(), 6);
    ledger
}

#[test]
fn the_region_stands_in_every_query() {
    let room = Room::new();
    room.sim.cluster().regions = vec!["eu west/1".to_owned()];
    let room = room.with("NOMAD_REGION", "eu west/1");
    for request in requests(&room, "") {
        assert!(request.target.ends_with("?region=eu%20west%2F1"), "{}", request.target);
    }
}

#[test]
fn the_token_stands_in_a_header_of_every_request() {
    let token = "6f1c36aa-1111-4000-8000-000000000001";
    let room = Room::new().with("NOMAD_TOKEN", token);
    room.sim.cluster().tokens = Some([token.to_owned()].into());
    for request in requests(&room, "") {
        assert_eq!((request.token(), request.target.contains(token)), (Some(token), false));
    }
}

#[test]
fn http_auth_stands_in_a_header_of_every_request() {
    let room = Room::new().with("NOMAD_HTTP_AUTH", "ops:p@ss:w");
    for request in requests(&room, "") {
        assert_eq!(request.header("Authorization"), Some("Basic b3BzOnBAc3M6dw=="));
        assert_eq!(request.token(), None);
    }
}

/// What the list, and what each detail, offers to unpack.
#[track_caller]
fn encodings(args: &str, list: &str) {
    for request in requests(&Room::new(), args) {
        let expected = if request.what == "list" { list } else { "identity" };
        assert_eq!(request.header("Accept-Encoding"), Some(expected), "{}", request.what);
    }
}

#[test]
fn only_the_list_is_ever_compressed() {
    encodings("", "identity");
    encodings("--compress auto", "identity");
    encodings("--compress never", "identity");
    encodings("--compress always", "gzip");
}

/// Not Nomad's address is wrong then.
#[test]
fn n24_a_proxy_that_is_gone_is_named() {
    let proxy = format!("http://127.0.0.1:{}", free_port());
    let sandbox = Sandbox::local().nomad("http://192.0.2.1:4646").with("HTTP_PROXY", &proxy);
    let stderr = "error: cannot reach Nomad at http://192.0.2.1:4646: the proxy refused the connection\nhint: set NO_PROXY if Nomad needs no proxy\n";
    assert_eq!(sandbox.run("list"), failure(5, stderr));
}
