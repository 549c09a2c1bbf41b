//! The dashboard: files that are part of the program.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue};

use crate::store::sum;

use super::accept::{has, tagged};
use super::body::Content;
use super::respond::{Answer, answer};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PAGE: &str = include_str!("dashboard/index.html");
const LOGIN: &str = include_str!("dashboard/login.html");
const OPENAPI: &str = include_str!("openapi.json");

/// Name, type and bytes.
const ASSETS: [(&str, &str, &str); 7] = [
    ("app.js", SCRIPT, include_str!("dashboard/app.js")),
    ("api.js", SCRIPT, include_str!("dashboard/api.js")),
    ("table.js", SCRIPT, include_str!("dashboard/table.js")),
    ("stats.js", SCRIPT, include_str!("dashboard/stats.js")),
    ("detail.js", SCRIPT, include_str!("dashboard/detail.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("dashboard/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("dashboard/icon.svg")),
];

/// Names the bytes of all files at once: they change together.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = ASSETS.iter().map(|(_, _, text)| *text).chain([PAGE]);
    sum::of(all.collect::<String>().as_bytes())
});

pub(super) fn page(headers: &HeaderMap) -> Answer {
    file(HTML, PAGE, headers)
}

pub(super) fn asset(name: &str, headers: &HeaderMap) -> Option<Answer> {
    let (_, kind, text) = ASSETS.iter().find(|(known, _, _)| *known == name)?;
    Some(file(kind, text, headers))
}

/// `message` is our own text.
pub(super) fn login(status: StatusCode, message: &'static str) -> Answer {
    answer(status, HTML, LOGIN.replace("<!--message-->", message))
}

pub(super) fn openapi() -> Answer {
    answer(StatusCode::OK, "application/json", OPENAPI)
}

/// Browsers keep it, and ask whether it is still the same.
fn file(kind: &'static str, text: &'static str, headers: &HeaderMap) -> Answer {
    let mut answer = answer(StatusCode::OK, kind, Bytes::from_static(text.as_bytes()));
    let own = answer.headers_mut();
    own.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    own.insert(ETAG, HeaderValue::from_str(&tagged(&VERSION, false)).expect("hexadecimal digits"));
    if has(headers, &VERSION) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.body_mut() = Content::of([]);
    }
    answer
}
