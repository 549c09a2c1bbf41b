//! The links of the way to Nomad, asked one by one.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::clock;
use crate::net::bounded::within;

use super::address::Scheme;
use super::body::TransferError;
use super::failure::{NomadRequest, PLAIN_HINT, is_tls};
use super::http::{HttpNomad, judged};
use super::reply::Reply;
use super::resolve::looked_up;
use super::retry_after::unix_seconds;
use super::timeouts::{CONNECT, REQUEST};
use super::trace::Trace;
use super::{Error, FailureKind, wire};

/// What an answer showed beside its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReply<T> {
    pub what: T,
    pub took: Duration,
    /// The server's clock: seconds since 1970, if it tells them.
    pub date: Option<u64>,
}

/// Why a question to Nomad failed.
#[derive(Debug, Clone)]
pub struct ProbeError {
    pub error: Error,
    /// The handshake of TLS failed: nothing was asked.
    pub in_tls: bool,
    /// Nothing could be asked: there was no connection, or no handshake of TLS on it.
    pub unasked: bool,
    /// Nomad is there and has no leader.
    pub leaderless: bool,
}

/// The list with one node, which costs Nomad next to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneNodeList {
    /// `X-Nomad-Index`, as the list has it.
    pub index: Option<u64>,
    /// How long the server that answered has not heard from the leader.
    pub last_contact_ms: u64,
}

/// What Nomad says of the agent that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agent {
    Version(String),
    /// The token may not ask; that says nothing of nodes.
    Hidden,
    /// The token is malformed or has expired.
    TokenUnknown,
}

/// The most characters of what Nomad says of itself.
const SHOWN: usize = 80;
/// Who speaks TLS has answered its greeting by then.
const SOON: Duration = Duration::from_secs(1);

impl HttpNomad {
    /// What the name of Nomad's host resolves to.
    ///
    /// # Errors
    /// No such host, or no answer in time.
    pub fn addresses(&self, limit: Duration) -> Result<Vec<IpAddr>, Error> {
        let asked = self.probing("name", limit);
        let found = self.sockets(limit).map_err(|error| asked.transport(&error))?;
        let mut addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
        addresses.dedup();
        Ok(addresses)
    }

    /// Connects and hangs up; how long it took.
    ///
    /// # Errors
    /// Nobody listens there, or nobody answers.
    pub fn connects(&self, limit: Duration) -> Result<Duration, Error> {
        let asked = self.probing("connect", limit);
        let limit = limit.min(CONNECT);
        let wrong = |error| asked.transport(&ureq::Error::Io(error));
        let late = || asked.transport(&ureq::Error::Timeout(ureq::Timeout::Connect));
        let began = clock::now();
        if self.address().is_unix() {
            let path = self.address().host.clone();
            let connected = within(limit, move || UnixStream::connect(path).map(drop));
            connected.ok_or_else(late)?.map_err(wrong)?;
        } else {
            let sockets = self.sockets(limit).map_err(|error| asked.transport(&error))?;
            first(&sockets, limit).ok_or_else(late)?.map_err(wrong)?;
        }
        Ok(clock::now().saturating_duration_since(began))
    }

    /// Where the leader is; needs no token.
    ///
    /// # Errors
    /// Nomad's failure; that there is no leader is one.
    pub fn leader(&self, limit: Duration) -> Result<ProbeReply<String>, ProbeError> {
        let answered = self.probe("/v1/status/leader", "leader", limit, wire::leader)?;
        Ok(ProbeReply { what: self.mask.line(&answered.what, SHOWN), ..answered })
    }

