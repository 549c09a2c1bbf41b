//! Nomad over HTTP, with kept connections and limits on everything.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ureq::http::Response;
use ureq::http::header::HeaderMap;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, RustlsConnector, TcpConnector,
};
use ureq::{Agent, Body, Proxy};

use crate::clock;
use crate::model::node::{Detail, NodeId};
use crate::model::remark::Tell;

use super::address::Scheme;
use super::failure::Asked;
use super::resolve::Resolve;
use super::unix::UnixConnector;
use super::{Access, Compress, Error, Kind, Listing, Nomad, tls, wire};

pub(super) const CONNECT: Duration = Duration::from_secs(3);
const REQUEST: Duration = Duration::from_secs(10);

/// The largest answer, counted after decompression.
const LARGEST: u64 = 256 << 20;

/// The first bytes of a body that is no success are enough to say why.
const ENOUGH: u64 = 64 << 10;

/// A Nomad agent behind a URL.
pub struct HttpNomad {
    access: Access,
    agent: Agent,
    /// `http://10.0.0.5:4646/nomad`
    base: String,
    calls: AtomicU64,
    tell: Tell,
}

/// A whole answer.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl HttpNomad {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// `Kind::Config` if a certificate or the proxy can't be used.
    pub fn open(access: Access, tell: Tell) -> Result<Self, Error> {
        let agent = agent(&access)?;
        if access.tls.skip_verify && access.address.scheme == Scheme::Https {
            tell.warning("the certificate of Nomad is not verified: --tls-skip-verify or NOMAD_SKIP_VERIFY is set");
        }
        let secret =
            access.token.is_some() || access.basic.is_some() || access.address.basic.is_some();
        if secret && access.address.scheme == Scheme::Http && !access.address.is_local() {
            tell.warning(format!(
                "the credentials travel unencrypted to {}: use https",
                access.address
            ));
        }
        let base = base(&access);
        Ok(Self { access, agent, base, calls: AtomicU64::new(0), tell })
    }

    fn asked(&self, what: String) -> Asked<'_> {
        let left = self.access.deadline.saturating_duration_since(clock::now());
        Asked {
            address: &self.access.address,
            region: self.access.region.as_deref(),
            what,
            limit: left.min(REQUEST),
        }
    }

    /// One question and, where that can help, one repetition.
    fn ask(&self, path: &str, what: &str, gzip: bool) -> Result<Reply, Error> {
        let asked = self.asked(what.to_owned());
        let sent = self.send(path, gzip, &asked);
        let pause = match &sent {
            Ok(reply) if reply.status == 429 => self.patience(reply),
            // A kept connection may be dead without anybody knowing before it is used.
            Err(Failure::Transport(error)) if is_disconnect(error) => Some(Duration::ZERO),
            _ => None,
        };
        let Some(pause) = pause else { return judged(sent, &asked) };
        clock::sleep(pause);
        let asked = self.asked(what.to_owned());
        judged(self.send(path, gzip, &asked), &asked)
    }

    /// How long Nomad wants to be left alone, if that fits into the time that is left.
    fn patience(&self, reply: &Reply) -> Option<Duration> {
        let pause = Duration::from_secs(reply.header("retry-after").trim().parse().ok()?);
        let left = self.access.deadline.checked_duration_since(clock::now())?;
        (pause < left).then_some(pause)
    }

    fn send(&self, path: &str, gzip: bool, asked: &Asked<'_>) -> Result<Reply, Failure> {
        if asked.limit.is_zero() {
            return Err(Failure::Transport(ureq::Error::Timeout(ureq::Timeout::Global)));
        }
        let began = clock::now();
        self.calls.fetch_add(1, Ordering::Relaxed);
        let reply = self.request(path, gzip, asked.limit).map_err(Failure::Transport);
        let reply = reply.and_then(|response| received(response, asked));
        self.told(path, &reply, began);
        reply
    }

    fn request(
        &self,
        path: &str,
        gzip: bool,
        limit: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("accept-encoding", if gzip { "gzip" } else { "identity" });
        if let Some(token) = &self.access.token {
            request = request.header("x-nomad-token", token.reveal());
        }
        if let Some((user, password)) =
            self.access.basic.as_ref().or(self.access.address.basic.as_ref())
        {
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
            request = request.header("authorization", format!("Basic {pair}"));
        }
        if self.access.tls.server_name.is_some() {
            request = request.header("host", self.access.address.authority());
        }
        request
            .config()
            .timeout_global(Some(limit))
            .timeout_connect(Some(CONNECT.min(limit)))
            .build()
            .call()
    }

    fn told(&self, path: &str, reply: &Result<Reply, Failure>, began: Instant) {
        let (address, ms) = (&self.access.address, began.elapsed().as_millis());
        self.tell.call(match reply {
            Ok(reply) => format!(
                "GET {address}{path} → {}, {} bytes, {ms} ms",
                reply.status,
                reply.body.len()
            ),
            Err(_) => format!("GET {address}{path} → no answer, {ms} ms"),
        });
    }

    fn path(&self, path: &str) -> String {
        match &self.access.region {
            Some(region) => format!("{path}?region={}", percent_encoded(region)),
            None => path.to_owned(),
        }
    }

    /// A body that is no JSON is told by its type or by where it ends.
    fn parsed<T>(
        &self,
        reply: &Reply,
        what: &str,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Error> {
        let asked = self.asked(what.to_owned());
        let content_type = reply.header("content-type");
        match parse(&reply.body) {
            Ok(parsed) => {
                if !content_type.starts_with("application/json") {
                    self.tell
                        .verbose(format!("the content type of the answer ({what}) is not JSON"));
                }
                Ok(parsed)
            }
            Err(_)
                if content_type.contains("html")
                    || reply.body.trim_ascii_start().starts_with(b"<") =>
            {
                Err(asked.not_nomad("text/html"))
            }
            Err(_) if is_cut_off(&reply.body) => Err(asked.cut_off(reply.body.len())),
            Err(why) => Err(asked.shape(&why)),
        }
    }
}

