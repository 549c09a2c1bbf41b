//! What a word at the prompt may be, as the cache knows it. Nomad is never asked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cli::{Global, Word};
use crate::clock;
use crate::config::Config;
use crate::model::node::{Full, TextMap};
use crate::model::notice::Notifier;
use crate::model::secret::is_secret;
use crate::model::selection::field::KNOWN;
use crate::model::snapshot::Snapshot;
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
    let found = match word {
        Word::Attribute => of_fulls(global, |nodes| {
            pairs(nodes.iter().filter_map(|node| node.extra.attributes.as_ref()), current)
        }),
        Word::Columns if names_attribute(current) => {
            of_fulls(global, |nodes| columns(attribute_keys(nodes), current))
        }
        _ => snapshot(global, Want::Records).map(|it| of_records(&it.all, word, current)),
    };
    let found = found.unwrap_or_default();
    let fitting = found.into_iter().filter(|text| text.starts_with(current));
    fitting.filter(|text| is_plain(text, current)).take(MOST).collect()
}

/// Shells put what is offered on the command line as it is, so a name that one of them could take
/// for a command, a pattern or an option is not offered. Who runs a node chooses its name and
/// metadata.
fn is_plain(text: &str, current: &str) -> bool {
    let is_option = text.starts_with('-') && !current.starts_with('-');
    let is_word = |c: char| c.is_alphanumeric() || "-_.:,=+/%".contains(c);
    !text.is_empty() && !is_option && text.chars().all(is_word)
}

/// The last that the cache knows, however old.
fn snapshot(global: &Global, want: Want) -> Option<Snapshot> {
    let config = Config::new(global, clock::now()).ok()?;
    let store = store::open(&config.place, &Notifier::nobody()).ok()?;
    match store.look(want) {
        Ok(Look::Hit(snapshot)) => Some(snapshot),
        _ => store.last(),
    }
}

fn of_fulls(
    global: &Global,
    of: impl FnOnce(&[Full]) -> BTreeSet<String>,
) -> Option<BTreeSet<String>> {
    let fulls = snapshot(global, Want::Full)?.fulls?;
    let nodes: Vec<Full> =
        fulls.iter().filter_map(|(_, json)| Full::from_json(json).ok()).collect();
    Some(of(&nodes))
}

/// What completion needs of a record: reading all of it would take longer than a person waits.
#[derive(Deserialize)]
struct Brief<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    datacenter: Cow<'a, str>,
    #[serde(borrow)]
    node_class: Cow<'a, str>,
    #[serde(borrow)]
    node_pool: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Maps {
    drivers: BTreeMap<String, IgnoredAny>,
    meta: Option<TextMap>,
}

fn of_records(all: &[u8], word: Word, current: &str) -> BTreeSet<String> {
    let brief = |of: fn(Brief<'_>) -> Vec<String>| -> BTreeSet<String> {
        let nodes: Vec<Brief<'_>> = serde_json::from_slice(all).unwrap_or_default();
        nodes.into_iter().flat_map(of).collect()
    };
    let maps = || -> Vec<Maps> { serde_json::from_slice(all).unwrap_or_default() };
    match word {
        Word::Node => brief(|node| vec![node.name.into_owned(), node.id.into_owned()]),
        Word::Datacenter => brief(|node| vec![node.datacenter.into_owned()]),
        Word::Class => brief(|node| vec![node.node_class.into_owned()]),
        Word::Pool => brief(|node| vec![node.node_pool.into_owned()]),
        Word::Version => brief(|node| vec![node.version.into_owned()]),
        Word::Driver => maps().into_iter().flat_map(|node| node.drivers.into_keys()).collect(),
        Word::Meta => pairs(maps().iter().filter_map(|node| node.meta.as_ref()), current),
        Word::Columns if last(current).1.starts_with("meta.") => {
            let keys = maps().into_iter().filter_map(|node| node.meta).flat_map(TextMap::into_keys);
            columns(keys.map(|key| format!("meta.{key}")).collect(), current)
        }
        Word::Columns => columns(BTreeSet::new(), current),
        Word::Attribute | Word::Status | Word::Eligibility => BTreeSet::new(),
    }
}

fn attribute_keys(nodes: &[Full]) -> BTreeSet<String> {
    let keys =
        nodes.iter().filter_map(|node| node.extra.attributes.as_ref()).flat_map(TextMap::keys);
    keys.map(|key| format!("attr.{key}")).collect()
}

/// Keys, and behind a `=` the values of that key, unless it is a secret's.
fn pairs<'a>(maps: impl Iterator<Item = &'a TextMap>, current: &str) -> BTreeSet<String> {
    let pairs = maps.flatten();
    match current.split_once('=') {
        Some((key, _)) if is_secret(key) => BTreeSet::new(),
        Some((key, _)) => {
            let of_key = pairs.filter(|(name, _)| *name == key);
            of_key.map(|(name, value)| format!("{name}={value}")).collect()
        }
        None => pairs.map(|(name, _)| name.clone()).collect(),
    }
}

fn names_attribute(current: &str) -> bool {
    last(current).1.starts_with("attr.")
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

/// All fields, and these keys, behind what is finished of the list.
fn columns(keys: BTreeSet<String>, current: &str) -> BTreeSet<String> {
    let (done, _) = last(current);
    let known = KNOWN.iter().flat_map(|known| {
        let name = known.short.unwrap_or(known.key);
        let inner = known.inner.is_some().then(|| format!("{name}."));
        Some(name.to_owned()).into_iter().chain(inner)
    });
    known.chain(keys).map(|name| format!("{done}{name}")).collect()
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
