//! Which nodes an argument names: an ID, an ID prefix, a name, a name glob or an IP address.

use std::net::IpAddr;

use super::glob::{Pattern, is_glob};
use crate::model::node::Record;
use crate::model::text::first_line;
use crate::model::work_limit::WorkLimit;

/// Shorter texts are not taken for a prefix of an ID.
const SHORTEST_PREFIX: usize = 2;
/// Names in an error about an ambiguous argument.
const AMBIGUOUS_NAMES: usize = 20;

/// Why an argument names no node, or not exactly one. The texts are harmless on a terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeArgError {
    #[error("invalid NODE \"{argument}\": {reason}")]
    Invalid { argument: String, reason: String },
    #[error("no node named \"{argument}\"")]
    Unknown { argument: String, similar: Vec<String> },
    #[error("\"{argument}\" names {count} nodes: {nodes}")]
    Ambiguous { argument: String, count: usize, nodes: String },
}

impl NodeArgError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { similar, .. } if !similar.is_empty() => {
                Some(format!("similar names: {}", similar.join(", ")))
            }
            Self::Ambiguous { .. } => {
                Some("pass a full ID or a name that only one node has".to_owned())
            }
            _ => None,
        }
    }
}

/// The positions of all nodes that the arguments name, in the order of the nodes; all nodes
/// without arguments.
///
/// # Errors
/// A pattern that is too long; with `required` also an argument without wildcards that names no node.
pub fn named(
    records: &[impl AsRef<Record>],
    arguments: &[String],
    required: bool,
) -> Result<Vec<usize>, NodeArgError> {
    if arguments.is_empty() {
        return Ok((0..records.len()).collect());
    }
    let mut positions = Vec::new();
    for argument in arguments {
        let matching = matches(records, argument)?;
        if matching.is_empty() && required && !is_glob(argument) {
            return Err(unknown(records, argument));
        }
        positions.extend(matching);
    }
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

/// The position of the one node that an argument names.
///
/// # Errors
/// It names none, or several.
pub fn single(records: &[impl AsRef<Record>], argument: &str) -> Result<usize, NodeArgError> {
    let positions = matches(records, argument)?;
    match positions[..] {
        [] => Err(unknown(records, argument)),
        [only] => Ok(only),
        _ => {
            let records = positions.iter().take(AMBIGUOUS_NAMES).map(|at| records[*at].as_ref());
            let nodes = records.map(|record| format!("{} ({})", safe(&record.name), record.id));
            let mut nodes = nodes.collect::<Vec<_>>().join(", ");
            if positions.len() > AMBIGUOUS_NAMES {
                nodes += ", …";
            }
            let (argument, count) = (safe(argument), positions.len());
            Err(NodeArgError::Ambiguous { argument, count, nodes })
        }
    }
}

/// The positions of the nodes that `text` names. An exact match wins over a glob or a prefix.
fn matches(records: &[impl AsRef<Record>], text: &str) -> Result<Vec<usize>, NodeArgError> {
    let positions = |test: &dyn Fn(&Record) -> bool| -> Vec<usize> {
        (0..records.len()).filter(|at| test(records[*at].as_ref())).collect()
    };
    let exact = positions(&|record| {
        record.name == text
            || record.id.as_str().eq_ignore_ascii_case(text)
            || is_address(record, text)
    });
    if !exact.is_empty() {
        return Ok(exact);
    }
    if is_glob(text) {
        let invalid = |reason| NodeArgError::Invalid { argument: safe(text), reason };
        let pattern = Pattern::parse(text).map_err(invalid)?;
        // One pass over the names costs no more than comparing them.
        let work = WorkLimit::unbounded();
        return Ok(positions(&|record| pattern.matches(&record.name, &work)));
    }
    if text.len() < SHORTEST_PREFIX {
        return Ok(exact);
    }
    let prefix = text.to_ascii_lowercase();
    Ok(positions(&|record| record.id.as_str().starts_with(&prefix)))
}

fn is_address(record: &Record, text: &str) -> bool {
    record.address == text
        || text.parse::<IpAddr>().is_ok_and(|ip| record.address.parse() == Ok(ip))
}

fn unknown(records: &[impl AsRef<Record>], argument: &str) -> NodeArgError {
    let names = records.iter().map(|record| record.as_ref().name.as_str());
    let similar = nearest(names, argument).into_iter().map(safe).collect();
    NodeArgError::Unknown { argument: safe(argument), similar }
}

fn safe(name: &str) -> String {
    first_line(name, 100)
}

/// The three names that are most similar to `text`, the most similar first.
pub fn nearest<'a>(names: impl IntoIterator<Item = &'a str>, text: &str) -> Vec<&'a str> {
    let mut names: Vec<(usize, &str)> =
        names.into_iter().map(|name| (distance(name, text), name)).collect();
    names.sort();
    names.dedup();
    names.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `; did you mean "name"?` if one of the names is similar to `text`, else nothing.
pub fn did_you_mean<'a>(names: impl IntoIterator<Item = &'a str>, text: &str) -> String {
    let similar = nearest(names, text).into_iter().next();
    let similar = similar.filter(|name| distance(name, text) * 2 <= text.chars().count());
    similar.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

/// Levenshtein's distance, ignoring case; of long texts only the first 64 characters count.
pub fn distance(a: &str, b: &str) -> usize {
    let [a, b] = [a, b].map(|text| -> Vec<char> {
        text.chars().take(64).flat_map(char::to_lowercase).take(64).collect()
    });
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (to, right) in b.iter().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[to + 1];
            row[to + 1] = changed.min(diagonal + 1).min(row[to] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, single};
    use crate::model::node::Record;

    /// Escaped once, not once more as a text in Rust would be.
    #[test]
    fn a_name_is_reported_as_people_write_such_characters() {
        let nothing: [Box<Record>; 0] = [];
        let error = single(&nothing, "a\u{1}b\"").unwrap_err();
        assert_eq!(error.to_string(), r#"no node named "a\u{1}b"""#);
    }

    #[test]
    fn distances() {
        assert_eq!(
            [distance("web-1", "WEB-2"), distance("", "abc"), distance("kitten", "sitting")],
            [1, 3, 3]
        );
        let long = "x".repeat(1 << 20);
        assert_eq!(distance(&long, &format!("{long}y")), 0);
    }
}
