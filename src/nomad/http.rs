//! Nomad over HTTP, with kept connections and limits on everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::{HeaderValue, Response};
use ureq::{Agent, Body};

use crate::clock;
use crate::model::format::size;
use crate::model::live::Live;
use crate::model::mask::Mask;
use crate::model::node::{Detail, NodeId};
use crate::model::notice::Notifier;

use super::address::{Address, Scheme};
use super::body::{TransferError, receive};
use super::connect::AgentConnector;
use super::connection_limit::Permit;
use super::credentials::{PROXY_AUTHORIZATION, credentials, secrets};
use super::failure::NomadRequest;
use super::reply::Reply;
use super::retry_after::{backoff, retry_after};
use super::timeouts::{CONNECT, REQUEST};
use super::trace::Trace;
use super::{Access, Compress, Error, IndexReply, Listing, Nomad, wire};

/// A Nomad agent behind a URL.
pub struct HttpNomad {
    access: Access,
    /// Of all runs together.
    route: Arc<AgentConnector>,
    /// What was sent and must not come back in anything that is shown.
    pub(super) mask: Mask,
    /// Header name and value of each credential.
    credentials: Vec<(&'static str, HeaderValue)>,
    calls: AtomicU64,
    /// The wrong content type was told.
    told_type: AtomicBool,
    /// Nobody need be told (any more) that the credentials travel unencrypted.
    told_plain: Arc<AtomicBool>,
    tell: Notifier,
}

impl HttpNomad {
    /// Connects to nothing yet, and reads no certificate.
    ///
    /// # Errors
    /// `Kind::Config` if the proxy, the token or the address can't be used, or if a certificate that
    /// is named is missing.
    pub fn open(access: Access, tell: Notifier) -> Result<Self, Error> {
        let route = AgentConnector::new(&access)?;
        let credentials = credentials(&access, route.proxy.as_ref())?;
        let mask = Mask::new(secrets(&access, route.proxy.as_ref()));
        if access.tls.skip_verify && access.address.scheme == Scheme::Https {
            tell.warning("the certificate of Nomad is not verified: --tls-skip-verify or NOMAD_SKIP_VERIFY is set");
        }
        let plain = access.address.scheme == Scheme::Http && !access.address.is_local();
        // Those for a proxy do not go to Nomad.
        let has_credentials = credentials.iter().any(|(name, _)| *name != PROXY_AUTHORIZATION);
        let told_plain = Arc::new(AtomicBool::new(!plain || !has_credentials));
        let (calls, told_type) = (AtomicU64::new(0), AtomicBool::new(false));
        let route = Arc::new(route);
        Ok(Self { access, route, mask, credentials, calls, told_type, told_plain, tell })
    }

    /// Reads the certificates now, for whoever is going to ask Nomad in any case.
    ///
    /// # Errors
    /// `Kind::Config` with the file that can't be used.
    pub fn ready(self) -> Result<Self, Error> {
        self.route.agent(&self.access).map(drop)?;
        Ok(self)
    }

    /// The same connections for another run, which ends at `deadline`; its calls count from 0, and
    /// what was warned of is not warned of again.
    #[must_use]
    pub fn again(&self, deadline: Instant) -> Self {
        Self {
            access: Access { deadline, ..self.access.clone() },
            route: Arc::clone(&self.route),
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

    fn asked(&self, what: &str) -> NomadRequest<'_> {
        self.asked_within(what, REQUEST)
    }

    pub(super) fn asked_within(&self, what: &str, most: Duration) -> NomadRequest<'_> {
        let now = clock::now();
        let limit = self.access.deadline.saturating_duration_since(now).min(most);
        NomadRequest {
            address: &self.access.address,
            proxy: self.route.proxy.as_ref(),
            has_token: self.access.token.is_some(),
            has_client_certificate: self.access.tls.client_cert.is_some(),
            region: self.access.region.as_deref(),
            mask: &self.mask,
            what: what.to_owned(),
            limit,
            timeout: self.access.timeout,
            until: now + limit,
        }
    }

    /// Waits until one more request may be sent.
    pub(super) fn enter(&self) -> Permit<'_> {
        self.route.connections.enter(self.access.deadline)
    }

