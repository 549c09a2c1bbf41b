//! `show`: one node in full.

use anyhow::Result;

use crate::cli::Show;
use crate::discovery::{Answer, How, Request, Want, void_if_refused};
use crate::model::live::Live;
use crate::model::node::{Full, NodeId};
use crate::model::selection::node_arg::single;
use crate::model::snapshot::{Snapshot, Unreadable};
use crate::render;

use super::{CommandContext, check_details, check_node_pattern};

pub(super) fn run(show: &Show, context: &mut CommandContext<'_>) -> Result<()> {
    check_node_pattern(&show.node)?;
    context.nodes(Request::new(How::Get, Want::Full), |context, answer| {
        let (id, json) = find(&show.node, answer)?;
        if show.json {
            context.out.write_all(json)?;
            context.out.write_all(b"\n")?;
        } else {
            let node = Full::from_json(json).map_err(Unreadable::because)?;
            let (style, live) = (context.style(true, show.show_secrets), live(&id, context));
            render::show(context.out, &node, live.as_ref().map_err(String::as_str), &style)?;
        }
        context.summarize(answer, None);
        check_details(answer, Some(&[id]), false, &context.notifier)
    })
}

/// What is never cached. If Nomad can't tell it, the rest is shown without it.
fn live(id: &NodeId, context: &CommandContext<'_>) -> Result<Live, String> {
    context.nomad().and_then(|nomad| nomad.live(id)).map_err(|error| {
        if let Ok(store) = context.store() {
            let cache = (&*store, &context.config.policy);
            void_if_refused(cache, &error, None, &context.notifier);
        }
        error.to_string()
    })
}

/// The full record of the node that `argument` names.
fn find<'a>(argument: &str, answer: &'a Answer) -> Result<(NodeId, &'a [u8])> {
    let mut records = Snapshot::records(&answer.snapshot.all)?;
    let id = records.swap_remove(single(&records, argument)?).id;
    let json = answer.snapshot.full(&id);
    Ok((id, json.ok_or_else(|| Unreadable::because("a full record is missing"))?))
}
