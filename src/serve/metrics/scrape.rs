//! The answer of `/metrics`: what is known at this moment, without a question to Nomad.

use std::slice::from_ref;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue, VARY};

use crate::clock;
use crate::discovery::Want;

use super::MetricValues;
use super::exposition::Exposition;
use super::node_counts;
use crate::serve::App;
use crate::serve::api::problem::Problem;
use crate::serve::api::respond::{HttpResponse, answer};
use crate::serve::http::body::gzip;
use crate::serve::http::negotiate::takes_gzip;
use crate::serve::live::publication_cache::LookResult;

pub(crate) async fn scrape(app: &Arc<App>, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
    let unwelcome = || {
        let what = "this can only be had as text/plain or application/openmetrics-text";
        Problem::new(StatusCode::NOT_ACCEPTABLE, what)
    };
    let format = Exposition::asked(headers).ok_or_else(unwelcome)?;
    let zips = takes_gzip(headers);
    // What is told of Redis is as old as this look.
    let seen = app.desk.look(Want::Records).await;
    let own = Arc::clone(app);
    let body = app.makers.lookups.run(move || {
        let text = Bytes::from(format.of(own.metrics.text(&moment(&own, &seen))));
        let mut zipped = Vec::new();
        let is_zipped = zips && gzip(from_ref(&text), &mut zipped).is_ok();
        if is_zipped { (zipped.into(), true) } else { (text, false) }
    });
    let (body, is_zipped) = body.await?;
    let mut answer = answer(StatusCode::OK, format.content_type(), body);
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if is_zipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(answer)
}

fn moment(app: &App, seen: &LookResult) -> MetricValues {
    let contact = app.keeper.contact.at(clock::now());
    let nodes = seen.held().and_then(|held| held.nodes().ok());
    MetricValues {
        age: seen.age(),
        nodes: nodes.map(node_counts::count).unwrap_or_default(),
        // An answer long ago is the last that is known.
        nomad_up: contact.up.or_else(|| contact.answered_ms.map(|_| true)),
        redis_up: app.keeper.stores.redis_works(),
        readers: app.keeper.hub.readers(),
        cache_errors: app.keeper.stores.failures(),
    }
}
