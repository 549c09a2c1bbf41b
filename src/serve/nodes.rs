//! The answers that hold nodes: from memory when the store confirms it, else by a fetch.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::discovery::{How, Source, Tally, Want};
use crate::model::columns;
use crate::model::json;
use crate::model::node::{Full, NodeId};
use crate::model::work::Work;
use crate::render::{self, Grid};
use crate::store::sum;

use super::App;
use super::accept::{has, takes_gzip};
use super::body::{Content, gzip};
use super::desk::Answered;
use super::keeper::{Fetched, Held, Seen};
use super::parameters::Choice;
use super::problem::Problem;
use super::respond::{Answer, Asked, tag, took};

/// Smaller answers are not worth compressing.
const WORTH: usize = 1024;

/// What the cache was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Hit,
    Stale,
    Miss,
    Bypass,
}

impl Cache {
    /// As `X-Cache` says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Stale => "STALE",
            Self::Miss => "MISS",
            Self::Bypass => "BYPASS",
        }
    }

    /// As the metrics say it.
    pub(super) fn label(name: &[u8]) -> &'static str {
        match name {
            b"HIT" => "hit",
            b"STALE" => "stale",
            b"MISS" => "miss",
            b"BYPASS" => "bypass",
            _ => "",
        }
    }

    pub(super) fn timing(self) -> &'static str {
        if self.is_hit() { "cache" } else { "nomad" }
    }

    pub(super) fn is_hit(self) -> bool {
        self == Self::Hit
    }
}

/// The nodes that a request is answered with.
pub(super) struct Shown {
    pub(super) held: Arc<Held>,
    pub(super) age: Duration,
    pub(super) cache: Cache,
    pub(super) nomad_calls: u64,
    pub(super) took: Duration,
    tally: Tally,
    /// What was fetched, if something was.
    fetched: Option<Arc<Fetched>>,
}

/// The nodes, as fresh as `how` demands (`None` = what is cached is good enough).
pub(super) async fn shown(
    app: &Arc<App>,
    how: Option<How>,
    want: Want,
    asked: &Asked,
) -> Result<Shown, Problem> {
    let mut shown = match how {
        Some(how) => fetched(app, how, want).await?,
        None => match app.desk.look(want).await {
            Seen::Hit { held, age, .. } => Shown::hit(held, age),
            Seen::Miss => fetched(app, How::Get, want).await?,
        },
    };
    shown.took = took(asked);
    shown.count(app);
    Ok(shown)
}

async fn fetched(app: &App, how: How, want: Want) -> Result<Shown, Problem> {
    let Answered { outcome, nomad_calls } = app.desk.fetch(how, want).await;
    app.metrics.called(nomad_calls);
    let fetched = outcome?;
    let cache = match (how, fetched.source) {
        (How::Force, _) => Cache::Bypass,
        (_, Source::Nomad { cold: true }) => Cache::Miss,
        (_, Source::Nomad { cold: false }) => Cache::Stale,
        (How::Get, _) => Cache::Hit,
        (How::Refresh, _) if fetched.tally.new == fetched.tally.total() => Cache::Miss,
        (How::Refresh, _) => Cache::Stale,
    };
    Ok(Shown {
        held: Arc::clone(&fetched.held),
        age: fetched.age,
        cache,
        nomad_calls,
        took: Duration::ZERO,
        tally: fetched.tally,
        fetched: Some(fetched),
    })
}

impl Shown {
    fn hit(held: Arc<Held>, age: Duration) -> Self {
        let cached = usize::try_from(held.count).unwrap_or(usize::MAX);
        let tally = Tally { cached, ..Tally::default() };
        let (cache, took) = (Cache::Hit, Duration::ZERO);
        Self { held, age, cache, nomad_calls: 0, took, tally, fetched: None }
    }

