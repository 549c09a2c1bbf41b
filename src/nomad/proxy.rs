//! Through an HTTP proxy: what it is asked, and what its refusals mean.

use std::io;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ureq::http::Uri;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::model::secret::Secret;

use super::address::{Address, Scheme};
use super::body::Reply;
use super::connect::wrong;
use super::failure::FailedRequest;
use super::{Access, Error};

/// The proxy between us and Nomad.
#[derive(Debug, Clone)]
pub(super) struct Proxied {
    pub(super) address: Address,
    /// It gets the requests themselves and passes them on: plain http. Else it only connects.
    pub(super) forwards: bool,
    /// The password as it stands in the URL.
    written: Option<Secret>,
}

impl Proxied {
    /// # Errors
    /// `Kind::Config` if the URL is not one of a proxy.
    pub(super) fn new(url: &Secret, access: &Access) -> Result<Self, Error> {
        let address = Address::parse(url.reveal()).map_err(|_| Self::invalid())?;
        if address.is_unix() {
            return Err(Self::invalid());
        }
        let login = url.reveal().rsplit_once('@').map_or("", |(login, _)| login);
        let written = login.rsplit_once(':').map(|(_, password)| Secret::new(password));
        Ok(Self { address, forwards: access.address.scheme == Scheme::Http, written })
    }

    pub(super) fn invalid() -> Error {
        Error {
            hint: Some("set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT".to_owned()),
            ..wrong("the URL of the HTTP proxy is not valid".to_owned())
        }
    }

    /// The variable that names it.
    fn variable(&self) -> &'static str {
        if self.forwards { "HTTP_PROXY" } else { "HTTPS_PROXY" }
    }

    /// User and password as HTTP Basic writes them.
    pub(super) fn pair(&self) -> Option<String> {
        let (user, password) = self.address.basic.as_ref()?;
        Some(BASE64_STANDARD.encode(format!("{user}:{}", password.reveal())))
    }

    /// `Proxy-Authorization` of a request that it passes on. A tunnel is asked for with the library's.
    pub(super) fn authorization(&self) -> Option<Secret> {
        self.pair().filter(|_| self.forwards).map(|pair| Secret::new(format!("Basic {pair}")))
    }

    /// What is secret about it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Secret> {
        let meant = self.address.basic.as_ref().map(|(_, password)| password.clone());
        meant.into_iter().chain(self.written.clone()).chain(self.pair().map(Secret::new))
    }

    /// Whether the proxy itself gave this answer: Nomad's API gives no pages, and no 407.
    fn has_answered(&self, reply: &Reply) -> bool {
        let signed = ["x-squid-error", "proxy-status"];
        let is_signed = signed.iter().any(|name| !reply.header(name).is_empty());
        self.forwards && (reply.status == 407 || is_signed || reply.is_html())
    }
}

