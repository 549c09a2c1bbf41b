//! How connections to Nomad are made.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, RustlsConnector, TcpConnector, Transport,
};
use ureq::{Agent, Proxy};

use crate::net::sync::lock;

use super::address::{Address, Scheme};
use super::connection_limit::Connections;
use super::counted_transport::{CountLayer, SocketConnector};
use super::forward::ForwardLayer;
use super::layer::{AddLayer, copied};
use super::proxy::HttpProxy;
use super::resolve::Resolve;
use super::tls_alert::DrainLayer;
use super::trace::TraceLayer;
use super::unix::UnixConnector;
use super::{Access, Error, tls};

/// Opens connections to Nomad. The settings are checked at once; certificates are read with the first
/// request, because an answer from the cache needs none of them.
#[derive(Debug)]
pub(super) struct AgentConnector {
    /// The URL that paths are appended to.
    pub(super) base: String,
    pub(super) proxy: Option<HttpProxy>,
    pub(super) connections: Arc<Connections>,
    uri: Uri,
    tls_names: TlsNames,
    /// The proxy that opens a tunnel, as the library has it.
    tunnel: Option<Proxy>,
    agent: OnceLock<Agent>,
    /// Held while the agent is made.
    making: Mutex<()>,
}

impl AgentConnector {
    /// Reads nothing.
    ///
    /// # Errors
    /// `FailureKind::Config` if the address, the proxy or the TLS name cannot be used, or if a file
    /// that is named is missing.
    pub(super) fn new(access: &Access) -> Result<Self, Error> {
        let base = base(&access.address);
        let uri = uri(&base)
            .ok_or_else(|| Error::config(format!("{} is not a valid URL", access.address)))?;
        let proxy = access.proxy.as_ref().map(|url| HttpProxy::new(url, access)).transpose()?;
        let is_tunnel = proxy.as_ref().is_some_and(|proxy| !proxy.forwards);
        let tunnel = access.proxy.as_ref().filter(|_| is_tunnel);
        let tunnel = tunnel.map(|url| Proxy::new(url.reveal())).transpose();
        let tls_names = TlsNames::new(&uri, access, proxy.as_ref())?;
        if needs_tls(access, proxy.as_ref()) {
            tls::check(&access.tls)?;
        }
        let connections = Connections::new(access.folder.as_deref(), &access.address.to_string());
        Ok(Self {
            base,
            proxy,
            connections: Arc::new(connections),
            uri,
            tls_names,
            tunnel: tunnel.map_err(|_| HttpProxy::invalid())?,
            agent: OnceLock::new(),
            making: Mutex::default(),
        })
    }

    /// The agent for all requests, made when it is first needed.
    ///
    /// # Errors
    /// `FailureKind::Config` if a certificate cannot be used. It is read again the next time.
    pub(super) fn agent(&self, access: &Access) -> Result<&Agent, Error> {
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let _making = lock(&self.making);
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let agent = self.new_agent(access)?;
        Ok(self.agent.get_or_init(|| agent))
    }

    fn new_agent(&self, access: &Access) -> Result<Agent, Error> {
        let is_tls = needs_tls(access, self.proxy.as_ref());
        let tls = if is_tls { tls::config(&access.tls)? } else { TlsConfig::builder().build() };
        let config = self.config(access, tls);
        let count = || AddLayer(CountLayer::new(Arc::clone(&self.connections), self.uri.clone()));
        if access.address.is_unix() {
            let socket = UnixConnector(PathBuf::from(&access.address.host));
            let connector =
                ().chain(SocketConnector(socket)).chain(AddLayer(TraceLayer)).chain(count());
            return Ok(Agent::with_parts(config, connector, Resolve::default()));
        }
        let forwarding = self.proxy.as_ref().filter(|proxy| proxy.forwards);
        let tls = NamedTls { inner: RustlsConnector::default(), names: self.tls_names.clone() };
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(SocketConnector(TcpConnector::default()))
                .chain(AddLayer(DrainLayer))
                .chain(tls)
                .chain(AddLayer(ForwardLayer::new(forwarding.map(|_| &self.uri))))
                .chain(AddLayer(TraceLayer))
                .chain(count());
        let resolve = Resolve::of(forwarding.map(|proxy| proxy.address.authority()));
        Ok(Agent::with_parts(config, connector, resolve))
    }

    fn config(&self, access: &Access, tls: TlsConfig) -> ureq::config::Config {
        Agent::config_builder()
            .http_status_as_error(false)
            // The library would send the token to the other host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Also if it is `None`: otherwise the library takes one from the environment.
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

fn needs_tls(access: &Access, proxy: Option<&HttpProxy>) -> bool {
    access.address.scheme == Scheme::Https
        || proxy.is_some_and(|proxy| proxy.address.scheme == Scheme::Https)
}

/// The connector knows the path of a unix socket, so any host will do.
fn base(address: &Address) -> String {
    match address.scheme {
        Scheme::Unix => "http://127.0.0.1".to_owned(),
        scheme => format!("{}://{}{}", scheme.name(), address.authority(), address.path),
    }
}

fn uri(base: &str) -> Option<Uri> {
    format!("{base}/v1/nodes").parse().ok().filter(|uri: &Uri| uri.host().is_some())
}

/// The names that certificates must be for, each as the host of a URL.
#[derive(Debug, Clone)]
struct TlsNames {
    nomad: Uri,
    /// The name for Nomad's certificate, which `--tls-server-name` may set.
    server_name: Uri,
    /// The name of a proxy that uses TLS itself and forwards requests.
    forwarding_proxy: Option<Uri>,
}

impl TlsNames {
    fn new(nomad: &Uri, access: &Access, proxy: Option<&HttpProxy>) -> Result<Self, Error> {
        let server_name = match &access.tls.server_name {
            None => nomad.clone(),
            Some(name) => name_uri(name).ok_or_else(|| {
                Error::config("the TLS server name is neither a host name nor an IP address")
            })?,
        };
        let proxy = proxy.filter(|proxy| proxy.forwards).map(|proxy| &proxy.address);
        let proxy = proxy.filter(|address| address.scheme == Scheme::Https);
        let forwarding_proxy = proxy.and_then(|address| uri(&base(address)));
        Ok(Self { nomad: nomad.clone(), server_name, forwarding_proxy })
    }

    /// `None` = the connection does not use TLS itself.
    fn of<'a>(&'a self, details: &'a ConnectionDetails<'_>) -> Option<&'a Uri> {
        let is_nomad = details.uri.authority() == self.nomad.authority();
        match (&self.forwarding_proxy, details.needs_tls()) {
            (Some(proxy), _) => Some(proxy),
            (None, true) => Some(if is_nomad { &self.server_name } else { details.uri }),
            (None, false) => None,
        }
    }
}

fn name_uri(name: &str) -> Option<Uri> {
    rustls::pki_types::ServerName::try_from(name).ok()?;
    let host = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    format!("https://{host}").parse().ok()
}

/// TLS with the name that the certificate must be for.
#[derive(Debug)]
struct NamedTls {
    inner: RustlsConnector,
    names: TlsNames,
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
        // Requests have time limits of their own, none has its own TLS: with `request_level` the
        // library would parse all certificates again for every connection.
        let named = ConnectionDetails { uri, request_level: false, ..copied(details) };
        self.inner.connect(&named, chained)
    }
}
