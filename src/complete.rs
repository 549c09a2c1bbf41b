//! The candidates for a word at the prompt, from the cache only: Nomad is never asked.

use std::collections::BTreeSet;

use crate::cli::{Global, Word};
use crate::clock;
use crate::config::Config;
use crate::model::node::{Full, TextMap};
use crate::model::notice::Notifier;
use crate::model::projection::Wanted;
use crate::model::secret::is_secret;
use crate::model::selection::field::KNOWN;
use crate::model::snapshot::Snapshot;
use crate::store::{self, Look, Want};

/// More candidates help nobody.
const MAX: usize = 2000;

/// All candidates for `word`, of which `current` has been typed so far.
pub(crate) fn candidates(global: &Global, word: Word, current: &str) -> Vec<String> {
    let read = |key| nodes(global, key, Want::Records).into_iter();
    let found: BTreeSet<String> = match word {
        Word::Status => {
            return ["ready", "down", "initializing", "disconnected"].map(String::from).into();
        }
        Word::Eligibility => return ["eligible", "ineligible"].map(String::from).into(),
        Word::Node => read("name")
            .flat_map(|node| [node.record.name, node.record.id.as_str().to_owned()])
            .collect(),
        Word::Datacenter => read("datacenter").map(|node| node.record.datacenter).collect(),
        Word::Class => read("node_class").map(|node| node.record.node_class).collect(),
        Word::Pool => read("node_pool").map(|node| node.record.node_pool).collect(),
        Word::Version => read("version").map(|node| node.record.version).collect(),
        Word::Driver => read("drivers").flat_map(|node| node.record.drivers.into_keys()).collect(),
        Word::Meta => pairs(meta(global), current),
        Word::Attribute => pairs(attributes(global), current),
        Word::Columns => columns(global, current),
    };
    let fitting = found.into_iter().filter(|text| text.starts_with(current));
    fitting.filter(|text| is_plain(text, current)).take(MAX).collect()
}

/// Whether `text` can be put on the command line as it is: no shell takes it for a command, a pattern
/// or an option. Names and metadata are chosen by whoever runs a node.
fn is_plain(text: &str, current: &str) -> bool {
    let is_option = text.starts_with('-') && !current.starts_with('-');
    let is_word = |c: char| c.is_alphanumeric() || "-_.:,=+/%".contains(c);
    !text.is_empty() && !is_option && text.chars().all(is_word)
}

/// The nodes of the cache, however old, with their id and one more key; empty if there is no cache.
fn nodes(global: &Global, key: &'static str, want: Want) -> Vec<Full> {
    let read = || {
        let config = Config::new(global, clock::now()).ok()?;
        let store = store::open(&config.place, &Notifier::nobody()).ok()?;
        let snapshot = match store.look(want) {
            Ok(Look::Hit(snapshot)) => snapshot,
            _ => store.last(want)?,
        };
        let fulls = snapshot.fulls.as_deref().filter(|_| want == Want::Full);
        Snapshot::assembled(&snapshot.all, fulls, &Wanted::keys(&[key])).ok()
    };
    read().unwrap_or_default()
}

fn meta(global: &Global) -> impl Iterator<Item = (String, String)> {
    nodes(global, "meta", Want::Records).into_iter().filter_map(|node| node.record.meta).flatten()
}

fn attributes(global: &Global) -> impl Iterator<Item = (String, String)> {
    let nodes = nodes(global, "attributes", Want::Full).into_iter();
    nodes.filter_map(|node| node.extra.attributes).flat_map(TextMap::into_iter)
}

/// Keys, or behind a `=` the values of that key, unless they are secret.
fn pairs(pairs: impl Iterator<Item = (String, String)>, current: &str) -> BTreeSet<String> {
    match current.split_once('=') {
        Some((key, _)) if is_secret(key) => BTreeSet::new(),
        Some((key, _)) => {
            let pairs = pairs.filter(|(name, _)| name == key);
            pairs.map(|(name, value)| format!("{name}={value}")).collect()
        }
        None => pairs.map(|(name, _)| name).collect(),
    }
}

/// A list of columns whose last one is one of the fields, or a key of metadata or attributes.
fn columns(global: &Global, current: &str) -> BTreeSet<String> {
    let (done, name) = split_list(current);
    let keys: Vec<String> = if name.starts_with("attr.") {
        attributes(global).map(|(key, _)| format!("attr.{key}")).collect()
    } else if name.starts_with("meta.") {
        meta(global).map(|(key, _)| format!("meta.{key}")).collect()
    } else {
        Vec::new()
    };
    let known = KNOWN.iter().flat_map(|known| {
        let name = known.short.unwrap_or(known.key);
        let inner = known.inner.is_some().then(|| format!("{name}."));
        Some(name.to_owned()).into_iter().chain(inner)
    });
    known.chain(keys).map(|name| format!("{done}{name}")).collect()
}

/// The part of a comma list that is finished, and the name that is being typed.
fn split_list(current: &str) -> (&str, &str) {
    let at = current.rfind([',', '+']).map_or(0, |at| at + 1);
    let (done, name) = current.split_at(at);
    match name.strip_prefix('-') {
        Some(name) => (&current[..=at], name),
        None => (done, name),
    }
}

#[cfg(test)]
mod tests {
    use super::split_list;

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
            assert_eq!(split_list(current), parts, "{current}");
        }
    }
}
