//! The parts and the program from outside, in one test binary.
#![allow(clippy::unwrap_used)]

mod stores;
mod support;
