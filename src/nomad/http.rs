//! Nomad over HTTP, with kept connections and limits on everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ureq::http::{HeaderValue, Response};
use ureq::{Agent, Body};

use crate::clock;
use crate::model::live::Live;
use crate::model::mask::Mask;
use crate::model::node::{Detail, NodeId};
use crate::model::remark::Tell;
use crate::model::secret::Secret;

use super::address::{Address, Scheme};
use super::body::{Failure, Reply, received};
use super::connect::{self, Trace};
use super::failure::{Asked, CONNECT};
use super::patience::retry_after;
use super::{Access, Compress, Error, Kind, Listing, Nomad, Pulse, wire};

/// For one request, from the name lookup to the last byte.
pub(super) const REQUEST: Duration = Duration::from_secs(10);

/// A Nomad agent behind a URL.
pub struct HttpNomad {
    access: Access,
    agent: Agent,
    /// `http://10.0.0.5:4646/nomad`
    base: String,
    /// What was sent and must not come back in anything that is shown.
    pub(super) mask: Mask,
    /// Header name and value of each credential.
    credentials: Vec<(&'static str, HeaderValue)>,
    calls: AtomicU64,
    /// The wrong content type was told.
    told_type: AtomicBool,
    /// Nobody need be told (any more) that the credentials travel unencrypted.
    told_plain: Arc<AtomicBool>,
    tell: Tell,
}

impl HttpNomad {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// `Kind::Config` if a certificate, the proxy, the token or the address can't be used.
    pub fn open(access: Access, tell: Tell) -> Result<Self, Error> {
        let (agent, base) = connect::agent(&access)?;
        let (credentials, mask) = (credentials(&access)?, Mask::new(secrets(&access)));
        if access.tls.skip_verify && access.address.scheme == Scheme::Https {
            tell.warning("the certificate of Nomad is not verified: --tls-skip-verify or NOMAD_SKIP_VERIFY is set");
        }
        let plain = access.address.scheme == Scheme::Http && !access.address.is_local();
        let told_plain = Arc::new(AtomicBool::new(!plain || credentials.is_empty()));
        let (calls, told_type) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { access, agent, base, mask, credentials, calls, told_type, told_plain, tell })
    }

    /// The same connections for another run, which ends at `deadline`; its calls count from 0, and
    /// what was warned of is not warned of again.
    #[must_use]
    pub fn again(&self, deadline: Instant) -> Self {
        Self {
            access: Access { deadline, ..self.access.clone() },
            agent: self.agent.clone(),
            base: self.base.clone(),
            mask: self.mask.clone(),
            credentials: self.credentials.clone(),
            calls: AtomicU64::new(0),
            told_type: AtomicBool::new(self.told_type.load(Ordering::Relaxed)),
            told_plain: Arc::clone(&self.told_plain),
            tell: self.tell.clone(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.access.address
    }

    fn asked(&self, what: &str) -> Asked<'_> {
        self.asked_within(what, REQUEST)
    }

    pub(super) fn asked_within(&self, what: &str, most: Duration) -> Asked<'_> {
        let now = clock::now();
        let limit = self.access.deadline.saturating_duration_since(now).min(most);
        Asked {
            address: &self.access.address,
            is_proxied: self.access.proxy.is_some(),
            has_certificate: self.access.tls.client_cert.is_some(),
            region: self.access.region.as_deref(),
            mask: &self.mask,
            what: what.to_owned(),
            limit,
            timeout: self.access.timeout,
            until: now + limit,
        }
    }

    /// One question and, if Nomad wants to be asked later and there is time, one repetition.
    pub(super) fn ask(&self, path: &str, what: &str, gzip: bool) -> Result<Reply, Error> {
        let asked = self.asked(what);
        let sent = self.send_alive(path, gzip, &asked);
        let Some(pause) = sent.as_ref().ok().and_then(|reply| self.patience(reply)) else {
            return judged(sent, &asked);
        };
        clock::sleep(pause);
        let asked = self.asked(what);
        judged(self.send_alive(path, gzip, &asked), &asked)
    }

