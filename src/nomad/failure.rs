//! Why a request failed, in words that say what to do.

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::model::mask::Mask;
use crate::model::text::{FOREIGN, first_line, reason};
use crate::net::tls_failure::{TlsPeer, TlsTrouble};

use super::address::{Address, Scheme};
use super::proxy::{HttpProxy, NO_PROXY_HINT};
use super::reply::Reply;
use super::timeouts::{CONNECT, IDLE, REQUEST};
use super::{Error, FailureKind};

const NOMAD: TlsPeer = TlsPeer {
    name: "Nomad",
    whose: "Nomad's",
    authority: "pass --ca-cert or set NOMAD_CACERT",
    other_name: "pass --tls-server-name, for Nomad's own certificates server.<region>.nomad or client.<region>.nomad",
    client: "--client-cert and --client-key",
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
    /// The time for this request, repeated on a new connection or not.
    pub(super) limit: Duration,
    /// The time for the whole command.
    pub(super) timeout: Duration,
    pub(super) until: Instant,
}

impl NomadRequest<'_> {
    /// No usable answer came: the transport failed.
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
        // With less time than a connection may take, both limits end at once, and the library names
        // either: what was too short is the time of the whole question.
        let is_whole = matches!(of, ureq::Timeout::Connect) && self.limit < CONNECT;
        let of = if is_whole { ureq::Timeout::Global } else { of };
        let (what, connect) = (&self.what, seconds(CONNECT.min(self.limit)));
        // A server without TLS often just waits for more when it is greeted with TLS.
        let plain = Some(PLAIN_HINT).filter(|_| self.address.scheme == Scheme::Https);
        let hint = match of {
            ureq::Timeout::Connect if self.limit > CONNECT => plain,
            ureq::Timeout::Resolve if self.limit > CONNECT => None,
            ureq::Timeout::PerRead => None,
            _ if self.limit < REQUEST => Some("pass a longer --timeout"),
            _ => None,
        };
        let why = match of {
            ureq::Timeout::Connect => format!("timed out after {connect}s (connect)"),
            ureq::Timeout::Resolve => format!("timed out after {connect}s (name lookup)"),
            ureq::Timeout::PerRead => {
                format!("timed out after {}s without a byte ({what})", seconds(IDLE))
            }
            // Whoever set a limit knows that one, not what was left of it.
            _ if self.limit < REQUEST => {
                format!("timed out after {}s ({what})", seconds(self.timeout))
            }
            _ => format!("timed out after {}s ({what})", seconds(self.limit)),
        };
        Error { kind: FailureKind::TimedOut, ..self.unreachable(&why, hint) }
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
            _ => reason(error),
        };
        let is_limit = error.raw_os_error().is_some_and(|number| LIMITS.contains(&number));
        self.unreachable(&why, Some(if is_limit { FILES_HINT } else { ADDRESS_HINT }))
    }

    fn not_http(&self) -> Error {
        let what = format!("not a Nomad API answer from {}: not HTTP", self.address);
        Error {
            kind: FailureKind::NotNomad,
            what,
            hint: Some(
                "is it the address of the HTTP API, and http or https as Nomad has it?".to_owned(),
            ),
        }
    }

    fn tls(&self, error: &rustls::Error) -> Error {
        if matches!(error, rustls::Error::InvalidMessage(_)) {
            return self.unreachable("TLS: the answer is not TLS", Some(PLAIN_HINT));
        }
        let TlsTrouble { why, cure } = NOMAD.trouble(error, self.has_client_certificate);
        self.unreachable(&format!("TLS: {why}"), Some(&cure))
    }

    pub(super) fn unreachable(&self, why: &str, hint: Option<&str>) -> Error {
        let what = format!("cannot reach Nomad at {}: {why}", self.address);
        Error { kind: FailureKind::Outage, what, hint: hint.map(str::to_owned) }
    }

    /// An answer came that is no success. Its body may be cut off.
    pub(super) fn status(&self, reply: &Reply) -> Error {
        let (status, text) = (reply.status, String::from_utf8_lossy(&reply.body));
        let proxy = self.proxy.filter(|proxy| proxy.has_answered(reply));
        if let Some(error) = proxy.and_then(|proxy| self.proxy_status(proxy, status)) {
            return error;
        }
        match status {
            401 | 403 => self.denied(status),
            429 => self.answered(status, &text).hinted(LIMIT_HINT),
            _ if reply.is_html() => self.page(status, &text),
            400 if text.contains("HTTP request to an HTTPS server") => {
                self.answered(status, &text).hinted("use https:// in the address")
            }
            404 => self
                .not_nomad("404, no such path")
                .hinted("does the address need a path prefix, or has it one too many?"),
            _ if status < 500 => self.answered(status, &text).with_kind(FailureKind::NotNomad),
            _ => self.trouble(status, &text),
        }
    }

    /// The proxy has not opened the tunnel. The library reports its status in a text only.
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

    /// The host name, that of the proxy if there is one, has no address.
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

    /// A page of something before Nomad, of which many say what they miss.
    fn page(&self, status: u16, text: &str) -> Error {
        let error = self.not_nomad("text/html");
        match status {
            400 if text.contains("HTTP request was sent to HTTPS port") => {
                error.hinted("use https:// in the address")
            }
            400 if text.contains("No required SSL certificate") => {
                error.hinted("pass --client-cert and --client-key: the proxy wants a certificate")
            }
            502..=504 => error.hinted(PROXY_HINT),
            _ => error,
        }
    }

    /// Nomad itself, or a proxy before it, can't answer now.
    fn trouble(&self, status: u16, text: &str) -> Error {
        match self.region {
            Some(region) if text.contains("No path to region") => self.no_region(region),
            _ if text.contains("No cluster leader") => {
                self.answered(status, text).hinted("try again when Nomad has elected a leader")
            }
            _ => self.answered(status, text),
        }
    }

    /// 403 says neither whether the token is still valid nor what it may do; 401 is never Nomad's
    /// own.
    fn denied(&self, status: u16) -> Error {
        let hint = match status {
            403 if !self.has_token => {
                return Error {
                    kind: FailureKind::Denied,
                    what: format!("permission denied: no token was sent ({})", self.address),
                    hint: Some(NO_TOKEN_HINT.to_owned()),
                };
            }
            401 => {
                "set NOMAD_HTTP_AUTH if a proxy asks for user and password, NOMAD_TOKEN or --token-file if Nomad does"
            }
            _ => {
                "set NOMAD_TOKEN or --token-file to a token that is valid and has node:read: log in again if it has expired, or ask for the right"
            }
        };
        Error {
            kind: if status == 401 { FailureKind::Unauthorized } else { FailureKind::Denied },
            what: format!("permission denied: token needs node:read ({})", self.address),
            hint: Some(hint.to_owned()),
        }
    }

    fn no_region(&self, region: &str) -> Error {
        let what = format!(
            "cannot reach region {} through Nomad at {}: no path to region",
            first_line(region, 64),
            self.address
        );
        let hint = "set NOMAD_REGION or --region to a region of this cluster".to_owned();
        Error { kind: FailureKind::Outage, what, hint: Some(hint) }
    }

    /// What the server said, on one line and harmless; some echo what they were sent.
    fn foreign(&self, text: &str) -> String {
        self.mask.line(text, FOREIGN)
    }

    fn answered(&self, status: u16, body: &str) -> Error {
        let line = self.foreign(body);
        let said = if line.is_empty() { String::new() } else { format!(": {line}") };
        let what = format!("Nomad at {} answered {status}{said}", self.address);
        Error::new(FailureKind::Outage, what)
    }

    pub(super) fn redirect(&self, location: &str) -> Error {
        let host = host(location).map_or_else(|| self.address.authority(), str::to_owned);
        let what = format!("redirect to {} refused ({})", self.foreign(&host), self.address);
        Error {
            kind: FailureKind::NotNomad,
            what,
            hint: Some("Nomad's API never redirects: pass its own --address".to_owned()),
        }
    }

    /// `why` stands in brackets: a content type, or what else it is not.
    pub(super) fn not_nomad(&self, why: &str) -> Error {
        let what = format!("not a Nomad API answer ({}) from {}", self.foreign(why), self.address);
        Error { kind: FailureKind::NotNomad, what, hint: Some(ADDRESS_HINT.to_owned()) }
    }

    pub(super) fn truncated(&self, bytes: usize) -> Error {
        let what = format!("answer cut off after {bytes} bytes ({}, {})", self.what, self.address);
        Error::new(FailureKind::NotNomad, what)
    }

    /// The connection was reset in the middle of the answer.
    pub(super) fn connection_lost(&self, bytes: usize) -> Error {
        self.unreachable(&format!("connection lost after {bytes} bytes ({})", self.what), None)
    }

    pub(super) fn too_large(&self) -> Error {
        let what = format!("answer larger than 256 MB ({}, {})", self.what, self.address);
        Error::new(FailureKind::NotNomad, what)
    }

    /// `why` names the field that is not as the API has it.
    pub(super) fn shape(&self, why: &str) -> Error {
        let why = self.foreign(why);
        let what = format!("not a Nomad API answer ({}, {}): {why}", self.what, self.address);
        Error::new(FailureKind::NotNomad, what)
    }
}

