//! The address of a Nomad agent.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::model::secret::Secret;
use crate::model::text::{first_line, sanitised};
use crate::net::endpoint::{self, Endpoint, split_login};

/// A parsed `NOMAD_ADDR`. Prints without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    /// Lower case, no final dot, IPv6 without brackets in RFC 5952 form; a unix socket's path.
    pub host: String,
    /// The port that is used; `None` for a unix socket.
    pub port: Option<u16>,
    /// Path prefix without the final slash: `/nomad`, or empty.
    pub path: String,
    /// User and password in the URL, for HTTP Basic.
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

    fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Unix => None,
        }
    }
}

const FORMS: &str = "must be http://HOST:PORT, https://HOST:PORT or unix:///PATH";

const SEVERAL: &str =
    "lists several addresses: give one, as every agent of the cluster gives the same answers";

impl Address {
    /// # Errors
    /// What is wrong, as a predicate without credentials.
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
        // The path is printed, so it must not be the rest of a password.
        if path.contains('@') {
            return Err("must not have an @ after the host: write / as %2F in a password and @ as %40 in a path".to_owned());
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte)) {
            return Err("has a path with characters that need percent-encoding".to_owned());
        }
        let (login, host) = split_login(authority);
        if host.contains(',') {
            return Err(SEVERAL.to_owned());
        }
        // In a URL a port may be empty.
        let Endpoint { host, port } = Endpoint::parse(host.strip_suffix(':').unwrap_or(host))?;
        let port = port.or(scheme.default_port());
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { scheme, host, port, path, basic: login.map(basic) })
    }

    fn socket(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err("has no absolute path: write unix:///PATH".to_owned());
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
        self.is_unix() || endpoint::is_local(&self.host)
    }

    /// `host:port` as it stands in a URL.
    pub fn authority(&self) -> String {
        endpoint::authority(&self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.is_unix() { self.host.clone() } else { self.authority() };
        let text = format!("{}://{host}{}", self.scheme.name(), self.path);
        f.write_str(&first_line(&text, 300))
    }
}

/// The address of Nomad's web pages, as it stands in a browser, also serves as that of its API, like
/// in Nomad's own command line. Part of a password may look the same.
fn without_ui(rest: &str) -> &str {
    let is_end = |at: usize| matches!(rest.as_bytes().get(at), None | Some(b'/' | b'?' | b'#'));
    let ui = rest.match_indices("/ui").map(|(at, _)| at).find(|at| is_end(at + "/ui".len()));
    match ui {
        Some(at) if !rest[at..].contains('@') => &rest[..at],
        _ => rest,
    }
}

/// Invalid escapes stay as they are: passwords are often not encoded.
fn basic(login: &str) -> (String, Secret) {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    (decoded(user), Secret::new(decoded(password)))
}

#[cfg(test)]
mod tests {
    use super::{Address, FORMS, SEVERAL};

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
            ("http://h:", "http://h:80", false),
            ("http://[::1]:", "http://[::1]:80", true),
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
    fn errors_name_what_is_wrong() {
        for (text, why) in [
            ("", FORMS),
            ("10.0.0.5:4646", FORMS),
            ("localhost", FORMS),
            ("ftp://x", FORMS),
            ("redis://localhost:6379/0", FORMS),
            ("http://", "has no host"),
            ("http://u:pw@:4646", "has no host"),
            ("http://u:pw@h:notaport", "has a port that is not a number from 1 to 65535"),
            ("http://a:4646,http://b:4646", SEVERAL),
            ("http://a:4646 http://b:4646", SEVERAL),
            ("http://a,b:4646", SEVERAL),
            ("http://u:p,w@a:4646,b:4646", SEVERAL),
            ("http://a<b>", "has no valid host"),
            ("unix://relative", "has no absolute path: write unix:///PATH"),
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
