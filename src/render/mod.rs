//! Facts in, text out: writes to what it is given, knows nothing of where that leads.

mod cell;
pub(crate) mod console;
mod fit;
pub(crate) mod notice;
mod show;
mod stats;
mod table;

use std::io::{self, Write};

use crate::model::node::{Full, Record};
use crate::model::text::sanitised;

pub(crate) use show::show;
pub(crate) use stats::{Cluster, stats, stats_json};
pub(crate) use table::table;

/// How nodes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Wide,
    Json,
    Jsonl,
    Name,
    Id,
}

impl Format {
    pub(crate) const NAMES: [&str; 6] = ["table", "wide", "json", "jsonl", "name", "id"];
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "table" => Self::Table,
            "wide" => Self::Wide,
            "json" => Self::Json,
            "jsonl" => Self::Jsonl,
            "name" => Self::Name,
            "id" => Self::Id,
            _ => return Err(format!("must be one of {}", Self::NAMES.join(", "))),
        })
    }
}

/// How text for people looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns of the terminal; `None` in a pipe, where the same bytes come whatever the terminal.
    pub(crate) width: Option<usize>,
    pub(crate) colour: bool,
    pub(crate) headers: bool,
    /// Values whose key names a secret are shown.
    pub(crate) secrets: bool,
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

/// One name or id a line.
pub(crate) fn lines<'a>(
    to: &mut dyn Write,
    texts: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    texts.into_iter().try_for_each(|text| writeln!(to, "{}", sanitised(text)))
}

/// Whether the value behind this key of metadata or attributes must not be seen over a shoulder.
fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["token", "secret", "password"].iter().any(|word| key.contains(word))
}

/// How a node drains: `drained` is done and still closed for new work.
fn drain(record: &Record) -> &'static str {
    let complete = record.last_drain.as_ref().is_some_and(|drain| drain.status == "complete");
    match record.drain {
        true => "draining",
        false if complete && record.eligibility == "ineligible" => "drained",
        false => "-",
    }
}

/// What is left of a node for tasks: total minus reserved.
fn free(node: &Full) -> Option<[u64; 3]> {
    let (all, kept) = (node.extra.resources.as_ref()?, node.extra.reserved.as_ref()?);
    Some([
        all.cpu_mhz.saturating_sub(kept.cpu_mhz),
        all.memory_mb.saturating_sub(kept.memory_mb),
        all.disk_mb.saturating_sub(kept.disk_mb),
    ])
}
