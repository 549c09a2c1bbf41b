//! The response of each route.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{ALLOW, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::discovery::Want;
use crate::model::json;
use crate::model::node::{Full, NodeId};
use crate::model::selection::node_arg::single;
use crate::render;
use crate::serve::http::auth::COOKIE_NAME;
use crate::serve::http::base_path::BasePath;
use crate::serve::http::body::BodyContent;
use crate::serve::http::negotiate::accepts;
use crate::serve::http::problem::Problem;
use crate::serve::http::request::{RequestContext, UnreadBody};
use crate::serve::http::response::{HttpResponse, JSON, PLAIN, redirect, response};
use crate::serve::live::published::CachedPublication;
use crate::store::ErrorKind;

use super::nodes::{SelectedNodes, select};
use super::route::{Route, RouteError};
use super::{App, assets, lists, metrics, ready};

pub(crate) async fn respond(
    app: &Arc<App>,
    route: &Route,
    request: &RequestContext,
    body: &mut UnreadBody<'_>,
) -> Result<HttpResponse, Problem> {
    let headers = request.headers();
    if !is_public(route) && !app.guard.is_authorized(headers) {
        return Ok(unauthorized(route));
    }
    body.check()?;
    if let Some(kind) = content_type(route)
        && !accepts(headers, kind)
    {
        let what = format!("the response is only available as {kind}");
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, what));
    }
    match route {
        Route::Page => Ok(assets::page(headers)),
        Route::Asset(name) => assets::asset(name, headers).ok_or_else(not_found),
        Route::Login => Ok(assets::login(StatusCode::OK, "")),
        Route::SignIn => Ok(sign_in(app, &body.receive().await?)),
        Route::Discover(query) => lists::discover(app, query, request).await,
        Route::Clients(query) => lists::clients(app, query, request).await,
        Route::Client(node) => client(app, node, request).await,
        Route::Clear => clear(app).await,
        Route::Stats => stats(app).await,
        Route::Events => events(app, headers).await,
        Route::Metrics => metrics::metrics(app, headers).await,
        Route::OpenApi => Ok(assets::openapi()),
        Route::Health => Ok(response(StatusCode::OK, PLAIN, "ok\n")),
        Route::Ready => ready::ready(app, headers).await,
    }
}

/// The type that a client must accept; `None` if the route does not care, or has more than one.
fn content_type(route: &Route) -> Option<&'static str> {
    Some(match route {
        Route::Discover(_)
        | Route::Clients(_)
        | Route::Client(_)
        | Route::Clear
        | Route::Stats
        | Route::OpenApi => JSON,
        Route::Events => "text/event-stream",
        Route::Page | Route::Login => "text/html",
        _ => return None,
    })
}

/// Whether a route needs no token: its response contains no secret.
fn is_public(route: &Route) -> bool {
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

/// The page leads to the login page.
fn unauthorized(route: &Route) -> HttpResponse {
    if *route == Route::Page {
        return redirect(StatusCode::SEE_OTHER, "login", "sign in at login\n".to_owned());
    }
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "the access token is required")
        .hinted("send it as Authorization: Bearer TOKEN, or sign in on the login page")
        .response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path")
        .hinted("GET openapi.json lists all paths")
}

/// For a path that is not below the base path.
pub(crate) fn outside(base: &BasePath) -> HttpResponse {
    let hint = format!("all paths are below {}/: --base-path is set", base.as_str());
    not_found().hinted(hint).response()
}

