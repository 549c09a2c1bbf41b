//! What was asked of `list`, checked before anybody is asked for nodes.

use crate::cli::List;
use crate::commands::{CommandContext, node_is_possible};
use crate::discovery::Want;
use crate::error::{Exit, Hinted as _};
use crate::model::node::Full;
use crate::model::projection::Wanted;
use crate::model::selection::Selection;
use crate::model::selection::columns::{self, Columns};
use crate::model::selection::condition::Condition;
use crate::model::selection::field::{self, Field};
use crate::model::text::first_line;
use crate::model::work_limit::WorkLimit;
use crate::render::{self, Format, OutputStyle, Shape, Syntax, usual};
use crate::settings::{COLUMNS, OUTPUT, SORT};

/// One `list`, understood.
pub(super) struct ListQuery {
    pub(super) format: Format,
    pub(super) want: Want,
    /// JSON and YAML hold full records.
    pub(super) full: bool,
    /// The columns that were named.
    pub(super) columns: Option<Columns>,
    pub(super) selection: Selection,
    pub(super) count_by: Option<Vec<Field>>,
    /// At most so many counts.
    pub(super) counts: usize,
    pub(super) syntax: Syntax,
    pub(super) look: OutputStyle,
    fail_on: Vec<(String, Condition)>,
}

/// What CSV and TSV hold unless columns are named: what the table shows.
const USUAL: &str =
    "id,name,status,eligibility,drain,datacenter,node_pool,node_class,address,version";

pub(super) fn asks_for_help(run: &CommandContext<'_>) -> anyhow::Result<bool> {
    let columns = run.config.values.texts(&COLUMNS)?;
    Ok(columns.is_some_and(|(columns, _)| columns.iter().any(|columns| columns == "help")))
}

fn usage(option: &str, why: impl std::fmt::Display) -> anyhow::Error {
    Exit::Usage.error(format!("invalid value for --{option}: {why}"))
}

impl ListQuery {
    pub(super) fn new(list: &List, run: &CommandContext<'_>) -> anyhow::Result<Self> {
        let printing = &list.printing;
        let format = format(list, run);
        let columns = columns(list, run)?;
        list.nodes.iter().try_for_each(|node| node_is_possible(node))?;
        let mut selection = Selection::default();
        for (option, values) in list.filters.options() {
            selection.add(option, values).map_err(|why| usage(option, why))?;
        }
        if let Some((keys, origin)) = run.config.values.texts(&SORT)? {
            selection.add("sort", &keys).map_err(|why| origin.error(&why))?;
        }
        let count_by = printing.count_by.as_deref().map(field::list).transpose();
        let count_by = count_by.map_err(|why| usage("count-by", why))?;
        if count_by.as_ref().is_some_and(Vec::is_empty) {
            return Err(usage("count-by", "no column is named"));
        }
        let fail_on = list.fail_on.iter().map(|text| {
            Condition::parse(text)
                .map(|condition| (text.clone(), condition))
                .map_err(|why| usage("fail-on", why))
        });
        let structured = matches!(format, Format::Json | Format::Jsonl | Format::Yaml);
        let mut choice = Self {
            format,
            want: Want::Records,
            full: printing.full && structured,
            columns,
            selection: selection.limited(list.filters.limit.filter(|_| count_by.is_none())),
            counts: list.filters.limit.unwrap_or(usize::MAX),
            count_by,
            syntax: Syntax { tabs: format == Format::Tsv, raw: printing.csv_raw },
            look: run.look(!printing.no_headers, printing.show_secrets),
            fail_on: fail_on.collect::<Result<_, _>>()?,
        };
        if choice.full || choice.fields().any(Field::needs_full) {
            choice.want = Want::Full;
        }
        choice.checked()
    }

    fn checked(self) -> anyhow::Result<Self> {
        let counts_names =
            self.count_by.is_some() && matches!(self.format, Format::Name | Format::Id);
        if counts_names {
            let error = Exit::Usage.error("--count-by prints counts, not names");
            return Err(error.hinted("pass another --output"));
        }
        Ok(self)
    }

