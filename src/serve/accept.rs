//! What a client takes: types, encodings, and what it has already.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH};

/// Whether an answer of this type (`application/json`) is welcome.
pub(super) fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let mut lines = values(headers, &ACCEPT).peekable();
    let major = kind.split('/').next().unwrap_or_default();
    lines.peek().is_none()
        || lines.any(|(range, welcome)| {
            let fits = range == "*/*" || range == kind || range.strip_suffix("/*") == Some(major);
            fits && welcome
        })
}

/// Whether the answer may be compressed.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    values(headers, &ACCEPT_ENCODING)
        .any(|(coding, welcome)| welcome && (coding == "gzip" || coding == "*"))
}

/// Whether the client holds what `tag` names, compressed or not.
pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).any(|held| {
        let held = held.strip_prefix("W/").unwrap_or(held);
        held == "*" || [tagged(tag, false), tagged(tag, true)].contains(&held.to_owned())
    })
}

/// The value of `ETag`: compressed bytes are others.
pub(super) fn tagged(tag: &str, gzip: bool) -> String {
    format!("\"{tag}{}\"", if gzip { "-gz" } else { "" })
}

/// The members of a list without their parameters, and whether their weight is not 0.
fn values<'a>(
    headers: &'a HeaderMap,
    name: &hyper::header::HeaderName,
) -> impl Iterator<Item = (String, bool)> + use<'a> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        (value, weight.is_none_or(|weight| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{accepts, has, takes_gzip};

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn types() {
        let json = |value| accepts(&headers("accept", value), "application/json");
        assert!(accepts(&HeaderMap::new(), "application/json"));
        assert!(json("*/*") && json("application/json") && json("text/html, application/*;q=0.5"));
        assert!(!json("text/html") && !json("application/json;q=0") && !json("application/xml"));
    }

    #[test]
    fn encodings() {
        let gzip = |value| takes_gzip(&headers("accept-encoding", value));
        assert!(gzip("gzip") && gzip("br, GZIP;q=0.8") && gzip("*"));
        assert!(!gzip("br") && !gzip("gzip;q=0") && !takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn tags() {
        let has = |value| has(&headers("if-none-match", value), "N1");
        assert!(has("\"N1\"") && has("W/\"N1\"") && has("\"N0\", \"N1-gz\"") && has("*"));
        assert!(!has("\"N2\"") && !has("N1") && !has("\"N1-gz-gz\""));
    }
}
