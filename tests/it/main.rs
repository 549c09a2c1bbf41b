//! The parts and the program from outside, in one test binary.
#![allow(clippy::unwrap_used)]

mod discovery;
mod list;
mod schedules;
mod stores;
mod support;
mod waiting;
