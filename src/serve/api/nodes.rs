//! The answers that hold nodes: from memory when the store confirms it, else by a fetch.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use serde::Serialize;

use crate::discovery::{How, Source, Tally, Want};
use crate::model::json;
use crate::model::node::{Full, NodeId};
use crate::model::projection::Wanted;
use crate::model::selection::columns;
use crate::model::selection::field::Field;
use crate::model::work_limit::WorkLimit;
use crate::render;
use crate::store::sum;

use super::parameters::NodeQuery;
use super::problem::Problem;
use super::respond::{HttpResponse, RequestContext, tag, took};
use crate::serve::App;
use crate::serve::http::body::{BodyContent, gzip};
use crate::serve::http::negotiate::{has, takes_gzip};
use crate::serve::live::memory_budget::{Exhausted, GrowingBytes, SMALL};
use crate::serve::live::publication_cache::{Fetched, LookResult};
use crate::serve::live::published::CachedPublication;
use crate::serve::live::shared_requests::FetchAnswer;

/// Smaller answers are not worth compressing.
const WORTH: usize = 1024;

/// What the cache was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheStatus {
    Hit,
    Stale,
    Miss,
    Bypass,
}

impl CacheStatus {
    /// As `X-Cache` says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Stale => "STALE",
            Self::Miss => "MISS",
            Self::Bypass => "BYPASS",
        }
    }

    /// As the metrics say it.
    pub(crate) fn label(name: &[u8]) -> &'static str {
        match name {
            b"HIT" => "hit",
            b"STALE" => "stale",
            b"MISS" => "miss",
            b"BYPASS" => "bypass",
            _ => "",
        }
    }

    pub(crate) fn timing(self) -> &'static str {
        if self.is_hit() { "cache" } else { "nomad" }
    }

    pub(crate) fn is_hit(self) -> bool {
        self == Self::Hit
    }
}

/// The nodes that a request is answered with.
pub(crate) struct SelectedNodes {
    pub(crate) held: Arc<CachedPublication>,
    pub(crate) age: Duration,
    pub(crate) cache: CacheStatus,
    pub(crate) nomad_calls: u64,
    pub(crate) took: Duration,
    tally: Tally,
    /// What was fetched, if something was.
    fetched: Option<Arc<Fetched>>,
}

/// The nodes, as fresh as `how` demands (`None` = what is cached is good enough).
pub(crate) async fn shown(
    app: &Arc<App>,
    how: Option<How>,
    want: Want,
    asked: &RequestContext,
) -> Result<SelectedNodes, Problem> {
    let mut shown = match how {
        Some(how) => fetched(app, how, want).await?,
        None => match app.desk.look(want).await {
            LookResult::Hit { held, age, .. } => SelectedNodes::hit(held, age),
            LookResult::Miss => fetched(app, How::Get, want).await?,
        },
    };
    shown.took = took(asked);
    shown.count(app);
    Ok(shown)
}

async fn fetched(app: &App, how: How, want: Want) -> Result<SelectedNodes, Problem> {
    let FetchAnswer { outcome, nomad_calls } = app.desk.fetch(how, want).await;
    app.metrics.called(nomad_calls);
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
        held: Arc::clone(&fetched.held),
        age: fetched.age,
        cache,
        nomad_calls,
        took: Duration::ZERO,
        tally: fetched.tally,
        fetched: Some(fetched),
    })
}

impl SelectedNodes {
    fn hit(held: Arc<CachedPublication>, age: Duration) -> Self {
        let cached = usize::try_from(held.count).unwrap_or(usize::MAX);
        let tally = Tally { cached, ..Tally::default() };
        let (cache, took) = (CacheStatus::Hit, Duration::ZERO);
        Self { held, age, cache, nomad_calls: 0, took, tally, fetched: None }
    }

    /// Nodes without details, and why.
    pub(crate) fn missing(&self) -> &[(NodeId, String)] {
        self.fetched.as_ref().map_or(&[], |fetched| &fetched.missing)
    }

