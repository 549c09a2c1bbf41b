//! The address of a Nomad agent.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::model::secret::Secret;
use crate::model::text::{first_line, sanitised};

/// A parsed `NOMAD_ADDR`. Prints without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    /// Lower case, no final dot, IPv6 without brackets in RFC 5952 form; a unix socket's path.
    pub host: String,
    /// The port really used; `None` for a unix socket.
    pub port: Option<u16>,
    /// Path prefix without the final slash: `/nomad`, or empty.
    pub path: String,
    /// User and password in the URL: HTTP Basic.
    pub basic: Option<(String, Secret)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
    Unix,
}

impl Scheme {
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Unix => "unix",
        }
    }

    fn port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Unix => None,
        }
    }
}

const FORMS: &str = "must be http://HOST:PORT, https://HOST:PORT or unix:///PATH";

const SEVERAL: &str =
    "names several addresses: name one, as every agent of the cluster gives the same answers";
const ZONE: &str =
    "has an IPv6 zone (%…), which is not supported: use a host name or an address that needs none";

impl Address {
    /// # Errors
    /// One line that says what is wrong, without credentials.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(FORMS)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "unix" => return Self::socket(rest),
            _ => return Err(FORMS.to_owned()),
        };
        if rest.contains("://") && rest.contains([',', ' ', ';']) {
            return Err(SEVERAL.to_owned());
        }
        let rest = without_ui(rest);
        if rest.contains(['?', '#', ' ']) || sanitised(rest) != rest {
            return Err(
                "must not have a query, a fragment, spaces or control characters".to_owned()
            );
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The path is shown: it must not be the rest of a password.
        if path.contains('@') {
            return Err("must not have an @ behind the host: write / as %2F in a password and @ as %40 in a path".to_owned());
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte)) {
            return Err("has a path with characters that need percent-encoding".to_owned());
        }
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let (host, port) = host_and_port(host)?;
        let port = port.or(scheme.port());
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { scheme, host, port, path, basic: user.map(basic) })
    }

    fn socket(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err("a unix socket needs an absolute path: unix:///PATH".to_owned());
        }
        Ok(Self {
            scheme: Scheme::Unix,
            host: path.to_owned(),
            port: None,
            path: String::new(),
            basic: None,
        })
    }

    pub fn is_unix(&self) -> bool {
        self.scheme == Scheme::Unix
    }

    /// Whether what is sent there never leaves this machine.
    pub fn is_local(&self) -> bool {
        let loopback =
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        self.is_unix()
            || self.host == "localhost"
            || self.host.ends_with(".localhost")
            || loopback()
    }

    /// `host:port` as it stands in a URL: IPv6 in brackets.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        self.port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.is_unix() { self.host.clone() } else { self.authority() };
        let text = format!("{}://{host}{}", self.scheme.name(), self.path);
        f.write_str(&first_line(&text, 300))
    }
}

/// As Nomad's own command line: the address of its pages, as it stands in a browser, is the one of
/// its API. A password may look the same.
fn without_ui(rest: &str) -> &str {
    let is_end = |at: usize| matches!(rest.as_bytes().get(at), None | Some(b'/' | b'?' | b'#'));
    let ui = rest.match_indices("/ui").map(|(at, _)| at).find(|at| is_end(at + "/ui".len()));
    match ui {
        Some(at) if !rest[at..].contains('@') => &rest[..at],
        _ => rest,
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, rest) =
                rest.split_once(']').ok_or("has an IPv6 address without its closing bracket")?;
            if ip.contains('%') {
                return Err(ZONE.to_owned());
            }
            let ip: Ipv6Addr = ip.parse().map_err(|_| "has no IPv6 address in its brackets")?;
            let port = rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""));
            // Rust prints IPv6 addresses in the form of RFC 5952.
            (ip.to_string(), port.ok_or(FORMS)?)
        }
        None => {
            let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
            (name(host)?, port)
        }
    };
    match port {
        "" => Ok((host, None)),
        port => match port.parse::<u16>() {
            Ok(number @ 1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok((host, Some(number)))
            }
            _ => Err("has a port that is no number from 1 to 65535".to_owned()),
        },
    }
}

/// A host name or an IPv4 address in the one form in which two texts for it are equal.
fn name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match name.as_str() {
        "" => Err("has no host".to_owned()),
        name if name.contains(',') => Err(SEVERAL.to_owned()),
        name if name.contains(':') && name.contains('%') => Err(ZONE.to_owned()),
        name if name.contains(':') => Err("has an IPv6 address without brackets".to_owned()),
        // Nothing stands between two dots, or behind a second one at the end.
        name if name.split('.').any(str::is_empty) || !name.bytes().all(fits) => {
            Err("has no valid host".to_owned())
        }
        _ => Ok(name),
    }
}

