//! The parts and the program from outside, in one test binary.
#![allow(clippy::unwrap_used)]

mod cache;
mod discovery;
mod list;
mod stores;
mod support;
mod waiting;
