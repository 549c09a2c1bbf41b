//! What the ways to Nomad and to Redis share: addresses, calls with a time limit, TLS, locks.

pub(crate) mod bounded;
pub(crate) mod endpoint;
pub(crate) mod sync;
pub(crate) mod tls;
pub(crate) mod tls_failure;