fn basic(user_info: &str) -> (String, Secret) {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    (decoded(user), Secret::new(decoded(password)))
}

/// Undoes percent-encoding; what is no valid escape stays as it is.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let hex =
            tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Address, FORMS, SEVERAL, ZONE};

    #[test]
    fn addresses_are_brought_to_one_form() {
        for (text, shown, local) in [
            ("http://127.0.0.1:4646", "http://127.0.0.1:4646", true),
            ("HTTP://Nomad.Example.COM.:4646/", "http://nomad.example.com:4646", false),
            ("https://nomad.example.com/nomad//", "https://nomad.example.com:443/nomad", false),
            ("http://[::1]:4646", "http://[::1]:4646", true),
            ("http://[2001:DB8:0:0:0:0:0:1]", "http://[2001:db8::1]:80", false),
            ("http://localhost:4646", "http://localhost:4646", true),
            ("unix:///run/nomad.sock", "unix:///run/nomad.sock", true),
            ("http://[::ffff:127.0.0.1]", "http://[::ffff:127.0.0.1]:80", true),
            ("http://a_b-c.internal", "http://a_b-c.internal:80", false),
            ("https://h:1/a/b%20c/", "https://h:1/a/b%20c", false),
            ("unix:///run/a\u{1b}b", "unix:///run/a\\u{1b}b", true),
            ("http://127.0.0.1:4646/ui", "http://127.0.0.1:4646", true),
            ("http://h:4646/ui/jobs?namespace=*#x", "http://h:4646", false),
            ("https://h:1/nomad/ui/clients", "https://h:1/nomad", false),
            ("https://h:1/uid/gui", "https://h:1/uid/gui", false),
            ("http://ops:p%40ss@10.0.0.5:4646", "http://10.0.0.5:4646", false),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (address.to_string().as_str(), address.is_local()),
                (shown, local),
                "{text}"
            );
        }
    }

    #[test]
    fn credentials_are_taken_and_never_shown() {
        let address = Address::parse("http://ops:p%40ss:w@10.0.0.5:4646").unwrap();
        let (user, password) = address.basic.clone().unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("ops", "p@ss:w"));
        assert!(!format!("{address} {address:?}").contains("p@ss"));
    }

    #[test]
    fn what_is_no_address_is_named() {
        for (text, why) in [
            ("", FORMS),
            ("10.0.0.5:4646", FORMS),
            ("localhost", FORMS),
            ("ftp://x", FORMS),
            ("redis://localhost:6379/0", FORMS),
            ("http://", "has no host"),
            ("http://:4646", "has no host"),
            ("http://u:pw@:4646", "has no host"),
            ("http://x:0", "has a port that is no number from 1 to 65535"),
            ("http://x:+80", "has a port that is no number from 1 to 65535"),
            ("http://u:pw@h:notaport", "has a port that is no number from 1 to 65535"),
            ("http://2001:db8::1", "has an IPv6 address without brackets"),
            ("http://::1:4646", "has an IPv6 address without brackets"),
            ("http://[fe80::1%25eth0]:4646", ZONE),
            ("http://[fe80::1%eth0]", ZONE),
            ("http://fe80::1%eth0:4646", ZONE),
            ("http://a:4646,http://b:4646", SEVERAL),
            ("http://a:4646 http://b:4646", SEVERAL),
            ("http://a,b:4646", SEVERAL),
            ("http://u:p,w@a:4646,b:4646", SEVERAL),
            ("http://[::1", "has an IPv6 address without its closing bracket"),
            ("http://[127.0.0.1]", "has no IPv6 address in its brackets"),
            ("http://[::1]x", FORMS),
            ("http://a<b>", "has no valid host"),
            ("http://nomad.example..:4646", "has no valid host"),
            ("http://a..b", "has no valid host"),
            ("http://.a", "has no valid host"),
            ("http://exämple", "has no valid host"),
            ("unix://relative", "a unix socket needs an absolute path: unix:///PATH"),
            ("http://h/a|b", "has a path with characters that need percent-encoding"),
        ] {
            assert_eq!(Address::parse(text).unwrap_err(), why, "{text}");
        }
        for text in ["http://h:1/?a=b", "http://h:1/#x", "http://a b", "http://h/a\nb"] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.starts_with("must not have a query"), "{text}: {error}");
        }
        let error = Address::parse("http://u:1/ui@h").unwrap_err();
        assert!(error.starts_with("must not have an @"), "{error}");
        let error = Address::parse("http://u:1/secret@h").unwrap_err();
        assert!(error.starts_with("must not have an @") && !error.contains("secret"), "{error}");
    }
}
