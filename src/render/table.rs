//! The table of nodes: fitted and coloured on a terminal, complete and always the same in a pipe.

use std::borrow::Cow;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};

use crate::model::table_record::TableRecord;

use super::OutputStyle;
use super::column::{Column, Tone};
use super::width::{shortened, width};

/// The ID on a terminal, as the official command line shortens it.
const SHORT_ID: usize = 8;

/// Between the cells of a line until they are coloured; no cell contains control characters.
const SEPARATOR: char = '\u{1f}';

/// comfy-table counts columns in 16 bits.
const WIDEST: usize = u16::MAX as usize - 1;

/// The cells of a line, and how each is to be taken.
type TableRow<'a> = Vec<(Cow<'a, str>, Tone)>;

/// The columns of a table, and the changes of its rows.
pub(crate) struct NodeTable<'a> {
    pub(crate) columns: Vec<Column>,
    /// Whether the columns were named: then all of them are shown.
    pub(crate) named: bool,
    /// How each row differs from the last time it was shown; empty = nothing is compared.
    pub(crate) marks: &'a [ChangeMark],
}

/// How a row differs from the last time it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeMark {
    Same,
    New,
    Changed,
}

impl ChangeMark {
    fn sign(self) -> &'static str {
        match self {
            Self::Same => " ",
            Self::New => "+",
            Self::Changed => "*",
        }
    }
}

