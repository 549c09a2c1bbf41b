//! Which page of a browser may change something: one of this server's own.

use hyper::StatusCode;
use hyper::header::{HeaderMap, ORIGIN};

use super::auth::split;
use crate::serve::api::problem::Problem;

/// A browser says how the page that asks and this server are related, whatever a reverse proxy
/// makes of `Host`. Where it does not (plain http from another machine, old browsers), `PageOrigin`
/// names the page: it must be `host`, which was asked for, or one of `names`. What is no browser
/// says neither.
pub(crate) fn check(headers: &HeaderMap, host: &str, names: &[String]) -> Result<(), Problem> {
    let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
    if sites.peek().is_some() {
        let is_own = sites.all(|site| site == "same-origin");
        return if is_own {
            Ok(())
        } else {
            refused("open this server's own page, or ask without a browser")
        };
    }
    let origins = headers.get_all(ORIGIN).iter().map(|origin| origin.to_str().unwrap_or("?"));
    match origins.map(PageOrigin::read).find(|origin| !is_own(origin.as_ref(), host, names)) {
        None => Ok(()),
        Some(Some(PageOrigin { name, .. })) if is_plain(&name) => refused(&format!(
            "if {name} is a reverse proxy in front of this server, start serve with --allowed-host {name}"
        )),
        Some(_) => refused(
            "behind a reverse proxy, start serve with --allowed-host and the host name of the proxy",
        ),
    }
}

fn refused(hint: &str) -> Result<(), Problem> {
    let what = "a page of another origin may not ask for this";
    Err(Problem::new(StatusCode::FORBIDDEN, what).hinted(hint))
}

fn is_own(origin: Option<&PageOrigin>, host: &str, names: &[String]) -> bool {
    let Some(PageOrigin { name, port, usual }) = origin else { return false };
    let fits = |own: Option<u16>| own.or(*usual) == port.or(*usual);
    let is_asked = split(host).is_some_and(|(own, at)| own == *name && fits(at));
    // Allowed without a port: with any.
    let is_named = |own: &String| {
        split(own).is_some_and(|(own, at)| own == *name && (at.is_none() || fits(at)))
    };
    is_asked || names.iter().any(is_named)
}

/// Where a page is from, as `PageOrigin` says it.
struct PageOrigin {
    name: String,
    port: Option<u16>,
    /// The port that goes without saying.
    usual: Option<u16>,
}

impl PageOrigin {
    /// `None` for what has no name, such as `null`.
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let usual = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => return None,
        };
        let (name, port) = split(rest)?;
        Some(Self { name, port, usual })
    }
}

/// Fit to be typed as a host name.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    name.len() <= 253 && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    use super::check;

    /// What a page with these headers is told to do instead; `Ok` if it may ask.
    fn ask(host: &str, headers: &[(&'static str, &str)]) -> Result<(), String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        let names = ["nodes.example.com", "other.example.com:8443"].map(str::to_owned);
        check(&map, host, &names).map_err(|problem| {
            let told: serde_json::Value = serde_json::from_slice(&problem.json()).unwrap();
            assert_eq!(told["status"], 403);
            told["hint"].as_str().unwrap().to_owned()
        })
    }

    #[test]
    fn another_page_changes_nothing() {
        let post = |headers: &[(&'static str, &str)]| ask("localhost:8080", headers).is_ok();
        assert!(post(&[]));
        assert!(post(&[("origin", "http://localhost:8080")]));
        assert!(post(&[("origin", "https://LOCALHOST:8080")]));
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        for origin in ["http://evil.test", "null", "http://localhost:8081", "http://127.0.0.1:8080"]
        {
            assert!(!post(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!post(&[("sec-fetch-site", site)]), "{site}");
            assert!(!post(&[("sec-fetch-site", site), ("origin", "http://localhost:8080")]));
        }
        assert!(!post(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]));
        let both = [("origin", "http://localhost:8080"), ("origin", "http://evil.test")];
        assert!(!post(&both));
    }

    /// It has made something else of `Host`; only the browser knows what it has asked for.
    #[test]
    fn a_page_behind_a_reverse_proxy() {
        for (host, origin, site, may) in [
            ("127.0.0.1:8080", "https://nodes.test:8443", "same-origin", true),
            ("127.0.0.1:8080", "https://nodes.example.com", "cross-site", false),
            ("127.0.0.1:8080", "https://nodes.test", "", false),
            ("127.0.0.1:8080", "https://nodes.example.com", "", true),
            ("127.0.0.1:8080", "http://NODES.example.com:81", "", true),
            ("nodes.example.com", "http://nodes.example.com:81", "", true),
            ("nodes.test:443", "https://nodes.test", "", true),
            ("nodes.test:443", "http://nodes.test", "", false),
            ("localhost", "http://localhost", "", true),
            ("localhost", "http://localhost:81", "", false),
            ("127.0.0.1:8080", "https://other.example.com:8443", "", true),
            ("127.0.0.1:8080", "https://other.example.com", "", false),
            ("127.0.0.1:8080", "ftp://nodes.example.com", "", false),
            ("127.0.0.1:8080", "nodes.example.com", "", false),
            ("127.0.0.1:8080", "https://evil.test/nodes.example.com", "", false),
            ("127.0.0.1:8080", "https://nodes.example.com@evil.test", "", false),
        ] {
            let mut headers = vec![("origin", origin)];
            headers.extend(Some(("sec-fetch-site", site)).filter(|_| !site.is_empty()));
            assert_eq!(ask(host, &headers).is_ok(), may, "{host} {origin} {site}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_set() {
        let hint = |name, value| ask("127.0.0.1:8080", &[(name, value)]).unwrap_err();
        assert_eq!(
            hint("origin", "https://nodes.test:8443"),
            "if nodes.test is a reverse proxy in front of this server, start serve with --allowed-host nodes.test"
        );
        for origin in ["null", "https://a b", "https://ä", "https://[::1]:81"] {
            assert_eq!(
                hint("origin", origin),
                "behind a reverse proxy, start serve with --allowed-host and the host name of the proxy",
                "{origin}"
            );
        }
        let site = "open this server's own page, or ask without a browser";
        assert_eq!(hint("sec-fetch-site", "cross-site"), site);
    }
}
