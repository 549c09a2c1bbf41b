//! What tests stand on: a Redis of their own, and stores that can be spoiled.

pub mod bench;
pub mod between;
pub mod process;
pub mod redis_server;
