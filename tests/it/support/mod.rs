//! What tests stand on: fakes, and real neighbours of their own.

pub mod fake_nomad;
pub mod memory;
pub mod sandbox;
pub mod world;
