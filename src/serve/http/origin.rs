//! The origin check: only pages of this server may change something.

use hyper::StatusCode;
use hyper::header::{HeaderMap, ORIGIN};

use crate::net::endpoint::Endpoint;

use super::problem::Problem;

/// `Sec-Fetch-Site` tells how page and server are related, whatever a reverse proxy makes of `Host`.
/// Without it (plain http from another machine, old browsers) `Origin` must name `host`, which was
/// requested, or one of `names`. Other clients than browsers send neither.
pub(crate) fn check(
    headers: &HeaderMap,
    host: &Endpoint,
    names: &[Endpoint],
) -> Result<(), Problem> {
    let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
    if sites.peek().is_some() {
        let is_own = sites.all(|site| site == "same-origin");
        return if is_own {
            Ok(())
        } else {
            forbidden("use the page of this server, or a client that is not a browser")
        };
    }
    let origins = headers.get_all(ORIGIN).iter().map(|origin| origin.to_str().unwrap_or("?"));
    match origins.map(PageOrigin::parse).find(|origin| !is_own(origin.as_ref(), host, names)) {
        None => Ok(()),
        Some(Some(PageOrigin { endpoint: Endpoint { host: name, .. }, .. }))
            if !name.contains(':') =>
        {
            forbidden(&format!(
                "if {name} is a reverse proxy in front of this server, start serve with --allowed-host {name}"
            ))
        }
        Some(_) => forbidden(
            "behind a reverse proxy, start serve with --allowed-host and the host name of the proxy",
        ),
    }
}

fn forbidden(hint: &str) -> Result<(), Problem> {
    let what = "requests by pages of another origin are not allowed";
    Err(Problem::new(StatusCode::FORBIDDEN, what).hinted(hint))
}

fn is_own(origin: Option<&PageOrigin>, host: &Endpoint, names: &[Endpoint]) -> bool {
    let Some(PageOrigin { endpoint, default_port }) = origin else { return false };
    let has_port = |own: &Endpoint| own.port.or(*default_port) == endpoint.port.or(*default_port);
    // A name that is allowed without a port is allowed with any.
    let is_allowed =
        |own: &Endpoint| own.host == endpoint.host && (own.port.is_none() || has_port(own));
    (host.host == endpoint.host && has_port(host)) || names.iter().any(is_allowed)
}

/// The origin of a page, as `Origin` names it.
struct PageOrigin {
    endpoint: Endpoint,
    default_port: Option<u16>,
}

impl PageOrigin {
    /// `None` if it has no host name, such as `null`.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let default_port = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => return None,
        };
        Some(Self { endpoint: Endpoint::parse(rest).ok()?, default_port })
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{Endpoint, check};

    /// What a page with these headers is told to do instead; `Ok` if it may ask.
    fn ask(host: &str, headers: &[(&'static str, &str)]) -> Result<(), String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        let endpoint = |text: &str| Endpoint::parse(text).unwrap();
        let names = ["nodes.example.com", "other.example.com:8443"].map(endpoint);
        check(&map, &endpoint(host), &names).map_err(|problem| {
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
        let site = "use the page of this server, or a client that is not a browser";
        assert_eq!(hint("sec-fetch-site", "cross-site"), site);
    }
}
