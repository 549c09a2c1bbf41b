//! What holds of a cache that anybody may have written, whatever the bytes. Tests and fuzzers ask it.

use std::time::Duration;

use crate::model::json::is_harmless;
use crate::model::node::NodeId;
use crate::model::projection::Wanted;
use crate::model::properties::assert_harmless;
use crate::model::secret::Secret;
use crate::model::selection::field::parse_list;
use crate::model::snapshot::Snapshot;

use super::meta::{self, Meta};
use super::records::{matched, seal};
use super::redis::parse_url;
use super::scope::{Cluster, Scope};
use super::validate::{Hit, Payload, StoredEntry, StoredFamily, Verdict, judge};

const EPOCH: &str = "9f0c2b7711aa43de";
const TTL: Duration = Duration::from_secs(60);

/// The value of `all` under a meta line that describes it: the work of a forger.
pub fn cached(bytes: &[u8]) {
    let (all, full) = split(bytes);
    let fields = full.map(|full| vec![(id(full), seal(full))]).unwrap_or_default();
    let (count, len, sum) = (fields.len(), all.len(), meta::sum(all));
    let scope = scope();
    let line = format!("v2|{scope}|{EPOCH}|N1|{:020}|{count}|{len}|{sum}|60000|9", 42);
    match judged(line.as_bytes(), all) {
        Some(mut hit) => {
            let read = hit.all.take().expect("its bytes were read").into();
            let mut snapshot = hit.snapshot(read, Duration::from_millis(3));
            assert_eq!(*snapshot.all, all);
            assert!(is_harmless(all), "these bytes are printed as they are");
            assert_reads(&snapshot);
            snapshot.fulls = matched(all, fields);
            assert_reads(&snapshot);
        }
        None => assert!(all.is_empty() || !is_harmless(all), "a forged cache is a hit"),
    }
}

/// Each way of reading reads the same, or says why it can't.
fn assert_reads(snapshot: &Snapshot) {
    let some =
        |wanted: &Wanted| Snapshot::assembled(&snapshot.all, snapshot.fulls.as_deref(), wanted);
    let fields = parse_list("name,version,meta.rack,attr.kernel.name").expect("these are fields");
    let part = some(&Wanted::keys(&["name"]).and(&fields));
    let Ok(nodes) = snapshot.nodes() else { return };
    for node in &nodes {
        let json = node.json(true);
        assert!(crate::model::node::Full::from_json(&json).is_ok_and(|again| again == *node));
    }
    let part = part.expect("who reads less reads what can be read whole");
    let names = |nodes: &[crate::model::node::Full]| -> Vec<(NodeId, String)> {
        nodes.iter().map(|node| (node.record.id.clone(), node.record.name.clone())).collect()
    };
    assert_eq!(names(&part), names(&nodes));
}

/// The meta line, and beneath it what it should describe.
pub fn meta(bytes: &[u8]) {
    let (line, all) = split(bytes);
    if let Some(meta) = Meta::parse(line) {
        let written = meta.to_string();
        assert_eq!(Meta::parse(written.as_bytes()), Some(meta));
    }
    if let Some(Hit { meta, since, all: Some(all), .. }) = judged(line, all.unwrap_or_default()) {
        assert_eq!((meta.scope.as_str(), meta.epoch.as_str()), (scope().as_str(), EPOCH));
        assert_eq!((meta.len, meta.sum), (all.len() as u64, meta::sum(&all)));
        assert!(since <= TTL, "what is too old is no hit");
    }
}

/// `REDIS_URL`: neither an error nor what is shown depends on the password.
pub fn redis_url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let target = match parse_url(&Secret::new(&*text)) {
        Ok(target) => target,
        Err(error) => {
            let why = error.to_string();
            return assert!(why.is_ascii() && why.len() < 100, "{why:?}");
        }
    };
    let place = target.place();
    if let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| *scheme != "unix") {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
        let plain = parse_url(&Secret::new(format!("{scheme}://{host}{}", &rest[end..])));
        assert_eq!(plain.map(|plain| plain.place()).as_ref(), Ok(&place));
        assert_harmless(&place);
        assert_eq!(parse_url(&Secret::new(&place)).map(|again| again.place()), Ok(place));
    } else {
        let path = text["unix://".len()..].split('?').next().unwrap_or_default();
        let plain = parse_url(&Secret::new(format!("unix://{path}"))).map(|plain| plain.place());
        assert!(plain.is_ok_and(|plain| place.starts_with(&plain)), "{place:?}");
    }
}

/// Up to the first line break, and what follows it.
fn split(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

/// The id that a value of the hash names, or the bytes where it would stand.
fn id(full: &[u8]) -> Vec<u8> {
    full.get(7..43).unwrap_or(full).to_vec()
}

fn scope() -> Scope {
    let text = str::to_owned;
    let (scheme, host, credential) = (text("http"), text("10.0.0.5"), text("token:"));
    Scope::of(&Cluster { scheme, host, port: Some(4646), credential, ..Cluster::default() })
}

fn judged(line: &[u8], all: &[u8]) -> Option<Hit> {
    let literal = StoredFamily::read(Some(line), Payload::Bytes(all.to_vec()), 50_000);
    let seen = StoredEntry { epoch: Some(EPOCH.into()), literal, own: StoredFamily::default() };
    match judge(seen, &scope(), TTL) {
        Verdict::Hit(hit) => Some(*hit),
        Verdict::Miss(_) => None,
    }
}