    /// How long Nomad wants to be left alone, if that fits into the time that is left.
    fn patience(&self, reply: &Reply) -> Option<Duration> {
        if reply.status != 429 {
            return None;
        }
        let pause = retry_after(reply.header("retry-after"), reply.header("date"))?;
        let left = self.access.deadline.checked_duration_since(clock::now())?;
        (pause < left).then_some(pause)
    }

    /// A kept connection may be dead without anybody knowing before it is used.
    pub(super) fn send_alive(
        &self,
        path: &str,
        gzip: bool,
        asked: &Asked<'_>,
    ) -> Result<Reply, Failure> {
        match self.send(path, gzip, asked) {
            Err(Failure::Dead(_)) => self.send(path, gzip, asked),
            sent => sent,
        }
    }

    fn send(&self, path: &str, gzip: bool, asked: &Asked<'_>) -> Result<Reply, Failure> {
        let began = clock::now();
        let left = asked.until.saturating_duration_since(began);
        if left.is_zero() {
            return Err(Failure::Transport(ureq::Error::Timeout(ureq::Timeout::Global)));
        }
        self.warn_of_plain();
        self.calls.fetch_add(1, Ordering::Relaxed);
        Trace::begin();
        let response = self.request(path, gzip, left).map_err(Failure::headless);
        let reply = response.and_then(|response| received(response, asked));
        self.told(path, &reply, began);
        reply
    }

    /// Once, and only in a run that sends them: an answer from the cache costs no secret.
    fn warn_of_plain(&self) {
        if !self.told_plain.swap(true, Ordering::Relaxed) {
            let address = &self.access.address;
            self.tell.warning(format!(
                "the credentials travel unencrypted to {address}: use https://, and --require-tls to be sure"
            ));
        }
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
        for (name, value) in &self.credentials {
            request = request.header(*name, value);
        }
        request
            .config()
            .timeout_global(Some(limit))
            .timeout_connect(Some(CONNECT.min(limit)))
            .build()
            .call()
    }

    fn told(&self, path: &str, reply: &Result<Reply, Failure>, began: Instant) {
        let address = &self.access.address;
        let ms = clock::now().saturating_duration_since(began).as_millis();
        self.tell.call(match reply {
            Ok(reply) => {
                let size = size(reply.body.len());
                format!("GET {address}{path} → {}, {size}, {ms} ms", reply.status)
            }
            Err(_) => format!("GET {address}{path} → no answer, {ms} ms"),
        });
    }

    pub(super) fn path(&self, path: &str) -> String {
        match &self.access.region {
            Some(region) if path.contains('?') => {
                format!("{path}&region={}", percent_encoded(region))
            }
            Some(region) => format!("{path}?region={}", percent_encoded(region)),
            None => path.to_owned(),
        }
    }

