//! The source: a Nomad agent, asked over HTTP.

pub mod address;
mod body;
mod connect;
mod connection_limit;
mod connection_table;
mod counted_transport;
mod credentials;
mod diagnose;
mod failure;
mod forward;
mod http;
mod index_probe;
mod layer;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/nomad.rs"]
pub(crate) mod properties;
mod proxy;
mod reply;
mod resolve;
mod retry_after;
mod timeouts;
mod tls;
mod tls_alert;
mod trace;
mod unix;
mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::model::node::{Detail, NodeId, Stub};
use crate::model::secret::Secret;

pub(crate) use diagnose::{Agent, FailedAt, OneNodeList};
pub use http::HttpNomad;
pub use index_probe::LongPoll;

use address::Address;

/// How to reach a Nomad, and as whom.
#[derive(Debug, Clone)]
pub struct Access {
    pub address: Address,
    pub region: Option<String>,
    /// The ACL token.
    pub token: Option<Secret>,
    /// User and password for HTTP Basic.
    pub basic: Option<(String, Secret)>,
    pub tls: TlsSettings,
    /// The URL of the HTTP proxy, chosen by `config`; `None` = no proxy. May contain credentials.
    pub proxy: Option<Secret>,
    pub compress: Compress,
    /// The most concurrent requests, and the connections kept for them.
    pub concurrency: usize,
    /// The cache directory, where the processes of this host share a limit on connections; `None` = each
    /// has its own.
    pub folder: Option<PathBuf>,
    /// The time for the whole command.
    pub timeout: Duration,
    /// The end of that time.
    pub deadline: Instant,
}

/// TLS files and options, with the same meaning as in Nomad's own command line.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    pub ca_cert: Option<PathBuf>,
    /// A directory of certificates; `ca_cert` takes precedence.
    pub ca_path: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub server_name: Option<String>,
    pub skip_verify: bool,
}

/// Whether the list is requested with gzip. Details never are: it costs the server six times the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Unless the address is loopback or a unix socket.
    Auto,
    Always,
    Never,
}

/// The API of a Nomad, called from several threads at once.
pub trait Nomad: Send + Sync {
    /// `GET /v1/nodes`.
    fn stubs(&self) -> Result<Listing, Error>;

    /// `GET /v1/node/:id`; `None` if the node is no longer known.
    fn node(&self, id: &NodeId) -> Result<Option<Detail>, Error>;

    /// The index of the nodes, without the list; `None` if it cannot be had alone.
    ///
    /// # Errors
    /// As for the list.
    fn probe(&self) -> Result<Option<IndexReply>, Error> {
        Ok(None)
    }

    /// How many requests were sent so far, repeated ones included.
    fn calls(&self) -> u64;
}

/// The reply to an index probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexReply {
    /// `X-Nomad-Index`, as [`Listing::index`].
    pub index: Option<u64>,
    /// There is a leader, and the server that answered is in contact with it.
    pub leader: bool,
    /// The node with the lowest id, if there is any node.
    pub first: Option<Stub>,
}

/// The answer to the list call. Stubs come in Nomad's order, ids are unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub stubs: Vec<Stub>,
    /// `X-Nomad-Index`; `None` if it is missing, 0 or not a number: the list cannot be cached then.
    pub index: Option<u64>,
    /// `X-Nomad-KnownLeader`.
    pub known_leader: bool,
    /// `X-Nomad-LastContact` in milliseconds.
    pub last_contact_ms: u64,
}

/// Why there is no usable answer of Nomad. Each text contains the address and no credentials.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    pub kind: FailureKind,
    /// One whole line: `cannot reach Nomad at http://10.0.0.5:4646: connection refused`.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Error {
    /// A setting that cannot be used.
    fn config(what: impl Into<String>) -> Self {
        Self::new(FailureKind::Config, what)
    }

    /// A failure without a hint.
    pub(crate) fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None }
    }

    fn with_kind(self, kind: FailureKind) -> Self {
        Self { kind, ..self }
    }

    fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The kinds of failure that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// 403: Nomad refuses this token, or requires one.
    Denied,
    /// 401: a proxy in front of Nomad requires credentials.
    Unauthorized,
    /// Unreachable, overloaded, without a leader.
    Outage,
    /// No answer in time.
    TimedOut,
    /// The answer is not one of Nomad's API.
    NotNomad,
    /// A certificate file or another setting cannot be used.
    Config,
}
