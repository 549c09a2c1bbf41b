//! What one cell of the table of nodes says, and how it is to be taken.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

use crate::model::node::{DriverHealth, Record};
use crate::model::text::{is_plain, sanitised};

use super::drain;

/// A column of the usual table; the order here is the order on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Id,
    Name,
    Status,
    Eligibility,
    Drain,
    Dc,
    Pool,
    Class,
    Address,
    Version,
    Os,
    Arch,
    Cpu,
    Memory,
    Disk,
    Drivers,
}

pub(super) const TABLE: [Column; 10] = [
    Column::Id,
    Column::Name,
    Column::Status,
    Column::Eligibility,
    Column::Drain,
    Column::Dc,
    Column::Pool,
    Column::Class,
    Column::Address,
    Column::Version,
];

/// What `wide` adds.
pub(super) const MORE: [Column; 6] =
    [Column::Os, Column::Arch, Column::Cpu, Column::Memory, Column::Disk, Column::Drivers];

/// How a value is to be taken; colour is never the only sign of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Attention,
    Bad,
    Faint,
    /// It has just changed.
    Strong,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Good => colour(AnsiColor::Green),
            Self::Attention => colour(AnsiColor::Yellow),
            Self::Bad => colour(AnsiColor::Red),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }

    /// `text` in its colour, if there is to be `colour`.
    pub(super) fn painted(self, text: &str, colour: bool) -> Cow<'_, str> {
        if !colour || self == Self::Plain {
            return text.into();
        }
        let style = self.style();
        format!("{style}{text}{style:#}").into()
    }
}

impl Column {
    /// The column that shows the field of that JSON key; sizes by their own name are plain numbers.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        let shows = |column: &Self| column.keys().split(',').next() == Some(key);
        let is_made = |column: &Self| !matches!(column, Self::Cpu | Self::Memory | Self::Disk);
        TABLE.into_iter().chain(MORE).find(|column| shows(column) && is_made(column))
    }

    pub(super) fn head(self) -> &'static str {
        self.parts().0
    }

    /// The fields that it shows, the most important one first.
    pub(super) fn keys(self) -> &'static str {
        self.parts().1
    }

    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Id => ("ID", "id"),
            Self::Name => ("Name", "name"),
            Self::Status => ("Status", "status"),
            Self::Eligibility => ("Eligibility", "eligibility"),
            Self::Drain => ("Drain", "drain,eligibility,last_drain"),
            Self::Dc => ("DC", "datacenter"),
            Self::Pool => ("Pool", "node_pool"),
            Self::Class => ("Class", "node_class"),
            Self::Address => ("Address", "address"),
            Self::Version => ("Version", "version"),
            Self::Os => ("OS", "os"),
            Self::Arch => ("Arch", "arch"),
            Self::Cpu => ("CPU", "cpu_cores,cpu_mhz"),
            Self::Memory => ("Memory", "memory_mb"),
            Self::Disk => ("Disk", "disk_mb"),
            Self::Drivers => ("Drivers", "drivers"),
        }
    }

    /// The text of a cell, safe for a terminal; `-` for nothing.
    pub(super) fn text(self, record: &Record) -> Cow<'_, str> {
        let text: Cow<'_, str> = match self {
            Self::Id => record.id.as_str().into(),
            Self::Name => record.name.as_str().into(),
            Self::Status => record.status.as_str().into(),
            Self::Eligibility => record.eligibility.as_str().into(),
            Self::Drain => drain(record).into(),
            Self::Dc => record.datacenter.as_str().into(),
            Self::Pool => record.node_pool.as_str().into(),
            Self::Class => record.node_class.as_str().into(),
            Self::Address => record.address.as_str().into(),
            Self::Version => record.version.as_str().into(),
            Self::Os => record.os.as_deref().unwrap_or_default().into(),
            Self::Arch => record.arch.as_deref().unwrap_or_default().into(),
            Self::Cpu => cpu(record).into(),
            Self::Memory => record.memory_mb.map(size).unwrap_or_default().into(),
            Self::Disk => record.disk_mb.map(size).unwrap_or_default().into(),
            Self::Drivers => drivers(record).into(),
        };
        shown(text)
    }

    pub(super) fn tone(self, record: &Record) -> Tone {
        match (self, self.word(record)) {
            (Self::Status, "ready") => Tone::Good,
            (Self::Status, "down") => Tone::Bad,
            (Self::Status, _) | (Self::Eligibility, "ineligible") => Tone::Attention,
            (Self::Drain, "draining" | "drained") => Tone::Attention,
            (Self::Id, _) => Tone::Faint,
            _ => Tone::Plain,
        }
    }

    fn word(self, record: &Record) -> &str {
        match self {
            Self::Status => &record.status,
            Self::Eligibility => &record.eligibility,
            Self::Drain => drain(record),
            _ => "",
        }
    }

    /// Whether this text, in every row, says nothing: then the column is left out on a terminal.
    pub(super) fn is_silent(self, text: &str) -> bool {
        match self {
            Self::Pool => text == "default" || text == "-",
            Self::Class | Self::Drain => text == "-",
            _ => false,
        }
    }

    /// The width below which a column is not shortened.
    pub(super) fn narrowest(self) -> usize {
        match self {
            Self::Name => 12,
            Self::Address | Self::Class | Self::Pool | Self::Dc | Self::Os | Self::Drivers => 8,
            _ => usize::MAX,
        }
    }
}

