//! Nomad over HTTP, with kept connections and a limit on everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::{HeaderValue, Response};
use ureq::{Agent, Body};

use crate::clock;
use crate::model::format::bytes;
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
    /// Shared by all runs.
    connector: Arc<AgentConnector>,
    /// Hides in texts what was sent.
    pub(super) mask: Mask,
    /// Header name and value of each credential.
    credentials: Vec<(&'static str, HeaderValue)>,
    calls: AtomicU64,
    /// The wrong content type was reported.
    content_type_reported: AtomicBool,
    /// No warning (any more) that credentials are sent unencrypted.
    unencrypted_reported: Arc<AtomicBool>,
    notifier: Notifier,
}

impl HttpNomad {
    /// Opens no connection yet and reads no certificate.
    ///
    /// # Errors
    /// `FailureKind::Config` if the proxy, the token or the address cannot be used, or a certificate
    /// file is missing.
    pub fn open(access: Access, notifier: Notifier) -> Result<Self, Error> {
        let connector = AgentConnector::new(&access)?;
        let credentials = credentials(&access, connector.proxy.as_ref())?;
        let mask = Mask::new(secrets(&access, connector.proxy.as_ref()));
        if access.tls.skip_verify && access.address.scheme == Scheme::Https {
            notifier.warning("Nomad's certificate is not verified: --tls-skip-verify or NOMAD_SKIP_VERIFY is set");
        }
        let is_plain = access.address.scheme == Scheme::Http && !access.address.is_local();
        // Nomad does not get those of the proxy.
        let has_credentials = credentials.iter().any(|(name, _)| *name != PROXY_AUTHORIZATION);
        let unencrypted_reported = Arc::new(AtomicBool::new(!is_plain || !has_credentials));
        let (calls, content_type_reported) = (AtomicU64::new(0), AtomicBool::new(false));
        let connector = Arc::new(connector);
        Ok(Self {
            access,
            connector,
            mask,
            credentials,
            calls,
            content_type_reported,
            unencrypted_reported,
            notifier,
        })
    }

    /// Reads the certificates now, for a run that will ask Nomad in any case.
    ///
    /// # Errors
    /// `FailureKind::Config` with the file that cannot be used.
    pub fn ready(self) -> Result<Self, Error> {
        self.connector.agent(&self.access).map(drop)?;
        Ok(self)
    }

    /// For another run, which ends at `deadline`: with the same connections, calls counted from 0, and
    /// no warning given twice.
    #[must_use]
    pub fn again(&self, deadline: Instant) -> Self {
        Self {
            access: Access { deadline, ..self.access.clone() },
            connector: Arc::clone(&self.connector),
            mask: self.mask.clone(),
            credentials: self.credentials.clone(),
            calls: AtomicU64::new(0),
            content_type_reported: AtomicBool::new(
                self.content_type_reported.load(Ordering::Relaxed),
            ),
            unencrypted_reported: Arc::clone(&self.unencrypted_reported),
            notifier: self.notifier.clone(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.access.address
    }

    fn new_request(&self, what: &str) -> NomadRequest<'_> {
        self.request_within(what, REQUEST)
    }

    pub(super) fn request_within(&self, what: &str, limit: Duration) -> NomadRequest<'_> {
        let now = clock::now();
        let limit = self.access.deadline.saturating_duration_since(now).min(limit);
        NomadRequest {
            address: &self.access.address,
            proxy: self.connector.proxy.as_ref(),
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
        self.connector.connections.enter(self.access.deadline)
    }

    /// The same for a long poll.
    pub(super) fn enter_held(&self) -> Permit<'_> {
        self.connector.connections.enter_held(self.access.deadline)
    }

    /// One request, repeated once if Nomad sends `Retry-After` and there is time.
    pub(super) fn get(&self, path: &str, what: &str, gzip: bool) -> Result<Reply, Error> {
        let (request, reply) = self.get_once(path, what, gzip);
        let Some(pause) = reply.as_ref().ok().and_then(|reply| self.retry_pause(reply)) else {
            return checked(reply, &request);
        };
        clock::sleep(pause);
        let (request, reply) = self.get_once(path, what, gzip);
        checked(reply, &request)
    }

    fn get_once(
        &self,
        path: &str,
        what: &str,
        gzip: bool,
    ) -> (NomadRequest<'_>, Result<Reply, TransferError>) {
        let _permit = self.enter();
        let request = self.new_request(what);
        let reply = self.send(path, gzip, &request);
        (request, reply)
    }

    /// One of many requests. If Nomad refuses it as one too many, it is sent again, with fewer at once,
    /// until the time is over.
    fn get_one_of_many(&self, path: &str, what: &str) -> Result<Reply, Error> {
        let mut tries = 0;
        loop {
            let permit = self.enter();
            let request = self.new_request(what);
            let reply = self.send(path, false, &request);
            let pause = match &reply {
                Ok(reply) if reply.status == 429 => {
                    backoff(tries, retry_after(reply.header("retry-after"), reply.header("date")))
                }
                // Nomad answers the first hundred only, and closes the other connections.
                Err(TransferError::Disconnected(_)) if permit.is_limited() => backoff(tries, None),
                _ => return checked(reply, &request),
            };
            if let Some(limit) = permit.refused() {
                let address = &self.access.address;
                self.notifier.verbose(format!(
                    "Nomad at {address} limits connections: at most {limit} at once from now on"
                ));
            }
            if pause >= self.access.deadline.saturating_duration_since(clock::now()) {
                return checked(reply, &request);
            }
            clock::sleep(pause);
            tries += 1;
        }
    }

