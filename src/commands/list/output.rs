//! How `list` prints the nodes: format, columns and style.

use std::io::{self, Write};

use anyhow::Result;

use crate::cli::List;
use crate::commands::CommandContext;
use crate::error::{Exit, Hinted as _};
use crate::model::node::Full;
use crate::model::projection::Wanted;
use crate::model::selection::columns::{self, Columns};
use crate::model::selection::count_by;
use crate::model::selection::field::{self, Field, KNOWN};
use crate::model::table_record::TableRecord;
use crate::render::{
    self, ChangeMark, Column, Format, Grid, NodeTable, OutputStyle, Syntax, default_columns,
};
use crate::settings::{COLUMNS, OUTPUT, WATCH};

use super::invalid_value;

/// What CSV and TSV hold by default: the columns of the table.
const DEFAULT_FIELDS: &str =
    "id,name,status,eligibility,drain,datacenter,node_pool,node_class,address,version";

pub(super) struct ListOutput {
    pub(super) format: Format,
    /// Whether the format was named on the command line.
    pub(super) is_typed: bool,
    /// Whether JSON and YAML hold full records.
    pub(super) full: bool,
    pub(super) style: OutputStyle,
    /// The columns that were named.
    columns: Option<Columns>,
    /// The fields of `--count-by`; empty = the nodes are printed.
    count_by: Vec<Field>,
    counts_max: usize,
    syntax: Syntax,
}

impl ListOutput {
    pub(super) fn new(list: &List, context: &CommandContext<'_>) -> Result<Self> {
        let printing = &list.printing;
        let is_typed = printing.json || context.config.values.is_typed(&OUTPUT.setting);
        let format = match context.config.format {
            _ if printing.json => Format::Json,
            format if is_typed || fits(list, context, format) => format,
            _ => Format::Table,
        };
        let columns = columns(context, is_typed && is_structured(format))?;
        let count_by = printing.count_by.as_deref().map(field::parse_list).transpose();
        let count_by = count_by.map_err(|why| invalid_value("count-by", why))?;
        if count_by.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid_value("count-by", "no column is named"));
        }
        if count_by.is_some() && matches!(format, Format::Name | Format::Id) {
            let error = Exit::Usage.error("--count-by prints counts, not names");
            return Err(error.hinted("pass another --output"));
        }
        Ok(Self {
            format,
            is_typed,
            full: printing.full && is_structured(format),
            style: context.style(!printing.no_headers, printing.show_secrets),
            columns,
            count_by: count_by.unwrap_or_default(),
            counts_max: list.filters.limit.unwrap_or(usize::MAX),
            syntax: Syntax { tabs: format == Format::Tsv, raw: printing.csv_raw },
        })
    }

    pub(super) fn is_counts(&self) -> bool {
        !self.count_by.is_empty()
    }

    /// Whether the output is JSON of whole records, as the cache holds them.
    pub(super) fn is_record_json(&self) -> bool {
        let is_whole = !self.full && self.columns.is_none() && !self.is_counts();
        self.format == Format::Json && is_whole
    }

    /// Whether the output is a table that needs no more of a node than [`TableRecord`].
    pub(super) fn is_record_table(&self) -> bool {
        let is_table = matches!(self.format, Format::Table | Format::Wide) && !self.is_counts();
        is_table && self.table(&[]).columns.iter().all(Column::is_of_table)
    }

    /// The fields that were named as columns or counts.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.columns.iter().flat_map(|columns| &columns.fields).chain(&self.count_by)
    }

    /// What the output needs of each node besides [`Self::fields`], the states that the summary
    /// counts included.
    pub(super) fn wanted(&self) -> Wanted {
        let wanted = Wanted::keys(&["name", "status", "eligibility", "drain", "address"]);
        match self.format {
            _ if self.is_counts() => wanted,
            Format::Name | Format::Id => wanted,
            Format::Csv | Format::Tsv => wanted.and(&self.grid_fields()),
            Format::Table | Format::Wide => wanted.and(&render::fields(&self.table(&[]).columns)),
            Format::Json | Format::Jsonl | Format::Yaml => match &self.columns {
                Some(columns) if !columns.adds => wanted,
                _ => Wanted::everything(),
            },
        }
    }

    pub(super) fn write_table(
        &self,
        nodes: &[TableRecord<'_>],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        render::table(out, nodes, &self.table(&[]), &self.style)
    }

    pub(super) fn write(&self, nodes: &[Full], out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            _ if self.is_counts() => self.write_grid(&self.counts(nodes), out),
            Format::Table | Format::Wide => self.write_table(&TableRecord::of(nodes), out),
            Format::Name => render::lines(out, nodes.iter().map(|node| &*node.record.name)),
            Format::Id => render::lines(out, nodes.iter().map(|node| node.record.id.as_str())),
            Format::Json | Format::Jsonl => self.write_json(&self.objects(nodes), out),
            _ => self.write_grid(&Grid::of(nodes, &self.grid_fields()), out),
        }
    }

    fn write_grid(&self, grid: &Grid, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Json | Format::Jsonl => self.write_json(&grid.objects(), out),
            Format::Yaml => grid.yaml(out),
            Format::Csv | Format::Tsv => grid.separated(out, self.syntax, &self.style),
            _ => render::grid_table(out, grid, &self.style),
        }
    }

    fn write_json(&self, objects: &[Vec<u8>], out: &mut dyn Write) -> io::Result<()> {
        render::json(out, objects.iter().map(Vec::as_slice), self.format == Format::Jsonl)
    }

    /// One JSON object per node.
    pub(super) fn objects(&self, nodes: &[Full]) -> Vec<Vec<u8>> {
        if self.columns.is_some() {
            return Grid::of(nodes, &self.grid_fields()).objects();
        }
        nodes.iter().map(|node| node.json(self.full)).collect()
    }

    fn counts(&self, nodes: &[Full]) -> Grid {
        let names = self.count_by.iter().map(Field::name).chain(["count"]);
        let counts = count_by(nodes, &self.count_by).into_iter().take(self.counts_max);
        Grid {
            names: names.map(str::to_owned).collect(),
            rows: counts.map(|(values, count)| [values, vec![count.into()]].concat()).collect(),
        }
    }

    /// The table, with how each row differs from before.
    pub(super) fn table<'a>(&self, marks: &'a [ChangeMark]) -> NodeTable<'a> {
        let wide = self.format == Format::Wide;
        let Some(columns) = &self.columns else {
            return NodeTable { columns: default_columns(wide), named: wide, marks };
        };
        let mut chosen = if columns.adds { default_columns(wide) } else { Vec::new() };
        for column in columns.fields.iter().cloned().map(Column::of) {
            if !columns.adds || !chosen.contains(&column) {
                chosen.push(column);
            }
        }
        NodeTable { columns: chosen, named: true, marks }
    }

    /// The fields of CSV and TSV, or of JSON and YAML with named columns.
    fn grid_fields(&self) -> Vec<Field> {
        let default = match self.format {
            Format::Csv | Format::Tsv => {
                field::parse_list(DEFAULT_FIELDS).expect("these are fields")
            }
            _ => columns::of_record(self.full),
        };
        match &self.columns {
            Some(columns) => columns.after(default),
            None => default,
        }
    }
}

