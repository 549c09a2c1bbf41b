//! Access control: the host name of the request, the origin of the page, and the access token.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{AUTHORIZATION, COOKIE, HOST};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::model::secret::Secret;
use crate::net::endpoint::{Endpoint, is_loopback};

use super::origin;
use super::problem::Problem;

/// The cookie that the login page sets.
pub(crate) const COOKIE_NAME: &str = "nomad-clients-session";

/// The socket that a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalAddress {
    Tcp(SocketAddr),
    Unix,
}

/// The rules of one server.
pub(crate) struct Guard {
    /// Host names beside those of the sockets; without a port, any port is accepted.
    pub(crate) names: Vec<Endpoint>,
    /// Clients must present it; `None` = no authentication.
    pub(crate) token: Option<Secret>,
}

impl Guard {
    /// Rejects names that were rebound to this address (S3), and changes by pages of another origin
    /// (S4). `path` is the part below the base path.
    pub(crate) fn check(
        &self,
        request: &Parts,
        path: Option<&str>,
        local: LocalAddress,
    ) -> Result<(), Problem> {
        if is_nameless_probe(request, path) {
            return Ok(());
        }
        let host = host(request).and_then(|host| Endpoint::parse(host).ok());
        let Some(host) = host.filter(|host| self.is_allowed(host, local)) else {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "this server does not accept that host name",
            )
            .hinted("to accept another host name, start serve with --allowed-host NAME"));
        };
        let changes = !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if changes { origin::check(&request.headers, &host, &self.names) } else { Ok(()) }
    }

    fn is_allowed(&self, host: &Endpoint, local: LocalAddress) -> bool {
        // A reverse proxy may listen on another port, and pass it on or not.
        let fits_port = |own: &Endpoint| {
            own.port.is_none() || host.port.is_none_or(|port| own.port == Some(port))
        };
        self.names.iter().any(|own| own.host == host.host && fits_port(own))
            || (is_of_socket(&host.host, local) && fits(host.port, local))
    }

    /// Whether the request has the token, or the cookie that the login page gave for it.
    pub(crate) fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        let is_token = bearer.is_some_and(|given| equal(given, token.reveal().as_bytes()));
        is_token || cookies(headers).any(|given| equal(given, session(token).as_bytes()))
    }

    /// The value of the cookie for a client that typed the token; `None` if it is another.
    pub(crate) fn session(&self, typed: &str) -> Option<String> {
        let token = self.token.as_ref()?;
        equal(typed.as_bytes(), token.reveal().as_bytes()).then(|| session(token))
    }
}

/// Proves that its owner knew the token, without containing it.
fn session(token: &Secret) -> String {
    let digest = Sha256::digest([b"nomad-clients session\0", token.reveal().as_bytes()].concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In constant time; comparing hashes hides the length too.
fn equal(given: &[u8], secret: &[u8]) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(secret)).into()
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// All cookies of our name: a browser may hold one for each path above this one.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let pairs =
        headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|b| *b == b';'));
    pairs.filter_map(|pair| {
        pair.trim_ascii().strip_prefix(COOKIE_NAME.as_bytes())?.strip_prefix(b"=")
    })
}

/// The one host name of the request: a second one, or another in the target, is an attack.
fn host(request: &Parts) -> Option<&str> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    let target = request.uri.authority();
    let agrees = target.is_none_or(|target| target.as_str().eq_ignore_ascii_case(host));
    (hosts.next().is_none() && agrees).then_some(host)
}

/// A load balancer's HTTP/1.0 probe. A browser always sends a host name.
fn is_nameless_probe(request: &Parts, path: Option<&str>) -> bool {
    let is_named = request.headers.contains_key(HOST) || request.uri.authority().is_some();
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    !is_named && reads && matches!(path, Some("/healthz" | "/readyz"))
}

/// The port of the socket; no port stands for the default one, or that of a proxy in front.
fn fits(port: Option<u16>, local: LocalAddress) -> bool {
    match (port, local) {
        (Some(port), LocalAddress::Tcp(address)) => port == address.port(),
        _ => true,
    }
}

