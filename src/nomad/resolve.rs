//! Looks up host names once per run, or every half minute of a long one.

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

/// How long an address is reused.
const CACHED_FOR: Duration = Duration::from_secs(30);

/// Caches addresses: the library's own resolver starts a thread per request.
#[derive(Debug, Default)]
pub(super) struct Resolve {
    /// The `host:port` of a proxy, which is looked up instead of Nomad's.
    proxy: Option<String>,
    known: Mutex<HashMap<String, (Instant, Vec<SocketAddr>)>>,
}

impl Resolve {
    pub(super) fn of(proxy: Option<String>) -> Self {
        Self { proxy, ..Self::default() }
    }

    /// Concurrent lookups wait for the first one.
    fn addresses(&self, name: String, limit: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
        let mut known = lock(&self.known);
        let now = clock::now();
        if let Some((at, found)) = known.get(&name)
            && now.saturating_duration_since(*at) < CACHED_FOR
        {
            return Ok(found.clone());
        }
        let found = look_up(name.clone(), limit)?;
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
pub(super) fn look_up(name: String, limit: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    match within(limit, move || name.to_socket_addrs().map(Iterator::collect)) {
        Some(Ok(addresses)) => Ok(addresses),
        Some(Err(error)) => Err(lookup_error(&error)),
        None => Err(ureq::Error::Timeout(ureq::Timeout::Resolve)),
    }
}

/// If the name server cannot be reached, the host may still exist.
fn lookup_error(error: &io::Error) -> ureq::Error {
    if error.to_string().to_lowercase().contains("temporary failure") {
        return io::Error::other("temporary failure in name lookup").into();
    }
    ureq::Error::HostNotFound
}
