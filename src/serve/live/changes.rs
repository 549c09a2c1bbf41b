//! The differences between two publications, as events.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// In the order of the nodes; those that are gone come last.
pub(crate) fn frames(before: &[u8], now: &[u8]) -> Vec<u8> {
    let (before, now) = (records(before), records(now));
    let mut known: HashMap<&str, &str> = before.iter().map(|json| (id(json), *json)).collect();
    let mut frames = Vec::new();
    for json in now {
        match known.remove(id(json)) {
            None => write(&mut frames, "new", json),
            Some(old) if old == json => {}
            Some(_) => write(&mut frames, "changed", json),
        }
    }
    for json in before.iter().filter(|json| known.contains_key(id(json))) {
        write(&mut frames, "gone", json);
    }
    frames
}

fn write(to: &mut Vec<u8>, name: &str, json: &str) {
    for part in ["event: ", name, "\ndata: ", json, "\n\n"] {
        to.extend_from_slice(part.as_bytes());
    }
}

/// The JSON of each record: compact, without line breaks.
pub(crate) fn records(all: &[u8]) -> Vec<&str> {
    let records: Vec<&RawValue> = serde_json::from_slice(all).unwrap_or_default();
    records.into_iter().map(RawValue::get).collect()
}

/// A record begins with its id: `{"id":"…36 characters…"`.
pub(crate) fn id(json: &str) -> &str {
    json.get(7..43).unwrap_or(json)
}