/// Names that always belong to this socket. Behind an unspecified address any IP address does: an
/// address cannot be rebound.
fn is_of_socket(name: &str, local: LocalAddress) -> bool {
    let ip: Option<IpAddr> = name.parse().ok();
    let is_local = name == "localhost" || ip.is_some_and(is_loopback);
    match local {
        LocalAddress::Unix => is_local,
        LocalAddress::Tcp(address) => {
            let bound = address.ip().to_canonical();
            let same = ip.is_some_and(|ip| ip.to_canonical() == bound);
            is_local || same || (bound.is_unspecified() && ip.is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::{COOKIE_NAME, Endpoint, Guard, LocalAddress};
    use crate::model::secret::Secret;

    fn guard(token: Option<&str>) -> Guard {
        let names = ["nodes.example.com", "other.example.com:8443"];
        let names = names.map(|name| Endpoint::parse(name).unwrap()).into();
        Guard { names, token: token.map(Secret::new) }
    }

    fn status(local: &str, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let local = local.parse().map_or(LocalAddress::Unix, LocalAddress::Tcp);
        let checked = guard(None).check(&parts, Some(parts.uri.path()), local);
        checked.map_or_else(|problem| problem.status.as_u16(), |()| 200)
    }

    #[test]
    fn a_probe_without_a_name_is_answered_and_nothing_else_is() {
        let ask = |method: &str, target: &str| status("127.0.0.1:8080", method, target, &[]);
        assert_eq!([ask("GET", "/healthz"), ask("HEAD", "/readyz")], [200, 200]);
        assert_eq!([ask("POST", "/healthz"), ask("GET", "/"), ask("GET", "/metrics")], [421; 3]);
        let named = [("host", "evil.test:8080")];
        assert_eq!(status("127.0.0.1:8080", "GET", "/healthz", &named), 421);
    }

    #[test]
    fn only_names_of_this_server_with_its_port() {
        let get = |local: &str, host: &str| status(local, "GET", "/", &[("host", host)]);
        for (local, host, expected) in [
            ("127.0.0.1:80", "localhost:80", 200),
            ("127.0.0.1:8080", "LocalHost.:8080", 200),
            ("127.0.0.1:8080", "127.0.0.1:8080", 200),
            ("127.0.0.1:8080", "[::1]:8080", 200),
            ("[::1]:8080", "[::1]:8080", 200),
            ("127.0.0.1:8080", "127.0.0.1:8081", 421),
            ("127.0.0.1:8080", "evil.test:8080", 421),
            ("127.0.0.1:8080", "localhost.evil.test:8080", 421),
            ("127.0.0.1:8080", "10.0.0.5:8080", 421),
            ("127.0.0.1:8080", "localhost:99999", 421),
            ("127.0.0.1:8080", "", 421),
            ("10.0.0.5:8080", "10.0.0.5:8080", 200),
            ("0.0.0.0:8080", "192.168.1.7:8080", 200),
            ("0.0.0.0:8080", "evil.test:8080", 421),
            ("0.0.0.0:8080", "nodes.example.com:8080", 200),
            ("0.0.0.0:8080", "nodes.example.com", 200),
            ("0.0.0.0:8080", "nodes.example.com:81", 200),
            ("0.0.0.0:8080", "nodes.example.com.evil.test", 421),
            ("0.0.0.0:8080", "OTHER.example.com:8443", 200),
            ("0.0.0.0:8080", "other.example.com", 200),
            ("0.0.0.0:8080", "other.example.com:8080", 421),
            ("unix", "localhost", 200),
            ("unix", "evil.test", 421),
        ] {
            assert_eq!(get(local, host), expected, "{local} {host}");
        }
        let local = "127.0.0.1:8080";
        assert_eq!(status(local, "GET", "/", &[]), 421);
        let twice = [("host", "localhost:8080"), ("host", "evil.test")];
        assert_eq!(status(local, "GET", "/", &twice), 421);
        let host = [("host", "localhost:8080")];
        assert_eq!(status(local, "GET", "http://evil.test/", &host), 421);
        assert_eq!(status(local, "GET", "http://localhost:8080/", &host), 200);
    }

    #[test]
    fn a_page_of_another_origin_reads_and_changes_nothing() {
        let headers = [("host", "localhost:8080"), ("origin", "http://evil.test")];
        let ask = |method: &str| status("127.0.0.1:8080", method, "/", &headers);
        assert_eq!(["GET", "HEAD", "OPTIONS"].map(ask), [200; 3]);
        assert_eq!(["POST", "PUT", "DELETE", "PATCH"].map(ask), [403; 4]);
    }

    #[test]
    fn the_token_or_the_cookie_that_stands_for_it() {
        let guard = guard(Some("canary-0123456789-0123456789"));
        let known = |name: &str, value: &str| {
            let request = Request::builder().header(name, value).body(()).unwrap();
            guard.is_authorized(request.headers())
        };
        assert!(known("authorization", "Bearer canary-0123456789-0123456789"));
        assert!(known("authorization", "bearer  canary-0123456789-0123456789"));
        for wrong in ["Bearer canary", "Bearer", "Basic canary-0123456789-0123456789", ""] {
            assert!(!known("authorization", wrong), "{wrong}");
        }
        let session = guard.session("canary-0123456789-0123456789").unwrap();
        assert!(!session.contains("canary") && guard.session("canary").is_none());
        assert!(known("cookie", &format!("a=b; {COOKIE_NAME}={session}")));
        assert!(known("cookie", &format!("{COOKIE_NAME}=old; {COOKIE_NAME}={session}")));
        assert!(!known("cookie", &format!("{COOKIE_NAME}=canary-0123456789-0123456789")));
        assert!(!known("cookie", &format!("x{COOKIE_NAME}={session}")));
        let open = Guard { token: None, names: Vec::new() };
        assert!(open.is_authorized(Request::new(()).headers()) && open.session("x").is_none());
    }
}
