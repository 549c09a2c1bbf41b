//! What tests stand on: a Redis of their own, and stores that can be spoiled.

pub(crate) mod bench;
pub(crate) mod between;
pub(crate) mod fake_redis;
pub(crate) mod process;
pub(crate) mod redis_server;
pub(crate) mod tls_front;
