//! The nodes that somebody names, and what is wrong with a name that fits none or several.

use super::glob::is_glob;
use super::node_arg::{matches, nearest};
use crate::model::node::Record;
use crate::model::text::first_line;

/// A name that fits no node, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOne {
    pub what: String,
    pub hint: Option<String>,
    /// It fits several.
    pub ambiguous: bool,
}

/// The positions of all nodes that the arguments name, in the order of the nodes; all without arguments.
///
/// # Errors
/// An argument that matches nothing, unless it is a glob, or a pattern that is too long.
pub fn named(records: &[impl AsRef<Record>], arguments: &[String]) -> Result<Vec<usize>, NotOne> {
    if arguments.is_empty() {
        return Ok((0..records.len()).collect());
    }
    for argument in arguments.iter().filter(|argument| !is_glob(argument)) {
        if matching(records, argument)?.is_empty() {
            return Err(unknown(records, argument));
        }
    }
    present(records, arguments)
}

/// The same, also when an argument matches nothing any more.
///
/// # Errors
/// A pattern that is too long.
pub fn present(records: &[impl AsRef<Record>], arguments: &[String]) -> Result<Vec<usize>, NotOne> {
    if arguments.is_empty() {
        return Ok((0..records.len()).collect());
    }
    let mut found = Vec::new();
    for argument in arguments {
        found.extend(matching(records, argument)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The position of the one node that an argument names.
///
/// # Errors
/// It names none, or several.
pub fn single(records: &[impl AsRef<Record>], argument: &str) -> Result<usize, NotOne> {
    match matching(records, argument)?[..] {
        [] => Err(unknown(records, argument)),
        [only] => Ok(only),
        ref several => Err(ambiguous(records, argument, several)),
    }
}

fn matching(records: &[impl AsRef<Record>], argument: &str) -> Result<Vec<usize>, NotOne> {
    let invalid = |why| NotOne {
        what: format!("invalid NODE \"{}\": {why}", shown(argument)),
        hint: None,
        ambiguous: false,
    };
    matches(records, argument).map_err(invalid)
}

fn ambiguous(records: &[impl AsRef<Record>], argument: &str, several: &[usize]) -> NotOne {
    let names = several.iter().take(20).map(|at| records[*at].as_ref());
    let names: Vec<String> =
        names.map(|record| format!("{} ({})", shown(&record.name), record.id)).collect();
    let more = if several.len() > names.len() { ", …" } else { "" };
    let (count, names) = (several.len(), names.join(", "));
    NotOne {
        what: format!("\"{}\" names {count} nodes: {names}{more}", shown(argument)),
        hint: Some("pass a full ID or a name that only one node has".to_owned()),
        ambiguous: true,
    }
}

fn unknown(records: &[impl AsRef<Record>], argument: &str) -> NotOne {
    let names = records.iter().map(|record| record.as_ref().name.as_str());
    let near: Vec<String> = nearest(names, argument).into_iter().map(shown).collect();
    let near = near.join(", ");
    let hint = if near.is_empty() { None } else { Some(format!("the nearest names are {near}")) };
    let what = format!("no node named \"{}\"", shown(argument));
    NotOne { what, hint, ambiguous: false }
}

fn shown(name: &str) -> String {
    first_line(name, 100)
}

#[cfg(test)]
mod tests {
    use super::{NotOne, single};
    use crate::model::node::Record;

    /// Escaped once, not once more as a text in Rust would be.
    #[test]
    fn a_name_is_told_as_people_write_such_characters() {
        let nothing: [Box<Record>; 0] = [];
        let NotOne { what, .. } = single(&nothing, "a\u{1}b\"").unwrap_err();
        assert_eq!(what, r#"no node named "a\u{1}b"""#);
    }
}