/// Rounded: to a tenth, the shorter the finer.
fn seconds(limit: Duration) -> f64 {
    let parts = match limit.as_millis() {
        0..100 => 1000.0,
        100..1000 => 100.0,
        _ => 10.0,
    };
    (limit.as_secs_f64() * parts).round() / parts
}

pub(super) const PLAIN_HINT: &str = "use http:// in the address if Nomad has no TLS";
const NO_TOKEN_HINT: &str = "set NOMAD_TOKEN or --token-file to a token that has node:read";
const FILES_HINT: &str = "raise the limit of open files (ulimit -n)";
/// Too many open files: of this process, or of the system.
const LIMITS: [i32; 2] = [Errno::MFILE.raw_os_error(), Errno::NFILE.raw_os_error()];
const ADDRESS_HINT: &str = "set NOMAD_ADDR or pass --address";
const PROXY_HINT: &str = "a proxy says that it gets no answer: is Nomad behind it up? else set NOMAD_ADDR or pass --address";
const LIMIT_HINT: &str =
    "Nomad limits connections and requests per address: try again, or lower --concurrency";

/// The host of a `Location` that names one; without user and password.
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

/// Whether the handshake of TLS failed, or what came instead of it.
pub(super) fn is_tls(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => tls_cause(error).is_some(),
        _ => false,
    }
}

/// rustls hides in I/O errors of the handshake and of the first read.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::seconds;

    #[test]
    fn a_limit_is_rounded_and_what_somebody_set_stays() {
        let said = |limit| seconds(Duration::from_secs_f64(limit)).to_string();
        let what_was_left = [0.998_522_998, 0.123_456, 0.012_345, 1.98];
        assert_eq!(what_was_left.map(said), ["1", "0.12", "0.012", "2"]);
        assert_eq!(
            [30.0, 1.5, 0.25, 0.05, 0.001].map(said),
            ["30", "1.5", "0.25", "0.05", "0.001"]
        );
    }
}
