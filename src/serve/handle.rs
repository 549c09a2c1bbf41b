//! One request: may it be asked, what is asked, and the answer with what every answer says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use tokio::time::timeout;

use crate::clock;
use crate::model::text::sanitised;

use super::App;
use super::guard::Local;
use super::nodes::Cache;
use super::problem::Problem;
use super::respond::{self, Answer, Asked, BODY, problem};
use super::route::{self, Route};

/// For the body of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every answer says to browsers (S2).
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // With no-referrer a browser hides where the form of the login page comes from.
    ("referrer-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

pub(super) async fn handle(app: &Arc<App>, request: Request<Incoming>, local: Local) -> Answer {
    let began = clock::now();
    let (parts, body) = request.into_parts();
    let (mut answer, name) = match app.guard.check(&parts, local) {
        Err(why) => (problem(&why), "refused"),
        Ok(()) => {
            let path = parts.uri.path().to_owned();
            match route::route(parts.method.as_str(), &path, parts.uri.query().unwrap_or_default())
            {
                Err(refused) => (respond::refused(refused), "none"),
                Ok(route) => {
                    let name = route.name();
                    (routed(app, route, &parts, body, began).await, name)
                }
            }
        }
    };
    if parts.method == Method::HEAD {
        let len = answer.body().len();
        *answer.body_mut() = super::body::Content::of([]);
        if let Some(len) = len {
            answer.headers_mut().insert(hyper::header::CONTENT_LENGTH, len.into());
        }
    }
    finish(answer.headers_mut());
    let took = clock::now().saturating_duration_since(began);
    told(app, &parts, name, &answer, took);
    answer
}

async fn routed(
    app: &Arc<App>,
    route: Route,
    parts: &Parts,
    body: Incoming,
    began: std::time::Instant,
) -> Answer {
    if !respond::is_public(&route) && !app.guard.is_known(&parts.headers) {
        return respond::unknown(&route);
    }
    let body = match parts.method {
        Method::POST => received(body).await,
        _ => Ok(Bytes::new()),
    };
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let answered = match body {
        Ok(body) => {
            let asked = Asked { headers: parts.headers.clone(), query, body, began };
            respond::respond(app, route, &asked).await
        }
        Err(why) => Err(why),
    };
    answered.unwrap_or_else(|why| problem(&why))
}

/// The whole body, within limits.
async fn received(body: Incoming) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {BODY} bytes"));
    // What is announced as too large is not waited for.
    if body.size_hint().lower() > BODY as u64 {
        return Err(too_large());
    }
    match timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(why)) if why.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad("the body was cut off")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

fn finish(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// To the metrics, and to who wants to hear of every call.
fn told(app: &App, parts: &Parts, name: &'static str, answer: &Answer, took: Duration) {
    let status = answer.status().as_u16();
    let cache = answer.headers().get("x-cache").map_or("", |cache| Cache::label(cache.as_bytes()));
    app.metrics.request(name, status, cache);
    if app.tells_calls {
        let path: String = parts.uri.path().chars().take(200).collect();
        let ms = took.as_secs_f64() * 1000.0;
        app.keeper.tell.call(format!(
            "{} {} → {status} {cache} {ms:.1} ms",
            parts.method,
            sanitised(&path)
        ));
    }
}

/// The answer of a request that failed by our own mistake.
pub(super) fn broken() -> Answer {
    let mut answer = problem(&Problem::broken());
    finish(answer.headers_mut());
    answer
}
