//! `list`: the nodes.

use std::collections::HashMap;

use crate::cli::List;
use crate::config::typed_duration;
use crate::discovery::{Answer, How, Want};
use crate::error::Error;
use crate::model::json;
use crate::model::node::{NodeId, Record};
use crate::render::{self, Format};

use super::{Run, complete, nodes, told_if_stale};

pub(super) fn run(list: &List, run: &mut Run<'_>) -> Result<(), Error> {
    let format = format(list, run)?;
    let how = match (list.refresh, list.force) {
        (true, _) => How::Refresh,
        (_, true) => How::Force,
        _ => How::Get,
    };
    let full = list.full && matches!(format, Format::Json | Format::Jsonl);
    let want = if full { Want::Full } else { Want::Records };
    let oldest = list.stale_if_error.as_deref();
    run.config.policy.stale_if_error =
        oldest.map(|text| typed_duration("stale-if-error", text)).transpose()?;
    run.nodes(how, want, |run, answer| {
        told_if_stale(answer, &run.tell);
        let shown = write(list, format, full, answer, run)?;
        if answer.tally.total() == 0 && run.watched {
            run.tell.summary("no clients");
        }
        run.notice(answer);
        complete(answer, shown.as_deref(), list.allow_partial, &run.tell)
    })
}

fn format(list: &List, run: &Run<'_>) -> Result<Format, Error> {
    if list.json {
        return Ok(Format::Json);
    }
    let said = list.output.as_deref().map(str::parse).transpose();
    let said = said.map_err(|what| Error::Usage { what, hint: None })?;
    Ok(said.or(run.config.format).unwrap_or(Format::Table))
}

/// The nodes that were written; `None` = all.
fn write(
    list: &List,
    format: Format,
    full: bool,
    answer: &Answer,
    run: &mut Run<'_>,
) -> Result<Option<Vec<NodeId>>, Error> {
    if format == Format::Json && !full && list.nodes.is_empty() {
        run.out.write_all(&answer.snapshot.all)?;
        run.out.write_all(b"\n")?;
        return Ok(None);
    }
    let records = nodes::records(&answer.snapshot.all)?;
    let mut named = nodes::named(&records, &list.nodes)?.into_iter().peekable();
    let records = records.into_iter().enumerate();
    let chosen: Vec<Record> =
        records.filter_map(|(at, record)| named.next_if_eq(&at).map(|_| record)).collect();
    let look = run.look(!list.no_headers, false);
    match format {
        Format::Table | Format::Wide => {
            render::table(run.out, &chosen, format == Format::Wide, &look)?;
        }
        Format::Name => render::lines(run.out, chosen.iter().map(|record| record.name.as_str()))?,
        Format::Id => render::lines(run.out, chosen.iter().map(|record| record.id.as_str()))?,
        Format::Json | Format::Jsonl if full => {
            let fulls = fulls(answer);
            let values = chosen.iter().filter_map(|record| fulls.get(&record.id).copied());
            render::json(run.out, values, format == Format::Jsonl)?;
        }
        Format::Json | Format::Jsonl => {
            let values: Vec<Vec<u8>> = chosen.iter().map(json::bytes).collect();
            render::json(run.out, values.iter().map(Vec::as_slice), format == Format::Jsonl)?;
        }
    }
    Ok(Some(chosen.into_iter().map(|record| record.id).collect()))
}

/// The full records by id.
fn fulls(answer: &Answer) -> HashMap<&NodeId, &[u8]> {
    let fulls = answer.snapshot.fulls.as_deref().unwrap_or_default();
    fulls.iter().map(|(id, json)| (id, json.as_slice())).collect()
}
