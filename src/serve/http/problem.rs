//! Problem details (RFC 9457): why a request failed, for people and programs.

use hyper::StatusCode;
use serde::Serialize;

use crate::model::json;
use crate::model::text::printable;

/// RFC 9457, with the members of the older API beside its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    what: String,
    hint: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    success: bool,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn bad_request(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, what)
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "this is a bug in nomad-clients")
    }

    /// The body, `application/problem+json`.
    pub(crate) fn json(&self) -> Vec<u8> {
        let (what, hint) = (printable(&self.what), self.hint.as_deref().map(printable));
        json::bytes(&Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &what,
            success: false,
            error: &what,
            hint: hint.as_deref(),
        })
    }
}