pub(crate) fn route_error(error: RouteError) -> HttpResponse {
    let (mut response, allow) = match error {
        RouteError::NotFound => return not_found().response(),
        RouteError::Bad(problem) => return problem.response(),
        RouteError::Method(allow) => {
            let what = format!("this path accepts {allow}");
            (Problem::new(StatusCode::METHOD_NOT_ALLOWED, what).response(), allow)
        }
        RouteError::Options(allow) => {
            let mut response = Response::new(BodyContent::of([]));
            *response.status_mut() = StatusCode::NO_CONTENT;
            (response, allow)
        }
    };
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// `body` is the form of the login page: `token=…`.
fn sign_in(app: &App, body: &[u8]) -> HttpResponse {
    let typed = form_urlencoded::parse(body).find(|(name, _)| name == "token");
    let Some(session) = typed.and_then(|(_, token)| app.guard.session(token.trim())) else {
        return assets::login(StatusCode::UNAUTHORIZED, "That is not the access token.");
    };
    // Without a Path the browser sends it to all paths beside the login page, below whatever path a
    // proxy serves this, and to nothing else on that host.
    let path = match app.base.as_str() {
        "" => String::new(),
        base => format!(" Path={base};"),
    };
    let cookie =
        format!("{COOKIE_NAME}={session};{path} Max-Age=2592000; HttpOnly; SameSite=Strict");
    let cookie = HeaderValue::from_str(&cookie).expect("hexadecimal digits");
    let mut response = redirect(StatusCode::SEE_OTHER, "./", "signed in\n".to_owned());
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// The bytes of `show NODE --json`.
async fn client(
    app: &Arc<App>,
    node: &str,
    request: &RequestContext,
) -> Result<HttpResponse, Problem> {
    if let Some(current) = app.live.requests.look(Want::Records).await
        && let Some(body) = alone(app, &current.publication, node).await.transpose()
    {
        let nodes = SelectedNodes::of_hit(current).counted(app, request);
        return Ok(nodes.tagged_response(BodyContent::of([body?]), None, false));
    }
    let nodes = select(app, None, Want::Full, request).await?;
    let (publication, node) = (Arc::clone(&nodes.publication), node.to_owned());
    let full = move || -> Result<Bytes, Problem> {
        let (id, _) = find(&publication, &node)?;
        Ok(line(publication.full(&id)?))
    };
    let body = app.workers.lookups.run(full).await??;
    Ok(nodes.tagged_response(BodyContent::of([body]), None, false))
}

/// The node, without reading all full records; `None` if that is not possible.
async fn alone(
    app: &App,
    publication: &Arc<CachedPublication>,
    node: &str,
) -> Result<Option<Bytes>, Problem> {
    let (of, node) = (Arc::clone(publication), node.to_owned());
    let (id, record) = app.workers.lookups.run(move || find(&of, &node)).await??;
    if publication.serves(Want::Full) {
        return Ok(Some(line(publication.full(&id)?)));
    }
    let full = app.live.requests.full(record).await?;
    Ok(full.map(|full| line(&full)))
}

/// The ID and the record of the node.
fn find(publication: &CachedPublication, node: &str) -> Result<(NodeId, Bytes), Problem> {
    let nodes: Vec<&Full> = publication.nodes()?.iter().map(|node| &**node).collect();
    let at = single(&nodes, node)?;
    Ok((nodes[at].record.id.clone(), publication.record(at)?))
}

fn line(json: &[u8]) -> Bytes {
    [json, b"\n"].concat().into()
}

async fn clear(app: &App) -> Result<HttpResponse, Problem> {
    let cleared = app.live.requests.clear().await?;
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
    Ok(response(StatusCode::OK, JSON, body))
}

async fn stats(app: &App) -> Result<HttpResponse, Problem> {
    let stats = app.live.requests.stats().await?;
    let stats =
        stats.map_err(|error| Problem::unavailable(format!("cannot read the cache: {error}")))?;
    let object = render::stats_json(&stats, &app.live.cache.backend.cluster);
    let body = [b"{\"success\":true,", &object[1..], b"\n"].concat();
    Ok(response(StatusCode::OK, JSON, body))
}

async fn events(app: &App, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
    // So that the first event names what is cached now.
    app.live.requests.look(Want::Records).await;
    let last = headers.get("last-event-id").map(|last| last.to_str().unwrap_or_default());
    let reader = app.live.cache.events.join(last);
    let mut reader = reader.ok_or_else(|| Problem::unavailable("too many readers of events"))?;
    let mut response = response(StatusCode::OK, "text/event-stream", "");
    *response.body_mut() = BodyContent::Stream(Box::new(move |context| reader.poll_next(context)));
    // A proxy that buffers responses would hold the events back.
    let name = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(name, HeaderValue::from_static("no"));
    Ok(response)
}
