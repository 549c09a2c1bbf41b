//! A route becomes an answer: no sockets here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, SET_COOKIE, VARY, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use crate::clock;
use crate::discovery::Want;
use crate::model::json;
use crate::model::node::Full;
use crate::model::selection::node_arg::single;
use crate::render;
use crate::store::{ErrorKind, Sample};

use super::assets;
use super::nodes::{SelectedNodes, shown};
use super::problem::Problem;
use super::route::{Refused, Route};
use super::{nodes, ready};
use crate::serve::App;
use crate::serve::http::auth::COOKIE_NAME;
use crate::serve::http::base_path::BasePath;
use crate::serve::http::body::BodyContent;
use crate::serve::http::negotiate::accepts;
use crate::serve::live::published::CachedPublication;
use crate::serve::metrics::scrape::scrape;

pub(crate) type HttpResponse = Response<BodyContent>;

const PLAIN: &str = "text/plain; charset=utf-8";
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_NOMAD_CALLS: HeaderName = HeaderName::from_static("x-nomad-calls");
const X_MISSING_DETAILS: HeaderName = HeaderName::from_static("x-missing-details");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The largest body of a request.
pub(crate) const BODY: usize = 64 << 10;

/// A request, as far as an answer depends on it.
pub(crate) struct RequestContext {
    pub(crate) parts: Parts,
    /// Empty unless it is a POST.
    pub(crate) body: Bytes,
    pub(crate) began: Instant,
}

impl RequestContext {
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }
}

/// Answers what everybody may ask; who may not is asked for the token.
pub(crate) async fn respond(
    app: &Arc<App>,
    route: &Route,
    asked: &RequestContext,
) -> Result<HttpResponse, Problem> {
    if let Some(kind) = kind(route)
        && !accepts(asked.headers(), kind)
    {
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            format!("this can only be had as {kind}"),
        ));
    }
    match route {
        Route::Page => Ok(assets::page(asked.headers())),
        Route::Asset(name) => assets::asset(name, asked.headers()).ok_or_else(not_found),
        Route::Login => Ok(assets::login(StatusCode::OK, "")),
        Route::SignIn => Ok(sign_in(app, &asked.body)),
        Route::Discover(choice) => nodes::discover(app, choice, asked).await,
        Route::Clients(choice) => nodes::clients(app, choice, asked).await,
        Route::Client(node) => client(app, node, asked).await,
        Route::Clear => clear(app).await,
        Route::Stats => stats(app).await,
        Route::Events => events(app, asked.headers()).await,
        Route::Metrics => scrape(app, asked.headers()).await,
        Route::OpenApi => Ok(assets::openapi()),
        Route::Health => Ok(plain("ok\n")),
        Route::Ready => ready::ready(app, asked.headers()).await,
    }
}

/// The type of what a route answers, where there is a choice to be wrong about.
fn kind(route: &Route) -> Option<&'static str> {
    Some(match route {
        Route::Discover(_) | Route::Clients(_) | Route::Client(_) | Route::Clear | Route::Stats => {
            "application/json"
        }
        Route::OpenApi => "application/json",
        Route::Events => "text/event-stream",
        Route::Page | Route::Login => "text/html",
        _ => return None,
    })
}

/// Whether a route is answered without the token: what it shows is no secret.
pub(crate) fn is_public(route: &Route) -> bool {
    matches!(
        route,
        Route::Asset(_)
            | Route::Login
            | Route::SignIn
            | Route::Health
            | Route::Ready
            | Route::OpenApi
    )
}

/// To a browser that wants the page: where to sign in. To everybody else: what is missing.
pub(crate) fn unknown(route: &Route) -> HttpResponse {
    if *route == Route::Page {
        let mut answer = answer(StatusCode::SEE_OTHER, PLAIN, "sign in at login\n");
        // Relative: a reverse proxy may serve this below a path that it does not tell.
        answer.headers_mut().insert(LOCATION, HeaderValue::from_static("login"));
        return answer;
    }
    let why = Problem::new(StatusCode::UNAUTHORIZED, "this needs the access token");
    let mut answer = problem(
        &why.hinted("send it as Authorization: Bearer TOKEN, or sign in on the login page"),
    );
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path")
        .hinted("GET openapi.json lists all paths")
}

