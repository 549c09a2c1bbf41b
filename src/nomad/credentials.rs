//! Credentials for Nomad and for a proxy, as HTTP headers.

use ureq::http::HeaderValue;

use crate::model::secret::Secret;

use super::proxy::{HttpProxy, basic};
use super::{Access, Error};

/// The only header of these that is for the proxy, not for Nomad.
pub(super) const PROXY_AUTHORIZATION: &str = "proxy-authorization";

/// User and password for Nomad, or for a proxy in front of it.
fn login(access: &Access) -> Option<&(String, Secret)> {
    access.basic.as_ref().or(access.address.basic.as_ref())
}

/// Everything secret that is sent.
pub(super) fn secrets(access: &Access, proxy: Option<&HttpProxy>) -> Vec<Secret> {
    let login = login(access);
    let of_nomad = access.token.clone().into_iter().chain(login.map(basic).map(Secret::new));
    let password = login.map(|(_, password)| password.clone());
    of_nomad.chain(password).chain(proxy.into_iter().flat_map(HttpProxy::secrets)).collect()
}

/// Header name and value of each credential.
///
/// # Errors
/// `FailureKind::Config` if no header can carry it.
pub(super) fn credentials(
    access: &Access,
    proxy: Option<&HttpProxy>,
) -> Result<Vec<(&'static str, HeaderValue)>, Error> {
    let proxy = proxy.and_then(HttpProxy::authorization);
    let proxy = proxy.map(|secret| (PROXY_AUTHORIZATION, secret));
    let basic = login(access).map(|login| Secret::new(format!("Basic {}", basic(login))));
    let basic = basic.map(|secret| ("authorization", secret));
    let token = access.token.clone().map(|token| ("x-nomad-token", token));
    let all = token.into_iter().chain(basic).chain(proxy);
    all.map(|(name, secret)| Ok((name, header_value(&secret)?))).collect()
}

fn header_value(secret: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| {
        Error::config("the token contains characters that HTTP cannot carry")
            .hinted("check NOMAD_TOKEN or --token-file: a token is one line of text")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
