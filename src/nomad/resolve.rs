//! Names become addresses once a run, or every half minute of a long one.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::clock;
use crate::net::bounded::within;
use crate::net::sync::lock;

use super::timeouts::CONNECT;

/// A server that has moved is found again after this.
const KNOWN: Duration = Duration::from_secs(30);

/// Remembers what a name resolved to: the library's own resolver starts a thread per request.
#[derive(Debug, Default)]
pub(super) struct Resolve {
    /// The `host:port` that is looked up whatever is asked for: that of a proxy.
    proxy: Option<String>,
    known: Mutex<HashMap<String, (Instant, Vec<SocketAddr>)>>,
}

impl Resolve {
    pub(super) fn of(proxy: Option<String>) -> Self {
        Self { proxy, ..Self::default() }
    }

    /// Others who ask meanwhile wait: the answer is the same for them.
    fn addresses(&self, name: String, limit: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
        let mut known = lock(&self.known);
        let now = clock::now();
        if let Some((at, found)) = known.get(&name)
            && now.saturating_duration_since(*at) < KNOWN
        {
            return Ok(found.clone());
        }
        let found = looked_up(name.clone(), limit)?;
        known.insert(name, (now, found.clone()));
        Ok(found)
    }
}

impl Resolver for Resolve {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let port =
            uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let name = uri.host().map(|host| format!("{host}:{port}")).unwrap_or_default();
        let name = self.proxy.clone().unwrap_or(name);
        let mut addresses = self.empty();
        let limit = timeout.not_zero().map_or(CONNECT, |left| CONNECT.min(*left));
        for address in self.addresses(name, limit)?.into_iter().take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// `getaddrinfo` has no time limit of its own.
pub(super) fn looked_up(name: String, limit: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    match within(limit, move || name.to_socket_addrs().map(Iterator::collect)) {
        Some(Ok(addresses)) => Ok(addresses),
        Some(Err(error)) => Err(not_found(&error)),
        None => Err(ureq::Error::Timeout(ureq::Timeout::Resolve)),
    }
}

/// A name server that can't be asked says nothing about the name.
fn not_found(error: &io::Error) -> ureq::Error {
    if error.to_string().to_lowercase().contains("temporary failure") {
        return io::Error::other("name lookup failed for now").into();
    }
    ureq::Error::HostNotFound
}
