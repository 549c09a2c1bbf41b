//! What a word at the prompt may be, as the cache knows it. Nomad is never asked.

use std::collections::BTreeSet;

use crate::cli::{Global, Word};
use crate::clock;
use crate::config::Config;
use crate::model::field::{Field, KNOWN};
use crate::model::node::{Full, Record, TextMap};
use crate::model::remark::Tell;
use crate::model::text::sanitised;
use crate::store::{self, Look, Want};

/// More than this helps nobody.
const MOST: usize = 2000;

/// Everything that `word` may be; `current` is what has been typed of it.
pub(crate) fn candidates(global: &Global, word: Word, current: &str) -> Vec<String> {
    let fixed = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match word {
        Word::Status => return fixed(&["ready", "down", "initializing", "disconnected"]),
        Word::Eligibility => return fixed(&["eligible", "ineligible"]),
        _ => {}
    }
    let keys = word == Word::Attribute || (word == Word::Columns && names_attribute(current));
    let nodes = cached(global, if keys { Want::Full } else { Want::Records });
    let found: BTreeSet<String> = match word {
        Word::Node => nodes.iter().flat_map(|node| names(&node.record)).collect(),
        Word::Datacenter => values(&nodes, "datacenter"),
        Word::Class => values(&nodes, "node_class"),
        Word::Pool => values(&nodes, "node_pool"),
        Word::Version => values(&nodes, "version"),
        Word::Driver => nodes.iter().flat_map(|node| node.record.drivers.keys().cloned()).collect(),
        Word::Meta => pairs(nodes.iter().filter_map(|node| node.record.meta.as_ref()), current),
        Word::Attribute => {
            pairs(nodes.iter().filter_map(|node| node.extra.attributes.as_ref()), current)
        }
        Word::Columns => columns(&nodes, current),
        Word::Status | Word::Eligibility => BTreeSet::new(),
    };
    // What a shell or a terminal could misunderstand is not offered.
    let plain = |text: &String| !text.is_empty() && !text.contains(' ') && sanitised(text) == *text;
    found.into_iter().filter(plain).take(MOST).collect()
}

/// The last that the cache knows, however old.
fn cached(global: &Global, want: Want) -> Vec<Full> {
    let Ok(config) = Config::new(global, clock::now()) else { return Vec::new() };
    let Ok(store) = store::open(&config.place, &Tell::nobody()) else { return Vec::new() };
    let snapshot = match store.look(want) {
        Ok(Look::Hit(snapshot)) => Some(snapshot),
        _ => store.last(),
    };
    let Some(snapshot) = snapshot else { return Vec::new() };
    if let Some(fulls) = &snapshot.fulls {
        return fulls.iter().filter_map(|(_, json)| Full::from_json(json).ok()).collect();
    }
    let records: Vec<Record> = serde_json::from_slice(&snapshot.all).unwrap_or_default();
    records.into_iter().map(Full::from).collect()
}

fn names(record: &Record) -> [String; 2] {
    [record.name.clone(), record.id.to_string()]
}

fn values(nodes: &[Full], field: &str) -> BTreeSet<String> {
    let field = Field::parse(field).expect("this is a field");
    nodes.iter().map(|node| crate::model::value::text(&field.value(node))).collect()
}

/// Keys, and behind a `=` the values of that key.
fn pairs<'a>(maps: impl Iterator<Item = &'a TextMap>, current: &str) -> BTreeSet<String> {
    let pairs = maps.flatten();
    match current.split_once('=') {
        Some((key, _)) => {
            let of_key = pairs.filter(|(name, _)| *name == key);
            of_key.map(|(name, value)| format!("{name}={value}")).collect()
        }
        None => pairs.map(|(name, _)| name.clone()).collect(),
    }
}

fn names_attribute(current: &str) -> bool {
    last(current).1.starts_with("attr")
}

/// What is finished of a comma list, and the name that is being typed.
fn last(current: &str) -> (&str, &str) {
    let at = current.rfind([',', '+']).map_or(0, |at| at + 1);
    let (done, name) = current.split_at(at);
    match name.strip_prefix('-') {
        Some(name) => (&current[..=at], name),
        None => (done, name),
    }
}

fn columns(nodes: &[Full], current: &str) -> BTreeSet<String> {
    let (done, _) = last(current);
    let mut found: BTreeSet<String> =
        KNOWN.iter().map(|known| format!("{done}{}", known.short.unwrap_or(known.key))).collect();
    for node in nodes {
        let meta = node.record.meta.iter().flat_map(TextMap::keys);
        found.extend(meta.map(|key| format!("{done}meta.{key}")));
        let attributes = node.extra.attributes.iter().flat_map(TextMap::keys);
        found.extend(attributes.map(|key| format!("{done}attr.{key}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::last;

    #[test]
    fn only_the_last_name_of_a_list_is_completed() {
        let cases = [
            ("na", ("", "na")),
            ("id,na", ("id,", "na")),
            ("+me", ("+", "me")),
            ("-na", ("-", "na")),
            ("id,-na", ("id,-", "na")),
        ];
        for (current, parts) in cases {
            assert_eq!(last(current), parts, "{current}");
        }
    }
}
