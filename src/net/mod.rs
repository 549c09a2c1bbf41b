//! What Nomad and Redis share on the way to a server: bounded calls, TLS, its keys and its failures.

pub(crate) mod bounded;
pub(crate) mod client_key;
pub(crate) mod sync;
pub(crate) mod tls_failure;
