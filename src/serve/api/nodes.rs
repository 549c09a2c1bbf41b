//! The nodes of a response: from memory if the store confirms them, else from a fetch.

use std::borrow::Cow;
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
use crate::serve::http::response::{HttpResponse, JSON, complete};
use crate::serve::live::publication_cache::{CurrentPublication, Fetched};
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

    /// In the tag of an envelope, which says whether its nodes were cached.
    pub(crate) fn of_envelope(self) -> &'static str {
        match self {
            Self::Hit => "-hit",
            Self::Stale => "-stale",
            Self::Miss => "-miss",
            Self::Bypass => "-bypass",
        }
    }

    /// In `X-Cache`.
    fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Hit => "HIT",
            Self::Stale => "STALE",
            Self::Miss => "MISS",
            Self::Bypass => "BYPASS",
        })
    }

    /// What a response says; `None` if it has no nodes.
    pub(crate) fn of(response: &HttpResponse) -> Option<Self> {
        let value = response.headers().get(X_CACHE)?;
        [Self::Hit, Self::Stale, Self::Miss, Self::Bypass]
            .into_iter()
            .find(|it| it.value() == value)
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
    let nodes = match current {
        Some(current) => SelectedNodes::of_hit(current),
        None if how.is_none() && want == Want::Full && is_kept(app).await => {
            let what = "cannot read the full records: Redis does not answer";
            return Err(Problem::unavailable(what).hinted("retry in a few seconds"));
        }
        None => fetch(app, how.unwrap_or(How::Get), want).await?,
    };
    Ok(nodes.counted(app, request))
}

/// Whether Redis is silent and its last list stands in for it: then nothing is fetched for the full
/// records, which that list does not have.
async fn is_kept(app: &App) -> bool {
    app.live.requests.look(Want::Records).await.is_some_and(|current| current.is_kept)
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
    pub(crate) fn of_hit(current: CurrentPublication) -> Self {
        Self {
            publication: current.publication,
            age: current.age,
            cache: CacheStatus::Hit,
            nomad_calls: 0,
            took: Duration::ZERO,
            fetched: None,
        }
    }

    /// They are what this request is answered with.
    pub(crate) fn counted(mut self, app: &App, request: &RequestContext) -> Self {
        self.took = request.took();
        let (is_hit, took) = (self.is_hit(), self.took);
        app.live.cache.count(&Sample::of(is_hit, took, self.nomad_calls));
        app.live.metrics.responded(is_hit, took);
        self
    }

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
    pub(crate) fn tag(&self, kind: &str, query: &str) -> Option<Cow<'_, str>> {
        let rev = &*self.publication.rev;
        let is_published = !rev.is_empty() && self.missing().is_empty();
        is_published.then(|| match (kind, query) {
            ("", "") => Cow::Borrowed(rev),
            (_, "") => Cow::Owned([rev, kind].concat()),
            _ => Cow::Owned([rev, kind, &meta::sum(query.as_bytes())].concat()),
        })
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
        match tag {
            Some(tag) if is_gzip || tag != self.publication.rev => {
                headers.insert(ETAG, etag(tag, is_gzip));
            }
            Some(_) => {}
            None => drop(headers.remove(ETAG)),
        }
        response
    }

    /// With the tag of the publication.
    fn response(&self, content: BodyContent) -> HttpResponse {
        let mut response = Response::new(content);
        let headers = response.headers_mut();
        let rev = &self.publication.rev;
        headers.clone_from(self.publication.headers.get_or_init(|| of_hit(rev)));
        headers.insert(AGE, self.age.as_secs().into());
        if self.cache != CacheStatus::Hit {
            headers.insert(X_CACHE, self.cache.value());
        }
        if self.nomad_calls > 0 {
            headers.insert(X_NOMAD_CALLS, self.nomad_calls.into());
        }
        if !self.missing().is_empty() {
            headers.insert(X_MISSING_DETAILS, self.missing().len().into());
        }
        headers.insert(SERVER_TIMING, timing(self.is_hit(), self.took));
        response
    }
}

/// The headers of an answer from the cache with the nodes of this publication. Those that differ are
/// there as well, so that the map need not grow.
fn of_hit(rev: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(AGE, 0.into());
    headers.insert(X_CACHE, CacheStatus::Hit.value());
    headers.insert(X_NOMAD_CALLS, 0.into());
    headers.insert(SERVER_TIMING, timing(true, Duration::ZERO));
    headers.insert(ETAG, etag(rev, false));
    complete(&mut headers);
    headers
}

fn etag(tag: &str, is_gzip: bool) -> HeaderValue {
    HeaderValue::try_from(tagged(tag, is_gzip)).expect("letters and digits")
}

/// In milliseconds, rounded to a tenth.
fn timing(is_hit: bool, took: Duration) -> HeaderValue {
    let tenths = took.as_micros().saturating_add(50) / 100;
    let from = if is_hit { "cache" } else { "nomad" };
    let timing = format!("{from};dur={}.{}", tenths / 10, tenths % 10);
    HeaderValue::try_from(timing).expect("digits")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::timing;

    #[test]
    fn the_time_is_rounded_to_a_tenth_of_a_millisecond() {
        for (us, is_hit, said) in [
            (0, true, "cache;dur=0.0"),
            (49, true, "cache;dur=0.0"),
            (50, true, "cache;dur=0.1"),
            (99_949, false, "nomad;dur=99.9"),
            (99_950, false, "nomad;dur=100.0"),
        ] {
            assert_eq!(timing(is_hit, Duration::from_micros(us)), said);
        }
    }
}
