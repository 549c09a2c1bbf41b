//! Why a request to Nomad failed, and what to do about it.

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::model::format::limit;
use crate::model::mask::Mask;
use crate::model::text::{FOREIGN, first_line, io_reason};
use crate::net::tls_failure::{TlsPeer, TlsTrouble};

use super::address::{Address, Scheme};
use super::proxy::{HttpProxy, NO_PROXY_HINT};
use super::reply::Reply;
use super::timeouts::{CONNECT, IDLE, REQUEST};
use super::{Error, FailureKind};

const NOMAD: TlsPeer = TlsPeer {
    name: "Nomad",
    ca_hint: "pass --ca-cert or set NOMAD_CACERT",
    name_hint: "pass --tls-server-name, for Nomad's own certificates server.<region>.nomad or client.<region>.nomad",
    client_options: "--client-cert and --client-key",
};

/// A request, as far as its errors report it.
pub(super) struct NomadRequest<'a> {
    pub(super) address: &'a Address,
    pub(super) proxy: Option<&'a HttpProxy>,
    /// An ACL token is sent.
    pub(super) has_token: bool,
    pub(super) has_client_certificate: bool,
    pub(super) region: Option<&'a str>,
    /// Hides in errors what was sent.
    pub(super) mask: &'a Mask,
    /// `list`, or `node <id>`.
    pub(super) what: String,
    /// The time for this request, including a second try on a new connection.
    pub(super) limit: Duration,
    /// The time for the whole command.
    pub(super) timeout: Duration,
    pub(super) until: Instant,
}

