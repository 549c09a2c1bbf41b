//! Lists of nodes: as `list --json` prints them, and in the envelope of the discovery API.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::body::Bytes;
use serde::Serialize;

use crate::discovery::Tally;
use crate::model::json;
use crate::model::node::{Full, NodeId};
use crate::model::projection::Wanted;
use crate::model::selection::columns;
use crate::model::selection::field::Field;
use crate::model::work_limit::WorkLimit;
use crate::render;
use crate::serve::http::body::{BodyContent, gzip};
use crate::serve::http::negotiate::takes_gzip;
use crate::serve::http::problem::Problem;
use crate::serve::http::request::RequestContext;
use crate::serve::http::response::HttpResponse;
use crate::serve::live::error::AnswerError;
use crate::serve::live::memory_budget::{GrowingBytes, SMALL};
use crate::serve::live::published::CachedPublication;

use super::App;
use super::nodes::{SelectedNodes, select};
use super::parameters::NodeQuery;

/// Smaller responses are not worth compressing.
const GZIP_MIN: usize = 1024;

/// The nodes as `list --json` prints them.
pub(crate) async fn clients(
    app: &App,
    query: &Arc<NodeQuery>,
    request: &RequestContext,
) -> Result<HttpResponse, Problem> {
    let nodes = select(app, None, query.want(), request).await?;
    let tag = nodes.tag("", request.query());
    if let Some(response) = nodes.not_modified(tag.as_deref(), request.headers()) {
        return Ok(response);
    }
    let parts = if query.is_everything() {
        vec![nodes.publication.listed.clone()]
    } else {
        vec![array(app, &nodes, query, request).await?, Bytes::from_static(b"\n")]
    };
    send(app, &nodes, parts, ("clients", tag.as_deref()), request).await
}

/// The nodes in the envelope of the discovery API.
pub(crate) async fn discover(
    app: &App,
    query: &Arc<NodeQuery>,
    request: &RequestContext,
) -> Result<HttpResponse, Problem> {
    let nodes = select(app, query.how, query.want(), request).await?;
    let tag = nodes.tag(nodes.cache.of_envelope(), request.query());
    // The response to a refresh is always complete.
    if query.how.is_none()
        && let Some(response) = nodes.not_modified(tag.as_deref(), request.headers())
    {
        return Ok(response);
    }
    let array = if query.is_everything() {
        nodes.publication.all()
    } else {
        array(app, &nodes, query, request).await?
    };
    let (kind, before): (_, &[u8]) = if nodes.is_hit() {
        ("cached", b"{\"success\":true,\"cached\":true,\"output\":{\"clients\":")
    } else {
        ("fetched", b"{\"success\":true,\"cached\":false,\"output\":{\"clients\":")
    };
    let parts = vec![Bytes::from_static(before), array, after_array(&nodes).into()];
    send(app, &nodes, parts, (kind, tag.as_deref()), request).await
}

/// The counts of the envelope, in the order of the API.
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

/// What follows the nodes in the envelope.
fn after_array(nodes: &SelectedNodes) -> Vec<u8> {
    let tally = nodes.tally();
    let Tally { new, changed, cached, gone, .. } = tally;
    let stats =
        EnvelopeStats { total: tally.total(), new, changed, updated: changed, cached, gone };
    let missing = nodes.missing().iter().map(|(id, why)| Missing { id, why });
    let missing: Vec<Missing<'_>> = missing.collect();
    let mut rest = [b",\"stats\":", &json::bytes(&stats)[..]].concat();
    if !missing.is_empty() {
        rest.extend([b",\"missing\":", &json::bytes(&missing)[..]].concat());
    }
    rest.extend_from_slice(b"}}\n");
    rest
}

/// Compressed if that is worth it and accepted; `kind` distinguishes the responses that one query may
/// get from one publication.
async fn send(
    app: &App,
    nodes: &SelectedNodes,
    parts: Vec<Bytes>,
    (kind, tag): (&str, Option<&str>),
    request: &RequestContext,
) -> Result<HttpResponse, Problem> {
    let len: usize = parts.iter().map(Bytes::len).sum();
    if len > SMALL {
        app.live.cache.budget.check(nodes.publication.size())?;
    }
    if !takes_gzip(request.headers()) || len <= GZIP_MIN {
        return Ok(nodes.tagged_response(BodyContent::of(parts), tag, false));
    }
    let zip = move |_: &CachedPublication, to: &mut GrowingBytes| {
        gzip(&parts, to).map_err(|_| AnswerError::OutOfMemory)
    };
    let zipped = rendered(app, nodes, &format!("{kind} gzip {}", request.query()), zip).await?;
    Ok(nodes.tagged_response(BodyContent::of([zipped]), tag, true))
}

/// The JSON array of the nodes that `query` selects.
async fn array(
    app: &App,
    nodes: &SelectedNodes,
    query: &Arc<NodeQuery>,
    request: &RequestContext,
) -> Result<Bytes, AnswerError> {
    let query = Arc::clone(query);
    let write = move |publication: &CachedPublication, to: &mut GrowingBytes| {
        write_array(publication, &query, to)
    };
    rendered(app, nodes, &format!("array {}", request.query()), write).await
}

/// What `write` writes, once for all requests with the same query to this publication.
async fn rendered(
    app: &App,
    nodes: &SelectedNodes,
    query: &str,
    write: impl FnOnce(&CachedPublication, &mut GrowingBytes) -> Result<(), AnswerError>
    + Send
    + 'static,
) -> Result<Bytes, AnswerError> {
    let render = async {
        let publication = Arc::clone(&nodes.publication);
        let mut to = GrowingBytes::new(&app.live.cache.budget, publication.size());
        let work = move || write(&publication, &mut to).map(|()| to.done());
        app.workers.lists.run(work).await?
    };
    nodes.publication.answers.get(query, render).await
}

fn write_array(
    publication: &CachedPublication,
    query: &NodeQuery,
    to: &mut GrowingBytes,
) -> Result<(), AnswerError> {
    let fields = query.fields();
    if !query.reads_full() {
        let nodes = publication.nodes()?.iter().map(|node| &**node).collect();
        return write_nodes(publication, (query, fields), nodes, to);
    }
    let record = columns::of_record(false);
    let wanted = fields.as_deref().unwrap_or(&record);
    let wanted = Wanted::keys(&[]).and(wanted).and(query.selection.fields());
    let nodes = publication.project(&wanted)?;
    write_nodes(publication, (query, fields), nodes.iter().collect(), to)
}

/// Writes one node after the other, so that only what is written is in memory.
fn write_nodes(
    publication: &CachedPublication,
    (query, fields): (&NodeQuery, Option<Vec<Field>>),
    nodes: Vec<&Full>,
    to: &mut GrowingBytes,
) -> Result<(), AnswerError> {
    let selected = query.selection.select(nodes, &WorkLimit::of_request())?;
    to.add(b"[")?;
    for (at, node) in selected.into_iter().enumerate() {
        if at > 0 {
            to.add(b",")?;
        }
        to.add(&match &fields {
            Some(fields) => Cow::Owned(render::object(node, fields)),
            None if query.full => Cow::Borrowed(publication.full(&node.record.id)?),
            None => Cow::Owned(node.json(false)),
        })?;
    }
    to.add(b"]")
}
