//! RESP2, the protocol of Redis.

pub(crate) mod growing;
pub(crate) mod read;
pub(crate) mod write;
