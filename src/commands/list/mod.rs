//! `list`: the nodes, chosen, ordered and printed as asked.

mod output;
mod query;
mod watch;

use crate::cli::List;
use crate::config::typed_duration;
use crate::discovery::{Answer, How, Want};
use crate::error::is_closed_pipe;
use crate::model::node::{Full, NodeId};
use crate::model::projection::Wanted;
use crate::model::selection::field::Field;
use crate::model::selection::node_arg::{named, nearest};
use crate::model::snapshot::Snapshot;
use crate::model::text::sanitised;
use crate::render::summary;

use super::{CommandContext, complete, told_if_stale};
use query::ListQuery;

pub(super) fn run(list: &List, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
    if query::asks_for_help(run)? {
        return output::help(run);
    }
    let choice = ListQuery::new(list, run)?;
    let how = match (list.refresh, list.force) {
        (true, _) => How::Refresh,
        (_, true) => How::Force,
        _ => How::Get,
    };
    let oldest = list.stale_if_error.as_deref();
    run.config.policy.stale_if_error =
        oldest.map(|text| typed_duration("stale-if-error", text)).transpose()?;
    if let Some(interval) = &list.watch {
        let interval = typed_duration("watch", interval)?;
        return watch::watch(list, &choice, how, interval, run);
    }
    run.nodes(how, choice.want, |run, answer| {
        told_if_stale(answer, &run.tell);
        let nodes = rows(list, &choice, answer, run)?;
        let printed = print(&choice, answer, nodes.as_deref(), run);
        if printed.as_ref().is_err_and(|error| !is_closed_pipe(error)) {
            return printed;
        }
        let shown = nodes.as_deref().map(|nodes| shown(nodes, &choice));
        if answer.tally.total() == 0 && run.watched {
            run.tell.summary("no clients");
        }
        run.notice(answer, shown.map(<[_]>::len));
        if let Some(states) = shown.and_then(summary::states) {
            run.told(states);
        }
        let missing = shown.filter(|_| !answer.missing.is_empty());
        let ids: Option<Vec<NodeId>> =
            missing.map(|nodes| nodes.iter().map(|node| node.record.id.clone()).collect());
        complete(answer, ids.as_deref(), list.allow_partial, &run.tell)?;
        choice.check(nodes.as_deref().unwrap_or_default())?;
        // The process ends here: to take ten thousand nodes apart first costs an eighth of its time.
        std::mem::forget(nodes);
        printed
    })
}

/// What a limit leaves of the nodes that were chosen.
fn shown<'a>(nodes: &'a [Full], choice: &ListQuery) -> &'a [Full] {
    &nodes[..choice.selection.most().min(nodes.len())]
}

/// The nodes that were chosen; `None` = all, and nobody looks at them one by one.
fn rows(
    list: &List,
    choice: &ListQuery,
    answer: &Answer,
    run: &CommandContext<'_>,
) -> anyhow::Result<Option<Vec<Full>>> {
    let nodes = (!choice.is_cached_bytes(list)).then(|| chosen(list, choice, answer, run, true));
    nodes.transpose()
}

/// Writes those below the limit.
fn print(
    choice: &ListQuery,
    answer: &Answer,
    nodes: Option<&[Full]>,
    run: &mut CommandContext<'_>,
) -> anyhow::Result<()> {
    let Some(nodes) = nodes else {
        run.out.write_all(&answer.snapshot.all)?;
        return Ok(run.out.write_all(b"\n")?);
    };
    output::nodes(choice, shown(nodes, choice), run)
}

/// The nodes that are wanted, in the wanted order, without a limit. `named` finds those that the
/// arguments name; those that are `required` must be there.
fn chosen(
    list: &List,
    choice: &ListQuery,
    answer: &Answer,
    run: &CommandContext<'_>,
    required: bool,
) -> anyhow::Result<Vec<Full>> {
    let nodes = nodes(answer, choice.want, &choice.wanted(list))?;
    if choice.fields().any(|field| is_unknown(field, &nodes)) {
        // The keys that were not wanted are the ones that may have been meant.
        hint_at_keys(choice, &self::nodes(answer, choice.want, &Wanted::everything())?, run);
    }
    let mut wanted = named(&nodes, &list.nodes, required)?.into_iter().peekable();
    let nodes = nodes.into_iter().enumerate();
    let nodes = nodes.filter_map(|(at, node)| wanted.next_if_eq(&at).map(|_| node)).collect();
    Ok(choice.selection.all_of(nodes))
}

/// A fetch brings full records also when nobody wants them: what is not read costs nothing.
fn nodes(answer: &Answer, want: Want, wanted: &Wanted) -> anyhow::Result<Vec<Full>> {
    let Snapshot { all, fulls, .. } = &answer.snapshot;
    let fulls = fulls.as_deref().filter(|_| want == Want::Full);
    Ok(Snapshot::assembled(all, fulls, wanted)?)
}

/// A key of metadata or attributes that no node has.
fn is_unknown(field: &Field, nodes: &[Full]) -> bool {
    let has = |key| field.siblings(nodes).any(|sibling| sibling == key);
    !nodes.is_empty() && field.map_key().is_some_and(|key| !has(key))
}

/// A key that no node has is no mistake, but it may be one.
fn hint_at_keys(choice: &ListQuery, nodes: &[Full], run: &CommandContext<'_>) {
    for field in choice.fields() {
        let Some(key) = field.map_key().filter(|_| is_unknown(field, nodes)) else { continue };
        let near = nearest(field.siblings(nodes), key).join(", ");
        let near = if near.is_empty() { String::new() } else { format!("; similar keys: {near}") };
        run.tell.warning(sanitised(&format!("no node has {}{near}", field.name())).into_owned());
    }
}