impl FailedRequest<'_> {
    /// The proxy gave this answer in place of Nomad.
    pub(super) fn proxy_answer(&self, reply: &Reply) -> Option<Error> {
        let proxied = self.proxied.filter(|proxied| proxied.has_answered(reply))?;
        self.proxy_status(proxied, reply.status)
    }

    /// The proxy has not made the tunnel. The library tells its status in the text only.
    pub(super) fn no_tunnel(&self, reason: &str) -> Error {
        let mut numbers = reason.split(|character: char| !character.is_ascii_digit());
        let status = numbers.find(|number| number.len() == 3).and_then(|text| text.parse().ok());
        let told = self.proxied.zip(status);
        told.and_then(|(proxied, status)| self.proxy_status(proxied, status))
            .unwrap_or_else(|| self.no_proxy("the proxy refused the connection"))
    }

    fn proxy_status(&self, proxied: &Proxied, status: u16) -> Option<Error> {
        let (proxy, variable) = (&proxied.address, proxied.variable());
        let host = &self.address.host;
        let (why, hint) = match status {
            407 if proxied.address.basic.is_none() => (
                format!("the proxy {proxy} requires a user and password (407)"),
                format!("set {variable} to http://USER:PASSWORD@HOST:PORT"),
            ),
            407 => (
                format!("the proxy {proxy} refused the user and password (407)"),
                format!("check the user and password in {variable}"),
            ),
            403 => (
                format!("the proxy {proxy} does not allow it (403)"),
                format!("allow it in the proxy, or add {host} to NO_PROXY"),
            ),
            502..=504 => (
                format!("the proxy {proxy} cannot reach it ({status})"),
                format!("check the address; add {host} to NO_PROXY if it needs no proxy"),
            ),
            _ if !proxied.forwards => (
                format!("the proxy {proxy} refused the connection ({status})"),
                NO_PROXY.to_owned(),
            ),
            _ => return None,
        };
        Some(self.unreachable(&why, Some(&hint)))
    }

    /// The proxy itself can't be reached.
    pub(super) fn no_proxy(&self, why: &str) -> Error {
        self.unreachable(why, Some(NO_PROXY))
    }

    /// A name has no address: that of the proxy, where there is one.
    pub(super) fn no_host(&self, hint: &str) -> Error {
        match self.proxied {
            None => self.unreachable("no such host", Some(hint)),
            Some(proxied) => {
                let why = format!("no such host: the proxy {}", proxied.address);
                let hint = format!("check {}, or {NO_PROXY}", proxied.variable());
                self.unreachable(&why, Some(&hint))
            }
        }
    }
}

const NO_PROXY: &str = "set NO_PROXY if Nomad needs no proxy";

/// Gives requests the form in which a proxy passes them on: with the whole URL in their first line.
#[derive(Debug)]
pub(super) struct Forwarding {
    /// `http://10.0.0.5:4646`; `None` = as they are.
    origin: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Forwarded<T> {
    inner: T,
    origin: Option<Arc<str>>,
}

impl Forwarding {
    pub(super) fn new(nomad: Option<&Uri>) -> Self {
        let authority = nomad.and_then(Uri::authority);
        Self { origin: authority.map(|authority| format!("http://{authority}").into()) }
    }
}

impl<In: Transport> Connector<In> for Forwarding {
    type Out = Forwarded<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Forwarded<In>>, ureq::Error> {
        Ok(chained.map(|inner| Forwarded { inner, origin: self.origin.clone() }))
    }
}

impl<T: Transport> Transport for Forwarded<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let Some(origin) = &self.origin else {
            return self.inner.transmit_output(amount, timeout);
        };
        let amount = absolute(self.inner.buffers().output(), amount, origin.as_bytes())
            .ok_or_else(|| io::Error::other("the request is too long for a proxy"))?;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Puts `origin` before the path if a request begins here: all requests are GET without a body, and
/// no header begins like that. Gives the new length; `None` = there is no room.
fn absolute(output: &mut [u8], amount: usize, origin: &[u8]) -> Option<usize> {
    const METHOD: &[u8] = b"GET ";
    if !output.get(..amount)?.starts_with(b"GET /") {
        return Some(amount);
    }
    let (path, longer) = (METHOD.len(), amount + origin.len());
    if longer > output.len() {
        return None;
    }
    output.copy_within(path..amount, path + origin.len());
    output[path..path + origin.len()].copy_from_slice(origin);
    Some(longer)
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn only_the_first_line_gets_the_whole_url() {
        let changed = |text: &str, room: usize| {
            let mut output = vec![b'.'; room];
            output[..text.len()].copy_from_slice(text.as_bytes());
            let length = absolute(&mut output, text.len(), b"http://h:1")?;
            Some(String::from_utf8_lossy(&output[..length]).into_owned())
        };
        let head = "GET /v1/nodes HTTP/1.1\r\nhost: h:1\r\n\r\n";
        let whole = "GET http://h:1/v1/nodes HTTP/1.1\r\nhost: h:1\r\n\r\n";
        assert_eq!(changed(head, 100).as_deref(), Some(whole));
        assert_eq!(changed(head, whole.len()).as_deref(), Some(whole));
        assert_eq!(changed(head, whole.len() - 1), None);
        let rest = "x-more: GET /\r\n\r\n";
        assert_eq!(changed(rest, 100).as_deref(), Some(rest));
    }
}