    /// The name of exactly these bytes; `None` if they are not those of a publication.
    fn tag(&self, kind: &str, query: &str) -> Option<String> {
        let is_published = !self.held.rev.is_empty() && self.missing().is_empty();
        let of = if query.is_empty() { String::new() } else { sum::of(query.as_bytes()) };
        is_published.then(|| format!("{}{kind}{of}", self.held.rev))
    }
}

/// The nodes as `list --json` prints them.
pub(crate) async fn clients(
    app: &Arc<App>,
    choice: &Arc<NodeQuery>,
    asked: &RequestContext,
) -> Result<HttpResponse, Problem> {
    let shown = shown(app, None, choice.want(), asked).await?;
    let tag = shown.tag("", asked.query());
    if let Some(answer) = unmodified(&shown, tag.as_deref(), asked) {
        return Ok(answer);
    }
    let parts = if choice.is_everything() {
        vec![shown.held.listed.clone()]
    } else {
        vec![array(app, &shown.held, choice, asked.query()).await?, Bytes::from_static(b"\n")]
    };
    shown.whole(app, parts, ("clients", tag.as_deref()), asked).await
}

/// The nodes in the envelope of the discovery API.
pub(crate) async fn discover(
    app: &Arc<App>,
    choice: &Arc<NodeQuery>,
    asked: &RequestContext,
) -> Result<HttpResponse, Problem> {
    let shown = shown(app, choice.how, choice.want(), asked).await?;
    let tag = shown
        .tag(&format!("-{}", CacheStatus::label(shown.cache.name().as_bytes())), asked.query());
    // Whoever asked for news gets them whole.
    if choice.how.is_none()
        && let Some(answer) = unmodified(&shown, tag.as_deref(), asked)
    {
        return Ok(answer);
    }
    let array = if choice.is_everything() {
        shown.held.all()
    } else {
        array(app, &shown.held, choice, asked.query()).await?
    };
    let (kind, before): (_, &[u8]) = if shown.cache.is_hit() {
        ("cached", b"{\"success\":true,\"cached\":true,\"output\":{\"clients\":")
    } else {
        ("fetched", b"{\"success\":true,\"cached\":false,\"output\":{\"clients\":")
    };
    let parts = vec![Bytes::from_static(before), array, shown.rest().into()];
    shown.whole(app, parts, (kind, tag.as_deref()), asked).await
}

fn unmodified(
    shown: &SelectedNodes,
    tag: Option<&str>,
    asked: &RequestContext,
) -> Option<HttpResponse> {
    let tag = tag.filter(|tag| has(asked.headers(), tag))?;
    let mut answer = shown.answer(BodyContent::of([]), self::tag(Some(tag), false));
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    Some(answer)
}

/// The counts of the envelope, in the order of the contract.
#[derive(Serialize)]
struct EnvelopeStats {
    total: usize,
    new: usize,
    changed: usize,
    updated: usize,
    cached: usize,
    gone: usize,
}

/// A node without details.
#[derive(Serialize)]
struct Missing<'a> {
    id: &'a NodeId,
    why: &'a str,
}

impl SelectedNodes {
    /// What follows the nodes in the envelope.
    fn rest(&self) -> Vec<u8> {
        let Tally { new, changed, cached, gone, .. } = self.tally;
        let stats = EnvelopeStats {
            total: self.tally.total(),
            new,
            changed,
            updated: changed,
            cached,
            gone,
        };
        let missing = self.missing().iter().map(|(id, why)| Missing { id, why });
        let missing: Vec<Missing<'_>> = missing.collect();
        let mut rest = [b",\"stats\":", &json::bytes(&stats)[..]].concat();
        if !missing.is_empty() {
            rest.extend([b",\"missing\":", &json::bytes(&missing)[..]].concat());
        }
        rest.extend_from_slice(b"}}\n");
        rest
    }

