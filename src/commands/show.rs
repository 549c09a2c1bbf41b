//! `show`: one node in full.

use crate::cli::Show;
use crate::discovery::{Answer, How, Want};
use crate::error::Error;
use crate::model::node::{Full, NodeId};
use crate::render;

use super::{Run, complete, nodes};

pub(super) fn run(show: &Show, run: &mut Run<'_>) -> Result<(), Error> {
    run.nodes(How::Get, Want::Full, |run, answer| {
        let (id, json) = wanted(show, answer)?;
        if show.json {
            run.out.write_all(json)?;
            run.out.write_all(b"\n")?;
        } else {
            let node = Full::from_json(json).map_err(|error| unreadable(&error))?;
            let look = run.look(true, show.show_secrets);
            render::show(run.out, &node, &look)?;
        }
        run.notice(answer);
        complete(answer, Some(&[id]), false, &run.tell)
    })
}

/// The full record of the one node that was named.
fn wanted<'a>(show: &Show, answer: &'a Answer) -> Result<(NodeId, &'a [u8]), Error> {
    let mut records = nodes::records(&answer.snapshot.all)?;
    let id = records.swap_remove(nodes::single(&records, &show.node)?).id;
    let fulls = answer.snapshot.fulls.as_deref().unwrap_or_default();
    match fulls.iter().find(|(of, _)| *of == id) {
        Some((_, json)) => Ok((id, json)),
        None => Err(unreadable(&"the record is missing")),
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Error {
    Error::Node {
        what: format!("cannot read the cached node: {why}"),
        hint: Some("run nomad-clients cache clear".to_owned()),
    }
}
