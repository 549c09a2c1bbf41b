//! The address of a Nomad agent.

use crate::model::secret::Secret;

/// A parsed `NOMAD_ADDR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    /// Lower case, no final dot, IPv6 without brackets in RFC 5952 form; a unix socket's path.
    pub host: String,
    /// The port really used; `None` for a unix socket.
    pub port: Option<u16>,
    /// Path prefix without the final slash: `/nomad`, or empty.
    pub path: String,
    /// User and password in the URL: HTTP Basic.
    pub basic: Option<(String, Secret)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
    Unix,
}