/// Whether all columns are to be listed.
pub(super) fn asks_for_help(context: &CommandContext<'_>) -> Result<bool> {
    let columns = context.config.values.texts(&COLUMNS)?;
    Ok(columns.is_some_and(|(columns, _)| columns.iter().any(|column| column == "help")))
}

/// The named columns. Those of the configuration do not change the JSON or YAML that is asked for.
fn columns(context: &CommandContext<'_>, asks_for_records: bool) -> Result<Option<Columns>> {
    let values = &context.config.values;
    match values.texts(&COLUMNS)? {
        Some((columns, origin)) if !asks_for_records || values.is_typed(&COLUMNS.setting) => {
            Columns::parse(&columns)
                .map_err(|why| origin.error(&why).hinted("list -c help lists all columns"))
        }
        _ => Ok(None),
    }
}

fn is_structured(format: Format) -> bool {
    matches!(format, Format::Json | Format::Jsonl | Format::Yaml)
}

/// Whether the configured format can be used with the options of this run.
fn fits(list: &List, context: &CommandContext<'_>, format: Format) -> bool {
    let is_watch = context.config.values.is_typed(&WATCH.setting);
    match format {
        Format::Table | Format::Json | Format::Jsonl => true,
        Format::Wide => !is_watch || context.width.is_some(),
        Format::Name | Format::Id => !is_watch && list.printing.count_by.is_none(),
        Format::Yaml | Format::Csv | Format::Tsv => !is_watch,
    }
}

/// `-c help`: the names and meanings of all columns.
pub(super) fn list_columns(out: &mut dyn Write) -> Result<()> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for known in KNOWN {
        let short = known.short.unwrap_or("-");
        rows.push([known.key, short, known.meaning].map(str::to_owned).into());
        if let Some(inner) = known.inner {
            let short = known.short.map_or("-".to_owned(), |short| format!("{short}.{inner}"));
            let meaning = match known.key {
                "meta" => "one metadata value",
                "attributes" => "one attribute",
                "drivers" => "the state of one driver",
                _ => "one value",
            };
            rows.push(vec![format!("{}.{inner}", known.key), short, meaning.to_owned()]);
        }
    }
    let style = OutputStyle { width: None, colour: false, headers: true, secrets: false };
    let heads = ["Column", "Short", "Meaning"].map(str::to_owned);
    render::texts(out, &heads, &rows, &style)?;
    Ok(out.flush()?)
}