    /// Compressed if that is worth it and welcome; `kind` tells apart what the same query may get of
    /// one publication.
    async fn whole(
        &self,
        app: &App,
        parts: Vec<Bytes>,
        (kind, tag): (&str, Option<&str>),
        asked: &RequestContext,
    ) -> Result<HttpResponse, Problem> {
        let len: usize = parts.iter().map(Bytes::len).sum();
        if len > SMALL {
            app.keeper.budget.check(self.held.size())?;
        }
        if takes_gzip(asked.headers()) && len > WORTH {
            let question = format!("{kind} gzip {}", asked.query());
            let zip = move |_: &CachedPublication, to: &mut GrowingBytes| {
                gzip(&parts, to).map_err(|_| Exhausted.into())
            };
            return Ok(self.zipped(made(app, &self.held, &question, zip).await?, tag));
        }
        Ok(self.answer(BodyContent::of(parts), self::tag(tag, false)))
    }

    fn zipped(&self, zipped: Bytes, tag: Option<&str>) -> HttpResponse {
        let mut headers = self::tag(tag, true);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        self.answer(BodyContent::of([zipped]), headers)
    }
}

/// The JSON array of the nodes that are wanted.
async fn array(
    app: &App,
    held: &Arc<CachedPublication>,
    choice: &Arc<NodeQuery>,
    query: &str,
) -> Result<Bytes, Problem> {
    let choice = Arc::clone(choice);
    let write =
        move |held: &CachedPublication, to: &mut GrowingBytes| write_array(held, &choice, to);
    made(app, held, &format!("array {query}"), write).await
}

/// What `make` writes, made once for all who ask the same question of this publication.
async fn made(
    app: &App,
    held: &Arc<CachedPublication>,
    question: &str,
    make: impl FnOnce(&CachedPublication, &mut GrowingBytes) -> Result<(), Problem> + Send + 'static,
) -> Result<Bytes, Problem> {
    let new = async {
        let (own, budget) = (Arc::clone(held), app.keeper.budget.clone());
        let work = move || {
            let mut to = GrowingBytes::new(&budget, own.size());
            make(&own, &mut to).map(|()| to.done())
        };
        app.makers.lists.run(work).await?
    };
    held.answers.of(question, new).await
}

fn write_array(
    held: &CachedPublication,
    choice: &NodeQuery,
    to: &mut GrowingBytes,
) -> Result<(), Problem> {
    let fields = choice.fields();
    if !choice.reads_full() {
        let nodes = held.nodes()?.iter().map(|node| &**node).collect();
        return write_nodes(held, (choice, fields), nodes, to);
    }
    let record = columns::of_record(false);
    let wanted = fields.as_deref().unwrap_or(&record);
    let wanted = Wanted::keys(&[]).and(wanted).and(choice.selection.fields());
    write_nodes(held, (choice, fields), held.read(&wanted)?.iter().collect(), to)
}

/// One node after the other, so that what is written is all that is held.
fn write_nodes(
    held: &CachedPublication,
    (choice, fields): (&NodeQuery, Option<Vec<Field>>),
    nodes: Vec<&Full>,
    to: &mut GrowingBytes,
) -> Result<(), Problem> {
    to.add(b"[")?;
    for (at, node) in choice.selection.of(nodes, &WorkLimit::of_request())?.into_iter().enumerate()
    {
        if at > 0 {
            to.add(b",")?;
        }
        let json = match &fields {
            Some(fields) => Cow::Owned(render::object(node, fields)),
            None if choice.full => {
                Cow::Borrowed(held.full(&node.record.id).ok_or_else(Problem::broken)?)
            }
            None => Cow::Owned(node.json(false)),
        };
        to.add(&json)?;
    }
    Ok(to.add(b"]")?)
}

impl LookResult {
    pub(crate) fn held(&self) -> Option<&CachedPublication> {
        match self {
            Self::Hit { held, .. } => Some(held),
            Self::Miss => None,
        }
    }

    pub(crate) fn age(&self) -> Option<Duration> {
        match self {
            Self::Hit { age, .. } => Some(*age),
            Self::Miss => None,
        }
    }
}
