//! What holds of texts, columns, conditions and orders, whatever the bytes. Tests and fuzzers ask it.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::json;
use super::node::Full;
use super::selection::columns::Columns;
use super::selection::condition::Condition;
use super::selection::glob;
use super::selection::glob::Pattern;
use super::selection::value::compare;
use super::selection::{FILTERS, Selection};
use super::text::{first_line, sanitised};
use super::work_limit::WorkLimit;

/// More of them would make one input slow, not more telling.
const MOST_VALUES: usize = 12;

/// Text of strangers on its way to a terminal or into JSON.
pub fn sanitiser(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let safe = sanitised(&text);
    assert_harmless(&safe);
    assert_eq!(sanitised(&safe), safe, "what is harmless stays as it is");
    let most = bytes.len() % 50;
    let line = first_line(&text, most);
    assert_harmless(&line);
    assert!(line.chars().count() <= most, "{line:?} is longer than {most}");
    let json = String::from_utf8(json::bytes(&*text)).expect("JSON is UTF-8");
    assert!(!json.chars().any(char::is_control), "{json:?}");
    assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some(&*text));
    assert_eq!(json::escaped(&json), json, "what is escaped stays as it is");
}

/// The columns and the filters that somebody typed.
pub fn syntax(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let nodes = sample();
    if let Ok(condition) = Condition::parse(&text) {
        let work = WorkLimit::unbounded();
        assert!(nodes.iter().filter(|node| condition.holds(node, &work)).count() <= nodes.len());
        assert_cheap(&text, &nodes, &work);
    }
    let said = [text];
    if let Ok(Some(columns)) = Columns::parse(&said) {
        let names = names(&columns);
        let again = Columns::parse(&[names.join(",")]).ok().flatten();
        assert_eq!(again.as_ref().map(self::names), Some(names), "a name names its column");
    }
    let others = ["drain", "driver", "meta", "attr", "sort"];
    for option in FILTERS.iter().map(|(option, _)| *option).chain(others) {
        let mut selection = Selection::default();
        if selection.add(option, &said).is_ok() {
            let work = WorkLimit::unbounded();
            let chosen = |nodes| selection.select(nodes, &work).expect("this work has no limit");
            let once = chosen(nodes.iter().collect());
            assert_cheap(&said[0], &nodes, &work);
            assert_eq!(chosen(once.clone()), once, "who is chosen is chosen again");
        }
    }
}

/// What was asked costs at most so many steps for each character of the nodes and each alternative,
/// of which what was typed has at most as many as bytes.
fn assert_cheap(typed: &str, nodes: &[Full], work: &WorkLimit) {
    let values: usize = nodes.iter().map(|node| node.json(true).len()).sum();
    let most = 50 * (values + typed.len()) * (typed.len() + 1);
    assert!(work.spent() <= most as u64, "{} steps for {typed:?}", work.spent());
}

/// A pattern, and on the other lines what it is compared with.
pub fn pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, text) = text.split_once('\n').unwrap_or((&text, ""));
    let is_long = glob::is_glob(pattern) && pattern.chars().count() > glob::MAX_PATTERN_CHARS;
    let parsed = Pattern::parse(pattern);
    assert_eq!(parsed.is_err(), is_long, "{pattern:?}");
    let Ok(parsed) = parsed else { return };
    let work = WorkLimit::unbounded();
    let fits = parsed.matches(text, &work);
    let characters = text.chars().count() as u64;
    assert!(work.spent() <= 7 * characters, "{} steps for {characters}", work.spent());
    let wild: Vec<char> = pattern.chars().collect();
    let plain: Vec<char> = text.chars().take(COMPARED + 1).collect();
    if plain.len() <= COMPARED && wild.len() <= COMPARED {
        assert_eq!(fits, naively(&wild, &plain), "{pattern:?} {text:?}");
    }
}

/// Longer ones take the naive way too long.
const COMPARED: usize = 40;

/// Whether the pattern fits, by all ways to divide the text among its parts.
fn naively(pattern: &[char], text: &[char]) -> bool {
    let mut fits = vec![false; text.len() + 1];
    fits[text.len()] = true;
    // From the last part to the first: whether what begins at each place fits the parts from there.
    for part in parts(pattern).into_iter().rev() {
        for at in 0..=text.len() {
            fits[at] = match part {
                ['*'] => fits[at..].contains(&true),
                part => at < text.len() && stands_for(part, text[at]) && fits[at + 1],
            };
        }
    }
    fits[0]
}

/// `*`, `?`, `[…]` and single characters, as they are written.
fn parts(mut pattern: &[char]) -> Vec<&[char]> {
    let mut parts = Vec::new();
    while !pattern.is_empty() {
        let first = 1 + usize::from(matches!(pattern.get(1), Some('!' | '^')));
        let end = pattern.iter().skip(first + 1).position(|end| *end == ']');
        let length = end.filter(|_| pattern[0] == '[').map_or(1, |end| first + end + 2);
        let (part, rest) = pattern.split_at(length);
        parts.push(part);
        pattern = rest;
    }
    parts
}

