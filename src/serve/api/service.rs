//! One request: may it be asked, what is asked, and the answer with what every answer says.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Method, Request, StatusCode};
use tokio::time::timeout;

use crate::clock;
use crate::model::text::sanitised;

use super::nodes::CacheStatus;
use super::problem::Problem;
use super::respond::{self, BODY, HttpResponse, RequestContext, problem, took};
use super::route::{self, Route};
use crate::serve::App;
use crate::serve::http::server::RequestConnection;

/// For the body of a request, from its head on.
const PATIENCE: Duration = Duration::from_secs(3);

/// What every answer says to browsers.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// What a browser may do with what it shows or runs (S2). To data this says nothing.
const SHOWN: [(HeaderName, HeaderValue); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // With no-referrer a browser hides where the form of the login page comes from.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

pub(crate) async fn handle(
    app: &Arc<App>,
    request: Request<Incoming>,
    place: &RequestConnection<'_>,
) -> HttpResponse {
    let began = clock::now();
    let (parts, body) = request.into_parts();
    let mut asked = RequestContext { parts, body: Bytes::new(), began };
    let mut body = UnreadBody { body: Some(body), place };
    let path = app.base.below(asked.parts.uri.path());
    let (mut answer, name) = match app.guard.check(&asked.parts, path, place.local) {
        Err(why) => (problem(&why), "refused"),
        Ok(()) => match path {
            None => (respond::beside(&app.base), "none"),
            Some("") if reads(&asked) => (respond::moved(&app.base, asked.query()), "none"),
            Some(path) => match route::route(asked.parts.method.as_str(), path, asked.query()) {
                Err(refused) => (respond::refused(refused), "none"),
                Ok(route) => (routed(app, &route, &mut asked, &mut body).await, route.name()),
            },
        },
    };
    if asked.parts.method == Method::HEAD {
        let len = answer.body().len();
        *answer.body_mut() = crate::serve::http::body::BodyContent::of([]);
        if let Some(len) = len {
            answer.headers_mut().insert(CONTENT_LENGTH, len.into());
        }
    }
    finish(answer.headers_mut());
    told(app, &asked, name, &answer);
    answer
}

fn reads(asked: &RequestContext) -> bool {
    matches!(asked.parts.method, Method::GET | Method::HEAD)
}

async fn routed(
    app: &Arc<App>,
    route: &Route,
    asked: &mut RequestContext,
    body: &mut UnreadBody<'_>,
) -> HttpResponse {
    if !respond::is_public(route) && !app.guard.is_known(asked.headers()) {
        return respond::unknown(route);
    }
    // What is announced as too large is not waited for, wherever it is sent.
    if body.is_too_large() {
        body.body = None;
        return problem(&too_large());
    }
    if *route == Route::SignIn {
        match body.receive().await {
            Ok(body) => asked.body = body,
            Err(why) => return problem(&why),
        }
    }
    respond::respond(app, route, asked).await.unwrap_or_else(|why| problem(&why))
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {BODY} bytes"))
}

/// The body of a request, of which nothing was read yet.
struct UnreadBody<'a> {
    body: Option<Incoming>,
    place: &'a RequestConnection<'a>,
}

impl UnreadBody<'_> {
    fn is_too_large(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.size_hint().lower() > BODY as u64)
    }

    /// The whole body, within limits.
    async fn receive(&mut self) -> Result<Bytes, Problem> {
        let Some(body) = self.body.take() else { return Ok(Bytes::new()) };
        let collected = timeout(PATIENCE, Limited::new(body, BODY).collect());
        match self.place.received(collected).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(why)) if why.is::<http_body_util::LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Problem::bad("the body was cut off")),
            Err(_) => {
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))
            }
        }
    }
}

impl Drop for UnreadBody<'_> {
    /// A body that nobody needs is answered without, and read past within the same limits: to close
    /// the connection while it is still coming would reset it, and the answer could be lost.
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        let mut body = Limited::new(body, BODY);
        drop(tokio::spawn(timeout(PATIENCE, async move {
            while let Some(Ok(_)) = body.frame().await {}
        })));
    }
}

fn finish(headers: &mut HeaderMap) {
    let is_data = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    headers.extend(ALWAYS);
    if !is_data {
        headers.extend(SHOWN);
    }
}

/// To the metrics, and to who wants to hear of every call.
fn told(app: &App, asked: &RequestContext, name: &'static str, answer: &HttpResponse) {
    let status = answer.status().as_u16();
    let cache =
        answer.headers().get("x-cache").map_or("", |cache| CacheStatus::label(cache.as_bytes()));
    app.metrics.request(name, status, cache);
    if app.tells_calls {
        let path: String = asked.parts.uri.path().chars().take(200).collect();
        let (method, path) = (&asked.parts.method, sanitised(&path));
        let ms = took(asked).as_secs_f64() * 1000.0;
        app.keeper.tell.call(format!("{method} {path} → {status} {cache} {ms:.1} ms"));
    }
}

/// The answer of a request that failed by our own mistake.
pub(crate) fn broken() -> HttpResponse {
    let mut answer = problem(&Problem::broken());
    finish(answer.headers_mut());
    answer
}