    /// Nodes without details, and why.
    pub(super) fn missing(&self) -> &[(NodeId, String)] {
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
pub(super) async fn clients(
    app: &Arc<App>,
    choice: &Arc<Choice>,
    asked: &Asked,
) -> Result<Answer, Problem> {
    let shown = shown(app, None, choice.want(), asked).await?;
    let tag = shown.tag("", asked.query());
    if let Some(answer) = unmodified(&shown, tag.as_deref(), asked) {
        return Ok(answer);
    }
    if choice.is_everything() {
        let held = Arc::clone(&shown.held);
        if takes_gzip(asked.headers()) && held.listed.len() > WORTH {
            let zipped = spawn_blocking(move || held.gzipped()).await;
            return Ok(shown.zipped(zipped.map_err(|_| Problem::broken())?, tag.as_deref()));
        }
        let content = Content::of([held.listed.clone()]);
        return Ok(shown.answer(content, self::tag(tag.as_deref(), false)));
    }
    let array = chosen(&shown.held, choice).await?;
    shown.whole([array, Bytes::from_static(b"\n")].into(), tag.as_deref(), asked).await
}

/// The nodes in the envelope of the discovery API.
pub(super) async fn discover(
    app: &Arc<App>,
    choice: &Arc<Choice>,
    asked: &Asked,
) -> Result<Answer, Problem> {
    let shown = shown(app, choice.how, choice.want(), asked).await?;
    let tag =
        shown.tag(&format!("-{}", Cache::label(shown.cache.name().as_bytes())), asked.query());
    // Whoever asked for news gets them whole.
    if choice.how.is_none()
        && let Some(answer) = unmodified(&shown, tag.as_deref(), asked)
    {
        return Ok(answer);
    }
    let array =
        if choice.is_everything() { shown.held.all() } else { chosen(&shown.held, choice).await? };
    let before: &[u8] = if shown.cache.is_hit() {
        b"{\"success\":true,\"cached\":true,\"output\":{\"clients\":"
    } else {
        b"{\"success\":true,\"cached\":false,\"output\":{\"clients\":"
    };
    let parts = vec![Bytes::from_static(before), array, shown.rest().into()];
    shown.whole(parts, tag.as_deref(), asked).await
}

fn unmodified(shown: &Shown, tag: Option<&str>, asked: &Asked) -> Option<Answer> {
    let tag = tag.filter(|tag| has(asked.headers(), tag))?;
    let mut answer = shown.answer(Content::of([]), self::tag(Some(tag), false));
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    Some(answer)
}

/// The counts of the envelope, in the order of the contract.
#[derive(Serialize)]
struct Stats {
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

impl Shown {
    /// What follows the nodes in the envelope.
    fn rest(&self) -> Vec<u8> {
        let Tally { new, changed, cached, gone, .. } = self.tally;
        let stats =
            Stats { total: self.tally.total(), new, changed, updated: changed, cached, gone };
        let missing = self.missing().iter().map(|(id, why)| Missing { id, why });
        let missing: Vec<Missing<'_>> = missing.collect();
        let mut rest = [b",\"stats\":", &json::bytes(&stats)[..]].concat();
        if !missing.is_empty() {
            rest.extend([b",\"missing\":", &json::bytes(&missing)[..]].concat());
        }
        rest.extend_from_slice(b"}}\n");
        rest
    }

    /// Compressed if that is worth it and welcome.
    async fn whole(
        &self,
        parts: Vec<Bytes>,
        tag: Option<&str>,
        asked: &Asked,
    ) -> Result<Answer, Problem> {
        let len: usize = parts.iter().map(Bytes::len).sum();
        if takes_gzip(asked.headers()) && len > WORTH {
            let zipped = spawn_blocking(move || gzip(&parts)).await;
            return Ok(self.zipped(zipped.map_err(|_| Problem::broken())?, tag));
        }
        Ok(self.answer(Content::of(parts), self::tag(tag, false)))
    }

    fn zipped(&self, zipped: Bytes, tag: Option<&str>) -> Answer {
        let mut headers = self::tag(tag, true);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        self.answer(Content::of([zipped]), headers)
    }
}

/// The JSON array of the nodes that are wanted.
async fn chosen(held: &Arc<Held>, choice: &Arc<Choice>) -> Result<Bytes, Problem> {
    let (held, choice) = (Arc::clone(held), Arc::clone(choice));
    let made = spawn_blocking(move || array(&held, &choice)).await;
    made.unwrap_or_else(|_| Err(Problem::broken()))
}

fn array(held: &Held, choice: &Choice) -> Result<Bytes, Problem> {
    let nodes: Vec<&Full> = held.nodes()?.iter().collect();
    let nodes = choice.selection.of(nodes, &Work::of_request())?;
    let objects = match &choice.columns {
        Some(columns) => Grid::of(&nodes, &columns.after(columns::of_record(false))).objects(),
        None => nodes.iter().map(|node| node.json(choice.full)).collect(),
    };
    let mut array = Vec::new();
    render::json(&mut array, objects.iter().map(Vec::as_slice), false)
        .expect("memory takes every write");
    array.pop();
    Ok(array.into())
}

impl Seen {
    pub(super) fn held(&self) -> Option<&Held> {
        match self {
            Self::Hit { held, .. } => Some(held),
            Self::Miss => None,
        }
    }

    pub(super) fn age(&self) -> Option<Duration> {
        match self {
            Self::Hit { age, .. } => Some(*age),
            Self::Miss => None,
        }
    }
}
