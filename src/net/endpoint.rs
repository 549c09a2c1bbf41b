//! Hosts, ports and logins in addresses: Nomad's, Redis's, a proxy's and those of `serve`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;

/// The longest name that DNS knows.
const HOST_MAX: usize = 253;

/// A host and perhaps a port, in a form in which equal ones are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Lower case, no final dot; IPv6 without brackets in the form of RFC 5952.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Endpoint {
    /// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
    ///
    /// # Errors
    /// What is wrong, as a predicate that holds no part of `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = split_port(text)?;
        let host = if text.starts_with('[') { ipv6(host)? } else { host_name(host)? };
        Ok(Self { host, port })
    }
}

/// The host, an IPv6 address without its brackets, and the port.
///
/// # Errors
/// What is wrong, as a predicate that holds no part of `text`.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            rest.split_once(']').ok_or("has an IPv6 address without its closing bracket")?
        }
        // An IPv6 address without brackets has no port.
        None if text.matches(':').count() > 1 => (text, ""),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    Ok((host, port_of(port)?))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

/// `host:port` as it stands in a URL: IPv6 in brackets.
pub(crate) fn authority(host: &str, port: Option<u16>) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// The login and the host of an authority, which an `@` separates.
pub(crate) fn split_login(authority: &str) -> (Option<&str>, &str) {
    authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host))
}

/// Undoes percent-encoding.
///
/// # Errors
/// What is wrong, as a predicate that holds no part of `text`.
pub(crate) fn percent_decoded(text: &str) -> Result<String, &'static str> {
    let is_escape = |(at, _)| {
        let hex = text.as_bytes().get(at + 1..at + 3);
        hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.match_indices('%').all(is_escape) {
        return Err("has a % that is not followed by two hex digits");
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if text.contains('\0') => Err("contains a NUL"),
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err("is not UTF-8"),
    }
}

/// Whether data for this host never leaves this machine.
pub(crate) fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.parse().is_ok_and(is_loopback)
}

/// Also if it is an IPv4 address written as an IPv6 one.
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn ipv6(text: &str) -> Result<String, &'static str> {
    match text.parse::<Ipv6Addr>() {
        Ok(ip) => Ok(ip.to_string()),
        Err(_) if text.contains('%') => Err(ZONE),
        Err(_) => Err("has no valid IPv6 address in its brackets"),
    }
}

const ZONE: &str = "has an IPv6 zone, which is not supported: use a host name";

/// A host name or an IPv4 address.
fn host_name(text: &str) -> Result<String, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match name.as_str() {
        "" => Err("has no host"),
        name if name.contains(':') && name.contains('%') => Err(ZONE),
        name if name.contains(':') => Err("has an IPv6 address without brackets"),
        name if name.len() > HOST_MAX
            || name.split('.').any(str::is_empty)
            || !name.bytes().all(is_valid) =>
        {
            Err("has no valid host")
        }
        _ => Ok(name),
    }
}

/// `text` is empty or begins with a colon.
fn port_of(text: &str) -> Result<Option<u16>, &'static str> {
    match text.strip_prefix(':') {
        None if text.is_empty() => Ok(None),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port > 0).map(Some).ok_or(PORT)
        }
        _ => Err(PORT),
    }
}

const PORT: &str = "has a port that is not a number from 1 to 65535";

#[cfg(test)]
mod tests {
    use super::{Endpoint, PORT, ZONE, is_local, percent_decoded};

    #[test]
    fn equal_endpoints_are_equal() {
        for (text, shown) in [
            ("Nomad.Example.COM.:4646", "nomad.example.com:4646"),
            ("a_b-c.internal", "a_b-c.internal"),
            ("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, why) in [
            ("", "has no host"),
            (":80", "has no host"),
            ("h:", PORT),
            ("[::1]:", PORT),
            ("h:0", PORT),
            ("h:+80", PORT),
            ("h:65536", PORT),
            ("[::1]x", PORT),
            ("::1", "has an IPv6 address without brackets"),
            ("fe80::1%eth0:4646", ZONE),
            ("[fe80::1%25eth0]", ZONE),
            ("[::1", "has an IPv6 address without its closing bracket"),
            ("[127.0.0.1]", "has no valid IPv6 address in its brackets"),
            ("a..b", "has no valid host"),
            ("h..", "has no valid host"),
            ("a b", "has no valid host"),
            ("exämple", "has no valid host"),
            (&"a".repeat(254), "has no valid host"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(percent_decoded("p%40ss%2Fw").as_deref(), Ok("p@ss/w"));
        for (text, why) in [
            ("a%2", "has a % that is not followed by two hex digits"),
            ("a%+1", "has a % that is not followed by two hex digits"),
            ("a%ff", "is not UTF-8"),
            ("a%00", "contains a NUL"),
        ] {
            assert_eq!(percent_decoded(text), Err(why), "{text}");
        }
    }

    #[test]
    fn local_hosts_never_leave_the_machine() {
        let local = ["localhost", "a.localhost", "127.0.0.2", "::1", "::ffff:127.0.0.1"];
        assert!(local.into_iter().all(is_local));
        assert!(!["10.0.0.1", "localhost.test", "h"].into_iter().any(is_local));
    }
}