impl Nomad for HttpNomad {
    fn stubs(&self) -> Result<Listing, Error> {
        let gzip = match self.access.compress {
            Compress::Always => true,
            Compress::Never => false,
            Compress::Auto => !self.access.address.is_local(),
        };
        let reply = self.ask(&self.path("/v1/nodes"), "list", gzip)?;
        Ok(Listing {
            stubs: self.parsed(&reply, "list", wire::stubs)?,
            index: reply.header("x-nomad-index").parse().ok().filter(|index| *index > 0),
            known_leader: reply.header("x-nomad-knownleader") != "false",
            last_contact_ms: reply.header("x-nomad-lastcontact").parse().unwrap_or(0),
        })
    }

    fn node(&self, id: &NodeId) -> Result<Option<Detail>, Error> {
        let what = format!("node {id}");
        let reply = self.ask(&self.path(&format!("/v1/node/{id}")), &what, false)?;
        if reply.status == 404 {
            return Ok(None);
        }
        self.parsed(&reply, &what, wire::detail).map(Some)
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Only a 200 is an answer, and a 404 that says that the node is not known.
fn judged(sent: Result<Reply, Failure>, asked: &Asked<'_>) -> Result<Reply, Error> {
    let reply = match sent {
        Ok(reply) => reply,
        Err(Failure::Transport(error)) => return Err(asked.transport(&error)),
        Err(Failure::Answer(error)) => return Err(error),
    };
    match reply.status {
        200 => Ok(reply),
        300..400 => Err(asked.redirect(reply.header("location"))),
        404 if asked.what != "list" && reply.body.trim_ascii() == b"node not found" => Ok(reply),
        status => Err(asked.status(status, reply.header("content-type"), &reply.body)),
    }
}

/// Why a request gave no whole answer.
enum Failure {
    Transport(ureq::Error),
    Answer(Error),
}

fn agent(access: &Access) -> Result<Agent, Error> {
    let https = access.address.scheme == Scheme::Https;
    let tls = if https { tls::config(&access.tls)? } else { TlsConfig::builder().build() };
    let proxy = access.proxy.as_ref().map(|url| Proxy::new(url.reveal())).transpose();
    let proxy = proxy.map_err(|_| Error {
        kind: Kind::Config,
        what: "the URL of the HTTP proxy is not valid".to_owned(),
        hint: Some("set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT".to_owned()),
    })?;
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy)
        .tls_config(tls)
        .user_agent(concat!("nomad-clients/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .max_idle_connections(access.concurrency)
        .max_idle_connections_per_host(access.concurrency)
        .input_buffer_size(64 << 10)
        .build();
    let instead = access.tls.server_name.as_ref().map(|_| access.address.authority());
    if access.address.is_unix() {
        return Ok(Agent::with_parts(
            config,
            UnixConnector(PathBuf::from(&access.address.host)),
            Resolve::new(Some("127.0.0.1:1".to_owned())),
        ));
    }
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(RustlsConnector::default());
    Ok(Agent::with_parts(config, connector, Resolve::new(instead)))
}

/// With a TLS server name the URL holds that name, and the resolver knows whom to connect to.
fn base(access: &Access) -> String {
    let address = &access.address;
    match (&access.tls.server_name, address.scheme) {
        (_, Scheme::Unix) => "http://localhost".to_owned(),
        (Some(name), Scheme::Https) => {
            format!("https://{name}:{}{}", address.port.unwrap_or(443), address.path)
        }
        _ => format!("{}://{}{}", address.scheme.name(), address.authority(), address.path),
    }
}

/// Reads the whole body, within limits.
fn received(response: Response<Body>, asked: &Asked<'_>) -> Result<Reply, Failure> {
    let (parts, body) = response.into_parts();
    let encoding = parts
        .headers
        .get("content-encoding")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !matches!(encoding, "" | "identity" | "gzip") {
        return Err(Failure::Answer(asked.not_nomad(&format!("content-encoding {encoding}"))));
    }
    let status = parts.status.as_u16();
    let limit = if status == 200 { LARGEST } else { ENOUGH };
    let mut bytes = Vec::new();
    let read = body.into_with_config().limit(limit).reader().read_to_end(&mut bytes);
    match read {
        Ok(_) => Ok(Reply { status, headers: parts.headers, body: bytes }),
        Err(_) if status != 200 => Ok(Reply { status, headers: parts.headers, body: bytes }),
        Err(error) => Err(interrupted(error, bytes.len(), asked)),
    }
}

/// What ended a body before its time.
fn interrupted(error: io::Error, bytes: usize, asked: &Asked<'_>) -> Failure {
    let kind = error.kind();
    match ureq::Error::from(error) {
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
            Failure::Answer(asked.too_large())
        }
        error @ ureq::Error::Timeout(_) => Failure::Answer(asked.transport(&error)),
        error @ ureq::Error::Io(_)
            if matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::TimedOut) =>
        {
            Failure::Answer(asked.transport(&error))
        }
        _ => Failure::Answer(asked.cut_off(bytes)),
    }
}

fn is_disconnect(error: &ureq::Error) -> bool {
    let kinds = [
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::BrokenPipe,
    ];
    matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()) && error.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>()))
}

/// Whether the JSON just stops.
fn is_cut_off(body: &[u8]) -> bool {
    let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(body);
    parsed.is_err_and(|error| error.is_eof()) && !body.is_empty()
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
