//! Who we are to Nomad and to a proxy, as headers say it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ureq::http::HeaderValue;

use crate::model::secret::Secret;

use super::proxy::Proxied;
use super::{Access, Error, FailureKind};

/// The header of what a proxy is told and Nomad never sees.
pub(super) const PROXY_AUTHORIZATION: &str = "proxy-authorization";

/// User and password as HTTP Basic writes them.
fn pair(access: &Access) -> Option<String> {
    let (user, password) = access.basic.as_ref().or(access.address.basic.as_ref())?;
    Some(BASE64_STANDARD.encode(format!("{user}:{}", password.reveal())))
}

/// Everything secret that is sent.
pub(super) fn secrets(access: &Access, proxied: Option<&Proxied>) -> Vec<Secret> {
    let password = access.basic.as_ref().or(access.address.basic.as_ref());
    let password = password.map(|(_, password)| password.clone());
    let nomads = access.token.clone().into_iter().chain(pair(access).map(Secret::new));
    nomads.chain(password).chain(proxied.into_iter().flat_map(Proxied::secrets)).collect()
}

/// Header name and value of each credential.
///
/// # Errors
/// `Kind::Config` if no header can carry it.
pub(super) fn credentials(
    access: &Access,
    proxied: Option<&Proxied>,
) -> Result<Vec<(&'static str, HeaderValue)>, Error> {
    let proxy = proxied.and_then(Proxied::authorization);
    let proxy = proxy.map(|secret| (PROXY_AUTHORIZATION, secret));
    let basic = pair(access).map(|pair| ("authorization", Secret::new(format!("Basic {pair}"))));
    let token = access.token.clone().map(|token| ("x-nomad-token", token));
    let all = token.into_iter().chain(basic).chain(proxy);
    all.map(|(name, secret)| Ok((name, sendable(&secret)?))).collect()
}

fn sendable(secret: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| Error {
        kind: FailureKind::Config,
        what: "the token holds characters that HTTP can't carry".to_owned(),
        hint: Some("check NOMAD_TOKEN or --token-file: a token is one line of text".to_owned()),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