    /// The same for a question that Nomad may hold back.
    pub(super) fn enter_held(&self) -> Permit<'_> {
        self.route.connections.enter_held(self.access.deadline)
    }

    /// One question and, if Nomad wants to be asked later and there is time, one repetition.
    pub(super) fn ask(&self, path: &str, what: &str, gzip: bool) -> Result<Reply, Error> {
        let (asked, sent) = self.ask_once(path, what, gzip);
        let Some(pause) = sent.as_ref().ok().and_then(|reply| self.patience(reply)) else {
            return judged(sent, &asked);
        };
        clock::sleep(pause);
        let (asked, sent) = self.ask_once(path, what, gzip);
        judged(sent, &asked)
    }

    fn ask_once(
        &self,
        path: &str,
        what: &str,
        gzip: bool,
    ) -> (NomadRequest<'_>, Result<Reply, TransferError>) {
        let _permit = self.enter();
        let asked = self.asked(what);
        let sent = self.send_alive(path, gzip, &asked);
        (asked, sent)
    }

    /// One of many questions. Those that are too many for Nomad are asked again, with fewer at once,
    /// until the time is over.
    fn ask_among_many(&self, path: &str, what: &str) -> Result<Reply, Error> {
        let mut tries = 0;
        loop {
            let permit = self.enter();
            let asked = self.asked(what);
            let sent = self.send_alive(path, false, &asked);
            let pause = match &sent {
                Ok(reply) if reply.status == 429 => {
                    let wanted = retry_after(reply.header("retry-after"), reply.header("date"));
                    backoff(tries, wanted)
                }
                // Nomad says it to the first hundred only, and hangs up on the others.
                Err(TransferError::Disconnected(_)) if permit.is_limited() => backoff(tries, None),
                _ => return judged(sent, &asked),
            };
            if let Some(most) = permit.refused() {
                let address = &self.access.address;
                self.tell.verbose(format!(
                    "Nomad at {address} refuses more connections: {most} at once from now on"
                ));
            }
            if pause >= self.access.deadline.saturating_duration_since(clock::now()) {
                return judged(sent, &asked);
            }
            clock::sleep(pause);
            tries += 1;
        }
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
        asked: &NomadRequest<'_>,
    ) -> Result<Reply, TransferError> {
        match self.send(path, gzip, asked) {
            Err(TransferError::Disconnected(_)) => self.send(path, gzip, asked),
            sent => sent,
        }
    }

    fn send(
        &self,
        path: &str,
        gzip: bool,
        asked: &NomadRequest<'_>,
    ) -> Result<Reply, TransferError> {
        let began = clock::now();
        let left = asked.until.saturating_duration_since(began);
        if left.is_zero() {
            return Err(TransferError::Transport(ureq::Error::Timeout(ureq::Timeout::Global)));
        }
        let agent = self.route.agent(&self.access).map_err(TransferError::Response)?;
        self.warn_of_plain();
        self.calls.fetch_add(1, Ordering::Relaxed);
        Trace::begin();
        let response =
            self.request(agent, (path, gzip), left).map_err(TransferError::without_headers);
        let reply = response.and_then(|response| receive(response, asked));
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
        agent: &Agent,
        (path, gzip): (&str, bool),
        limit: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = agent
            .get(format!("{}{path}", self.route.base))
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

    fn told(&self, path: &str, reply: &Result<Reply, TransferError>, began: Instant) {
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
            () if reply.is_truncated() => asked.truncated(reply.body.len()),
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
        let reply = self.ask_among_many(&self.path(&format!("/v1/node/{id}")), &what)?;
        if reply.status == 404 {
            return Ok(None);
        }
        self.parsed(&reply, &what, wire::detail).map(Some)
    }

    fn probe(&self) -> Result<Option<IndexReply>, Error> {
        self.pulse(None).map(Some)
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Only a 200 is an answer, and a 404 that says that the node is not known.
pub(super) fn judged(
    sent: Result<Reply, TransferError>,
    asked: &NomadRequest<'_>,
) -> Result<Reply, Error> {
    let reply = match sent {
        Ok(reply) => reply,
        Err(TransferError::Disconnected(error) | TransferError::Transport(error)) => {
            return Err(asked.transport(&error));
        }
        Err(TransferError::Response(error)) => return Err(error),
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

/// What stands unencoded in a query: RFC 3986, unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::percent_encoded;

    #[test]
    fn a_region_is_encoded_to_the_last_byte() {
        assert_eq!(percent_encoded("eu-west_1.a~"), "eu-west_1.a~");
        assert_eq!(percent_encoded("a&b=c d%é"), "a%26b%3Dc%20d%25%C3%A9");
    }
}