/// Safe for a terminal; `-` for nothing.
pub(super) fn shown(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        text if text.is_empty() => "-".into(),
        Cow::Borrowed(text) => sanitised(text),
        Cow::Owned(text) if is_plain(&text) => text.into(),
        Cow::Owned(text) => sanitised(&text).into_owned().into(),
    }
}

fn cpu(record: &Record) -> String {
    match (record.cpu_cores, record.cpu_mhz) {
        (Some(cores), Some(mhz)) => {
            format!("{cores} × {} MHz", per_core(mhz, cores))
        }
        _ => String::new(),
    }
}

/// To the nearest.
fn per_core(mhz: u64, cores: u64) -> u64 {
    mhz.saturating_add(cores / 2).checked_div(cores).unwrap_or(mhz)
}

/// Megabytes as Nomad counts them (2^20), in the largest unit that leaves at least one digit.
pub(super) fn size(mb: u64) -> String {
    // To the nearest: twice as many tenths and one, halved. A number near the end of u64 is forged.
    let tenths = |unit: u64| (mb.saturating_mul(20) / unit).saturating_add(1) / 2;
    let said = |tenths: u64, unit: &str| format!("{}.{} {unit}", tenths / 10, tenths % 10);
    match mb {
        0..1024 => format!("{mb} MiB"),
        _ if tenths(1024) < 10_240 => said(tenths(1024), "GiB"),
        _ => said(tenths(1_048_576), "TiB"),
    }
}

/// The drivers that are there; those that are ill are marked.
fn drivers(record: &Record) -> String {
    let there = record.drivers.iter().filter(|(_, health)| **health != DriverHealth::Undetected);
    let names: Vec<String> = there
        .map(|(name, health)| match health {
            DriverHealth::Unhealthy => format!("{name} (unhealthy)"),
            _ => name.clone(),
        })
        .collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::{per_core, size};

    #[test]
    fn cores_share_to_the_nearest() {
        assert_eq!(
            [(9600, 4), (10_000, 3), (20_000, 3), (5, 0)].map(|(a, b)| per_core(a, b)),
            [2400, 3333, 6667, 5]
        );
    }

    #[test]
    fn sizes_keep_one_decimal() {
        for (mb, text) in [
            (0, "0 MiB"),
            (1023, "1023 MiB"),
            (1024, "1.0 GiB"),
            (15990, "15.6 GiB"),
            (7900, "7.7 GiB"),
            (7936, "7.8 GiB"),
            (1_048_520, "1023.9 GiB"),
            (1_048_550, "1.0 TiB"),
            (2_097_152, "2.0 TiB"),
        ] {
            assert_eq!(size(mb), text);
        }
    }
}
