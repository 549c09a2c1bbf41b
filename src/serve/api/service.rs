//! One request: access control, routing, the response, and its record in metrics and log.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use crate::clock;
use crate::model::text::sanitised;
use crate::serve::http::request::{RequestContext, UnreadBody};
use crate::serve::http::response::{HttpResponse, redirect};
use crate::serve::http::server::{Handler, RequestConnection};

use super::App;
use super::nodes::CacheStatus;
use super::respond;
use super::route::route;

impl Handler for App {
    async fn handle(
        self: &Arc<Self>,
        request: Request<Incoming>,
        connection: &RequestConnection<'_>,
    ) -> HttpResponse {
        let began = clock::now();
        let (parts, body) = request.into_parts();
        let request = RequestContext { parts, began };
        let mut body = UnreadBody::new(body, connection);
        let RequestContext { parts, .. } = &request;
        let path = self.base.below(parts.uri.path());
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        let (response, name) = match (self.guard.check(parts, path, connection.local), path) {
            (Err(problem), _) => (problem.response(), "refused"),
            (Ok(()), None) => (respond::outside(&self.base), "none"),
            // The addresses in the page are relative to the base path with its slash.
            (Ok(()), Some("")) if reads => {
                let to = self.base.with_slash(request.query());
                let text = format!("see {to}\n");
                (redirect(StatusCode::TEMPORARY_REDIRECT, &to, text), "none")
            }
            (Ok(()), Some(path)) => match route(parts.method.as_str(), path, request.query()) {
                Err(error) => (respond::route_error(error), "none"),
                Ok(route) => {
                    let response = respond::respond(self, &route, &request, &mut body).await;
                    (response.unwrap_or_else(|problem| problem.response()), route.name())
                }
            },
        };
        self.record(&request, name, &response);
        response
    }
}

impl App {
    fn record(&self, request: &RequestContext, route: &'static str, response: &HttpResponse) {
        let status = response.status().as_u16();
        let cache = CacheStatus::of(response).map_or("", CacheStatus::label);
        self.live.metrics.request(route, status, cache);
        if self.log_requests {
            let path: String = request.parts.uri.path().chars().take(200).collect();
            let (method, path) = (&request.parts.method, sanitised(&path));
            let ms = request.took().as_secs_f64() * 1000.0;
            let notifier = &self.live.cache.backend.notifier;
            notifier.call(format!("{method} {path} → {status} {cache} {ms:.1} ms"));
        }
    }
}
