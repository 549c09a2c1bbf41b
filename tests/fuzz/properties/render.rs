//! What holds of the cells of strangers in CSV, TSV and YAML, whatever the bytes. Tests and fuzzers ask it.

use serde_json::Value;

use crate::model::properties::assert_harmless;
use crate::model::selection::value::text;
use crate::model::text::sanitised;

use super::{Grid, OutputStyle, Syntax};

/// Cells with `|` between them, rows on lines of their own, the first one the names; `^` is a line
/// break within a cell.
pub fn csv(bytes: &[u8]) {
    let input = String::from_utf8_lossy(bytes);
    let mut lines = input.split('\n');
    let cell = |text: &str| text.replace('^', "\n");
    let names: Vec<String> = lines.next().unwrap_or_default().split('|').map(cell).collect();
    let value =
        |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(cell(text)), Value::from);
    let row = |line: &str| -> Vec<Value> {
        let cells = line.split('|').map(value).chain(std::iter::repeat(Value::Null));
        cells.take(names.len()).collect()
    };
    let rows = lines.map(row).collect();
    let grid = Grid { names, rows };
    assert_csv_returns(&grid, true);
    assert_csv_returns(&grid, false);
    assert_tsv_returns(&grid);
    let mut yaml = Vec::new();
    grid.yaml(&mut yaml).expect("memory takes every write");
    let yaml = String::from_utf8(yaml).expect("YAML is UTF-8");
    // As in JSON: a program reads it, and what only turns the direction of a text is data.
    let steers = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!yaml.chars().any(steers), "{yaml:?}");
}

/// What a spreadsheet reads is what was there, behind a quote where it would be a formula.
fn assert_csv_returns(grid: &Grid, raw: bool) {
    let written = separated(grid, Syntax { tabs: false, raw });
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_bytes());
    let read: Vec<Vec<String>> = reader
        .records()
        .map(|row| row.expect("it is CSV").iter().map(str::to_owned).collect())
        .collect();
    let expected = cells(grid);
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().flatten().zip(expected.iter().flatten()) {
        if raw {
            assert_eq!(*read, text(expected));
            continue;
        }
        read.split('\n').for_each(assert_harmless);
        let safe = text(expected).split('\n').map(sanitised).collect::<Vec<_>>().join("\n");
        assert_is(read, &safe, expected);
    }
}

/// One line a row, and each cell can be undone.
fn assert_tsv_returns(grid: &Grid) {
    let written = separated(grid, Syntax { tabs: true, raw: false });
    let lines: Vec<&str> = written.split_terminator('\n').collect();
    let expected = cells(grid);
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(&expected) {
        let read: Vec<&str> = line.split('\t').collect();
        assert_eq!(read.len(), expected.len());
        for (read, expected) in read.iter().zip(expected) {
            assert_harmless(read);
            assert_is(&undone(read), &text(expected), expected);
        }
    }
}

/// The text itself, or behind a quote; never a formula.
fn assert_is(read: &str, text: &str, value: &Value) {
    let quoted = read.strip_prefix('\'') == Some(text);
    assert!(read == text || quoted, "{read:?} is not {text:?}");
    let begins = read.trim_start().starts_with(['=', '+', '-', '@']);
    assert!(!begins || value.is_number() || read.parse::<f64>().is_ok(), "{read:?} is a formula");
}

fn cells(grid: &Grid) -> Vec<Vec<Value>> {
    let names = grid.names.iter().map(|name| Value::from(name.as_str())).collect();
    [vec![names], grid.rows.clone()].concat()
}

fn separated(grid: &Grid, syntax: Syntax) -> String {
    let look = OutputStyle { width: None, colour: false, headers: true, secrets: true };
    let mut out = Vec::new();
    grid.separated(&mut out, syntax, &look).expect("memory takes every write");
    String::from_utf8(out).expect("cells are UTF-8")
}

/// Escapes of TSV read back.
fn undone(cell: &str) -> String {
    let (mut text, mut rest) = (String::new(), cell);
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, behind) = match after.split_at(1) {
            ("t", behind) => ('\t', behind),
            ("n", behind) => ('\n', behind),
            ("r", behind) => ('\r', behind),
            ("u", behind) => hex(behind),
            (_, behind) => ('\\', behind),
        };
        text.push(character);
        rest = behind;
    }
    text + rest
}

/// `{1b}` and what follows.
fn hex(text: &str) -> (char, &str) {
    let (digits, behind) = text[1..].split_once('}').expect("the brace is closed");
    let code = u32::from_str_radix(digits, 16).expect("hexadecimal digits");
    (char::from_u32(code).expect("a character"), behind)
}
