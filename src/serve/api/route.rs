//! Routing: from a method, a path and a query to a route.

use std::sync::Arc;

use crate::model::selection::glob::Pattern;
use crate::serve::http::problem::Problem;

use super::parameters::{self, MAX_PARAMETER_BYTES, NodeQuery, PAGE, only};

/// Every path and its methods; GET includes HEAD, and OPTIONS is always allowed.
pub(crate) const ROUTES: [(&str, &[&str]); 14] = [
    ("/", &["GET"]),
    ("/assets/{file}", &["GET"]),
    ("/login", &["GET", "POST"]),
    ("/api/discover/clients", &["GET", "POST"]),
    ("/api/clients", &["GET"]),
    ("/api/clients/{node}", &["GET"]),
    ("/api/cache/clear", &["POST"]),
    ("/api/cache/stats", &["GET"]),
    ("/api/events", &["GET"]),
    ("/metrics", &["GET"]),
    ("/openapi.json", &["GET"]),
    ("/healthz", &["GET"]),
    ("/readyz", &["GET"]),
    ("/favicon.ico", &["GET"]),
];

#[derive(Debug, PartialEq)]
pub(crate) enum Route {
    Page,
    Asset(String),
    Login,
    SignIn,
    /// The nodes in an envelope.
    Discover(Arc<NodeQuery>),
    /// The nodes as `list --json` prints them.
    Clients(Arc<NodeQuery>),
    Client(String),
    Clear,
    Stats,
    Events,
    Metrics,
    OpenApi,
    Health,
    Ready,
}

impl Route {
    /// The path of [`ROUTES`], for the metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Page => "/",
            Self::Asset(_) => "/assets/{file}",
            Self::Login | Self::SignIn => "/login",
            Self::Discover(_) => "/api/discover/clients",
            Self::Clients(_) => "/api/clients",
            Self::Client(_) => "/api/clients/{node}",
            Self::Clear => "/api/cache/clear",
            Self::Stats => "/api/cache/stats",
            Self::Events => "/api/events",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
        }
    }
}

/// Why there is no route.
#[derive(Debug, PartialEq)]
pub(crate) enum RouteError {
    NotFound,
    /// Another method is allowed: the value of `Allow`.
    Method(String),
    /// The request only asks for the value of `Allow`.
    Options(String),
    Bad(Problem),
}

pub(crate) fn route(method: &str, path: &str, query: &str) -> Result<Route, RouteError> {
    let (template, inner) = template(path).ok_or(RouteError::NotFound)?;
    let methods =
        ROUTES.iter().find(|(path, _)| *path == template).map_or(&[][..], |found| found.1);
    if method == "OPTIONS" {
        return Err(RouteError::Options(allowed(methods)));
    }
    let as_get = if method == "HEAD" { "GET" } else { method };
    if !methods.contains(&as_get) {
        return Err(RouteError::Method(allowed(methods)));
    }
    match template {
        "/api/discover/clients" | "/api/clients" => {}
        "/" => only(query, &PAGE).map_err(RouteError::Bad)?,
        _ => only(query, &[]).map_err(RouteError::Bad)?,
    }
    let nodes =
        |fetches| parameters::node_query(query, fetches).map(Arc::new).map_err(RouteError::Bad);
    Ok(match (template, as_get) {
        ("/", _) => Route::Page,
        ("/favicon.ico", _) => Route::Asset("icon.svg".to_owned()),
        ("/assets/{file}", _) => Route::Asset(inner?),
        ("/login", "POST") => Route::SignIn,
        ("/login", _) => Route::Login,
        ("/api/discover/clients", _) => Route::Discover(nodes(true)?),
        ("/api/clients", _) => Route::Clients(nodes(false)?),
        ("/api/clients/{node}", _) => Route::Client(inner?),
        ("/api/cache/clear", _) => Route::Clear,
        ("/api/cache/stats", _) => Route::Stats,
        ("/api/events", _) => Route::Events,
        ("/metrics", _) => Route::Metrics,
        ("/openapi.json", _) => Route::OpenApi,
        ("/healthz", _) => Route::Health,
        _ => Route::Ready,
    })
}

fn allowed(methods: &[&str]) -> String {
    let mut allowed: Vec<&str> = methods.to_vec();
    if methods.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    allowed.join(", ")
}