impl NomadRequest<'_> {
    /// The connection, or the protocol on it, failed.
    pub(super) fn transport(&self, error: &ureq::Error) -> Error {
        match error {
            ureq::Error::Timeout(of) => self.timed_out(*of),
            ureq::Error::HostNotFound => self.no_such_host(),
            ureq::Error::Io(error) => self.io(error),
            ureq::Error::Rustls(error) => self.tls(error),
            ureq::Error::Protocol(_)
            | ureq::Error::Http(_)
            | ureq::Error::LargeResponseHeader(..) => self.not_http(),
            ureq::Error::ConnectProxyFailed(reason) => self.no_tunnel(reason),
            other => self.unreachable(&self.foreign(&other.to_string()), Some(ADDRESS_HINT)),
        }
    }

    fn timed_out(&self, of: ureq::Timeout) -> Error {
        // If the request has less time than a connection, both limits end at once and the library
        // may name either; the one to report is that of the request.
        let is_whole = matches!(of, ureq::Timeout::Connect) && self.limit < CONNECT;
        let of = if is_whole { ureq::Timeout::Global } else { of };
        let (what, connect) = (&self.what, limit(CONNECT.min(self.limit)));
        // A server without TLS often just waits when a TLS handshake begins.
        let plain = Some(PLAIN_HINT).filter(|_| self.address.scheme == Scheme::Https);
        let hint = match of {
            ureq::Timeout::Connect if self.limit > CONNECT => plain,
            ureq::Timeout::Resolve if self.limit > CONNECT => None,
            ureq::Timeout::PerRead => None,
            _ if self.limit < REQUEST => Some("pass a longer --timeout"),
            _ => None,
        };
        let why = match of {
            ureq::Timeout::Connect => format!("timed out after {connect} (connect)"),
            ureq::Timeout::Resolve => format!("timed out after {connect} (name lookup)"),
            ureq::Timeout::PerRead => {
                format!("timed out after {} without a byte ({what})", limit(IDLE))
            }
            // Report the --timeout as it was set, not what was left of it.
            _ if self.limit < REQUEST => {
                format!("timed out after {} ({what})", limit(self.timeout))
            }
            _ => format!("timed out after {} ({what})", limit(self.limit)),
        };
        self.unreachable(&why, hint).with_kind(FailureKind::TimedOut)
    }

    fn io(&self, error: &io::Error) -> Error {
        if let Some(tls) = tls_cause(error) {
            return self.tls(tls);
        }
        if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            return self.transport(inner);
        }
        let why = match error.kind() {
            io::ErrorKind::ConnectionRefused if self.proxy.is_some() => {
                return self.proxy_refused();
            }
            io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => "connection closed without an answer".to_owned(),
            io::ErrorKind::NotFound if self.address.is_unix() => "no such socket".to_owned(),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                return self.timed_out(ureq::Timeout::Global);
            }
            _ => io_reason(error),
        };
        let is_file_limit =
            error.raw_os_error().is_some_and(|number| FILE_LIMITS.contains(&number));
        self.unreachable(&why, Some(if is_file_limit { FILES_HINT } else { ADDRESS_HINT }))
    }

    fn not_http(&self) -> Error {
        self.wrong_answer(format!("not a Nomad API answer from {}: not HTTP", self.address))
            .hinted("check that the address is that of the HTTP API, and whether it uses TLS")
    }

    fn tls(&self, error: &rustls::Error) -> Error {
        if matches!(error, rustls::Error::InvalidMessage(_)) {
            return self.unreachable("TLS: the answer is not TLS", Some(PLAIN_HINT));
        }
        let TlsTrouble { why, hint } = NOMAD.trouble(error, self.has_client_certificate);
        self.unreachable(&format!("TLS: {why}"), Some(&hint))
    }

    /// The response has a status that is not one of success. Its body may be truncated.
    pub(super) fn status(&self, reply: &Reply) -> Error {
        let (status, text) = (reply.status, String::from_utf8_lossy(&reply.body));
        let proxy = self.proxy.filter(|proxy| proxy.has_answered(reply));
        if let Some(error) = proxy.and_then(|proxy| self.proxy_status(proxy, status)) {
            return error;
        }
        match status {
            401 | 403 => self.denied(status),
            429 => self.answered(status, &text).hinted(LIMIT_HINT),
            _ if reply.is_html() => self.html(status, &text),
            400 if text.contains("HTTP request to an HTTPS server") => {
                self.answered(status, &text).hinted(HTTPS_HINT)
            }
            404 => self
                .not_nomad("404, no such path")
                .hinted("check the path in NOMAD_ADDR; behind a proxy it may need a prefix"),
            _ if status < 500 => self.answered(status, &text).with_kind(FailureKind::NotNomad),
            _ => self.server_error(status, &text),
        }
    }

    /// The proxy did not open the tunnel. The library reports its status only inside a text.
    fn no_tunnel(&self, reason: &str) -> Error {
        let mut numbers = reason.split(|character: char| !character.is_ascii_digit());
        let status = numbers.find(|number| number.len() == 3).and_then(|text| text.parse().ok());
        let refusal = self.proxy.zip(status);
        refusal
            .and_then(|(proxy, status)| self.proxy_status(proxy, status))
            .unwrap_or_else(|| self.proxy_refused())
    }

    fn proxy_status(&self, proxy: &HttpProxy, status: u16) -> Option<Error> {
        let refusal = proxy.refusal(status, &self.address.host)?;
        Some(self.unreachable(&refusal.why, Some(&refusal.hint)))
    }

    fn proxy_refused(&self) -> Error {
        self.unreachable("the proxy refused the connection", Some(NO_PROXY_HINT))
    }

    /// With a proxy, it is its name that was looked up.
    fn no_such_host(&self) -> Error {
        match self.proxy {
            None => self.unreachable("no such host", Some(ADDRESS_HINT)),
            Some(proxy) => {
                let why = format!("no such host: the proxy {}", proxy.address);
                let hint = format!("check {}, or {NO_PROXY_HINT}", proxy.variable());
                self.unreachable(&why, Some(&hint))
            }
        }
    }

    /// An HTML page of a proxy in front of Nomad; many of them name the cause.
    fn html(&self, status: u16, text: &str) -> Error {
        let error = self.not_nomad("text/html");
        match status {
            400 if text.contains("HTTP request was sent to HTTPS port") => error.hinted(HTTPS_HINT),
            400 if text.contains("No required SSL certificate") => error.hinted(
                "pass --client-cert and --client-key: the proxy requires a client certificate",
            ),
            502..=504 => error.hinted(PROXY_HINT),
            _ => error,
        }
    }

    /// Nomad, or a proxy in front of it, cannot answer now.
    fn server_error(&self, status: u16, text: &str) -> Error {
        match self.region {
            Some(region) if text.contains("No path to region") => self.no_region(region),
            _ if text.contains("No cluster leader") => {
                self.answered(status, text).hinted("try again when Nomad has elected a leader")
            }
            _ => self.answered(status, text),
        }
    }

    /// A 403 does not say whether the token is valid or lacks a capability; Nomad sends no 401.
    fn denied(&self, status: u16) -> Error {
        let (why, kind, hint) = match status {
            401 => (TOKEN_NEEDS, FailureKind::Unauthorized, UNAUTHORIZED_HINT),
            _ if self.has_token => (TOKEN_NEEDS, FailureKind::Denied, TOKEN_HINT),
            _ => ("no token was sent", FailureKind::Denied, NO_TOKEN_HINT),
        };
        let what = format!("permission denied: {why} ({})", self.address);
        Error { kind, what, hint: Some(hint.to_owned()) }
    }

    fn no_region(&self, region: &str) -> Error {
        let (region, address) = (first_line(region, 64), self.address);
        let what =
            format!("cannot reach region {region} through Nomad at {address}: no path to region");
        let hint = "set NOMAD_REGION or --region to a region of this cluster".to_owned();
        Error { kind: FailureKind::Outage, what, hint: Some(hint) }
    }

    /// A text of the server, on one line and safe to print. Some servers echo what they were sent.
    fn foreign(&self, text: &str) -> String {
        self.mask.line(text, FOREIGN)
    }

    pub(super) fn unreachable(&self, why: &str, hint: Option<&str>) -> Error {
        let what = format!("cannot reach Nomad at {}: {why}", self.address);
        Error { kind: FailureKind::Outage, what, hint: hint.map(str::to_owned) }
    }

    fn answered(&self, status: u16, body: &str) -> Error {
        let line = self.foreign(body);
        let separator = if line.is_empty() { "" } else { ": " };
        let what = format!("Nomad at {} answered {status}{separator}{line}", self.address);
        Error { kind: FailureKind::Outage, what, hint: None }
    }

    fn wrong_answer(&self, what: String) -> Error {
        Error { kind: FailureKind::NotNomad, what, hint: None }
    }

    pub(super) fn redirect(&self, location: &str) -> Error {
        let host = host(location).map_or_else(|| self.address.authority(), str::to_owned);
        let host = self.foreign(&host);
        self.wrong_answer(format!("redirect to {host} refused ({})", self.address))
            .hinted("Nomad's API never redirects: pass --address with the address of Nomad itself")
    }

    /// `why`: a content type, or what else shows that this is not Nomad.
    pub(super) fn not_nomad(&self, why: &str) -> Error {
        let why = self.foreign(why);
        self.wrong_answer(format!("not a Nomad API answer ({why}) from {}", self.address))
            .hinted(ADDRESS_HINT)
    }

    pub(super) fn truncated(&self, bytes: usize) -> Error {
        let (what, address) = (&self.what, self.address);
        self.wrong_answer(format!("answer cut off after {bytes} bytes ({what}, {address})"))
    }

    /// The connection was reset in the middle of the response.
    pub(super) fn connection_lost(&self, bytes: usize) -> Error {
        self.unreachable(&format!("connection lost after {bytes} bytes ({})", self.what), None)
    }

    pub(super) fn too_large(&self) -> Error {
        let (what, address) = (&self.what, self.address);
        self.wrong_answer(format!("answer larger than 256 MB ({what}, {address})"))
    }

    /// `why` names the field that is not as the API has it.
    pub(super) fn wrong_json(&self, why: &str) -> Error {
        let (why, what, address) = (self.foreign(why), &self.what, self.address);
        self.wrong_answer(format!("not a Nomad API answer ({what}, {address}): {why}"))
    }
}

