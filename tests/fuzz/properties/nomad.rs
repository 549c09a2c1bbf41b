//! What holds of Nomad's answers and of its address, whatever the bytes. Tests and fuzzers ask it.

use crate::model::node::{Detail, Facts, Full, Stub};
use crate::model::properties::assert_harmless;
use crate::model::rows::{self, NodeRow, Rows};
use crate::model::secret::Secret;
use crate::model::snapshot::Snapshot;

use super::address::Address;
use super::wire;

/// The answer of `GET /v1/nodes`: what is accepted is cached and read back as it was.
pub fn list_json(bytes: &[u8]) {
    let stubs = match wire::stubs(bytes) {
        Ok(stubs) => stubs,
        Err(why) => return assert_harmless(&why),
    };
    let nodes: Vec<Full> = stubs.iter().map(|stub| Full::new(stub, None)).collect();
    nodes.iter().for_each(assert_survives);
    let all = Rows::of(nodes).all;
    let records = Snapshot::records(&all).expect("what is written can be read");
    assert_eq!(records.len(), stubs.len());
    assert!(!String::from_utf8(all).expect("JSON is UTF-8").chars().any(char::is_control));
}

/// The answer of `GET /v1/node/:id`, under a stub that is of the same node.
pub fn node_json(bytes: &[u8]) {
    let Detail { id, modify_index, facts } = match wire::detail(bytes) {
        Ok(detail) => detail,
        Err(why) => return assert_harmless(&why),
    };
    let list = format!(
        r#"[{{"ID":"{}","Name":"n","Status":"ready","CreateIndex":7,"ModifyIndex":{modify_index}}}]"#,
        id.as_str()
    );
    let stub = wire::stubs(list.as_bytes()).expect("it is a list").remove(0);
    assert_keeps(&stub, facts);
}

fn assert_keeps(stub: &Stub, facts: Facts) {
    let full = Full::new(stub, Some(facts.clone()));
    assert_survives(&full);
    let (json, end) = full.to_json();
    assert_eq!(full.json(false), [&json[..end], b"}"].concat(), "the record is its beginning");
    assert_eq!(full.clone().facts(), Some(facts), "the detail is in the record");
    assert_eq!(rows::record_of(&json), full.json(false), "also without reading it");
    let made = Rows::of(vec![full]);
    let records = rows::split(&made.all).expect("they are records");
    let reused = NodeRow::reused(records[0].1, stub).expect("nothing has changed");
    assert_eq!(Rows::ordered(vec![reused]).all, made.all, "what is reused is what would be made");
}

fn assert_survives(full: &Full) {
    let (json, end) = full.to_json();
    let read = Full::from_json(&json).expect("what is written can be read");
    assert_eq!(read, *full);
    assert_eq!(read.to_json(), (json, end));
}

/// `NOMAD_ADDR`: what is shown of it does not depend on its password.
pub fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let address = match Address::parse(&text) {
        Ok(address) => address,
        Err(why) => return assert_harmless(&why),
    };
    let shown = address.to_string();
    assert_harmless(&shown);
    let Some((user, _)) = &address.basic else { return assert_returns(&address) };
    let (scheme, rest) = text.trim().split_once("://").expect("it was accepted");
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').expect("it has a user").1;
    let plain = Address::parse(&format!("{scheme}://{host}{path}")).expect("it is an address");
    assert_eq!(plain.to_string(), shown);
    let basic = Some((user.clone(), Secret::new("another")));
    assert_eq!(format!("{:?}", Address { basic, ..address.clone() }), format!("{address:?}"));
    assert_returns(&plain);
}

/// What is shown can be typed again, unless it was cut.
fn assert_returns(address: &Address) {
    let shown = address.to_string();
    if !address.is_unix() && shown.len() < 300 {
        assert_eq!(Address::parse(&shown).as_ref(), Ok(address));
    }
}