/// What is said of a path that is not below the base path.
pub(crate) fn beside(base: &BasePath) -> HttpResponse {
    let why = Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path");
    problem(&why.hinted(format!("everything is below {}/: --base-path is set", base.as_str())))
}

/// From the base path without its slash to the page, whose addresses are relative.
pub(crate) fn moved(base: &BasePath, query: &str) -> HttpResponse {
    let to = base.with_slash(query);
    let mut answer = answer(StatusCode::TEMPORARY_REDIRECT, PLAIN, format!("see {to}\n"));
    if let Ok(to) = HeaderValue::from_str(&to) {
        answer.headers_mut().insert(LOCATION, to);
    }
    answer
}

/// What is said where no route leads.
pub(crate) fn refused(refused: Refused) -> HttpResponse {
    let (mut answer, allow) = match refused {
        Refused::NotFound => return problem(&not_found()),
        Refused::Problem(why) => return problem(&why),
        Refused::Method(allow) => {
            let what = format!("this path takes {allow}");
            (problem(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, what)), allow)
        }
        Refused::Options(allow) => {
            let mut answer = Response::new(BodyContent::of([]));
            *answer.status_mut() = StatusCode::NO_CONTENT;
            (answer, allow)
        }
    };
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        answer.headers_mut().insert(ALLOW, allow);
    }
    answer
}

