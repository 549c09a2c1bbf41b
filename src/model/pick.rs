//! Which nodes an argument names: an ID, an ID prefix, a name, a name glob or an IP address.

use std::net::IpAddr;

use super::node::Record;

/// A shorter prefix of an ID is taken for a name.
const SHORTEST_PREFIX: usize = 2;

/// The positions of the nodes that `text` names. What matches exactly wins over what begins so.
pub fn matches(records: &[impl AsRef<Record>], text: &str) -> Vec<usize> {
    let of = |test: &dyn Fn(&Record) -> bool| -> Vec<usize> {
        (0..records.len()).filter(|at| test(records[*at].as_ref())).collect()
    };
    let exact = of(&|record| {
        record.name == text
            || record.id.as_str().eq_ignore_ascii_case(text)
            || is_address(record, text)
    });
    if !exact.is_empty() {
        return exact;
    }
    if is_glob(text) {
        return of(&|record| glob(text, &record.name));
    }
    if text.len() < SHORTEST_PREFIX {
        return exact;
    }
    let prefix = text.to_ascii_lowercase();
    of(&|record| record.id.as_str().starts_with(&prefix))
}

/// Whether `text` may match nothing without that being a mistake.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The three names that are nearest to `text`, nearest first.
pub fn nearest<'a>(names: impl IntoIterator<Item = &'a str>, text: &str) -> Vec<&'a str> {
    let mut names: Vec<(usize, &str)> =
        names.into_iter().map(|name| (distance(name, text), name)).collect();
    names.sort();
    names.dedup();
    names.into_iter().take(3).map(|(_, name)| name).collect()
}

fn is_address(record: &Record, text: &str) -> bool {
    record.address == text
        || text.parse::<IpAddr>().is_ok_and(|ip| record.address.parse() == Ok(ip))
}

/// `*` is any text, `?` one character, `[a-z]` one of these, `[!a-z]` none of these. Linear in
/// memory and at worst the product of both lengths in time.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match one(&pattern[p..], text[t]) {
            Step::Star => {
                star = Some((p + 1, t));
                p += 1;
            }
            Step::Fits(len) => (p, t) = (p + len, t + 1),
            Step::Not => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

enum Step {
    Star,
    /// This many characters of the pattern stand for the character.
    Fits(usize),
    Not,
}

fn one(pattern: &[char], character: char) -> Step {
    match pattern {
        ['*', ..] => Step::Star,
        ['?', ..] => Step::Fits(1),
        ['[', rest @ ..] => set(rest, character),
        [first, ..] if *first == character => Step::Fits(1),
        _ => Step::Not,
    }
}

/// A `[` without its `]` stands for itself.
fn set(rest: &[char], character: char) -> Step {
    let (negated, body) = match rest {
        ['!' | '^', body @ ..] => (true, body),
        body => (false, body),
    };
    let Some(end) = body.iter().skip(1).position(|end| *end == ']').map(|end| end + 1) else {
        return if character == '[' { Step::Fits(1) } else { Step::Not };
    };
    let members = &body[..end];
    let ranges = members
        .windows(3)
        .any(|range| range[1] == '-' && (range[0]..=range[2]).contains(&character));
    let found = ranges || members.contains(&character);
    if found == negated { Step::Not } else { Step::Fits(end + 2 + usize::from(negated)) }
}

/// Levenshtein's distance, ignoring case; long texts are compared by their first 64 characters.
pub fn distance(a: &str, b: &str) -> usize {
    let lower = |text: &str| -> Vec<char> { text.to_lowercase().chars().take(64).collect() };
    let (a, b) = (lower(a), lower(b));
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
    use super::{distance, glob};

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("web-*", "web-12", true),
            ("web-*", "awe-web-1", false),
            ("*-?", "web-1", true),
            ("*-?", "web-12", false),
            ("w[a-f]b", "web", true),
            ("w[!a-f]b", "web", false),
            ("w[!a-f]b", "wxb", true),
            ("[", "[", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("", "", true),
            ("節*", "節点", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
        assert!(!glob(&"*a".repeat(500), &"a".repeat(499)));
    }

    #[test]
    fn distances() {
        assert_eq!(
            [distance("web-1", "WEB-2"), distance("", "abc"), distance("kitten", "sitting")],
            [1, 3, 3]
        );
    }
}
