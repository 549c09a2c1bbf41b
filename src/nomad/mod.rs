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

pub use diagnose::{Agent, OneNodeList, ProbeError, ProbeReply};
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
    /// User and password of HTTP Basic.
    pub basic: Option<(String, Secret)>,
    pub tls: TlsSettings,
    /// The HTTP proxy, chosen by `config`; `None` = straight. May hold credentials.
    pub proxy: Option<Secret>,
    pub compress: Compress,
    /// The most requests in flight, and the connections kept for them.
    pub concurrency: usize,
    /// The cache folder, where all processes of this host count their connections; `None` = each
    /// counts its own.
    pub folder: Option<PathBuf>,
    /// The time that the whole command has.
    pub timeout: Duration,
    /// When that time is over.
    pub deadline: Instant,
}

/// The files and choices of TLS, with the meaning that the official command line gives them.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    pub ca_cert: Option<PathBuf>,
    /// A folder of certificates; `ca_cert` wins over it.
    pub ca_path: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub server_name: Option<String>,
    pub skip_verify: bool,
}

/// Whether the list call asks for gzip. Details never do: it costs the server six times the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Not on loopback and not on a unix socket.
    Auto,
    Always,
    Never,
}

/// A Nomad to ask. Calls may come from several threads at once.
pub trait Nomad: Send + Sync {
    /// `GET /v1/nodes`.
    fn stubs(&self) -> Result<Listing, Error>;

    /// `GET /v1/node/:id`; `None` if the node is no longer known.
    fn node(&self, id: &NodeId) -> Result<Option<Detail>, Error>;

    /// Whether anything has changed, asked as cheaply as there is; `None` if there is no such question.
    ///
    /// # Errors
    /// As that of the list.
    fn probe(&self) -> Result<Option<IndexReply>, Error> {
        Ok(None)
    }

    /// How many requests were sent so far, repeated ones included.
    fn calls(&self) -> u64;
}

/// What the cheapest question shows: whether anything has changed at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexReply {
    /// `X-Nomad-Index`, as [`Listing::index`].
    pub index: Option<u64>,
    /// There is a leader, and the server that answered hears from it.
    pub leader: bool,
    /// The node with the lowest id, if there is any node.
    pub first: Option<Stub>,
}

/// The answer to the list call. Stubs come in Nomad's order, ids are unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub stubs: Vec<Stub>,
    /// `X-Nomad-Index`; `None` if it was missing, 0 or no u64: then the answer can't be cached.
    pub index: Option<u64>,
    /// `X-Nomad-KnownLeader`.
    pub known_leader: bool,
    /// `X-Nomad-LastContact` in milliseconds.
    pub last_contact_ms: u64,
}

/// Why Nomad gave no usable answer. The address is part of every text, credentials of none.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    pub kind: FailureKind,
    /// One line, complete: `cannot reach Nomad at http://10.0.0.5:4646: connection refused`.
    pub what: String,
    /// What to do about it, if there is something.
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
    /// 403: Nomad refuses this token, or wants one.
    Denied,
    /// 401: something before Nomad wants to know who asks.
    Unauthorized,
    /// Unreachable, overloaded, without a leader.
    Outage,
    /// No answer in time.
    TimedOut,
    /// Not an answer of Nomad's.
    NotNomad,
    /// A certificate file or another setting can't be used.
    Config,
}