/// Writes `nodes` in their order.
pub(crate) fn table(
    to: &mut dyn Write,
    nodes: &[TableRecord<'_>],
    sheet: &NodeTable<'_>,
    style: &OutputStyle,
) -> io::Result<()> {
    let mut columns = sheet.columns.clone();
    let secrets = style.secrets;
    let cell = move |column: &Column, node| {
        let text = column.text(node, secrets);
        let tone = column.tone(&text);
        (text, tone)
    };
    let heads = |columns: &[Column]| columns.iter().map(Column::head).collect::<Vec<_>>();
    let Some(room) = style.width else {
        let row = |node| columns.iter().map(move |column| cell(column, node));
        let heads = style.headers.then(|| heads(&columns));
        return plain(to, heads.as_deref(), nodes.iter().map(row), style.colour);
    };
    let row = |node| columns.iter().map(|column| cell(column, node)).collect();
    let mut rows: Vec<TableRow<'_>> = nodes.iter().map(row).collect();
    shorten_ids(&columns, &mut rows);
    if !sheet.named {
        hide_empty_columns(&mut columns, &mut rows);
    }
    if style.headers {
        let head = |text: String| (text.into(), Tone::Plain);
        rows.insert(0, heads(&columns).into_iter().map(head).collect());
    }
    mark(&mut rows, sheet.marks, style.headers);
    coloured(to, &fitted(&rows, &columns, sheet.named, room), &rows, style.colour)
}

/// Any texts under heads, as a table.
pub(crate) fn texts(
    to: &mut dyn Write,
    heads: &[String],
    rows: &[Vec<String>],
    style: &OutputStyle,
) -> io::Result<()> {
    let cell = |text| (Cow::from(text), Tone::Plain);
    let rows = rows.iter().map(|row| row.iter().map(cell));
    plain(to, Some(heads).filter(|_| style.headers), rows, false)
}

/// The signs stand first, in a column without a head.
fn mark(rows: &mut [TableRow<'_>], marks: &[ChangeMark], headers: bool) {
    if marks.is_empty() {
        return;
    }
    let heads = Some(ChangeMark::Same).filter(|_| headers);
    for (row, mark) in rows.iter_mut().zip(heads.into_iter().chain(marks.iter().copied())) {
        row[0].0 = format!("{} {}", mark.sign(), row[0].0).into();
        if mark != ChangeMark::Same {
            row.iter_mut().for_each(|(_, tone)| *tone = Tone::Strong);
        }
    }
}

fn shorten_ids(columns: &[Column], rows: &mut [TableRow<'_>]) {
    for at in (0..columns.len()).filter(|at| columns[*at].is_id()) {
        rows.iter_mut().for_each(|row| row[at].0.to_mut().truncate(SHORT_ID));
    }
}

/// Leaves out the columns that say nothing of any node.
fn hide_empty_columns(columns: &mut Vec<Column>, rows: &mut [TableRow<'_>]) {
    for at in (0..columns.len()).rev() {
        if rows.iter().all(|row| columns[at].is_empty(&row[at].0)) {
            columns.remove(at);
            rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }
}

/// The width of each column.
fn widths(rows: &[TableRow<'_>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let widest = |at: usize| rows.iter().map(|row| width(&row[at].0)).max().unwrap_or(0);
    (0..columns).map(widest).collect()
}

/// Two passes: how wide, then write. No cell is kept in between.
fn plain<'a, R: Iterator<Item = (Cow<'a, str>, Tone)>>(
    to: &mut dyn Write,
    heads: Option<&[String]>,
    rows: impl Iterator<Item = R> + Clone,
    colour: bool,
) -> io::Result<()> {
    let mut widths: Vec<usize> = heads.iter().copied().flatten().map(|head| width(head)).collect();
    for row in rows.clone() {
        for (at, (text, _)) in row.enumerate() {
            let width = width(&text);
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut line = Vec::new();
    if let Some(heads) = heads {
        let cells = heads.iter().map(|head| (Cow::from(head), Tone::Plain));
        to.write_all(drawn(&mut line, cells, &widths, colour))?;
    }
    for row in rows {
        to.write_all(drawn(&mut line, row, &widths, colour))?;
    }
    Ok(())
}

/// The cells of one row, two spaces apart; nothing follows the last one.
fn drawn<'a, 'b>(
    line: &'b mut Vec<u8>,
    cells: impl Iterator<Item = (Cow<'a, str>, Tone)>,
    widths: &[usize],
    colour: bool,
) -> &'b [u8] {
    line.clear();
    let mut gap = 0;
    for ((text, tone), widest) in cells.zip(widths) {
        line.resize(line.len() + gap, b' ');
        line.extend_from_slice(tone.painted(&text, colour).as_bytes());
        gap = widest - width(&text) + 2;
    }
    line.push(b'\n');
    line
}

/// The table as it fits into `room`: first the gaps become narrower, then long texts; then the last
/// columns are dropped. Columns that were `named` are never dropped: if they do not fit, the terminal
/// wraps them.
fn fitted(rows: &[TableRow<'_>], columns: &[Column], named: bool, room: usize) -> Table {
    let widths = widths(rows);
    let narrowest = |(column, width): (&Column, &usize)| (*width).min(column.narrowest());
    let least: Vec<usize> = columns.iter().zip(&widths).map(narrowest).collect();
    let fits =
        |widths: &[usize], gap| widths.iter().sum::<usize>() + gap * widths.len() <= room + gap;
    let mut count = widths.len();
    while !named && count > 1 && !fits(&least[..count], 1) {
        count -= 1;
    }
    let is_arranged = !fits(&widths, 2) && fits(&least[..count], 1);
    let mut table = Table::new();
    table.load_style(NOTHING).set_delimiter(SEPARATOR);
    table.style_mut().content_lines.junction = Some(SEPARATOR);
    for row in rows {
        let texts = row[..count].iter().map(|(text, _)| shortened(text, WIDEST));
        let mut row = comfy_table::Row::from(texts);
        row.max_height(1);
        table.add_row(row);
    }
    if is_arranged {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(room).unwrap_or(u16::MAX));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, u16::from(!is_arranged)));
        if is_arranged {
            let least = u16::try_from(least[at]).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    table
}

/// Writes the lines of a fitted table, which are those of `rows`.
fn coloured(
    to: &mut dyn Write,
    table: &Table,
    rows: &[TableRow<'_>],
    colour: bool,
) -> io::Result<()> {
    let mut out = String::new();
    for (line, row) in table.lines().zip(rows) {
        out.clear();
        for (cell, (_, tone)) in line.split(SEPARATOR).zip(row) {
            let text = cell.trim_end_matches(' ');
            out += &tone.painted(text, colour);
            out += &cell[text.len()..];
            out.push(' ');
        }
        writeln!(to, "{}", out.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Column, TableRow, Tone, coloured, fitted};
    use crate::model::selection::field;

    /// Columns that may be shortened to 12, not at all, and to 8.
    fn columns() -> Vec<Column> {
        let fields = field::parse_list("id,name,dc,version").unwrap();
        fields.into_iter().map(Column::of).collect()
    }

    fn drawn(texts: &[[&'static str; 4]], named: bool, room: usize, colour: bool) -> String {
        let row = |texts: &[&'static str; 4]| -> TableRow<'_> {
            texts.iter().map(|text| ((*text).into(), Tone::Faint)).collect()
        };
        let rows: Vec<TableRow<'_>> = texts.iter().map(row).collect();
        let mut out = Vec::new();
        coloured(&mut out, &fitted(&rows, &columns(), named, room), &rows, colour).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn gaps_become_narrower_then_texts_then_the_last_columns_go() {
        let rows = [
            ["ID", "Name", "DC", "Version"],
            ["b0000001", "web-with-quite-a-name", "frankfurt", "1.10.0"],
            ["b0000002", "web 2 3 4 5 6 7 8 9 0", "dc1", "1.9.3"],
        ];
        let drawn = |room| drawn(&rows, false, room, false);
        assert_eq!(
            drawn(51),
            "ID        Name                   DC         Version\n\
             b0000001  web-with-quite-a-name  frankfurt  1.10.0\n\
             b0000002  web 2 3 4 5 6 7 8 9 0  dc1        1.9.3\n"
        );
        assert_eq!(
            drawn(48),
            "ID       Name                  DC        Version\n\
             b0000001 web-with-quite-a-name frankfurt 1.10.0\n\
             b0000002 web 2 3 4 5 6 7 8 9 0 dc1       1.9.3\n"
        );
        assert_eq!(
            drawn(42),
            "ID       Name            DC        Version\n\
             b0000001 web-with-quite… frankfurt 1.10.0\n\
             b0000002 web 2 3 4 5 6 … dc1       1.9.3\n"
        );
        assert_eq!(
            drawn(38),
            "ID       Name         DC       Version\n\
             b0000001 web-with-qu… frankfu… 1.10.0\n\
             b0000002 web 2 3 4 5… dc1      1.9.3\n"
        );
        assert_eq!(
            drawn(37),
            "ID       Name               DC\n\
             b0000001 web-with-quite-a-… frankfurt\n\
             b0000002 web 2 3 4 5 6 7 8… dc1\n"
        );
        assert_eq!(drawn(3), "ID\nb0000001\nb0000002\n");
    }

    #[test]
    fn named_columns_are_shortened_but_never_dropped() {
        let rows = [["b0000001", "web-with-quite-a-name", "frankfurt", "1.10.0"]];
        assert_eq!(drawn(&rows, true, 37, false), "b0000001 web-with-qu… frankfu… 1.10.0\n");
        let whole = "b0000001  web-with-quite-a-name  frankfurt  1.10.0\n";
        assert_eq!(drawn(&rows, true, 36, false), whole);
    }

    #[test]
    fn wide_characters_and_colours_keep_the_columns_straight() {
        let rows =
            [["b0000001", "節点節点節点節点", "dc1", "1.10.0"], ["b2", "e\u{301}x", "dc2", "2"]];
        let shown =
            drawn(&rows, false, 35, true).replace("\u{1b}[2m", "<").replace("\u{1b}[0m", ">");
        assert_eq!(
            shown,
            "<b0000001> <節点節点節点節…> <dc1> <1.10.0>\n<b2>       <e\u{301}x>              <dc2> <2>\n"
        );
    }

    #[test]
    fn a_text_wider_than_the_library_counts_is_cut() {
        let long: &'static str = Box::leak("x".repeat(70_000).into_boxed_str());
        let shown = drawn(&[["b0000001", long, "dc1", "1.10.0"]], true, 20, false);
        assert!(shown.ends_with("x…  dc1  1.10.0\n"), "{} bytes", shown.len());
    }
}
