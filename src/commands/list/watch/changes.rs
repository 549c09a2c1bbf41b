//! The changes of a watch as JSON lines.

use std::io::{self, Write};

use crate::clock;
use crate::model::json;
use crate::model::node::Full;
use crate::render;

use super::{Change, KnownNodes, change, gone};

/// One line for each node that is new, changed or gone, and `present` for each that was there before
/// it is shown first. `objects` are those of the visible nodes.
pub(super) fn print(
    before: Option<&KnownNodes>,
    nodes: &[Full],
    objects: &[Vec<u8>],
    out: &mut dyn Write,
) -> io::Result<()> {
    let time = json::bytes(&render::time(clock::unix_seconds()));
    let mut line = |change: &str, before: Option<&[u8]>, after: Option<&[u8]>| {
        let [before, after] = [before, after].map(|object| object.unwrap_or(b"null"));
        let change = format!(",\"change\":\"{change}\",\"before\":");
        let parts: [&[u8]; 7] =
            [b"{\"time\":", &time, change.as_bytes(), before, b",\"after\":", after, b"}\n"];
        parts.iter().try_for_each(|part| out.write_all(part))
    };
    for (node, after) in nodes.iter().zip(objects) {
        match change(before, node, after) {
            Change::Same => {}
            Change::Present => line("present", None, Some(after))?,
            Change::New => line("new", None, Some(after))?,
            Change::Changed(before) => line("changed", Some(before), Some(after))?,
        }
    }
    gone(before, nodes).into_iter().try_for_each(|(_, _, object)| line("gone", Some(object), None))
}
