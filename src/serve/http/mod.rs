//! Connections and the HTTP protocol: sockets, limits, access control, negotiation, bodies.

pub(crate) mod activity;
pub(crate) mod auth;
pub(crate) mod base_path;
pub(crate) mod body;
pub(crate) mod inherited;
pub(crate) mod listen;
pub(crate) mod negotiate;
pub(crate) mod origin;
pub(crate) mod problem;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod runtime;
pub(crate) mod server;
pub(crate) mod shutdown;
pub(crate) mod socket_access;
