//! The nodes on stdout, in each format.

use serde_json::Value;

use crate::commands::CommandContext;
use crate::model::node::Full;
use crate::model::selection::count_by;
use crate::model::selection::field::{Field, KNOWN};

use crate::render::{self, Format, Grid, NodeTable, OutputStyle};

use super::query::ListQuery;

pub(super) fn nodes(
    choice: &ListQuery,
    nodes: &[Full],
    run: &mut CommandContext<'_>,
) -> anyhow::Result<()> {
    if let Some(fields) = &choice.count_by {
        return counts(choice, nodes, fields, run);
    }
    match choice.format {
        Format::Table | Format::Wide => {
            let (shapes, named) = choice.shapes();
            render::table(run.out, nodes, &NodeTable { shapes, named, marks: &[] }, &choice.look)?;
        }
        Format::Name => {
            render::lines(run.out, nodes.iter().map(|node| node.record.name.as_str()))?;
        }
        Format::Id => render::lines(run.out, nodes.iter().map(|node| node.record.id.as_str()))?,
        Format::Json | Format::Jsonl => {
            let objects = objects(choice, nodes);
            let lines = choice.format == Format::Jsonl;
            render::json(run.out, objects.iter().map(Vec::as_slice), lines)?;
        }
        Format::Yaml => Grid::of(nodes, &choice.grid_fields()).yaml(run.out)?,
        Format::Csv | Format::Tsv => {
            let grid = Grid::of(nodes, &choice.grid_fields());
            grid.separated(run.out, choice.syntax, &choice.look)?;
        }
    }
    Ok(())
}

/// One JSON object a node.
pub(super) fn objects(choice: &ListQuery, nodes: &[Full]) -> Vec<Vec<u8>> {
    if choice.columns.is_some() {
        return Grid::of(nodes, &choice.grid_fields()).objects();
    }
    nodes.iter().map(|node| node.json(choice.full)).collect()
}

fn counts(
    choice: &ListQuery,
    nodes: &[Full],
    fields: &[Field],
    run: &mut CommandContext<'_>,
) -> anyhow::Result<()> {
    let mut grid = Grid {
        names: fields.iter().map(|field| field.name().to_owned()).collect(),
        rows: Vec::new(),
    };
    grid.names.push("count".to_owned());
    for (mut values, count) in count_by(nodes, fields).into_iter().take(choice.counts) {
        values.push(Value::from(count));
        grid.rows.push(values);
    }
    match choice.format {
        Format::Json | Format::Jsonl => {
            let lines = choice.format == Format::Jsonl;
            render::json(run.out, grid.objects().iter().map(Vec::as_slice), lines)?;
        }
        Format::Yaml => grid.yaml(run.out)?,
        Format::Csv | Format::Tsv => grid.separated(run.out, choice.syntax, &choice.look)?,
        _ => render::grid_table(run.out, &grid, &choice.look)?,
    }
    Ok(())
}

/// `-c help`: what a column may be called, and what it means.
pub(super) fn help(run: &mut CommandContext<'_>) -> anyhow::Result<()> {
    let heads = ["Column", "Short", "Meaning"].map(str::to_owned);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for known in KNOWN {
        let short = known.short.unwrap_or("-").to_owned();
        rows.push(vec![known.key.to_owned(), short.clone(), known.meaning.to_owned()]);
        if let Some(inner) = known.inner {
            let key = known.short.unwrap_or(known.key);
            let meaning = format!("one of them, as {key}.{inner}");
            rows.push(vec![format!("{}.{inner}", known.key), "-".to_owned(), meaning]);
        }
    }
    let look = OutputStyle { width: None, colour: false, headers: true, secrets: false };
    render::texts(run.out, heads.into(), rows, &look)?;
    Ok(run.out.flush()?)
}
