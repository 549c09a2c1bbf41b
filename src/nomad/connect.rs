//! How connections are made, and what became of the one that a request used.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector,
    TcpConnector, Transport,
};
use ureq::{Agent, Proxy};

use super::address::{Address, Scheme};
use super::parting::Parting;
use super::resolve::Resolve;
use super::unix::UnixConnector;
use super::{Access, Error, Kind, tls};

/// The longest silence in the middle of an answer.
pub(super) const IDLE: Duration = Duration::from_secs(5);

/// The agent for all requests of a run, and the URL that paths are appended to.
///
/// # Errors
/// `Kind::Config` if the address, the proxy, the TLS name or a certificate can't be used.
pub(super) fn agent(access: &Access) -> Result<(Agent, String), Error> {
    let base = base(&access.address);
    let uri = uri(&base).ok_or_else(|| wrong(format!("{} is no valid URL", access.address)))?;
    let config = config(access)?;
    if access.address.is_unix() {
        let connector = ().chain(UnixConnector(PathBuf::from(&access.address.host))).chain(Tracing);
        return Ok((Agent::with_parts(config, connector, Resolve::default()), base));
    }
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(Parting)
            .chain(NamedTls::new(uri, access)?)
            .chain(Tracing);
    Ok((Agent::with_parts(config, connector, Resolve::default()), base))
}

fn config(access: &Access) -> Result<ureq::config::Config, Error> {
    let https = access.address.scheme == Scheme::Https;
    let tls = if https { tls::config(&access.tls)? } else { TlsConfig::builder().build() };
    let proxy = access.proxy.as_ref().map(|url| Proxy::new(url.reveal())).transpose();
    let proxy = proxy.map_err(|_| Error {
        hint: Some("set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT".to_owned()),
        ..wrong("the URL of the HTTP proxy is not valid".to_owned())
    })?;
    Ok(Agent::config_builder()
        .http_status_as_error(false)
        // The token would be sent along to whatever host the answer names.
        .max_redirects(0)
        .max_redirects_will_error(false)
        // Also when there is none: the library would look for one in the environment.
        .proxy(proxy)
        .tls_config(tls)
        .user_agent(concat!("nomad-clients/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .max_idle_connections(access.concurrency)
        .max_idle_connections_per_host(access.concurrency)
        .input_buffer_size(64 << 10)
        .build())
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

fn wrong(what: String) -> Error {
    Error { kind: Kind::Config, what, hint: None }
}

/// TLS under the name that the certificate must have, which need not be the address's.
#[derive(Debug)]
struct NamedTls {
    inner: RustlsConnector,
    nomad: Uri,
    /// Its host is the name.
    named: Uri,
}

impl NamedTls {
    fn new(nomad: Uri, access: &Access) -> Result<Self, Error> {
        let named = match &access.tls.server_name {
            None => nomad.clone(),
            Some(name) => name_uri(name).ok_or_else(|| {
                wrong("the TLS server name is neither a host name nor an IP address".to_owned())
            })?,
        };
        Ok(Self { inner: RustlsConnector::default(), nomad, named })
    }
}

fn name_uri(name: &str) -> Option<Uri> {
    rustls_pki_types::ServerName::try_from(name).ok()?;
    let host = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    format!("https://{host}").parse().ok()
}

impl<In: Transport> Connector<In> for NamedTls {
    type Out = <RustlsConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // A proxy that speaks TLS goes by its own name.
        let is_nomad = details.uri.authority() == self.nomad.authority();
        let named = ConnectionDetails {
            uri: if is_nomad { &self.named } else { details.uri },
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
        let is_tls = details.needs_tls();
        self.inner.connect(if is_tls { &named } else { details }, chained)
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
