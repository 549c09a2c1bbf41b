//! Where writing files may stop: nowhere in the program, at every single step in tests.

use std::fs::File;
use std::io;
#[cfg(not(test))]
use std::io::Write as _;

/// What is about to be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Takes space.
    Writes,
    Removes,
}

#[cfg(not(test))]
pub(crate) fn before(_: Act) -> io::Result<()> {
    Ok(())
}

#[cfg(not(test))]
pub(crate) fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

#[cfg(test)]
#[path = "../../tests/faults/planned.rs"]
mod planned;
#[cfg(test)]
pub(crate) use planned::{Fault, before, plan, write};
