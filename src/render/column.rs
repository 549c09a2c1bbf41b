//! The columns of the table of nodes: the standard ones, and other fields under their own names.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

use crate::model::node::{DriverHealth, Record};
use crate::model::selection::field::{self, Field};
use crate::model::selection::value;
use crate::model::table_record::TableRecord;
use crate::model::text::{is_plain, sanitised};

use super::drain;
use super::grid::masked;

/// The meaning of a cell; colour is never the only sign of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Attention,
    Bad,
    Faint,
    /// The row has just changed.
    Strong,
}

impl Tone {
    /// `text` in its colour, if there is to be `colour`.
    pub(super) fn painted(self, text: &str, colour: bool) -> Cow<'_, str> {
        let coloured = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        let style = match self {
            Self::Plain => return text.into(),
            Self::Good => coloured(AnsiColor::Green),
            Self::Attention => coloured(AnsiColor::Yellow),
            Self::Bad => coloured(AnsiColor::Red),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        };
        if colour { format!("{style}{text}{style:#}").into() } else { text.into() }
    }
}

/// One column of a table.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Column {
    Standard(&'static StandardColumn),
    Field(Field),
}

/// A column of the default table, or one that `wide` adds.
pub(crate) struct StandardColumn {
    head: &'static str,
    /// The fields that it shows, the most important one first.
    keys: &'static str,
    /// It is not shortened below this width.
    narrowest: usize,
    text: CellText,
}

/// Where a cell is read.
enum CellText {
    /// In what the default table shows.
    Table(for<'a> fn(&'a TableRecord<'_>) -> Cow<'a, str>),
    /// Anywhere in the record.
    Record(for<'a> fn(&'a Record) -> Cow<'a, str>),
}

impl PartialEq for StandardColumn {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head
    }
}

impl Eq for StandardColumn {}

const fn standard(
    head: &'static str,
    keys: &'static str,
    narrowest: usize,
    text: for<'a> fn(&'a TableRecord<'_>) -> Cow<'a, str>,
) -> StandardColumn {
    StandardColumn { head, keys, narrowest, text: CellText::Table(text) }
}

const fn wide(
    head: &'static str,
    keys: &'static str,
    narrowest: usize,
    text: for<'a> fn(&'a Record) -> Cow<'a, str>,
) -> StandardColumn {
    StandardColumn { head, keys, narrowest, text: CellText::Record(text) }
}

/// The narrowest width of a column that is never shortened.
const WHOLE: usize = usize::MAX;

/// In the order of the screen.
static STANDARD: [StandardColumn; 16] = [
    standard("ID", "id", WHOLE, |node| (&*node.id).into()),
    standard("Name", "name", 12, |node| (&*node.name).into()),
    standard("Status", "status", WHOLE, |node| (&*node.status).into()),
    standard("Eligibility", "eligibility", WHOLE, |node| (&*node.eligibility).into()),
    standard("Drain", "drain,eligibility,last_drain", WHOLE, |node| drain(node).into()),
    standard("DC", "datacenter", 8, |node| (&*node.datacenter).into()),
    standard("Pool", "node_pool", 8, |node| (&*node.node_pool).into()),
    standard("Class", "node_class", 8, |node| (&*node.node_class).into()),
    standard("Address", "address", 8, |node| (&*node.address).into()),
    standard("Version", "version", WHOLE, |node| (&*node.version).into()),
    wide("OS", "os", 8, |node| node.os.as_deref().unwrap_or_default().into()),
    wide("Arch", "arch", WHOLE, |node| node.arch.as_deref().unwrap_or_default().into()),
    wide("CPU", "cpu_cores,cpu_mhz", WHOLE, |node| cpu(node).into()),
    wide("Memory", "memory_mb", WHOLE, |node| size_or_nothing(node.memory_mb)),
    wide("Disk", "disk_mb", WHOLE, |node| size_or_nothing(node.disk_mb)),
    wide("Drivers", "drivers", 8, |node| drivers(node).into()),
];

/// Those of the default table; the others need `wide`.
const DEFAULT: usize = 10;

/// The columns of the table if none are named.
pub(crate) fn default_columns(wide: bool) -> Vec<Column> {
    let count = if wide { STANDARD.len() } else { DEFAULT };
    STANDARD[..count].iter().map(Column::Standard).collect()
}

/// All fields that the columns show.
pub(crate) fn fields(columns: &[Column]) -> Vec<Field> {
    let fields = columns.iter().flat_map(|column| match column {
        Column::Standard(column) => field::parse_list(column.keys).expect("these are fields"),
        Column::Field(field) => vec![field.clone()],
    });
    fields.collect()
}