/// The path of [`ROUTES`], and the text in place of its braces.
fn template(path: &str) -> Option<(&'static str, Result<String, RouteError>)> {
    let exact = ROUTES.iter().find(|(template, _)| *template == path);
    if let Some((template, _)) = exact {
        return Some((template, Err(RouteError::NotFound)));
    }
    ROUTES.iter().find_map(|(template, _)| {
        let (before, _) = template.split_once('{')?;
        let inner =
            path.strip_prefix(before).filter(|inner| !inner.is_empty() && !inner.contains('/'))?;
        Some((*template, decoded(inner)))
    })
}

fn decoded(text: &str) -> Result<String, RouteError> {
    if text.len() > MAX_PARAMETER_BYTES {
        return Err(RouteError::NotFound);
    }
    let bad = |why: &str| RouteError::Bad(Problem::bad_request(why));
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| bad("the path is not UTF-8"))?;
    Pattern::parse(&decoded).map_err(|why| bad(&why))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{PAGE, ROUTES, Route, RouteError, route};

    #[test]
    fn methods_and_paths() {
        let to = |method: &str, path: &str| route(method, path, "");
        assert_eq!(to("GET", "/"), Ok(Route::Page));
        assert_eq!(to("HEAD", "/api/cache/stats"), Ok(Route::Stats));
        assert_eq!(to("POST", "/api/cache/clear"), Ok(Route::Clear));
        assert_eq!(to("GET", "/api/clients/web%2D1%20x"), Ok(Route::Client("web-1 x".to_owned())));
        assert_eq!(to("GET", "/assets/app.js"), Ok(Route::Asset("app.js".to_owned())));
        for path in
            ["/api", "/api/clients/", "/api/clients/a/b", "/assets/", "//", "", "/index.html"]
        {
            assert_eq!(to("GET", path), Err(RouteError::NotFound), "{path}");
        }
        let method = |allow: &str| Err(RouteError::Method(allow.to_owned()));
        assert_eq!(to("GET", "/api/cache/clear"), method("POST, OPTIONS"));
        assert_eq!(to("DELETE", "/api/clients"), method("GET, HEAD, OPTIONS"));
        let options = Err(RouteError::Options("GET, POST, HEAD, OPTIONS".to_owned()));
        assert_eq!(to("OPTIONS", "/api/discover/clients"), options);
        assert!(matches!(to("GET", "/api/clients/%ff"), Err(RouteError::Bad(_))));
        let long = format!("/api/clients/{}", "*".repeat(257));
        assert!(matches!(to("GET", &long), Err(RouteError::Bad(_))));
    }

    #[test]
    fn no_route_takes_a_parameter_that_it_does_not_know() {
        for (path, methods) in ROUTES {
            let path = path.replace("{file}", "app.js").replace("{node}", "web-1");
            for method in methods.iter().copied().chain(["HEAD"]) {
                if method == "HEAD" && !methods.contains(&"GET") {
                    continue;
                }
                assert!(route(method, &path, "").is_ok(), "{method} {path}");
                for query in ["nope", "nope=1", "&&nope=1", "=", "%6eope=1"] {
                    let Err(RouteError::Bad(problem)) = route(method, &path, query) else {
                        panic!("{method} {path}?{query} is answered");
                    };
                    assert_eq!(problem.status.as_u16(), 400, "{method} {path}?{query}");
                }
            }
        }
        let why = |path: &str, query: &str| match route("GET", path, query) {
            Err(RouteError::Bad(problem)) => {
                let json: serde_json::Value = serde_json::from_slice(&problem.json()).unwrap();
                json["error"].as_str().unwrap().to_owned()
            }
            other => format!("{other:?}"),
        };
        let none = "unknown parameter \"refresh\"; this path has no parameters";
        assert_eq!(why("/api/cache/stats", "refresh=true"), none);
        let near = "unknown parameter \"stauts\"; did you mean \"status\"?";
        assert!(why("/", "stauts=ready").starts_with(near), "{}", why("/", "stauts=ready"));
        let page = PAGE.map(|name| format!("{name}=x")).join("&");
        assert_eq!(route("GET", "/", &page), Ok(Route::Page));
    }
}
