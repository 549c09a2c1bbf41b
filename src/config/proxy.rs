//! Chooses the HTTP proxy for Nomad by the rules of Go's standard library, like the official command line.

use std::net::IpAddr;

use crate::net::endpoint::split_port;
use crate::nomad::address::{Address, Scheme};

/// The URL of the proxy; `None` = connect directly, as always to a Nomad on this machine.
/// `variable` returns the value of an environment variable that is set and not empty.
///
/// # Errors
/// The variable that is not the address of a proxy, and why; never its value.
pub(super) fn proxy(
    address: &Address,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, (&'static str, String)> {
    if address.is_local() {
        return Ok(None);
    }
    let either = |upper: &str| variable(upper).or_else(|| variable(&upper.to_lowercase()));
    let name = if address.scheme == Scheme::Https { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    let Some(url) = either(name) else { return Ok(None) };
    if either("NO_PROXY")
        .is_some_and(|list| list.split(',').any(|entry| exempts(entry.trim(), address)))
    {
        return Ok(None);
    }
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    match Address::parse(&url) {
        Ok(proxy) if proxy.scheme != Scheme::Unix => Ok(Some(url)),
        _ => Err((name, "must be an http:// or https:// address".to_owned())),
    }
}

/// Whether an entry of NO_PROXY matches: `*`, an IP address, a network, `domain` (with its subdomains)
/// or `.domain` (only its subdomains), each with or without a port.
fn exempts(entry: &str, address: &Address) -> bool {
    let entry = entry.to_lowercase();
    let Ok((name, port)) = split_port(&entry) else { return false };
    if name.is_empty() || port.is_some_and(|port| Some(port) != address.port) {
        return false;
    }
    let ip = address.host.parse::<IpAddr>().ok();
    match name.split_once('/') {
        Some((network, bits)) => ip.is_some_and(|ip| within(ip, network, bits)),
        None if name == "*" => true,
        None => match name.strip_prefix("*").unwrap_or(name).strip_prefix('.') {
            Some(domain) => address.host.ends_with(&format!(".{domain}")),
            None => address.host == name || address.host.ends_with(&format!(".{name}")),
        },
    }
}

fn within(ip: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

/// `scheme://host:port` without credentials; part of the scope of a cache.
pub(super) fn place(url: &str) -> String {
    Address::parse(url).map_or_else(|_| String::new(), |proxy| proxy.to_string())
}

#[cfg(test)]
mod tests {
    use super::{place, proxy};
    use crate::nomad::address::Address;

    #[track_caller]
    fn check(address: &str, variables: &[(&str, &str)], expected: Option<&str>) {
        let variable = |name: &str| {
            variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(
            proxy(&Address::parse(address).unwrap(), variable).unwrap().as_deref(),
            expected,
            "{address} {variables:?}"
        );
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let both = [("HTTP_PROXY", "http://p:1"), ("https_proxy", "q:2")];
        check("http://nomad:4646", &both, Some("http://p:1"));
        check("https://nomad:4646", &both, Some("http://q:2"));
        check("https://nomad:4646", &both[..1], None);
        check("http://127.0.0.1:4646", &both, None);
        check("http://localhost:4646", &both, None);
        check("unix:///run/nomad.sock", &both, None);
        assert_eq!(place("http://user:pw@p:1"), "http://p:1");
    }

    #[test]
    fn what_is_no_proxy_is_not_ignored() {
        let address = Address::parse("http://nomad:4646").unwrap();
        for url in ["socks5://me:canary@h", "http://canary:port", "unix:///canary", "http://"] {
            let error = proxy(&address, |name| (name == "HTTP_PROXY").then(|| url.to_owned()));
            let why = "must be an http:// or https:// address".to_owned();
            assert_eq!(error, Err(("HTTP_PROXY", why)), "{url}");
        }
    }

    #[test]
    fn exemptions() {
        for (list, address, exempt) in [
            ("*", "http://nomad:4646", true),
            ("nomad", "http://nomad:4646", true),
            ("example.com", "http://nomad.example.com", true),
            (".example.com", "http://example.com", false),
            (".example.com", "http://nomad.example.com", true),
            ("ample.com", "http://nomad.example.com", false),
            ("10.0.0.0/8", "http://10.1.2.3", true),
            ("10.0.0.0/8", "http://11.1.2.3", false),
            ("2001:db8::/32", "http://[2001:db8::7]:4646", true),
            ("nomad:4646", "http://nomad:4646", true),
            ("nomad:4647", "http://nomad:4646", false),
            ("[2001:db8::7]:4646", "http://[2001:db8::7]:4646", true),
            ("2001:db8::7", "http://[2001:db8::7]:4646", true),
            ("[2001:db8::7]:4647", "http://[2001:db8::7]:4646", false),
            ("a, nomad", "http://nomad:4646", true),
            ("", "http://nomad:4646", false),
        ] {
            let expected = if exempt { None } else { Some("http://p:1") };
            check(address, &[("HTTP_PROXY", "http://p:1"), ("no_proxy", list)], expected);
        }
    }
}