pub(super) const PLAIN_HINT: &str = "use http:// in the address if Nomad has no TLS";
const HTTPS_HINT: &str = "use https:// in the address";
const TOKEN_NEEDS: &str = "token needs node:read";
const NO_TOKEN_HINT: &str = "set NOMAD_TOKEN or --token-file to a token with node:read";
const TOKEN_HINT: &str = "set NOMAD_TOKEN or --token-file to a valid token with node:read; log in again if yours has expired";
const UNAUTHORIZED_HINT: &str = "set NOMAD_HTTP_AUTH if a proxy requires a user and password; set NOMAD_TOKEN or --token-file if Nomad requires a token";
const FILES_HINT: &str = "raise the limit on open files (ulimit -n)";
/// Too many open files: of this process, or of the system.
const FILE_LIMITS: [i32; 2] = [Errno::MFILE.raw_os_error(), Errno::NFILE.raw_os_error()];
const ADDRESS_HINT: &str = "set NOMAD_ADDR or pass --address";
const PROXY_HINT: &str = "a proxy got no answer from Nomad: check that Nomad is running, or set NOMAD_ADDR or pass --address";
const LIMIT_HINT: &str =
    "Nomad limits connections and requests per address: try again, or lower --concurrency";

/// The host that a `Location` names, if it does, without user and password.
fn host(location: &str) -> Option<&str> {
    let (scheme, rest) = location.split_once("//")?;
    let is_scheme = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !scheme.is_empty() && !scheme.strip_suffix(':').is_some_and(is_scheme) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}

/// Whether the TLS handshake failed, or the server answered it with something else.
pub(super) fn is_tls(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => tls_cause(error).is_some(),
        _ => false,
    }
}

/// rustls wraps its errors in those of I/O, of the handshake as of the first read.
fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    let mut cause = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = cause {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        cause = inner.source();
    }
    None
}
