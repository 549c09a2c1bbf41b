//! `list`: select, order and print the nodes.

mod output;
mod query;
mod watch;

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::{Error, Result};

use crate::cli::List;
use crate::config::typed_duration;
use crate::discovery::{Answer, How, Request, Want};
use crate::error::{Exit, is_closed_pipe};
use crate::model::node::{Full, NodeId};
use crate::model::table_record::TableRecord;
use crate::render::summary::{self, NodeState};
use crate::settings::WATCH;

use super::{CommandContext, check_details, warn_if_stale};
use output::ListOutput;
use query::ListQuery;

pub(super) fn run(list: &List, context: &mut CommandContext<'_>) -> Result<()> {
    if output::asks_for_help(context)? {
        return output::list_columns(context.out);
    }
    let output = ListOutput::new(list, context)?;
    let query = ListQuery::new(list, &output, context)?;
    let how = match (list.refresh, list.force) {
        (true, _) => How::Refresh,
        (_, true) => How::Force,
        _ => How::Get,
    };
    let stale = list.stale_if_error.as_deref();
    let stale_if_error = stale.map(|age| typed_duration("stale-if-error", age)).transpose()?;
    let request = Request { stale_if_error, ..Request::new(how, query.want) };
    if let Some(interval) = context.config.values.given(&WATCH)? {
        return watch::run(&query, &output, request, interval, context);
    }
    // The cached bytes may be the output.
    let is_cached_output = output.is_record_json() && query.is_everything();
    let want = if is_cached_output { Want::Stream } else { query.want };
    context.nodes(Request { want, ..request }, |context, answer| {
        warn_if_stale(answer, &context.notifier);
        // Then no node is looked at by itself.
        let (mut nodes, mut states) = (None, None);
        let written = if is_cached_output {
            write_cached(answer, context.out)
        } else if query.is_everything() && output.is_record_table() {
            let records = TableRecord::all(&answer.snapshot.all)?;
            states = summary::states(records.iter().map(NodeState::from));
            let written = output.write_table(&records, context.out);
            // As below.
            std::mem::forget(records);
            written
        } else {
            let selected = nodes.insert(query.select(answer, true, &context.notifier)?);
            let visible = query.visible(selected);
            states = summary::states(visible.iter().map(|node| (&node.record).into()));
            output.write(visible, context.out)
        };
        let visible = nodes.as_deref().map(|nodes| query.visible(nodes));
        let written = written.map_err(Error::from);
        if written.as_ref().is_err_and(|error| !is_closed_pipe(error)) {
            return written;
        }
        if answer.tally.total() == 0 && context.stderr_is_terminal {
            context.notifier.summary("no clients");
        }
        context.summarize(answer, visible.map(<[_]>::len));
        if let Some(states) = states {
            context.remark(states);
        }
        let incomplete = visible.filter(|_| !answer.missing.is_empty());
        let ids = incomplete.map(node_ids);
        check_details(answer, ids.as_deref(), list.allow_partial, &context.notifier)?;
        query.check(nodes.as_deref().unwrap_or_default())?;
        // The process ends here; dropping ten thousand nodes would take an eighth of its time.
        std::mem::forget(nodes);
        written
    })
}

/// The bytes that are cached, as they are.
fn write_cached(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    match &answer.file {
        Some(file) => file.write_to(out)?,
        None => out.write_all(&answer.snapshot.all)?,
    }
    out.write_all(b"\n")
}

fn node_ids(nodes: &[Full]) -> Vec<NodeId> {
    nodes.iter().map(|node| node.record.id.clone()).collect()
}

/// A value of an option that can't be used.
fn invalid_value(option: &str, why: impl Display) -> Error {
    Exit::Usage.error(format!("invalid value for --{option}: {why}"))
}
