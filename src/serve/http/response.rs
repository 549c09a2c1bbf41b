//! Responses: their usual headers, problems, redirects, and what every response carries.

use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, LOCATION, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::body::BodyContent;
use super::problem::Problem;

pub(crate) type HttpResponse = Response<BodyContent>;

pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";

/// For browsers, on every response.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// What a browser may do with what it renders or runs (S2); JSON is neither.
const UNLESS_JSON: [(HeaderName, HeaderValue); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // With no-referrer a browser would hide the origin of the login form.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

pub(crate) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> HttpResponse {
    let mut response = Response::new(BodyContent::of([body.into()]));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `to` is relative: a reverse proxy may serve this below a path that it does not pass on.
pub(crate) fn redirect(status: StatusCode, to: &str, text: String) -> HttpResponse {
    let mut response = response(status, PLAIN, text);
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

impl Problem {
    pub(crate) fn response(&self) -> HttpResponse {
        let mut response = response(self.status, "application/problem+json", self.json());
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Adds the headers of every response; the response to `HEAD` has no body but its length.
pub(crate) fn completed(mut response: HttpResponse, is_head: bool) -> HttpResponse {
    if is_head {
        let content = std::mem::replace(response.body_mut(), BodyContent::of([]));
        if let Some(len) = content.len() {
            response.headers_mut().insert(CONTENT_LENGTH, len.into());
        }
    }
    complete(response.headers_mut());
    response
}

/// Adds the headers of every response, if they are not there.
pub(crate) fn complete(headers: &mut HeaderMap) {
    if headers.contains_key(X_CONTENT_TYPE_OPTIONS) {
        return;
    }
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|content_type| content_type == JSON);
    headers.extend(ALWAYS);
    if !is_json {
        headers.extend(UNLESS_JSON);
    }
}