    /// The `Retry-After` of a refusal, if there is time for it.
    fn retry_pause(&self, reply: &Reply) -> Option<Duration> {
        if reply.status != 429 {
            return None;
        }
        let pause = retry_after(reply.header("retry-after"), reply.header("date"))?;
        let left = self.access.deadline.checked_duration_since(clock::now())?;
        (pause < left).then_some(pause)
    }

    /// Sends the request again if the connection turns out to be dead: a kept one may be.
    pub(super) fn send(
        &self,
        path: &str,
        gzip: bool,
        request: &NomadRequest<'_>,
    ) -> Result<Reply, TransferError> {
        match self.send_once(path, gzip, request) {
            Err(TransferError::Disconnected(_)) => self.send_once(path, gzip, request),
            reply => reply,
        }
    }

    fn send_once(
        &self,
        path: &str,
        gzip: bool,
        request: &NomadRequest<'_>,
    ) -> Result<Reply, TransferError> {
        let began = clock::now();
        let left = request.until.saturating_duration_since(began);
        if left.is_zero() {
            return Err(TransferError::Transport(ureq::Error::Timeout(ureq::Timeout::Global)));
        }
        let agent = self.connector.agent(&self.access).map_err(TransferError::Response)?;
        self.warn_unencrypted();
        self.calls.fetch_add(1, Ordering::Relaxed);
        Trace::begin();
        let response = self.call(agent, (path, gzip), left).map_err(TransferError::without_headers);
        let reply = response.and_then(|response| receive(response, request));
        self.report_call(path, &reply, began);
        reply
    }

    /// Once, and only in a run that sends credentials: an answer from the cache needs none.
    fn warn_unencrypted(&self) {
        if !self.unencrypted_reported.swap(true, Ordering::Relaxed) {
            let address = &self.access.address;
            self.notifier.warning(format!(
                "credentials are sent unencrypted to {address}: use https://; --require-tls enforces it"
            ));
        }
    }

    fn call(
        &self,
        agent: &Agent,
        (path, gzip): (&str, bool),
        limit: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = agent
            .get(format!("{}{path}", self.connector.base))
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

    fn report_call(&self, path: &str, reply: &Result<Reply, TransferError>, began: Instant) {
        let address = &self.access.address;
        let ms = clock::now().saturating_duration_since(began).as_millis();
        self.notifier.call(match reply {
            Ok(reply) => {
                let size = bytes(reply.body.len() as u64);
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
        let request = self.new_request(what);
        let parsed = parse(&reply.body).map_err(|why| match () {
            () if reply.is_html() => request.not_nomad("text/html"),
            () if reply.body.trim_ascii().is_empty() => request.not_nomad("empty"),
            () if reply.is_truncated() => request.truncated(reply.body.len()),
            () => request.wrong_json(&why),
        })?;
        let json = reply.header("content-type").to_ascii_lowercase().contains("json");
        if !json && !self.content_type_reported.swap(true, Ordering::Relaxed) {
            self.notifier.verbose(format!("the content type of the answer ({what}) is not JSON"));
        }
        Ok(parsed)
    }
}

impl HttpNomad {
    /// The state of one node that is never cached.
    ///
    /// # Errors
    /// As for the list, and if Nomad does not know the node.
    pub fn live(&self, id: &NodeId) -> Result<Live, Error> {
        let what = format!("node {id}");
        let reply = self.get(&self.path(&format!("/v1/node/{id}")), &what, false)?;
        if reply.status == 404 {
            return Err(self.new_request(&what).status(&reply));
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
        let reply = self.get(&self.path("/v1/nodes"), "list", gzip)?;
        Ok(Listing {
            stubs: self.parsed(&reply, "list", wire::stubs)?,
            index: reply.index(),
            known_leader: reply.known_leader(),
            last_contact_ms: reply.last_contact_ms(),
        })
    }

    fn node(&self, id: &NodeId) -> Result<Option<Detail>, Error> {
        let what = format!("node {id}");
        let reply = self.get_one_of_many(&self.path(&format!("/v1/node/{id}")), &what)?;
        if reply.status == 404 {
            return Ok(None);
        }
        self.parsed(&reply, &what, wire::detail).map(Some)
    }

    fn probe(&self) -> Result<Option<IndexReply>, Error> {
        self.probe_index(None).map(Some)
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Only a 200 is a success, and a 404 because the node is not known.
pub(super) fn checked(
    reply: Result<Reply, TransferError>,
    request: &NomadRequest<'_>,
) -> Result<Reply, Error> {
    let reply = match reply {
        Ok(reply) => reply,
        Err(TransferError::Disconnected(error) | TransferError::Transport(error)) => {
            return Err(request.transport(&error));
        }
        Err(TransferError::Response(error)) => return Err(error),
    };
    match reply.status {
        200 => Ok(reply),
        300..400 => {
            let location = reply.raw_header("location");
            Err(request.redirect(&String::from_utf8_lossy(location)))
        }
        404 if request.what != "list" && reply.body.trim_ascii() == b"node not found" => Ok(reply),
        _ => Err(request.status(&reply)),
    }
}

/// All but the unreserved characters of RFC 3986.
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
