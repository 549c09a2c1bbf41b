//! Content negotiation: types, encodings, and what the client has already.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH};

/// Whether the client accepts this type (`application/json`).
pub(crate) fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let mut lines = values(headers, &ACCEPT).peekable();
    let major = kind.split('/').next().unwrap_or_default();
    lines.peek().is_none()
        || lines.any(|(range, is_accepted)| {
            let fits = range == "*/*" || range == kind || range.strip_suffix("/*") == Some(major);
            fits && is_accepted
        })
}

/// The preference for a type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    pub(crate) q: f32,
    /// By name, not by a wildcard.
    pub(crate) is_named: bool,
}

/// The weight of this type (`text/plain`), from the range that matches it best. A range with a version
/// matches if `versions` contains it, or is empty.
pub(crate) fn weight(headers: &HeaderMap, kind: &str, versions: &[&str]) -> Weight {
    let major = kind.split('/').next().unwrap_or_default();
    let (mut found, mut best) = (Weight { q: 0.0, is_named: false }, 0);
    let mut is_empty = true;
    for range in ranges(headers, &ACCEPT) {
        is_empty = false;
        let fit = match &*range.value {
            "*/*" => 1,
            value if value.strip_suffix("/*") == Some(major) => 2,
            value if value == kind && range.is_version(versions) => 3,
            _ => continue,
        };
        if fit > best || (fit == best && range.q > found.q) {
            (found, best) = (Weight { q: range.q, is_named: fit == 3 }, fit);
        }
    }
    if is_empty { Weight { q: 1.0, is_named: false } } else { found }
}

/// Whether the response may be compressed.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    values(headers, &ACCEPT_ENCODING)
        .any(|(coding, is_accepted)| is_accepted && (coding == "gzip" || coding == "*"))
}

/// Whether the client has the version with this tag, compressed or not.
pub(crate) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).any(|held| {
        let held = held.strip_prefix("W/").unwrap_or(held);
        let quoted = held.strip_prefix('"').and_then(|held| held.strip_suffix('"'));
        held == "*" || quoted.and_then(|held| held.strip_prefix(tag)).is_some_and(is_version)
    })
}

/// The value of `ETag`, which differs for the compressed version.
pub(crate) fn tagged(tag: &str, gzip: bool) -> String {
    format!("\"{tag}{}\"", if gzip { ZIPPED } else { "" })
}

/// Whether a tag ends like this: with nothing, or with that of the compressed version.
fn is_version(end: &str) -> bool {
    matches!(end, "" | ZIPPED)
}

const ZIPPED: &str = "-gz";

/// A member of a list.
struct Range {
    /// In lower case.
    value: String,
    version: Option<String>,
    q: f32,
}

impl Range {
    fn is_version(&self, versions: &[&str]) -> bool {
        let fits = |version: &String| versions.is_empty() || versions.contains(&version.as_str());
        self.version.as_ref().is_none_or(fits)
    }
}

fn ranges<'a>(
    headers: &'a HeaderMap,
    name: &hyper::header::HeaderName,
) -> impl Iterator<Item = Range> + use<'a> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut range = Range { value, version: None, q: 1.0 };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match &*name.trim().to_ascii_lowercase() {
                "q" => range.q = value.trim().parse().map_or(range.q, weighed),
                "version" => range.version = Some(value.trim().trim_matches('"').to_owned()),
                _ => {}
            }
        }
        range
    })
}

fn weighed(q: f32) -> f32 {
    if q.is_nan() { 0.0 } else { q.clamp(0.0, 1.0) }
}

/// The members of a list without their parameters, and whether their weight is not 0.
fn values<'a>(
    headers: &'a HeaderMap,
    name: &hyper::header::HeaderName,
) -> impl Iterator<Item = (String, bool)> + use<'a> {
    ranges(headers, name).map(|range| (range.value, range.q > 0.0))
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
        assert!(!has("\"N2\"") && !has("N1") && !has("\"N1-gz-gz\"") && !has("\"N12\""));
        assert!(!has("\"") && !has("\"\"") && !has("\"N1") && !has(""));
    }
}
