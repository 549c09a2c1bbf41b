//! The changes of a watch as JSON lines.

use crate::commands::CommandContext;
use crate::model::json;
use crate::model::node::Full;

use super::{ChosenNodes, WatchedNode, gone};

/// One line for each node that is new, changed or gone; `present` for those that were there before
/// they are shown: in the first round all, later those that the limit has left out so far.
/// `objects`: of those that are shown.
pub(super) fn tell(
    known: Option<&ChosenNodes>,
    nodes: &[Full],
    objects: &[Vec<u8>],
    time: &str,
    run: &mut CommandContext<'_>,
) -> anyhow::Result<()> {
    for (node, after) in nodes.iter().zip(objects) {
        let before = known.map(|known| known.get(&node.record.id));
        let (change, before) = match before {
            None => ("present", None),
            Some(None) => ("new", None),
            Some(Some(WatchedNode { shown: None, .. })) => ("present", None),
            Some(Some(WatchedNode { shown: Some(before), .. })) if before == after => continue,
            Some(Some(WatchedNode { shown: Some(before), .. })) => {
                ("changed", Some(before.as_slice()))
            }
        };
        line(run, time, change, before, Some(after))?;
    }
    for (_, _, before) in gone(known, nodes) {
        line(run, time, "gone", Some(before), None)?;
    }
    Ok(())
}

fn line(
    run: &mut CommandContext<'_>,
    time: &str,
    change: &str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> anyhow::Result<()> {
    let (time, change) = (json::bytes(time), json::bytes(change));
    let parts: [&[u8]; 9] = [
        b"{\"time\":",
        &time,
        b",\"change\":",
        &change,
        b",\"before\":",
        before.unwrap_or(b"null"),
        b",\"after\":",
        after.unwrap_or(b"null"),
        b"}\n",
    ];
    Ok(parts.iter().try_for_each(|part| run.out.write_all(part))?)
}
