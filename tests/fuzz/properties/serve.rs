//! What holds of a request's target, whatever the bytes. Tests and fuzzers ask it.

use hyper::Uri;

use crate::model::properties::sample;
use crate::model::work_limit::WorkLimit;

use super::api::route::{ROUTES, Route, RouteError, route};
use super::http::problem::Problem;

/// As the server sees it: what HTTP takes for a target, by every method.
pub fn target(bytes: &[u8]) {
    let Ok(uri) = Uri::try_from(bytes) else { return };
    for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE"] {
        match route(method, uri.path(), uri.query().unwrap_or_default()) {
            Ok(route) => assert_answerable(&route),
            Err(RouteError::NotFound) => {}
            Err(RouteError::Method(allowed) | RouteError::Options(allowed)) => {
                assert!(allowed.ends_with("OPTIONS"), "{allowed:?}");
            }
            Err(RouteError::Bad(problem)) => assert_told(&problem),
        }
    }
}

fn assert_answerable(route: &Route) {
    assert!(ROUTES.iter().any(|(path, _)| *path == route.name()));
    let (Route::Discover(query) | Route::Clients(query)) = route else { return };
    let nodes = sample();
    let count = query
        .selection
        .select(nodes.iter().collect(), &WorkLimit::of_request())
        .map_or(0, |them| them.len());
    assert!(count <= nodes.len());
    if query.is_everything() {
        assert_eq!(count, nodes.len(), "the bytes of the cache are everything");
    }
    query.want();
}

fn assert_told(problem: &Problem) {
    assert_eq!(problem.status.as_u16(), 400);
    let json = String::from_utf8(problem.json()).expect("JSON is UTF-8");
    assert!(!json.chars().any(char::is_control), "{json:?}");
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
}
