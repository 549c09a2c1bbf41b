//! The table of nodes: fitted and coloured on a terminal, complete and always the same in a pipe.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::model::node::Record;

use super::Look;
use super::cell::{Column, MORE, TABLE, Tone};
use super::fit::{Wish, fit, shortened, width};

/// Above this many rows the plain writer serves terminals too: laying out a table costs 25 times
/// as much, and nobody reads that far.
const LAID_OUT: usize = 1000;

/// The ID on a terminal, as the official command line shortens it.
const SHORT_ID: usize = 8;

/// One line of cells.
struct Row {
    texts: Vec<String>,
    tones: Vec<Tone>,
}

/// Writes `records` in their order; `wide` adds what a node has.
pub(crate) fn table(
    to: &mut dyn Write,
    records: &[Record],
    wide: bool,
    look: &Look,
) -> io::Result<()> {
    let mut columns: Vec<Column> =
        TABLE.into_iter().chain(MORE.into_iter().filter(|_| wide)).collect();
    let mut rows: Vec<Row> = records.iter().map(|record| Row::of(record, &columns)).collect();
    let Some(room) = look.width else {
        return plain(
            to,
            &with_heads(&columns, rows, look),
            2,
            Some(look).filter(|look| look.colour),
        );
    };
    shorten_ids(&columns, &mut rows);
    leave_out_silent(&mut columns, &mut rows);
    let mut rows = with_heads(&columns, rows, look);
    let wishes: Vec<Wish> = (0..columns.len()).map(|at| wish(columns[at], &rows, at)).collect();
    // Who asks for `wide` wants the columns more than one line a row.
    let fit = fit(&wishes, room, !wide);
    for row in &mut rows {
        row.texts.truncate(fit.widths.len());
        for (text, room) in row.texts.iter_mut().zip(&fit.widths) {
            *text = shortened(text, *room);
        }
    }
    if rows.len() > LAID_OUT {
        plain(to, &rows, fit.gap, Some(look))
    } else {
        laid_out(to, &rows, fit.gap, look)
    }
}

impl Row {
    fn of(record: &Record, columns: &[Column]) -> Self {
        Self {
            texts: columns.iter().map(|column| column.text(record)).collect(),
            tones: columns.iter().map(|column| column.tone(record)).collect(),
        }
    }

    /// The cell as it goes to the terminal.
    fn styled(&self, at: usize, look: &Look) -> String {
        let style = if look.colour { self.tones[at].style() } else { Tone::Plain.style() };
        format!("{style}{}{style:#}", self.texts[at])
    }
}

fn with_heads(columns: &[Column], rows: Vec<Row>, look: &Look) -> Vec<Row> {
    let texts = columns.iter().map(|column| column.head().to_owned()).collect();
    let heads = Row { texts, tones: vec![Tone::Plain; columns.len()] };
    Some(heads).into_iter().filter(|_| look.headers).chain(rows).collect()
}

fn shorten_ids(columns: &[Column], rows: &mut [Row]) {
    if let Some(at) = columns.iter().position(|column| *column == Column::Id) {
        rows.iter_mut().for_each(|row| row.texts[at].truncate(SHORT_ID));
    }
}

/// Leaves out the columns that say nothing of any node.
fn leave_out_silent(columns: &mut Vec<Column>, rows: &mut [Row]) {
    for at in (0..columns.len()).rev() {
        if rows.iter().all(|row| columns[at].is_silent(&row.texts[at])) {
            columns.remove(at);
            for row in rows.iter_mut() {
                row.texts.remove(at);
                row.tones.remove(at);
            }
        }
    }
}

fn wish(column: Column, rows: &[Row], at: usize) -> Wish {
    let width = rows.iter().map(|row| width(&row.texts[at])).max().unwrap_or(0);
    Wish { width, narrowest: column.narrowest() }
}

/// Two passes: how wide, then write. `look` colours the cells.
fn plain(to: &mut dyn Write, rows: &[Row], gap: usize, look: Option<&Look>) -> io::Result<()> {
    let columns = rows.first().map_or(0, |row| row.texts.len());
    let widest = |at: usize| rows.iter().map(|row| width(&row.texts[at])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    for row in rows {
        for (at, text) in row.texts.iter().enumerate() {
            match look {
                Some(look) => to.write_all(row.styled(at, look).as_bytes())?,
                None => to.write_all(text.as_bytes())?,
            }
            if at + 1 < columns {
                write!(to, "{:1$}", "", widths[at] - width(text) + gap)?;
            }
        }
        to.write_all(b"\n")?;
    }
    Ok(())
}

fn laid_out(to: &mut dyn Write, rows: &[Row], gap: usize, look: &Look) -> io::Result<()> {
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
