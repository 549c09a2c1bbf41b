//! How connections are made, and what became of the one that a request used.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::net::sync::lock;

use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector,
    TcpConnector, Transport,
};
use ureq::{Agent, Proxy};

use super::address::{Address, Scheme};
use super::connection_limit::Connections;
use super::counted_transport::{Closable, Counting};
use super::proxy::{Forwarding, Proxied};
use super::resolve::Resolve;
use super::tls_alert::DrainConnector;
use super::unix::UnixConnector;
use super::{Access, Error, FailureKind, tls};

/// The longest silence in the middle of an answer.
pub(super) const IDLE: Duration = Duration::from_secs(5);

/// The way to Nomad. Its settings are checked at once; certificates are read with the first request:
/// an answer from the cache needs none of them.
#[derive(Debug)]
pub(super) struct AgentConnector {
    /// The URL that paths are appended to.
    pub(super) base: String,
    pub(super) proxied: Option<Proxied>,
    pub(super) connections: Arc<Connections>,
    uri: Uri,
    /// Whose certificate is asked for.
    names: Names,
    /// For a tunnel through a proxy.
    tunnel: Option<Proxy>,
    agent: OnceLock<Agent>,
    /// Held by whoever makes it.
    making: Mutex<()>,
}

impl AgentConnector {
    /// Reads nothing.
    ///
    /// # Errors
    /// `Kind::Config` if the address, the proxy or the TLS name can't be used, or if a file that is
    /// named is missing.
    pub(super) fn new(access: &Access) -> Result<Self, Error> {
        let base = base(&access.address);
        let uri = uri(&base).ok_or_else(|| wrong(format!("{} is no valid URL", access.address)))?;
        let proxied = access.proxy.as_ref().map(|url| Proxied::new(url, access)).transpose()?;
        let tunnel = access.proxy.as_ref().filter(|_| is_tunnel(proxied.as_ref()));
        let tunnel = tunnel.map(|url| Proxy::new(url.reveal())).transpose();
        let names = Names::new(&uri, access, proxied.as_ref())?;
        if needs_tls(access, proxied.as_ref()) {
            tls::check(&access.tls)?;
        }
        let place = access.address.to_string();
        let connections = Connections::new(access.folder.as_deref(), &place);
        Ok(Self {
            base,
            proxied,
            connections: Arc::new(connections),
            uri,
            names,
            tunnel: tunnel.map_err(|_| Proxied::invalid())?,
            agent: OnceLock::new(),
            making: Mutex::default(),
        })
    }

    /// The agent for all requests, made when it is first needed.
    ///
    /// # Errors
    /// `Kind::Config` if a certificate can't be used. It is read again the next time.
    pub(super) fn agent(&self, access: &Access) -> Result<&Agent, Error> {
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let _making = lock(&self.making);
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let agent = self.made(access)?;
        Ok(self.agent.get_or_init(|| agent))
    }

    fn made(&self, access: &Access) -> Result<Agent, Error> {
        let is_tls = needs_tls(access, self.proxied.as_ref());
        let tls = if is_tls { tls::config(&access.tls)? } else { TlsConfig::builder().build() };
        let config = self.config(access, tls);
        let counting =
            || Counting { connections: Arc::clone(&self.connections), nomad: self.uri.clone() };
        if access.address.is_unix() {
            let socket = UnixConnector(PathBuf::from(&access.address.host));
            let connector = ().chain(Closable(socket)).chain(Tracing).chain(counting());
            return Ok(Agent::with_parts(config, connector, Resolve::default()));
        }
        let forwarded = self.proxied.as_ref().filter(|proxied| proxied.forwards);
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(Closable(TcpConnector::default()))
                .chain(DrainConnector)
                .chain(NamedTls { inner: RustlsConnector::default(), names: self.names.clone() })
                .chain(Forwarding::new(forwarded.map(|_| &self.uri)))
                .chain(Tracing)
                .chain(counting());
        let resolve = Resolve::of(forwarded.map(|proxied| proxied.address.authority()));
        Ok(Agent::with_parts(config, connector, resolve))
    }

