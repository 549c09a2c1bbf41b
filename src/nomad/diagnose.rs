//! The checks of `doctor` on the way to Nomad, one by one.

use std::net::{IpAddr, SocketAddr, TcpStream};
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

/// A reply to a check, and what it showed beside its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReply<T> {
    pub what: T,
    pub took: Duration,
    /// The server's clock in seconds since 1970, if the reply has a date.
    pub date: Option<u64>,
}

/// Why a check failed.
#[derive(Debug, Clone)]
pub struct ProbeError {
    pub error: Error,
    /// The TLS handshake failed: no request was sent.
    pub in_tls: bool,
    /// No request was sent: the connection or its TLS handshake failed.
    pub unasked: bool,
    /// Nomad runs but has no leader.
    pub leaderless: bool,
}

/// The list limited to one node, which is cheap for Nomad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneNodeList {
    /// `X-Nomad-Index`, the same as that of the whole list.
    pub index: Option<u64>,
    /// How long ago the server that answered heard from the leader.
    pub last_contact_ms: u64,
}

/// What is known about the agent that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agent {
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
    ///
    /// # Errors
    /// No such host, or no answer in time.
    pub fn addresses(&self, limit: Duration) -> Result<Vec<IpAddr>, Error> {
        let request = self.probing("name", limit);
        let sockets = self.sockets(limit).map_err(|error| request.transport(&error))?;
        let mut addresses: Vec<IpAddr> = sockets.iter().map(SocketAddr::ip).collect();
        addresses.dedup();
        Ok(addresses)
    }

    /// Opens and closes a connection; how long it took.
    ///
    /// # Errors
    /// The connection was refused, or timed out.
    pub fn connects(&self, limit: Duration) -> Result<Duration, Error> {
        let request = self.probing("connect", limit);
        let limit = limit.min(CONNECT);
        let failed = |error| request.transport(&ureq::Error::Io(error));
        let timed_out = || request.transport(&ureq::Error::Timeout(ureq::Timeout::Connect));
        let began = clock::now();
        if self.address().is_unix() {
            let path = self.address().host.clone();
            let connected = within(limit, move || UnixStream::connect(path).map(drop));
            connected.ok_or_else(timed_out)?.map_err(failed)?;
        } else {
            let sockets = self.sockets(limit).map_err(|error| request.transport(&error))?;
            connect_to_first(&sockets, limit).ok_or_else(timed_out)?.map_err(failed)?;
        }
        Ok(clock::now().saturating_duration_since(began))
    }

    /// The address of the leader; needs no token.
    ///
    /// # Errors
    /// Also if there is no leader.
    pub fn leader(&self, limit: Duration) -> Result<ProbeReply<String>, ProbeError> {
        let answered = self.probe("/v1/status/leader", "leader", limit, wire::leader)?;
        Ok(ProbeReply { what: self.mask.line(&answered.what, TEXT_MAX), ..answered })
    }

    /// Whether this token may list nodes. With `stale`, a server without a leader answers too.
    ///
    /// # Errors
    /// As for the list.
    pub fn glance(
        &self,
        stale: bool,
        limit: Duration,
    ) -> Result<ProbeReply<OneNodeList>, ProbeError> {
        let path = if stale { "/v1/nodes?per_page=1&stale" } else { "/v1/nodes?per_page=1" };
        let request = self.probing("list", limit);
        let (reply, took) = self.timed(path, &request)?;
        self.parsed(&reply, "list", wire::stubs).map_err(ProbeError::of)?;
        let what = OneNodeList { index: reply.index(), last_contact_ms: reply.last_contact_ms() };
        Ok(ProbeReply { what, took, date: date(&reply) })
    }

    /// The version of the agent that answers, if the token may read it.
    ///
    /// # Errors
    /// As for the list, unless the token is refused.
    pub fn agent(&self, limit: Duration) -> Result<Agent, Error> {
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

    fn sockets(&self, limit: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
        look_up(self.address().authority(), limit.min(CONNECT))
    }

    /// Errors report the limit of this check, not that of the command.
    fn probing(&self, what: &str, limit: Duration) -> NomadRequest<'_> {
        let limit = limit.min(REQUEST);
        NomadRequest { timeout: limit, ..self.request_within(what, limit) }
    }

    fn probe<T>(
        &self,
        path: &str,
        what: &str,
        limit: Duration,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Result<ProbeReply<T>, ProbeError> {
        let request = self.probing(what, limit);
        let (reply, took) = self.timed(path, &request)?;
        let parsed = self.parsed(&reply, what, parse).map_err(ProbeError::of)?;
        Ok(ProbeReply { what: parsed, took, date: date(&reply) })
    }

    fn timed(
        &self,
        path: &str,
        request: &NomadRequest<'_>,
    ) -> Result<(Reply, Duration), ProbeError> {
        let _permit = self.enter();
        let began = clock::now();
        let sent = self.send(&self.path(path), false, request);
        let took = clock::now().saturating_duration_since(began);
        let refused = sent.as_ref().is_err_and(is_of_tls);
        let unasked = refused || sent.is_err() && !Trace::latest().connected;
        // With a proxy, it may be the proxy that fails.
        let ignored = unasked && !refused && request.proxy.is_none();
        let ignored = ignored && request.address.scheme == Scheme::Https;
        let in_tls = refused || ignored;
        let leaderless = sent.as_ref().is_ok_and(is_leaderless);
        let error = match checked(sent, request) {
            Ok(reply) => return Ok((reply, took)),
            Err(error) if ignored => self.ignored(error, request.limit),
            Err(error) => error,
        };
        Err(ProbeError { error, in_tls, unasked, leaderless })
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

impl ProbeError {
    fn of(error: Error) -> Self {
        Self { error, in_tls: false, unasked: false, leaderless: false }
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

fn date(reply: &Reply) -> Option<u64> {
    unix_seconds(reply.header("date"))?.try_into().ok()
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
