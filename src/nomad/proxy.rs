//! The HTTP proxy between this program and Nomad.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::model::secret::Secret;

use super::address::{Address, Scheme};
use super::reply::Reply;
use super::{Access, Error};

#[derive(Debug, Clone)]
pub(super) struct HttpProxy {
    pub(super) address: Address,
    /// Plain http: the proxy receives the requests and forwards them. Otherwise it opens a tunnel.
    pub(super) forwards: bool,
    /// The password as it is written in the URL.
    encoded_password: Option<Secret>,
}

/// Why the proxy did not pass a request on, and what to do about it.
pub(super) struct ProxyRefusal {
    pub(super) why: String,
    pub(super) hint: String,
}

impl HttpProxy {
    /// # Errors
    /// `FailureKind::Config` if the URL is not one of a proxy.
    pub(super) fn new(url: &Secret, access: &Access) -> Result<Self, Error> {
        let address = Address::parse(url.reveal()).map_err(|_| Self::invalid())?;
        if address.is_unix() {
            return Err(Self::invalid());
        }
        let login = url.reveal().rsplit_once('@').map_or("", |(login, _)| login);
        let encoded_password = login.rsplit_once(':').map(|(_, password)| Secret::new(password));
        let forwards = access.address.scheme == Scheme::Http;
        Ok(Self { address, forwards, encoded_password })
    }

    pub(super) fn invalid() -> Error {
        Error::config("the URL of the HTTP proxy is not valid")
            .hinted("set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT")
    }

    /// The environment variable that names it.
    pub(super) fn variable(&self) -> &'static str {
        if self.forwards { "HTTP_PROXY" } else { "HTTPS_PROXY" }
    }

    fn basic(&self) -> Option<String> {
        self.address.basic.as_ref().map(basic)
    }

    /// `Proxy-Authorization` of a request that it forwards. The library sends that of a tunnel.
    pub(super) fn authorization(&self) -> Option<Secret> {
        self.basic().filter(|_| self.forwards).map(|pair| Secret::new(format!("Basic {pair}")))
    }

    /// Its password, in each form in which it may be echoed.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Secret> {
        let password = self.address.basic.as_ref().map(|(_, password)| password.clone());
        password
            .into_iter()
            .chain(self.encoded_password.clone())
            .chain(self.basic().map(Secret::new))
    }

    /// Whether the proxy itself sent this response: Nomad's API sends no HTML and no 407.
    pub(super) fn has_answered(&self, reply: &Reply) -> bool {
        let is_signed =
            ["x-squid-error", "proxy-status"].iter().any(|name| !reply.header(name).is_empty());
        self.forwards && (reply.status == 407 || is_signed || reply.is_html())
    }

    /// What a status of the proxy means for a request to `host`; `None` if nothing in particular.
    pub(super) fn refusal(&self, status: u16, host: &str) -> Option<ProxyRefusal> {
        let (proxy, variable) = (&self.address, self.variable());
        let (why, hint) = match status {
            407 if proxy.basic.is_none() => (
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
            _ if !self.forwards => (
                format!("the proxy {proxy} refused the connection ({status})"),
                NO_PROXY_HINT.to_owned(),
            ),
            _ => return None,
        };
        Some(ProxyRefusal { why, hint })
    }
}

/// User and password as HTTP Basic encodes them.
pub(super) fn basic((user, password): &(String, Secret)) -> String {
    BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()))
}

pub(super) const NO_PROXY_HINT: &str = "set NO_PROXY if Nomad needs no proxy";
