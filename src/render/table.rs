//! The table of nodes: fitted and coloured on a terminal, complete and always the same in a pipe.

use std::borrow::Cow;
use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::model::node::Full;

use super::OutputStyle;
use super::cell::Tone;
use super::fit::{ColumnWidth, fit, shortened, width};
use super::shape::Shape;

/// Above this many rows the plain writer serves terminals too: laying out a table costs 25 times
/// as much, and nobody reads that far.
const LAID_OUT: usize = 1000;

/// The ID on a terminal, as the official command line shortens it.
const SHORT_ID: usize = 8;

/// One line of cells.
struct TableRow<'a> {
    texts: Vec<Cow<'a, str>>,
    tones: Vec<Tone>,
}

/// What a table shows, and what may be left out of it.
pub(crate) struct NodeTable<'a> {
    pub(crate) shapes: Vec<Shape>,
    /// Somebody named the columns: all of them are shown.
    pub(crate) named: bool,
    /// How each row differs from the last time it was shown; empty = nothing is compared.
    pub(crate) marks: &'a [ChangeMark],
}

/// How a row differs from what was shown before.
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
    nodes: &[Full],
    sheet: &NodeTable<'_>,
    look: &OutputStyle,
) -> io::Result<()> {
    let mut shapes = sheet.shapes.clone();
    let mut rows: Vec<TableRow<'_>> =
        nodes.iter().map(|node| TableRow::of(node, &shapes, look)).collect();
    let Some(room) = look.width else {
        let coloured = Some(look).filter(|look| look.colour);
        return plain(to, &with_heads(&shapes, rows, look), 2, coloured);
    };
    shorten_ids(&shapes, &mut rows);
    if !sheet.named {
        leave_out_silent(&mut shapes, &mut rows);
    }
    let mut rows = with_heads(&shapes, rows, look);
    let wishes: Vec<ColumnWidth> =
        (0..shapes.len()).map(|at| wish(&shapes[at], &rows, at)).collect();
    // Who asks for columns wants them more than one line a row.
    let fit = fit(&wishes, room - 2 * usize::from(!sheet.marks.is_empty()), !sheet.named);
    for row in &mut rows {
        row.texts.truncate(fit.widths.len());
        for (text, room) in row.texts.iter_mut().zip(&fit.widths) {
            *text = shortened(text, *room).into();
        }
    }
    mark(&mut rows, sheet.marks, look);
    if rows.len() > LAID_OUT {
        plain(to, &rows, fit.gap, Some(look))
    } else {
        laid_out(to, &rows, fit.gap, look)
    }
}

/// Any texts under heads, as a table.
pub(crate) fn texts(
    to: &mut dyn Write,
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
    look: &OutputStyle,
) -> io::Result<()> {
    let heads = Some(heads).filter(|_| look.headers).into_iter();
    let row = |texts: Vec<String>| TableRow {
        tones: vec![Tone::Plain; texts.len()],
        texts: texts.into_iter().map(Cow::Owned).collect(),
    };
    let rows: Vec<TableRow<'_>> = heads.chain(rows).map(row).collect();
    plain(to, &rows, 2, None)
}

/// The signs stand first, in a column without a head.
fn mark(rows: &mut [TableRow<'_>], marks: &[ChangeMark], look: &OutputStyle) {
    if marks.is_empty() {
        return;
    }
    let heads = Some(ChangeMark::Same).filter(|_| look.headers);
    for (row, mark) in rows.iter_mut().zip(heads.into_iter().chain(marks.iter().copied())) {
        row.texts[0] = format!("{} {}", mark.sign(), row.texts[0]).into();
        if mark != ChangeMark::Same {
            row.tones.fill(Tone::Strong);
        }
    }
}

impl<'a> TableRow<'a> {
    fn of(node: &'a Full, shapes: &[Shape], look: &OutputStyle) -> Self {
        Self {
            texts: shapes.iter().map(|shape| shape.text(node, look.secrets)).collect(),
            tones: shapes.iter().map(|shape| shape.tone(node)).collect(),
        }
    }

    /// The cell as it goes to the terminal.
    fn styled(&self, at: usize, look: &OutputStyle) -> String {
        let style = if look.colour { self.tones[at].style() } else { Tone::Plain.style() };
        format!("{style}{}{style:#}", self.texts[at])
    }
}

fn with_heads<'a>(
    shapes: &[Shape],
    rows: Vec<TableRow<'a>>,
    look: &OutputStyle,
) -> Vec<TableRow<'a>> {
    let texts = shapes.iter().map(|shape| shape.head().into()).collect();
    let heads = TableRow { texts, tones: vec![Tone::Plain; shapes.len()] };
    Some(heads).into_iter().filter(|_| look.headers).chain(rows).collect()
}

fn shorten_ids(shapes: &[Shape], rows: &mut [TableRow<'_>]) {
    for at in (0..shapes.len()).filter(|at| shapes[*at].is_id()) {
        rows.iter_mut().for_each(|row| row.texts[at].to_mut().truncate(SHORT_ID));
    }
}

/// Leaves out the columns that say nothing of any node.
fn leave_out_silent(shapes: &mut Vec<Shape>, rows: &mut [TableRow<'_>]) {
    for at in (0..shapes.len()).rev() {
        if rows.iter().all(|row| shapes[at].is_silent(&row.texts[at])) {
            shapes.remove(at);
            for row in rows.iter_mut() {
                row.texts.remove(at);
                row.tones.remove(at);
            }
        }
    }
}

fn wish(shape: &Shape, rows: &[TableRow<'_>], at: usize) -> ColumnWidth {
    let width = rows.iter().map(|row| width(&row.texts[at])).max().unwrap_or(0);
    ColumnWidth { width, narrowest: shape.narrowest() }
}

/// Two passes: how wide, then write. `look` colours the cells.
fn plain(
    to: &mut dyn Write,
    rows: &[TableRow<'_>],
    gap: usize,
    look: Option<&OutputStyle>,
) -> io::Result<()> {
    let columns = rows.first().map_or(0, |row| row.texts.len());
    let widest = |at: usize| rows.iter().map(|row| width(&row.texts[at])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut line = String::new();
    for row in rows {
        line.clear();
        for (at, text) in row.texts.iter().enumerate() {
            match look {
                Some(look) => line += &row.styled(at, look),
                None => line += text,
            }
            if at + 1 < columns {
                let room = widths[at] - width(text) + gap;
                line.extend(std::iter::repeat_n(' ', room));
            }
        }
        line.push('\n');
        to.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn laid_out(
    to: &mut dyn Write,
    rows: &[TableRow<'_>],
    gap: usize,
    look: &OutputStyle,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for row in rows {
        table.add_row((0..row.texts.len()).map(|at| row.styled(at, look)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, u16::try_from(gap).unwrap_or(1)));
    }
    for line in table.lines() {
        writeln!(to, "{}", line.trim_end())?;
    }
    Ok(())
}
