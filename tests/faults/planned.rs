//! The faults that a test has planned for its thread: a process that is killed, and a full disk.

use std::cell::Cell;
use std::io::Write as _;

use super::{Act, File, io};

/// How the steps from a certain one on fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is gone: nothing happens any more.
    Killed,
    /// The disk is full: nothing can be written, removing works.
    Full,
}

thread_local! {
    static PLAN: Cell<Option<(Fault, u32)>> = const { Cell::new(None) };
}

/// From the step `at` on, steps of this thread fail; `None` ends it. Gives the steps that the
/// plan of before had left, `None` if it has come to its end.
pub(crate) fn plan(next: Option<(Fault, u32)>) -> Option<u32> {
    PLAN.replace(next).and_then(|(_, left)| (left > 0).then_some(left))
}

pub(crate) fn before(act: Act) -> io::Result<()> {
    match PLAN.get() {
        Some((Fault::Full, 0)) if act == Act::Removes => Ok(()),
        Some((Fault::Full, 0)) => Err(io::ErrorKind::StorageFull.into()),
        Some((Fault::Killed, 0)) => Err(io::Error::other("killed")),
        Some((fault, left)) => {
            PLAN.set(Some((fault, left - 1)));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Half of it may be all that is written.
pub(crate) fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for half in [first, second] {
        before(Act::Writes)?;
        file.write_all(half)?;
    }
    Ok(())
}
