//! What tests stand on: fakes, and real neighbours of their own.

pub(crate) mod alone;
pub(crate) mod bench;
pub(crate) mod browser;
pub(crate) mod fake_nomad;
pub(crate) mod fake_redis;
pub(crate) mod interpose;
pub(crate) mod local_bench;
pub(crate) mod memory;
pub(crate) mod nginx;
pub(crate) mod odd_store;
pub(crate) mod other_user;
pub(crate) mod pki;
pub(crate) mod process;
pub(crate) mod process_bench;
pub(crate) mod pty;
pub(crate) mod redis_server;
pub(crate) mod relay;
pub(crate) mod requirements;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod sealed;
pub(crate) mod served;
pub(crate) mod signal;
pub(crate) mod tls_front;
pub(crate) mod wire_server;
pub(crate) mod world;
