//! What tests stand on: fakes, and real neighbours of their own.

pub mod bench;
pub mod between;
pub mod fake_nomad;
pub mod fake_redis;
pub mod memory;
pub mod process;
pub mod redis_server;
pub mod sandbox;
pub mod tls_front;
pub mod world;
