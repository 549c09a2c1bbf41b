//! The checks of `doctor` on the way to Nomad, one by one.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::clock;
use crate::net::bounded::within;

use super::address::Scheme;
use super::body::TransferError;
use super::failure::{NomadRequest, PLAIN_HINT, is_tls};
use super::http::{HttpNomad, checked};
use super::reply::Reply;
use super::resolve::look_up;
use super::retry_after::unix_seconds;
use super::timeouts::{CONNECT, REQUEST};
use super::trace::Trace;
use super::{Error, FailureKind, wire};

/// How far a check came that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailedAt {
    /// No request was sent.
    Connection,
    /// The TLS handshake failed: no request was sent.
    Tls,
    /// Nomad runs but has no leader.
    Leader,
    Answer,
}

/// The list limited to one node, which is cheap for Nomad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OneNodeList {
    /// `X-Nomad-Index`, the same as that of the whole list.
    pub(crate) index: Option<u64>,
    /// How long ago the server that answered heard from the leader.
    pub(crate) last_contact_ms: u64,
    pub(crate) took: Duration,
    /// The server's clock in seconds since 1970, if the reply has a date.
    pub(crate) date: Option<u64>,
}

/// What is known about the agent that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Agent {
    Version(String),
    /// The token may not read agents; it may still read nodes.
    Hidden,
    /// The token is malformed or has expired.
    TokenUnknown,
}

/// The most characters of a text of Nomad.
const TEXT_MAX: usize = 80;
/// A server with TLS answers the handshake within this time.
const HANDSHAKE: Duration = Duration::from_secs(1);

impl HttpNomad {
    /// The addresses of Nomad's host.
    pub(crate) fn addresses(&self, limit: Duration) -> Result<Vec<SocketAddr>, Error> {
        let request = self.probing("name", limit);
        let sockets = look_up(self.address().authority(), limit.min(CONNECT));
        sockets.map_err(|error| request.transport(&error))
    }

    /// Opens and closes a connection to one of `sockets`; how long it took.
    pub(crate) fn connects(
        &self,
        sockets: &[SocketAddr],
        limit: Duration,
    ) -> Result<Duration, Error> {
        let request = self.probing("connect", limit);
        let limit = limit.min(CONNECT);
        let failed = |error| request.transport(&ureq::Error::Io(error));
        let timed_out = || request.transport(&ureq::Error::Timeout(ureq::Timeout::Connect));
        let began = clock::now();
        let connected = match self.address().is_unix() {
            true => {
                let path = self.address().host.clone();
                within(limit, move || UnixStream::connect(path).map(drop))
            }
            false => connect_to_first(sockets, limit),
        };
        connected.ok_or_else(timed_out)?.map_err(failed)?;
        Ok(clock::since(began))
    }

    /// The address of the leader; needs no token.
    pub(crate) fn leader(&self, limit: Duration) -> Result<String, (FailedAt, Error)> {
        let request = self.probing("leader", limit);
        let _permit = self.enter();
        let sent = self.send(&self.path("/v1/status/leader"), false, &request);
        let is_unsent = sent.is_err() && !Trace::latest().connected;
        let failed_at = match &sent {
            Err(failure) if is_of_tls(failure) => FailedAt::Tls,
            Err(_) if is_unsent => FailedAt::Connection,
            Ok(reply) if is_leaderless(reply) => FailedAt::Leader,
            _ => FailedAt::Answer,
        };
        // With a proxy, it may be the proxy that fails.
        let is_ignored = failed_at == FailedAt::Connection
            && request.proxy.is_none()
            && request.address.scheme == Scheme::Https;
        let reply = checked(sent, &request).map_err(|error| match is_ignored {
            true => (FailedAt::Tls, self.ignored(error, request.limit)),
            false => (failed_at, error),
        })?;
        let leader = self.parsed(&reply, "leader", wire::leader);
        let leader = leader.map_err(|error| (FailedAt::Answer, error))?;
        Ok(self.mask.line(&leader, TEXT_MAX))
    }

    /// Whether this token may list nodes. With `stale`, a server without a leader answers too.
    pub(crate) fn list_one(&self, stale: bool, limit: Duration) -> Result<OneNodeList, Error> {
        let path = if stale { "/v1/nodes?per_page=1&stale" } else { "/v1/nodes?per_page=1" };
        let _permit = self.enter();
        let request = self.probing("list", limit);
        let began = clock::now();
        let sent = self.send(&self.path(path), false, &request);
        let took = clock::since(began);
        let reply = checked(sent, &request)?;
        self.parsed(&reply, "list", wire::stubs)?;
        let date = unix_seconds(reply.header("date")).and_then(|date| date.try_into().ok());
        Ok(OneNodeList {
            index: reply.index(),
            last_contact_ms: reply.last_contact_ms(),
            took,
            date,
        })
    }

    /// The version of the agent that answers, if the token may read it.
    pub(crate) fn agent(&self, limit: Duration) -> Result<Agent, Error> {
        let _permit = self.enter();
        let request = self.probing("agent", limit);
        match self.send(&self.path("/v1/agent/self"), false, &request) {
            Ok(reply) if matches!(reply.status, 401 | 403) => Ok(Agent::Hidden),
            Ok(reply) if reply.status == 500 && reply.body.starts_with(b"ACL token not found") => {
                Ok(Agent::TokenUnknown)
            }
            sent => {
                let reply = checked(sent, &request)?;
                let version = self.parsed(&reply, "agent", wire::version)?;
                Ok(Agent::Version(self.mask.line(&version, TEXT_MAX)))
            }
        }
    }

    /// Errors report the limit of this check, not that of the command.
    fn probing(&self, what: &str, limit: Duration) -> NomadRequest<'_> {
        let limit = limit.min(REQUEST);
        NomadRequest { timeout: limit, ..self.request_within(what, limit) }
    }

    /// A server that accepts the connection and does not answer the handshake has no TLS.
    fn ignored(&self, error: Error, limit: Duration) -> Error {
        let limit = limit.min(CONNECT);
        let request =
            NomadRequest { limit, timeout: limit, ..self.probing("TLS handshake", limit) };
        let late = ureq::Error::Timeout(ureq::Timeout::Global);
        let error =
            if error.kind == FailureKind::TimedOut { request.transport(&late) } else { error };
        // Or it is slow.
        let longer = if limit < HANDSHAKE { "pass a longer --timeout, or " } else { "" };
        Error { hint: Some(format!("{longer}{PLAIN_HINT}")), ..error }
    }
}

fn is_of_tls(failure: &TransferError) -> bool {
    match failure {
        TransferError::Disconnected(error) | TransferError::Transport(error) => is_tls(error),
        TransferError::Response(_) => false,
    }
}

fn is_leaderless(reply: &Reply) -> bool {
    reply.status == 500 && String::from_utf8_lossy(&reply.body).contains("No cluster leader")
}

/// Connects to the first address that accepts; else the last error, or `None` if time ran out.
fn connect_to_first(sockets: &[SocketAddr], limit: Duration) -> Option<std::io::Result<()>> {
    let until: Instant = clock::now() + limit;
    let mut last = None;
    for socket in sockets {
        let left = until.saturating_duration_since(clock::now());
        if left.is_zero() {
            return None;
        }
        match TcpStream::connect_timeout(socket, left) {
            Ok(_) => return Some(Ok(())),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => last = None,
            Err(error) => last = Some(Err(error)),
        }
    }
    last
}
