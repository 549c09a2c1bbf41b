//! The simulator itself is right.
#![allow(clippy::unwrap_used)]

/// A client small enough to see every byte.
mod client;
/// What goes wrong on demand.
mod faults;
/// The live model: what moves which index, and who is woken.
mod life;
/// Recorded folders, served one after the other.
mod replay;
/// The live model against recorded answers.
mod truth;
