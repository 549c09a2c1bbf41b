//! The nodes of a response: from memory if the store confirms them, else from a fetch.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    VARY,
};
use hyper::{Response, StatusCode};

use crate::discovery::{How, Source, Tally, Want};
use crate::model::node::NodeId;
use crate::serve::http::body::BodyContent;
use crate::serve::http::negotiate::{has, tagged};
use crate::serve::http::problem::Problem;
use crate::serve::http::request::RequestContext;
use crate::serve::http::response::{HttpResponse, JSON};
use crate::serve::live::publication_cache::Fetched;
use crate::serve::live::published::CachedPublication;
use crate::store::{Sample, meta};

use super::App;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_NOMAD_CALLS: HeaderName = HeaderName::from_static("x-nomad-calls");
const X_MISSING_DETAILS: HeaderName = HeaderName::from_static("x-missing-details");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// How the cache was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheStatus {
    Hit,
    Stale,
    Miss,
    Bypass,
}

impl CacheStatus {
    /// In the metrics; in upper case in `X-Cache`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// The nodes for a request, and how they were obtained.
pub(crate) struct SelectedNodes {
    pub(crate) publication: Arc<CachedPublication>,
    age: Duration,
    pub(crate) cache: CacheStatus,
    nomad_calls: u64,
    took: Duration,
    /// `None` if they were cached.
    fetched: Option<Arc<Fetched>>,
}

/// The nodes, as fresh as `how` demands; `None` accepts those that are cached.
pub(crate) async fn select(
    app: &App,
    how: Option<How>,
    want: Want,
    request: &RequestContext,
) -> Result<SelectedNodes, Problem> {
    let current = match how {
        Some(_) => None,
        None => app.live.requests.look(want).await,
    };
    let mut nodes = match current {
        Some(current) => SelectedNodes {
            publication: current.publication,
            age: current.age,
            cache: CacheStatus::Hit,
            nomad_calls: 0,
            took: Duration::ZERO,
            fetched: None,
        },
        None => fetch(app, how.unwrap_or(How::Get), want).await?,
    };
    nodes.took = request.took();
    let (is_hit, took) = (nodes.is_hit(), nodes.took);
    app.live.cache.count(&Sample::of(is_hit, took, nodes.nomad_calls));
    app.live.metrics.responded(is_hit, took);
    Ok(nodes)
}

async fn fetch(app: &App, how: How, want: Want) -> Result<SelectedNodes, Problem> {
    let (outcome, nomad_calls) = app.live.requests.fetch(how, want).await;
    app.live.metrics.nomad_calls.inc_by(nomad_calls);
    let fetched = outcome?;
    let cache = match (how, fetched.source) {
        (How::Force, _) => CacheStatus::Bypass,
        (_, Source::Nomad { cold: true }) => CacheStatus::Miss,
        (_, Source::Nomad { cold: false }) => CacheStatus::Stale,
        (How::Get, _) => CacheStatus::Hit,
        (How::Refresh, _) if fetched.tally.new == fetched.tally.total() => CacheStatus::Miss,
        (How::Refresh, _) => CacheStatus::Stale,
    };
    Ok(SelectedNodes {
        publication: Arc::clone(&fetched.publication),
        age: fetched.age,
        cache,
        nomad_calls,
        took: Duration::ZERO,
        fetched: Some(fetched),
    })
}

impl SelectedNodes {
    pub(crate) fn is_hit(&self) -> bool {
        self.cache == CacheStatus::Hit
    }

    pub(crate) fn tally(&self) -> Tally {
        let cached = usize::try_from(self.publication.count).unwrap_or(usize::MAX);
        let hit = || Tally { cached, ..Tally::default() };
        self.fetched.as_ref().map_or_else(hit, |fetched| fetched.tally)
    }

    /// Nodes without details, and why.
    pub(crate) fn missing(&self) -> &[(NodeId, String)] {
        self.fetched.as_ref().map_or(&[], |fetched| &fetched.missing)
    }

    /// The entity tag of the response to `query`; `None` if the nodes are not those of a publication.
    pub(crate) fn tag(&self, kind: &str, query: &str) -> Option<String> {
        let is_published = !self.publication.rev.is_empty() && self.missing().is_empty();
        let query = if query.is_empty() { String::new() } else { meta::sum(query.as_bytes()) };
        is_published.then(|| format!("{}{kind}{query}", self.publication.rev))
    }

    /// `304 Not Modified`, if the client has the response with this tag.
    pub(crate) fn not_modified(
        &self,
        tag: Option<&str>,
        headers: &HeaderMap,
    ) -> Option<HttpResponse> {
        let tag = tag.filter(|tag| has(headers, tag))?;
        let mut response = self.tagged_response(BodyContent::of([]), Some(tag), false);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        Some(response)
    }

    pub(crate) fn tagged_response(
        &self,
        content: BodyContent,
        tag: Option<&str>,
        is_gzip: bool,
    ) -> HttpResponse {
        let mut response = self.response(content);
        let headers = response.headers_mut();
        if is_gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tagged(tag, is_gzip)).ok()) {
            headers.insert(ETAG, tag);
        }
        response
    }

    pub(crate) fn response(&self, content: BodyContent) -> HttpResponse {
        let mut response = Response::new(content);
        response.extensions_mut().insert(self.cache);
        // For all headers at once, or the map is reallocated as it grows.
        *response.headers_mut() = HeaderMap::with_capacity(16);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(AGE, self.age.as_secs().into());
        let cache = self.cache.label().to_ascii_uppercase();
        headers.insert(X_CACHE, HeaderValue::from_str(&cache).expect("letters"));
        headers.insert(X_NOMAD_CALLS, self.nomad_calls.into());
        if !self.missing().is_empty() {
            headers.insert(X_MISSING_DETAILS, self.missing().len().into());
        }
        let from = if self.is_hit() { "cache" } else { "nomad" };
        let timing = format!("{from};dur={:.1}", self.took.as_secs_f64() * 1000.0);
        headers.insert(SERVER_TIMING, HeaderValue::from_str(&timing).expect("digits"));
        response
    }
}
