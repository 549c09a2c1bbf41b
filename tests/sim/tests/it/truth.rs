//! The live model says what real agents said, in their words and their headers.

use std::collections::BTreeMap;

use nomad_sim::{Exchange, Fleet, Folder, Node, Sim, fixtures};
use serde_json::Value;

use crate::client::{Reply, parse, raw};

fn ask(sim: &Sim, exchange: &Exchange) -> Reply {
    let asked = &exchange.request;
    let mut text = format!("{} {} HTTP/1.1\r\n", asked.method, asked.target);
    for (name, value) in &asked.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    parse(&raw(sim, &format!("{text}\r\n{}", asked.body)).unwrap())
}

/// The values of `Date` differ, its place does not. Where maps are compressed in another order,
/// the length differs too.
fn comparable(headers: &[(String, String)]) -> Vec<(String, String)> {
    let packed = headers.iter().any(|(name, _)| name == "Content-Encoding");
    let blank = |name: &str| name == "Date" || (packed && name == "Content-Length");
    let value = |(name, value): &(String, String)| {
        (name.clone(), if blank(name) { String::new() } else { value.clone() })
    };
    headers.iter().map(value).collect()
}

#[track_caller]
fn same(sim: &Sim, exchange: &Exchange) {
    let asked = format!("{} {}", exchange.request.method, exchange.request.target);
    let recorded = exchange.response.as_ref().unwrap();
    let Reply { status, headers, body } = ask(sim, exchange);
    assert_eq!(status, recorded.status, "{asked}: {}", String::from_utf8_lossy(&body));
    assert_eq!(comparable(&headers), comparable(&recorded.headers), "{asked}");
    let wanted = recorded.body();
    match (serde_json::from_slice::<Value>(&body), serde_json::from_slice::<Value>(&wanted)) {
        (Ok(body), Ok(wanted)) => assert_eq!(body, wanted, "{asked}"),
        _ if headers.iter().any(|(name, _)| name == "Content-Encoding") => {}
        _ => {
            assert_eq!(String::from_utf8_lossy(&body), String::from_utf8_lossy(&wanted), "{asked}");
        }
    }
    if asked.contains("pretty") {
        let lines = |text: &[u8]| text.split(|byte| *byte == b'\n').count();
        assert_eq!(lines(&body), lines(&wanted), "{asked}");
    }
}

/// Asks for everything that is recorded and simulated; gives how much that was.
fn all_same(sim: &Sim, folder: &Folder) -> usize {
    let simulated = |exchange: &&Exchange| {
        let target = &exchange.request.target;
        let skipped = ["filter=", "/v1/agent/self", "/v1/node/pool"];
        let stats_of_a_node = target.starts_with("/v1/client/stats")
            && exchange.response.as_ref().is_some_and(|said| said.status == 200);
        !skipped.iter().any(|part| target.contains(part)) && !stats_of_a_node
    };
    let exchanges: Vec<_> = folder.exchanges().iter().filter(simulated).collect();
    exchanges.iter().for_each(|exchange| same(sim, exchange));
    exchanges.len()
}

#[test]
fn five_nodes_are_shown_as_they_were() {
    for version in ["2.0.5", "1.9.7"] {
        let path = fixtures().join(version).join("04-five-nodes-ready");
        let sim = Sim::start(Fleet::from_folder(&path));
        let folder = Folder::read(&path).unwrap();
        if let Some(leader) =
            folder.exchanges().iter().find(|one| one.request.target == "/v1/status/leader")
        {
            let body = leader.response.as_ref().unwrap().body();
            sim.cluster().leader = serde_json::from_slice(&body).unwrap();
        }
        let count = all_same(&sim, &folder);
        assert!(count >= 18, "only {count} exchanges of {version} were compared");
    }
}

/// Three nodes of which only one detail is recorded: the others are put together from stubs.
fn fleet_of_errors(version: &str) -> Fleet {
    let folder = |name: &str| Folder::read(&fixtures().join(version).join(name)).unwrap();
    let mut details: BTreeMap<String, Value> = BTreeMap::new();
    for exchange in folder("42-errors-list").exchanges() {
        let target = exchange.request.target.as_str();
        let asked_for_more = target == "/v1/nodes?resources=1" || target == "/v1/nodes?os=true";
        if !asked_for_more {
            continue;
        }
        let body = exchange.response.as_ref().unwrap().body();
        for stub in serde_json::from_slice::<Vec<Value>>(&body).unwrap() {
            let detail = details.entry(stub["ID"].as_str().unwrap().to_owned()).or_default();
            for (key, value) in stub.as_object().unwrap() {
                detail[key] = value.clone();
            }
            detail["HTTPAddr"] = format!("{}:4646", stub["Address"].as_str().unwrap()).into();
            detail["Attributes"]["nomad.version"] = stub["Version"].clone();
        }
    }
    for detail in folder("41-errors-node").details() {
        details.insert(detail["ID"].as_str().unwrap().to_owned(), detail);
    }
    Fleet { nodes: details.into_values().map(Node::from_detail).collect() }
}

#[test]
fn every_wrong_way_to_ask_is_answered_alike() {
    for version in ["2.0.5", "1.9.7"] {
        let sim = Sim::start(fleet_of_errors(version));
        for (name, least) in [("41-errors-node", 24), ("42-errors-list", 46)] {
            let path = fixtures().join(version).join(name);
            let count = all_same(&sim, &Folder::read(&path).unwrap());
            assert!(count >= least, "only {count} exchanges of {version}/{name} were compared");
        }
    }
}

#[test]
fn compression_is_nomads() {
    let sim = Sim::start(fleet_of_errors("2.0.5"));
    let folder = Folder::read(&fixtures().join("2.0.5/45-encoding")).unwrap();
    assert!(all_same(&sim, &folder) >= 15);
}
