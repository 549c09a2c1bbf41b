//! `/metrics`: what is known at this moment, without a request to Nomad.

use std::slice::from_ref;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue, VARY};

use crate::clock;
use crate::discovery::Want;
use crate::serve::http::body::gzip;
use crate::serve::http::negotiate::takes_gzip;
use crate::serve::http::problem::Problem;
use crate::serve::http::response::{HttpResponse, response};
use crate::serve::live::publication_cache::CurrentPublication;
use crate::serve::metrics::exposition::Exposition;
use crate::serve::metrics::{MetricValues, node_counts};

use super::App;

pub(crate) async fn metrics(app: &Arc<App>, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
    let format = Exposition::negotiated(headers).ok_or_else(|| {
        let what = "metrics are only available as text/plain or application/openmetrics-text";
        Problem::new(StatusCode::NOT_ACCEPTABLE, what)
    })?;
    let zips = takes_gzip(headers);
    // The state of Redis is that of this look.
    let current = app.live.requests.look(Want::Records).await;
    let own = Arc::clone(app);
    let body = app.workers.lookups.run(move || {
        let text = own.live.metrics.text(values(&own, current.as_ref()));
        let text = Bytes::from(format.convert(text));
        let mut zipped = Vec::new();
        let is_zipped = zips && gzip(from_ref(&text), &mut zipped).is_ok();
        if is_zipped { (zipped.into(), true) } else { (text, false) }
    });
    let (body, is_zipped) = body.await?;
    let mut response = response(StatusCode::OK, format.content_type(), body);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if is_zipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn values(app: &App, current: Option<&CurrentPublication>) -> MetricValues {
    let cache = &app.live.cache;
    let contact = cache.contact.at(clock::now());
    let nodes = current.and_then(|current| current.publication.nodes().ok());
    MetricValues {
        age: current.map(|current| current.age),
        nodes: nodes.map(node_counts::count).unwrap_or_default(),
        // An old answer is still the last that is known.
        nomad_up: contact.up.or_else(|| contact.answered_ms.map(|_| true)),
        redis_up: cache.backend.stores.redis_works(),
        readers: cache.events.readers(),
        cache_errors: cache.backend.stores.failures(),
    }
}
