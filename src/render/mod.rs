//! Turns facts into text and writes it to any writer.

mod column;
pub(crate) mod console;
mod doctor;
mod grid;
mod line_queue;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/render.rs"]
pub(crate) mod properties;
pub(crate) mod screen;
mod show;
mod stats;
pub(crate) mod stdout;
pub(crate) mod summary;
mod table;
mod width;

use std::io::{self, Write};

use crate::model::node::Full;
use crate::model::table_record::TableRecord;
use crate::model::text::sanitised;

pub(crate) use column::{Column, default_columns, fields};
pub(crate) use doctor::{doctor, doctor_json};
pub(crate) use grid::{Grid, object};
pub(crate) use show::show;
pub(crate) use stats::{ClusterSection, stats, stats_json};
pub(crate) use table::{ChangeMark, NodeTable, table, texts};

/// How nodes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Wide,
    Json,
    Jsonl,
    Yaml,
    Csv,
    Tsv,
    Name,
    Id,
}

impl Format {
    pub(crate) const NAMES: [(&str, Self); 9] = [
        ("table", Self::Table),
        ("wide", Self::Wide),
        ("json", Self::Json),
        ("jsonl", Self::Jsonl),
        ("yaml", Self::Yaml),
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("name", Self::Name),
        ("id", Self::Id),
    ];
}

/// How text for people looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputStyle {
    /// Columns of the terminal; `None` in a pipe, where the same bytes come whatever the terminal.
    pub(crate) width: Option<usize>,
    pub(crate) colour: bool,
    pub(crate) headers: bool,
    /// Values whose key names a secret are shown.
    pub(crate) secrets: bool,
}

/// How values are kept apart in a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// Tabs instead of commas and quotes.
    pub(crate) tabs: bool,
    /// As it is, even if a spreadsheet takes it for a formula.
    pub(crate) raw: bool,
}

/// A JSON array, or one node a line, of values that are JSON already.
pub(crate) fn json<'a>(
    to: &mut dyn Write,
    values: impl Iterator<Item = &'a [u8]>,
    lines: bool,
) -> io::Result<()> {
    if !lines {
        to.write_all(b"[")?;
    }
    for (at, value) in values.enumerate() {
        if at > 0 && !lines {
            to.write_all(b",")?;
        }
        to.write_all(value)?;
        if lines {
            to.write_all(b"\n")?;
        }
    }
    if lines { Ok(()) } else { to.write_all(b"]\n") }
}

/// A grid as a table for people; values under a secret's name are masked.
pub(crate) fn grid_table(to: &mut dyn Write, grid: &Grid, style: &OutputStyle) -> io::Result<()> {
    let cell = |(name, value): (&String, &serde_json::Value)| {
        let value = if style.secrets { value.clone() } else { grid::masked(name, value) };
        let text = crate::model::selection::value::text(&value);
        if text.is_empty() { "-".to_owned() } else { sanitised(&text).into_owned() }
    };
    let row = |row: &Vec<serde_json::Value>| grid.names.iter().zip(row).map(cell).collect();
    let heads: Vec<_> = grid.names.iter().map(|name| sanitised(name).into_owned()).collect();
    texts(to, &heads, &grid.rows.iter().map(row).collect::<Vec<_>>(), style)
}

/// A time as RFC 3339.
pub(crate) fn time(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// One name or id a line.
pub(crate) fn lines<'a>(
    to: &mut dyn Write,
    texts: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    texts.into_iter().try_for_each(|text| writeln!(to, "{}", sanitised(text)))
}

/// How a node drains: `drained` is done and still closed for new work.
fn drain(record: &TableRecord<'_>) -> &'static str {
    let complete = record.last_drain.as_ref().is_some_and(|drain| drain.status == "complete");
    match record.drain {
        true => "draining",
        false if complete && record.eligibility == "ineligible" => "drained",
        false => "-",
    }
}

/// The resources of a node that tasks can have, used or not: all minus reserved.
fn allocatable(node: &Full) -> Option<[u64; 3]> {
    let (all, kept) = (node.extra.resources.as_ref()?, node.extra.reserved.as_ref()?);
    Some([
        all.cpu_mhz.saturating_sub(kept.cpu_mhz),
        all.memory_mb.saturating_sub(kept.memory_mb),
        all.disk_mb.saturating_sub(kept.disk_mb),
    ])
}