    pub(super) fn parsed<T>(
        &self,
        reply: &Reply,
        what: &str,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Error> {
        let asked = self.asked(what);
        let parsed = parse(&reply.body).map_err(|why| match () {
            () if reply.is_html() => asked.not_nomad("text/html"),
            () if reply.body.trim_ascii().is_empty() => asked.not_nomad("empty"),
            () if reply.is_cut_off() => asked.cut_off(reply.body.len()),
            () => asked.shape(&why),
        })?;
        let json = reply.header("content-type").to_ascii_lowercase().contains("json");
        if !json && !self.told_type.swap(true, Ordering::Relaxed) {
            self.tell.verbose(format!("the content type of the answer ({what}) is not JSON"));
        }
        Ok(parsed)
    }
}

impl HttpNomad {
    /// What is true of one node only now: one call, for people who look at it.
    ///
    /// # Errors
    /// Nomad's failure; a node that is gone is one.
    pub fn live(&self, id: &NodeId) -> Result<Live, Error> {
        let what = format!("node {id}");
        let reply = self.ask(&self.path(&format!("/v1/node/{id}")), &what, false)?;
        if reply.status == 404 {
            return Err(self.asked(&what).status(&reply));
        }
        self.parsed(&reply, &what, wire::live)
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
            index: reply.index(),
            known_leader: reply.known_leader(),
            last_contact_ms: reply.last_contact_ms(),
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

    fn probe(&self) -> Result<Option<Pulse>, Error> {
        self.pulse(None).map(Some)
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Only a 200 is an answer, and a 404 that says that the node is not known.
pub(super) fn judged(sent: Result<Reply, Failure>, asked: &Asked<'_>) -> Result<Reply, Error> {
    let reply = match sent {
        Ok(reply) => reply,
        Err(Failure::Dead(error) | Failure::Transport(error)) => {
            return Err(asked.transport(&error));
        }
        Err(Failure::Answer(error)) => return Err(error),
    };
    match reply.status {
        200 => Ok(reply),
        300..400 => {
            let location = reply.raw_header("location");
            Err(asked.redirect(&String::from_utf8_lossy(location)))
        }
        404 if asked.what != "list" && reply.body.trim_ascii() == b"node not found" => Ok(reply),
        _ => Err(asked.status(&reply)),
    }
}

/// User and password as HTTP Basic writes them.
fn pair(access: &Access) -> Option<String> {
    let (user, password) = access.basic.as_ref().or(access.address.basic.as_ref())?;
    Some(BASE64_STANDARD.encode(format!("{user}:{}", password.reveal())))
}

fn secrets(access: &Access) -> Vec<Secret> {
    let password = access.basic.as_ref().or(access.address.basic.as_ref());
    let password = password.map(|(_, password)| password.clone());
    let pair = pair(access).map(Secret::new);
    let proxy = access.proxy.as_ref().map(of_proxy).unwrap_or_default();
    access.token.clone().into_iter().chain(pair).chain(password).chain(proxy).collect()
}

/// The proxy's password, as it stands in the URL and as it is meant.
fn of_proxy(url: &Secret) -> Vec<Secret> {
    let meant = Address::parse(url.reveal()).ok().and_then(|proxy| proxy.basic);
    let login = url.reveal().rsplit_once('@').map_or("", |(login, _)| login);
    let written = login.rsplit_once(':').map(|(_, password)| Secret::new(password));
    meant.map(|(_, password)| password).into_iter().chain(written).collect()
}

fn credentials(access: &Access) -> Result<Vec<(&'static str, HeaderValue)>, Error> {
    let basic = pair(access).map(|pair| ("authorization", Secret::new(format!("Basic {pair}"))));
    let token = access.token.clone().map(|token| ("x-nomad-token", token));
    token.into_iter().chain(basic).map(|(name, secret)| Ok((name, sendable(&secret)?))).collect()
}

fn sendable(secret: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| Error {
        kind: Kind::Config,
        what: "the token holds characters that HTTP can't carry".to_owned(),
        hint: Some("check NOMAD_TOKEN or --token-file: a token is one line of text".to_owned()),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// As people read it: `812 B`, `6.8 KB`, `12.3 MB`.
fn size(bytes: usize) -> String {
    let amount = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", amount / 1e3),
        _ => format!("{:.1} MB", amount / 1e6),
    }
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{percent_encoded, size};

    #[test]
    fn a_region_is_encoded_to_the_last_byte() {
        assert_eq!(percent_encoded("eu-west_1.a~"), "eu-west_1.a~");
        assert_eq!(percent_encoded("a&b=c d%é"), "a%26b%3Dc%20d%25%C3%A9");
    }

    #[test]
    fn sizes_are_readable() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (6_812, "6.8 KB"), (12_345_678, "12.3 MB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
