//! The nodes of an answer, as a command names them.

use std::collections::HashMap;

use crate::discovery::Answer;
use crate::error::Error;
use crate::model::node::{Full, NodeId, Record};
use crate::model::pick::{is_glob, matches, nearest};
use crate::model::text::sanitised;

/// The records of `all`. What comes from a cache was verified by its sum, what comes from Nomad by
/// its types, so this fails only over a forged cache.
pub(super) fn records(all: &[u8]) -> Result<Vec<Record>, Error> {
    serde_json::from_slice(all).map_err(|error| unreadable(&error))
}

/// The full records of an answer in the order of its nodes.
pub(super) fn fulls(answer: &Answer) -> Result<Vec<Full>, Error> {
    let fulls = answer.snapshot.fulls.as_deref().unwrap_or_default();
    let of: HashMap<&NodeId, &[u8]> =
        fulls.iter().map(|(id, json)| (id, json.as_slice())).collect();
    let full = |record: Record| match of.get(&record.id) {
        Some(json) => Full::from_json(json).map_err(|error| unreadable(&error)),
        None => Err(unreadable(&"a full record is missing")),
    };
    records(&answer.snapshot.all)?.into_iter().map(full).collect()
}

fn unreadable(why: &dyn std::fmt::Display) -> Error {
    Error::Node {
        what: format!("cannot read the cached nodes: {why}"),
        hint: Some("run nomad-clients cache clear".to_owned()),
    }
}

/// The positions of all nodes that the arguments name, in the order of the nodes; all without arguments.
///
/// # Errors
/// An argument that matches nothing, unless it is a glob.
pub(super) fn named(
    records: &[impl AsRef<Record>],
    arguments: &[String],
) -> Result<Vec<usize>, Error> {
    if arguments.is_empty() {
        return Ok((0..records.len()).collect());
    }
    let mut found = Vec::new();
    for argument in arguments {
        let matching = matches(records, argument);
        if matching.is_empty() && !is_glob(argument) {
            return Err(unknown(records, argument));
        }
        found.extend(matching);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The one node that an argument names.
///
/// # Errors
/// It names none, or several.
pub(super) fn single(records: &[impl AsRef<Record>], argument: &str) -> Result<usize, Error> {
    match matches(records, argument)[..] {
        [] => Err(unknown(records, argument)),
        [only] => Ok(only),
        ref several => {
            let names = several
                .iter()
                .take(20)
                .map(|at| records[*at].as_ref())
                .map(|record| format!("{} ({})", record.name, record.id));
            let names: Vec<String> = names.collect();
            let more = if several.len() > names.len() { ", …" } else { "" };
            Err(Error::Node {
                what: format!(
                    "{:?} names {} nodes: {}{more}",
                    shown(argument),
                    several.len(),
                    names.join(", ")
                ),
                hint: Some("pass a full ID or a name that only one node has".to_owned()),
            })
        }
    }
}

fn unknown(records: &[impl AsRef<Record>], argument: &str) -> Error {
    let names = records.iter().map(|record| record.as_ref().name.as_str());
    let near = nearest(names, argument).join(", ");
    let hint = if near.is_empty() { None } else { Some(format!("the nearest names are {near}")) };
    Error::Node { what: format!("no node named {:?}", shown(argument)), hint }
}

fn shown(argument: &str) -> String {
    sanitised(&argument.chars().take(100).collect::<String>()).into_owned()
}
