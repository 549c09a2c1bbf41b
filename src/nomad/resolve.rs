//! Names become addresses once a run.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// As long as a connection may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Remembers what a name resolved to: the library's own resolver starts a thread per request.
#[derive(Debug, Default)]
pub(super) struct Resolve {
    /// Who is really meant when the URL holds the name that the certificate must have.
    instead: Option<String>,
    known: Mutex<HashMap<String, Vec<SocketAddr>>>,
}

impl Resolve {
    pub(super) fn new(instead: Option<String>) -> Self {
        Self { instead, known: Mutex::default() }
    }

    fn addresses(&self, name: String) -> Result<Vec<SocketAddr>, ureq::Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&name) {
            return Ok(found.clone());
        }
        let found = looked_up(name.clone())?;
        known.insert(name, found.clone());
        Ok(found)
    }
}

impl Resolver for Resolve {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let port =
            uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let name = self.instead.clone().or_else(|| uri.host().map(|host| format!("{host}:{port}")));
        let mut addresses = self.empty();
        for address in self.addresses(name.unwrap_or_default())?.into_iter().take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// `getaddrinfo` has no time limit of its own, so it runs in a thread that may be left behind.
fn looked_up(name: String) -> Result<Vec<SocketAddr>, ureq::Error> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let (tell, told) = mpsc::sync_channel(1);
    thread::spawn(move || tell.send(name.to_socket_addrs().map(Iterator::collect)));
    match told.recv_timeout(LIMIT) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(not_found(&error)),
        Err(_) => Err(ureq::Error::Timeout(ureq::Timeout::Resolve)),
    }
}

fn not_found(_: &io::Error) -> ureq::Error {
    ureq::Error::HostNotFound
}
