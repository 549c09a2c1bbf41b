//! RESP2, the protocol of Redis.

pub(crate) mod read;
pub(crate) mod write;