fn stands_for(part: &[char], character: char) -> bool {
    let (negated, mut members) = match part {
        ['?'] => return true,
        ['[', '!' | '^', members @ .., ']'] => (true, members),
        ['[', members @ .., ']'] => (false, members),
        single => return single == [character],
    };
    let mut found = false;
    while let Some(first) = members.first() {
        let is_range = members.len() > 2 && members[1] == '-';
        let last = if is_range { members[2] } else { *first };
        found |= *first <= character && character <= last;
        members = &members[if is_range { 3 } else { 1 }..];
    }
    found != negated
}

/// Values of metadata, one a line: whoever chooses them must not break the sort.
pub fn order(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let values: Vec<Value> = text.split('\n').take(MOST_VALUES).map(Value::from).collect();
    let order: Vec<Vec<Ordering>> =
        values.iter().map(|a| values.iter().map(|b| compare(a, b)).collect()).collect();
    let all = || 0..values.len();
    for (a, b) in all().flat_map(|a| all().map(move |b| (a, b))) {
        assert_eq!(order[a][b], order[b][a].reverse(), "{} {}", values[a], values[b]);
        for c in all() {
            // What is between two others stands between them whichever way one looks.
            let wrong = match (order[a][b], order[b][c]) {
                (Ordering::Equal, then) | (then, Ordering::Equal) => order[a][c] != then,
                (first, then) => first == then && order[a][c] != first,
            };
            assert!(!wrong, "{} {} {}", values[a], values[b], values[c]);
        }
    }
}

fn names(columns: &Columns) -> Vec<&str> {
    columns.fields.iter().map(super::selection::field::Field::name).collect()
}

/// What must never reach a terminal, by the files of the Unicode Character Database that say so. It
/// is written apart from the sanitiser, so that each finds what the other lacks.
const HARMFUL: [(&str, &[RangeInclusive<u32>]); 5] = [
    // UnicodeData.txt, general category Cc: C0, DEL and C1.
    ("control", &[0..=0x1f, 0x7f..=0x9f]),
    // The same, categories Zl and Zp: they break a line where no line break stands.
    ("line or paragraph separator", &[0x2028..=0x2029]),
    // PropList.txt, Bidi_Control: what follows is shown in another order.
    ("bidirectional control", &[0x61c..=0x61c, 0x200e..=0x200f, 0x202a..=0x202e, 0x2066..=0x2069]),
    // DerivedCoreProperties.txt, Default_Ignorable_Code_Point, as far as the category is Cf (or Cn, in
    // a block of such characters): nothing is shown, so two names that differ look alike.
    (
        "invisible format character",
        &[
            0xad..=0xad,
            0x180e..=0x180e,
            0x200b..=0x200d,
            0x2060..=0x2065,
            0x206a..=0x206f,
            0xfeff..=0xfeff,
            0x1_bca0..=0x1_bca3,
            0x1_d173..=0x1_d17a,
            0xe_0000..=0xe_007f,
        ],
    ),
    // Blocks.txt, Specials, category Cf: what is between them is an annotation and may be hidden.
    ("interlinear annotation", &[0xfff9..=0xfffb]),
];

/// What the character would do to whoever reads it; `None` = nothing.
pub(crate) fn harm(character: char) -> Option<&'static str> {
    let code = u32::from(character);
    let does = |ranges: &[RangeInclusive<u32>]| ranges.iter().any(|range| range.contains(&code));
    HARMFUL.iter().find(|(_, ranges)| does(ranges)).map(|(harm, _)| *harm)
}

/// Nothing in it steers a terminal, turns the direction of the text or hides.
pub(crate) fn assert_harmless(text: &str) {
    let found = text.chars().find_map(|character| Some((harm(character)?, character)));
    assert_eq!(found, None, "{text:?}");
}

/// Nodes with something in most fields.
pub(crate) fn sample() -> Vec<Full> {
    let node = |at: u64, name: &str, version: &str, meta: Value| {
        let node = json!({
            "id": format!("6f1c36aa-0000-4000-8000-{at:012}"), "name": name, "status": "ready", "status_description": "",
            "eligibility": "eligible", "drain": at == 2, "datacenter": "dc1", "node_class": "", "node_pool": "default",
            "address": "10.0.0.5", "version": version, "os": "ubuntu 22.04", "arch": "amd64", "cpu_mhz": 9600, "cpu_cores": 4,
            "memory_mb": 15990, "disk_mb": 51200, "drivers": {"docker": "healthy"}, "meta": meta, "last_drain": null,
            "create_index": 7, "modify_index": 40 + at, "attributes": {"kernel.name": "linux", "cpu.numcores": "8"}
        });
        Full::from_json(node.to_string().as_bytes()).expect("it is a full record")
    };
    vec![
        node(1, "web-2", "1.9.3", json!({"rack": "r1"})),
        node(2, "web-10", "2.0.0-beta.1", json!({"rack": "", "zone": "1e3"})),
        node(3, "db", "", json!({})),
    ]
}