    /// Whether this token may list nodes. With `stale` a server without a leader answers too.
    ///
    /// # Errors
    /// Nomad's failure, as that of the list.
    pub fn glance(
        &self,
        stale: bool,
        limit: Duration,
    ) -> Result<ProbeReply<OneNodeList>, ProbeError> {
        let path = if stale { "/v1/nodes?per_page=1&stale" } else { "/v1/nodes?per_page=1" };
        let asked = self.probing("list", limit);
        let (reply, took) = self.timed(path, &asked)?;
        self.parsed(&reply, "list", wire::stubs).map_err(ProbeError::of)?;
        let what = OneNodeList { index: reply.index(), last_contact_ms: reply.last_contact_ms() };
        Ok(ProbeReply { what, took, date: date(&reply) })
    }

    /// The version of the agent that answers, if the token may know it.
    ///
    /// # Errors
    /// Nomad's failure, that of a token not among them.
    pub fn agent(&self, limit: Duration) -> Result<Agent, Error> {
        let _permit = self.enter();
        let asked = self.probing("agent", limit);
        match self.send_alive(&self.path("/v1/agent/self"), false, &asked) {
            Ok(reply) if matches!(reply.status, 401 | 403) => Ok(Agent::Hidden),
            Ok(reply) if reply.status == 500 && reply.body.starts_with(b"ACL token not found") => {
                Ok(Agent::TokenUnknown)
            }
            sent => {
                let reply = judged(sent, &asked)?;
                let version = self.parsed(&reply, "agent", wire::version)?;
                Ok(Agent::Version(self.mask.line(&version, SHOWN)))
            }
        }
    }

    fn sockets(&self, limit: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
        looked_up(self.address().authority(), limit.min(CONNECT))
    }

    /// Whoever asks knows the limit of this question, not that of the command.
    fn probing(&self, what: &str, limit: Duration) -> NomadRequest<'_> {
        let limit = limit.min(REQUEST);
        NomadRequest { timeout: limit, ..self.asked_within(what, limit) }
    }

    fn probe<T>(
        &self,
        path: &str,
        what: &str,
        limit: Duration,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Result<ProbeReply<T>, ProbeError> {
        let asked = self.probing(what, limit);
        let (reply, took) = self.timed(path, &asked)?;
        let parsed = self.parsed(&reply, what, parse).map_err(ProbeError::of)?;
        Ok(ProbeReply { what: parsed, took, date: date(&reply) })
    }

    fn timed(&self, path: &str, asked: &NomadRequest<'_>) -> Result<(Reply, Duration), ProbeError> {
        let _permit = self.enter();
        let began = clock::now();
        let sent = self.send_alive(&self.path(path), false, asked);
        let took = clock::now().saturating_duration_since(began);
        let refused = sent.as_ref().is_err_and(is_of_tls);
        let unasked = refused || sent.is_err() && !Trace::latest().connected;
        // A proxy may be what fails.
        let ignored = unasked && !refused && asked.proxy.is_none();
        let ignored = ignored && asked.address.scheme == Scheme::Https;
        let in_tls = refused || ignored;
        let leaderless = sent.as_ref().is_ok_and(is_leaderless);
        let error = match judged(sent, asked) {
            Ok(reply) => return Ok((reply, took)),
            Err(error) if ignored => self.ignored(error, asked.limit),
            Err(error) => error,
        };
        Err(ProbeError { error, in_tls, unasked, leaderless })
    }

    /// Whoever takes a connection and leaves the greeting of TLS without an answer speaks none.
    fn ignored(&self, error: Error, limit: Duration) -> Error {
        let limit = limit.min(CONNECT);
        let asked = NomadRequest { limit, timeout: limit, ..self.probing("TLS handshake", limit) };
        let late = ureq::Error::Timeout(ureq::Timeout::Global);
        let error =
            if error.kind == FailureKind::TimedOut { asked.transport(&late) } else { error };
        // A slow one that does speak it may just need more.
        let longer = if limit < SOON { "pass a longer --timeout, or " } else { "" };
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

/// The first address that lets us in, or why the last one did not; `None` if time ran out.
fn first(sockets: &[SocketAddr], limit: Duration) -> Option<std::io::Result<()>> {
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
