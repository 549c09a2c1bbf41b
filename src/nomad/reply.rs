//! One whole HTTP response of Nomad, and the headers that count.

use ureq::http::header::HeaderMap;

/// A whole response.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// As it came, which need not be text.
    pub(super) fn raw_header(&self, name: &str) -> &[u8] {
        self.headers.get(name).map_or(&[], |value| value.as_bytes())
    }

    /// Empty if it is missing or not text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `X-Nomad-Index`; 0 counts as missing.
    pub(super) fn index(&self) -> Option<u64> {
        self.header("x-nomad-index").parse().ok().filter(|index| *index > 0)
    }

    pub(super) fn known_leader(&self) -> bool {
        !self.header("x-nomad-knownleader").eq_ignore_ascii_case("false")
    }

    pub(super) fn last_contact_ms(&self) -> u64 {
        self.header("x-nomad-lastcontact").parse().unwrap_or(0)
    }

    /// By its content type, or by its first character.
    pub(super) fn is_html(&self) -> bool {
        self.header("content-type").to_ascii_lowercase().contains("html")
            || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether the JSON ends too early.
    pub(super) fn is_truncated(&self) -> bool {
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&self.body);
        parsed.is_err_and(|error| error.is_eof())
    }
}