impl Column {
    /// The standard column of a field, if there is one. CPU, memory and disk are plain numbers under
    /// the names of their fields.
    pub(crate) fn of(field: Field) -> Self {
        let key = field.key();
        let shows = |column: &&StandardColumn| {
            column.keys.split(',').next() == key
                && !["CPU", "Memory", "Disk"].contains(&column.head)
        };
        match STANDARD.iter().find(shows) {
            Some(column) => Self::Standard(column),
            None => Self::Field(field),
        }
    }

    /// Whether a row needs no more of a node than [`TableRecord`].
    pub(crate) fn is_of_table(&self) -> bool {
        matches!(self, Self::Standard(StandardColumn { text: CellText::Table(_), .. }))
    }

    pub(super) fn head(&self) -> String {
        match self {
            Self::Standard(column) => column.head.to_owned(),
            Self::Field(field) => sanitised(field.name()).into_owned(),
        }
    }

    /// The text of a cell, safe for a terminal; `-` if the node has no value.
    pub(super) fn text<'a>(&self, node: &'a TableRecord<'_>, secrets: bool) -> Cow<'a, str> {
        let text = match (self, node.full) {
            (Self::Standard(StandardColumn { text: CellText::Table(text), .. }), _) => text(node),
            (Self::Standard(StandardColumn { text: CellText::Record(text), .. }), Some(full)) => {
                text(&full.record)
            }
            (Self::Field(field), Some(full)) => {
                let value = field.value(full);
                let value = if secrets { value } else { masked(field.name(), &value) };
                value::text(&value).into()
            }
            (_, None) => "".into(),
        };
        match text {
            text if text.is_empty() => "-".into(),
            Cow::Borrowed(text) => sanitised(text),
            Cow::Owned(text) if is_plain(&text) => text.into(),
            Cow::Owned(text) => sanitised(&text).into_owned().into(),
        }
    }

    /// The tone of a cell with this text.
    pub(super) fn tone(&self, text: &str) -> Tone {
        let Self::Standard(column) = self else { return Tone::Plain };
        match (column.head, text) {
            ("Status", "ready") => Tone::Good,
            ("Status", "down") => Tone::Bad,
            ("Status", _) | ("Eligibility", "ineligible") => Tone::Attention,
            ("Drain", "draining" | "drained") => Tone::Attention,
            ("ID", _) => Tone::Faint,
            _ => Tone::Plain,
        }
    }

    pub(super) fn is_id(&self) -> bool {
        matches!(self, Self::Standard(column) if column.head == "ID")
    }

    /// Whether the column is hidden on a terminal if all its cells have such texts.
    pub(super) fn is_empty(&self, text: &str) -> bool {
        let Self::Standard(column) = self else { return false };
        match column.head {
            "Pool" => text == "default" || text == "-",
            "Class" | "Drain" => text == "-",
            _ => false,
        }
    }

    /// The width below which it is not shortened.
    pub(super) fn narrowest(&self) -> usize {
        match self {
            Self::Standard(column) => column.narrowest,
            Self::Field(_) => 8,
        }
    }
}

fn cpu(node: &Record) -> String {
    match (node.cpu_cores, node.cpu_mhz) {
        (Some(cores), Some(mhz)) => format!("{cores} × {} MHz", per_core(mhz, cores)),
        _ => String::new(),
    }
}

/// Rounded to the nearest number.
fn per_core(mhz: u64, cores: u64) -> u64 {
    mhz.saturating_add(cores / 2).checked_div(cores).unwrap_or(mhz)
}

fn size_or_nothing(mb: Option<u64>) -> Cow<'static, str> {
    mb.map(size).unwrap_or_default().into()
}

/// Megabytes as Nomad counts them (2^20), in the largest unit that leaves at least one digit.
pub(super) fn size(mb: u64) -> String {
    // Rounded: twice as many tenths plus one, halved. Only a forged number comes near the end of u64.
    let tenths = |unit: u64| (mb.saturating_mul(20) / unit).saturating_add(1) / 2;
    let text = |tenths: u64, unit: &str| format!("{}.{} {unit}", tenths / 10, tenths % 10);
    match mb {
        0..1024 => format!("{mb} MiB"),
        _ if tenths(1024) < 10_240 => text(tenths(1024), "GiB"),
        _ => text(tenths(1_048_576), "TiB"),
    }
}

/// The drivers that were detected; unhealthy ones are marked.
fn drivers(node: &Record) -> String {
    let names = node.drivers.iter().filter_map(|(name, health)| match health {
        DriverHealth::Undetected => None,
        DriverHealth::Unhealthy => Some(format!("{name} (unhealthy)")),
        DriverHealth::Healthy => Some(name.clone()),
    });
    names.collect::<Vec<_>>().join(",")
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