    fn config(&self, access: &Access, tls: TlsConfig) -> ureq::config::Config {
        Agent::config_builder()
            .http_status_as_error(false)
            // The token would be sent along to whatever host the answer names.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Also when there is none: the library would look for one in the environment.
            .proxy(self.tunnel.clone())
            .tls_config(tls)
            .user_agent(concat!("nomad-clients/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .max_idle_connections(access.concurrency)
            .max_idle_connections_per_host(access.concurrency)
            .input_buffer_size(64 << 10)
            .build()
    }
}

fn is_tunnel(proxied: Option<&Proxied>) -> bool {
    proxied.is_some_and(|proxied| !proxied.forwards)
}

fn needs_tls(access: &Access, proxied: Option<&Proxied>) -> bool {
    access.address.scheme == Scheme::Https
        || proxied.is_some_and(|proxied| proxied.address.scheme == Scheme::Https)
}

/// The path of a unix socket is the connector's business.
fn base(address: &Address) -> String {
    match address.scheme {
        Scheme::Unix => "http://127.0.0.1".to_owned(),
        scheme => format!("{}://{}{}", scheme.name(), address.authority(), address.path),
    }
}

fn uri(base: &str) -> Option<Uri> {
    format!("{base}/v1/nodes").parse().ok().filter(|uri: &Uri| uri.host().is_some())
}

pub(super) fn wrong(what: String) -> Error {
    Error { kind: FailureKind::Config, what, hint: None }
}

/// The names that certificates must have, each as the host of a URL.
#[derive(Debug, Clone)]
struct Names {
    nomad: Uri,
    /// Need not be the address's.
    named: Uri,
    /// Of a proxy that speaks TLS itself and passes requests on.
    forwarding: Option<Uri>,
}

impl Names {
    fn new(nomad: &Uri, access: &Access, proxied: Option<&Proxied>) -> Result<Self, Error> {
        let named = match &access.tls.server_name {
            None => nomad.clone(),
            Some(name) => name_uri(name).ok_or_else(|| {
                wrong("the TLS server name is neither a host name nor an IP address".to_owned())
            })?,
        };
        let forwarding = proxied.filter(|proxied| proxied.forwards).map(|proxied| &proxied.address);
        let forwarding = forwarding.filter(|address| address.scheme == Scheme::Https);
        let forwarding = forwarding.and_then(|address| uri(&base(address)));
        Ok(Self { nomad: nomad.clone(), named, forwarding })
    }

    /// `None` = the connection has no TLS of its own.
    fn of<'a>(&'a self, details: &'a ConnectionDetails<'_>) -> Option<&'a Uri> {
        // A proxy that speaks TLS goes by its own name.
        let is_nomad = details.uri.authority() == self.nomad.authority();
        match (&self.forwarding, details.needs_tls()) {
            (Some(proxy), _) => Some(proxy),
            (None, true) => Some(if is_nomad { &self.named } else { details.uri }),
            (None, false) => None,
        }
    }
}

fn name_uri(name: &str) -> Option<Uri> {
    rustls_pki_types::ServerName::try_from(name).ok()?;
    let host = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    format!("https://{host}").parse().ok()
}

/// TLS under the name that the certificate must have.
#[derive(Debug)]
struct NamedTls {
    inner: RustlsConnector,
    names: Names,
}

impl<In: Transport> Connector<In> for NamedTls {
    type Out = <RustlsConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(uri) = self.names.of(details) else {
            return self.inner.connect(details, chained);
        };
        let named = ConnectionDetails {
            uri,
            addrs: details.resolver.empty(),
            config: details.config,
            // Each request has its own time limits, none its own TLS: with `true` all
            // certificates would be parsed again for every connection.
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.inner.connect(&named, chained)
    }
}

/// What happened on the wire during the request of this thread: the library tells neither
/// whether anything came nor that the connection was reset in the middle of a body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trace {
    /// There is a connection, and the handshake of TLS is done if there is one.
    pub(super) connected: bool,
    /// At least one byte of an answer came.
    pub(super) answered: bool,
    /// The connection was reset after that.
    pub(super) reset: bool,
}

thread_local! {
    static TRACE: Cell<Trace> = Cell::default();
}

impl Trace {
    /// A request begins in this thread.
    pub(super) fn begin() {
        TRACE.set(Self::default());
    }

    /// Of the request that this thread began last.
    pub(super) fn so_far() -> Self {
        TRACE.get()
    }

    fn note(change: impl FnOnce(&mut Self)) {
        let mut trace = TRACE.get();
        change(&mut trace);
        TRACE.set(trace);
    }
}

/// Stands at the end of the chain and keeps the [`Trace`].
#[derive(Debug)]
struct Tracing;

#[derive(Debug)]
struct Traced<T>(T);

impl<In: Transport> Connector<In> for Tracing {
    type Out = Traced<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Traced<In>>, ureq::Error> {
        Ok(chained.map(Traced))
    }
}

impl<T: Transport> Transport for Traced<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        Trace::note(|trace| *trace = Trace { connected: true, answered: false, ..*trace });
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        // A server may think about an answer for long, but not once it has begun to give it.
        let begun = Trace::so_far().answered;
        let timeout = NextTimeout { per_read: begun.then(|| IDLE.into()), ..timeout };
        let read = self.0.await_input(timeout);
        match &read {
            Ok(true) => Trace::note(|trace| trace.answered = true),
            Err(ureq::Error::Io(error)) if begun && is_reset(error) => {
                Trace::note(|trace| trace.reset = true);
            }
            _ => (),
        }
        read
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

fn is_reset(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionReset | ConnectionAborted)
}