pub(crate) fn problem(problem: &Problem) -> HttpResponse {
    let mut answer = answer(problem.status, "application/problem+json", problem.json());
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

pub(crate) fn answer(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> HttpResponse {
    let mut answer = Response::new(BodyContent::of([body.into()]));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

pub(crate) fn json_answer(body: Vec<u8>) -> HttpResponse {
    answer(StatusCode::OK, "application/json", body)
}

fn plain(text: &'static str) -> HttpResponse {
    answer(StatusCode::OK, PLAIN, text)
}

/// The form of the login page: `token=…`.
fn sign_in(app: &App, body: &[u8]) -> HttpResponse {
    let typed = form_urlencoded::parse(body).find(|(name, _)| name == "token");
    let session = typed.and_then(|(_, token)| app.guard.session(token.trim()));
    let Some(session) = session else {
        return assets::login(StatusCode::UNAUTHORIZED, "That is not the access token.");
    };
    let mut answer = answer(StatusCode::SEE_OTHER, PLAIN, "signed in\n");
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("./"));
    // Without a Path it is sent to all that is beside the login page, below whatever path a proxy
    // serves this, and to nothing else on that host.
    let path = match app.base.as_str() {
        "" => String::new(),
        base => format!(" Path={base};"),
    };
    let cookie =
        format!("{COOKIE_NAME}={session};{path} Max-Age=2592000; HttpOnly; SameSite=Strict");
    headers.insert(SET_COOKIE, HeaderValue::from_str(&cookie).expect("hexadecimal digits"));
    answer
}

/// The bytes of `show NODE --json`.
async fn client(
    app: &Arc<App>,
    node: &str,
    asked: &RequestContext,
) -> Result<HttpResponse, Problem> {
    let shown = shown(app, None, Want::Full, asked).await?;
    let (held, node) = (Arc::clone(&shown.held), node.to_owned());
    let body = app.makers.lookups.run(move || full(&held, &node)).await??;
    Ok(shown.answer(BodyContent::of([body]), HeaderMap::new()))
}

fn full(held: &CachedPublication, node: &str) -> Result<Bytes, Problem> {
    let nodes: Vec<&Full> = held.nodes()?.iter().map(|node| &**node).collect();
    let id = &nodes[single(&nodes, node)?].record.id;
    let json = held.full(id).ok_or_else(Problem::broken)?;
    Ok([json, b"\n"].concat().into())
}

async fn clear(app: &Arc<App>) -> Result<HttpResponse, Problem> {
    let cleared = app.desk.clear().await?;
    for place in &cleared.places {
        if let Err(error) = &place.outcome {
            let denied = matches!(error.kind(), ErrorKind::Credentials | ErrorKind::Forbidden);
            let status =
                if denied { StatusCode::FORBIDDEN } else { StatusCode::SERVICE_UNAVAILABLE };
            let what = format!("cache NOT cleared in {}: {error}", place.place);
            return Err(Problem::new(status, what)
                .hinted("old data may be served until it expires; try again"));
        }
    }
    let places: Vec<&str> = cleared.places.iter().map(|place| place.place.as_str()).collect();
    let body = [b"{\"success\":true,\"cleared\":", &json::bytes(&places)[..], b"}\n"].concat();
    Ok(json_answer(body))
}

async fn stats(app: &Arc<App>) -> Result<HttpResponse, Problem> {
    let stats = app.desk.stats().await?.map_err(|error| {
        let what = format!("cannot read the cache: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, what)
    })?;
    let object = render::stats_json(&stats, &app.cluster);
    Ok(json_answer([b"{\"success\":true,", &object[1..], b"\n"].concat()))
}

async fn events(app: &App, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
    // So that the first words name what is cached now.
    app.desk.look(Want::Records).await;
    let last = headers.get("last-event-id").map(|last| last.to_str().unwrap_or_default());
    let full = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many read the events");
    let stream = app.keeper.hub.join(last).ok_or_else(full)?;
    app.joined();
    let mut answer = answer(StatusCode::OK, "text/event-stream", "");
    *answer.body_mut() = BodyContent::Stream(stream);
    // A proxy that collects what it passes on would hold the events back.
    let name = HeaderName::from_static("x-accel-buffering");
    answer.headers_mut().insert(name, HeaderValue::from_static("no"));
    Ok(answer)
}

impl SelectedNodes {
    /// The answer with these nodes; counted, as a run of the command line would be.
    pub(crate) fn answer(&self, content: BodyContent, more: HeaderMap) -> HttpResponse {
        let mut answer = Response::new(content);
        // All of them at once: a map that grows is made anew each time.
        *answer.headers_mut() = HeaderMap::with_capacity(16);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(hyper::header::AGE, self.age.as_secs().into());
        headers.insert(X_CACHE, HeaderValue::from_static(self.cache.name()));
        headers.insert(X_NOMAD_CALLS, self.nomad_calls.into());
        if !self.missing().is_empty() {
            headers.insert(X_MISSING_DETAILS, self.missing().len().into());
        }
        let timing = format!("{};dur={:.1}", self.cache.timing(), millis(self.took));
        headers.insert(SERVER_TIMING, HeaderValue::from_str(&timing).expect("digits"));
        headers.extend(more);
        answer
    }

    /// In the statistics of the cache, and in the metrics.
    pub(crate) fn count(&self, app: &App) {
        app.keeper.count(&Sample::of(self.cache.is_hit(), self.took, self.nomad_calls));
        app.metrics.answered(self.cache.is_hit(), self.took);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// `ETag`, unless the nodes are not those of a publication.
pub(crate) fn tag(tag: Option<&str>, gzip: bool) -> HeaderMap {
    let value = tag.map(|tag| crate::serve::http::negotiate::tagged(tag, gzip));
    let value = value.and_then(|value| HeaderValue::from_str(&value).ok());
    value.map(|value| (ETAG, value)).into_iter().collect()
}

/// Since the request came.
pub(crate) fn took(asked: &RequestContext) -> Duration {
    clock::now().saturating_duration_since(asked.began)
}