    /// Every field that plays a part.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        let columns = self.columns.iter().flat_map(|columns| &columns.fields);
        let fail_on = self.fail_on.iter().map(|(_, condition)| &condition.field);
        let counted = self.count_by.iter().flatten();
        columns.chain(self.selection.fields()).chain(fail_on).chain(counted)
    }

    /// What must be read of each node: what is printed, what chooses and orders, and the states
    /// that the notice counts.
    pub(super) fn wanted(&self, list: &List) -> Wanted {
        let whole = self.columns.is_none()
            && self.count_by.is_none()
            && !matches!(
                self.format,
                Format::Table
                    | Format::Wide
                    | Format::Name
                    | Format::Id
                    | Format::Csv
                    | Format::Tsv
            );
        if whole || list.watch.is_some() {
            return Wanted::everything();
        }
        let mut wanted = Wanted::keys(&["name", "status", "eligibility", "drain", "address"]);
        if self.count_by.is_none() {
            wanted = match self.format {
                Format::Name | Format::Id => wanted,
                Format::Csv | Format::Tsv => wanted.and(&self.grid_fields()),
                Format::Table | Format::Wide => wanted.and(&render::fields(&self.shapes().0)),
                _ if self.columns.as_ref().is_some_and(|columns| !columns.adds) => wanted,
                _ => Wanted::everything(),
            };
        }
        wanted.and(self.fields())
    }

    /// The very bytes of the cache are what is to be printed.
    pub(super) fn is_cached_bytes(&self, list: &List) -> bool {
        self.format == Format::Json
            && !self.full
            && list.nodes.is_empty()
            && self.selection.is_everything()
            && self.columns.is_none()
            && self.count_by.is_none()
            && self.fail_on.is_empty()
    }

    /// The columns of a table, and whether somebody named them.
    pub(super) fn shapes(&self) -> (Vec<Shape>, bool) {
        let wide = self.format == Format::Wide;
        let named = self.columns.iter().flat_map(|columns| columns.fields.iter().cloned());
        let named: Vec<Shape> = named.map(Shape::of).collect();
        match &self.columns {
            Some(columns) if !columns.adds => (named, true),
            _ => {
                let mut shapes = usual(wide);
                let more: Vec<Shape> =
                    named.into_iter().filter(|shape| !shapes.contains(shape)).collect();
                shapes.extend(more);
                (shapes, wide || self.columns.is_some())
            }
        }
    }

    /// The fields of CSV and TSV, or of JSON and YAML if columns were named.
    pub(super) fn grid_fields(&self) -> Vec<Field> {
        let usual = match self.format {
            Format::Csv | Format::Tsv => field::list(USUAL).expect("these are fields"),
            _ => columns::of_record(self.full),
        };
        match &self.columns {
            Some(columns) => columns.after(usual),
            None => usual,
        }
    }

    /// # Errors
    /// Nodes are what `--fail-on` says that none may be.
    pub(super) fn check(&self, nodes: &[Full]) -> anyhow::Result<()> {
        let work = WorkLimit::unbounded();
        for (text, condition) in &self.fail_on {
            let found: Vec<&str> = nodes
                .iter()
                .filter(|node| condition.holds(node, &work))
                .map(|node| node.record.name.as_str())
                .collect();
            if !found.is_empty() {
                let names: Vec<_> =
                    found.iter().take(5).map(|name| first_line(name, 100)).collect();
                let names = names.join(", ");
                let more = if found.len() > 5 { ", …" } else { "" };
                let count = found.len();
                let word = if count == 1 { "node matches" } else { "nodes match" };
                return Err(Exit::Matched.error(format!("{count} {word} {text}: {names}{more}")));
            }
        }
        Ok(())
    }
}

fn format(list: &List, run: &CommandContext<'_>) -> Format {
    let format = run.config.format;
    match run.config.values.is_typed(&OUTPUT.setting) || fits(list, run, format) {
        _ if list.printing.json => Format::Json,
        true => format,
        false => Format::Table,
    }
}

/// What is usual for a list may be impossible for what is asked now.
fn fits(list: &List, run: &CommandContext<'_>, format: Format) -> bool {
    let is_watch = list.watch.is_some();
    match format {
        Format::Table | Format::Json | Format::Jsonl => true,
        Format::Wide => !is_watch || run.width.is_some(),
        Format::Name | Format::Id => !is_watch && list.printing.count_by.is_none(),
        Format::Yaml | Format::Csv | Format::Tsv => !is_watch,
    }
}

/// Columns that were typed win over those of the configuration, which shape tables, CSV and TSV.
fn columns(list: &List, run: &CommandContext<'_>) -> anyhow::Result<Option<Columns>> {
    let (values, format) = (&run.config.values, run.config.format);
    let is_structured = list.printing.json
        || values.is_typed(&OUTPUT.setting)
            && matches!(format, Format::Json | Format::Jsonl | Format::Yaml);
    let Some((columns, origin)) = values.texts(&COLUMNS)? else { return Ok(None) };
    if is_structured && !values.is_typed(&COLUMNS.setting) {
        return Ok(None);
    }
    Columns::parse(&columns)
        .map_err(|why| origin.error(&why).hinted("list -c help lists all columns"))
}
