//! `show`: one node in full.

use crate::cli::Show;
use crate::discovery::{Answer, How, Want, void_if_refused};
use crate::model::live::Live;
use crate::model::node::{Full, NodeId};
use crate::model::selection::node_arg::single;
use crate::model::snapshot::{Snapshot, Unreadable};
use crate::render;

use super::{CommandContext, complete, node_is_possible};

pub(super) fn run(show: &Show, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
    node_is_possible(&show.node)?;
    run.nodes(How::Get, Want::Full, |run, answer| {
        let (id, json) = wanted(show, answer)?;
        if show.json {
            run.out.write_all(json)?;
            run.out.write_all(b"\n")?;
        } else {
            let node = Full::from_json(json).map_err(Unreadable::because)?;
            let look = run.look(true, show.show_secrets);
            let live = live(&id, run);
            render::show(run.out, &node, live.as_ref().map_err(String::as_str), &look)?;
        }
        run.notice(answer, None);
        complete(answer, Some(&[id]), false, &run.tell)
    })
}

/// What no cache knows of the node. A page without it is still a page.
fn live(id: &NodeId, run: &CommandContext<'_>) -> Result<Live, String> {
    run.nomad().and_then(|nomad| nomad.live(id)).map_err(|error| {
        if let Ok(store) = run.store() {
            let cache = (&*store, &run.config.policy);
            void_if_refused(cache, &error, None, &run.tell);
        }
        error.to_string()
    })
}

/// The full record of the one node that was named.
fn wanted<'a>(show: &Show, answer: &'a Answer) -> anyhow::Result<(NodeId, &'a [u8])> {
    let mut records = Snapshot::records(&answer.snapshot.all)?;
    let id = records.swap_remove(single(&records, &show.node)?).id;
    let json = answer.snapshot.full(&id);
    Ok((id, json.ok_or_else(|| Unreadable::because("a full record is missing"))?))
}
