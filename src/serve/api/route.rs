//! What a method and a target mean. Pure.

use std::sync::Arc;

use crate::model::selection::glob::Pattern;

use super::parameters::{self, LONGEST, NodeQuery, PAGE, only};
use super::problem::Problem;

/// Every path and its methods; HEAD goes with GET, OPTIONS with all.
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
    /// The nodes in the envelope.
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
    /// As the metrics name it: the entry of [`ROUTES`].
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
pub(crate) enum Refused {
    NotFound,
    /// The methods that there are.
    Method(String),
    /// Somebody only asks for them.
    Options(String),
    Problem(Problem),
}

pub(crate) fn route(method: &str, path: &str, query: &str) -> Result<Route, Refused> {
    let (template, inner) = template(path).ok_or(Refused::NotFound)?;
    let methods =
        ROUTES.iter().find(|(path, _)| *path == template).map_or(&[][..], |found| found.1);
    if method == "OPTIONS" {
        return Err(Refused::Options(allowed(methods)));
    }
    let as_get = if method == "HEAD" { "GET" } else { method };
    if !methods.contains(&as_get) {
        return Err(Refused::Method(allowed(methods)));
    }
    match template {
        "/api/discover/clients" | "/api/clients" => {}
        "/" => only(query, &PAGE).map_err(Refused::Problem)?,
        _ => only(query, &[]).map_err(Refused::Problem)?,
    }
    let choice =
        |fetches| parameters::choice(query, fetches).map(Arc::new).map_err(Refused::Problem);
    Ok(match (template, as_get) {
        ("/", _) => Route::Page,
        ("/favicon.ico", _) => Route::Asset("icon.svg".to_owned()),
        ("/assets/{file}", _) => Route::Asset(inner?),
        ("/login", "POST") => Route::SignIn,
        ("/login", _) => Route::Login,
        ("/api/discover/clients", _) => Route::Discover(choice(true)?),
        ("/api/clients", _) => Route::Clients(choice(false)?),
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

/// The entry of [`ROUTES`], and what stands in place of its braces.
fn template(path: &str) -> Option<(&'static str, Result<String, Refused>)> {
    let exact = ROUTES.iter().find(|(template, _)| *template == path);
    if let Some((template, _)) = exact {
        return Some((template, Err(Refused::NotFound)));
    }
    ROUTES.iter().find_map(|(template, _)| {
        let (before, _) = template.split_once('{')?;
        let inner =
            path.strip_prefix(before).filter(|inner| !inner.is_empty() && !inner.contains('/'))?;
        Some((*template, decoded(inner)))
    })
}

fn decoded(text: &str) -> Result<String, Refused> {
    if text.len() > LONGEST {
        return Err(Refused::NotFound);
    }
    let bad = |why: &str| Refused::Problem(Problem::bad(why));
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| bad("the path is not UTF-8"))?;
    Pattern::parse(&decoded).map_err(|why| bad(&why))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{PAGE, ROUTES, Refused, Route, route};

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
            assert_eq!(to("GET", path), Err(Refused::NotFound), "{path}");
        }
        let method = |allow: &str| Err(Refused::Method(allow.to_owned()));
        assert_eq!(to("GET", "/api/cache/clear"), method("POST, OPTIONS"));
        assert_eq!(to("DELETE", "/api/clients"), method("GET, HEAD, OPTIONS"));
        let options = Err(Refused::Options("GET, POST, HEAD, OPTIONS".to_owned()));
        assert_eq!(to("OPTIONS", "/api/discover/clients"), options);
        assert!(matches!(to("GET", "/api/clients/%ff"), Err(Refused::Problem(_))));
        let long = format!("/api/clients/{}", "*".repeat(257));
        assert!(matches!(to("GET", &long), Err(Refused::Problem(_))));
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
                    let Err(Refused::Problem(problem)) = route(method, &path, query) else {
                        panic!("{method} {path}?{query} is answered");
                    };
                    assert_eq!(problem.status.as_u16(), 400, "{method} {path}?{query}");
                }
            }
        }
        let why = |path: &str, query: &str| match route("GET", path, query) {
            Err(Refused::Problem(problem)) => {
                let json: serde_json::Value = serde_json::from_slice(&problem.json()).unwrap();
                json["error"].as_str().unwrap().to_owned()
            }
            other => format!("{other:?}"),
        };
        let none = "unknown parameter \"refresh\"; this path has none";
        assert_eq!(why("/api/cache/stats", "refresh=true"), none);
        let near = "unknown parameter \"stauts\"; the nearest are status, ";
        assert!(why("/", "stauts=ready").starts_with(near), "{}", why("/", "stauts=ready"));
        let page = PAGE.map(|name| format!("{name}=x")).join("&");
        assert_eq!(route("GET", "/", &page), Ok(Route::Page));
    }
}
