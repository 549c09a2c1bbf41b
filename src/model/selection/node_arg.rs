//! Which nodes an argument names: an ID, an ID prefix, a name, a name glob or an IP address.

use std::net::IpAddr;

use super::glob::{Pattern, is_glob};
use crate::model::node::Record;
use crate::model::work_limit::WorkLimit;

/// A shorter prefix of an ID is taken for a name.
const SHORTEST_PREFIX: usize = 2;

/// The positions of the nodes that `text` names. What matches exactly wins over what begins so.
///
/// # Errors
/// It is a pattern that is too long.
pub fn matches(records: &[impl AsRef<Record>], text: &str) -> Result<Vec<usize>, String> {
    let of = |test: &dyn Fn(&Record) -> bool| -> Vec<usize> {
        (0..records.len()).filter(|at| test(records[*at].as_ref())).collect()
    };
    let exact = of(&|record| {
        record.name == text
            || record.id.as_str().eq_ignore_ascii_case(text)
            || is_address(record, text)
    });
    if !exact.is_empty() {
        return Ok(exact);
    }
    if is_glob(text) {
        // One pass over the names, which is no more than to compare them.
        let (pattern, work) = (Pattern::parse(text)?, WorkLimit::unbounded());
        return Ok(of(&|record| pattern.fits(&record.name, &work)));
    }
    if text.len() < SHORTEST_PREFIX {
        return Ok(exact);
    }
    let prefix = text.to_ascii_lowercase();
    Ok(of(&|record| record.id.as_str().starts_with(&prefix)))
}

/// The three names that are nearest to `text`, nearest first.
pub fn nearest<'a>(names: impl IntoIterator<Item = &'a str>, text: &str) -> Vec<&'a str> {
    let text = compared(text);
    let mut names: Vec<(usize, &str)> =
        names.into_iter().map(|name| (between(&compared(name), &text), name)).collect();
    names.sort();
    names.dedup();
    names.into_iter().take(3).map(|(_, name)| name).collect()
}

fn is_address(record: &Record, text: &str) -> bool {
    record.address == text
        || text.parse::<IpAddr>().is_ok_and(|ip| record.address.parse() == Ok(ip))
}

/// Levenshtein's distance, ignoring case; long texts are compared by their first 64 characters.
pub fn distance(a: &str, b: &str) -> usize {
    between(&compared(a), &compared(b))
}

fn compared(text: &str) -> Vec<char> {
    text.chars().take(64).flat_map(char::to_lowercase).take(64).collect()
}

fn between(a: &[char], b: &[char]) -> usize {
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
    use super::distance;

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
