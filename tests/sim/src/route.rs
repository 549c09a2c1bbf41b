//! What a Nomad agent answers: routes, parameters, errors in its own words.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::http::{Answer, Head};
use crate::node::Extra;
use crate::query::{Target, id_prefix, node_id};
use crate::rng::Rng;
use crate::time::go_duration;
use crate::wire;
use crate::writes;

/// `Err` is an answer too: the error that ended it early.
pub(crate) type Outcome = Result<Answer, Answer>;

/// Where the model is, and how to wait for it to move.
pub(crate) trait Model {
    fn with<T>(&self, read: impl FnOnce(&mut Cluster) -> T) -> T;

    /// Waits until `done` or the time is up.
    fn wait(&self, until: Instant, done: impl Fn(&Cluster) -> bool);

    /// Chance for one answer.
    fn rng(&self) -> Rng;
}

/// The answer of a live cluster.
pub(crate) fn answer(model: &impl Model, head: &Head, target: &Target) -> Answer {
    let path = target.path.as_str();
    let outcome = match path {
        "/v1/nodes" => only_get(head).and_then(|()| list(model, head, target)),
        "/v1/allocations" => only_get(head).and_then(|()| allocations(model, head, target)),
        "/v1/client/stats" => only_get(head).and_then(|()| stats(model, head, target)),
        "/v1/status/leader" => only_get(head).and_then(|()| leader(model, target)),
        "/v1/regions" => only_get(head)
            .map(|()| model.with(|cluster| Answer::json(json!(cluster.regions).to_string()))),
        "/v1/agent/self" => only_get(head).and_then(|()| agent_self(model, head)),
        _ => match path.strip_prefix("/v1/node/") {
            Some(rest) => node_route(model, head, (target, rest)),
            None => elsewhere(path),
        },
    };
    outcome.unwrap_or_else(|error| error)
}

fn only_get(head: &Head) -> Result<(), Answer> {
    if head.method == "GET" { Ok(()) } else { Err(Answer::text(405, "Invalid method")) }
}

fn elsewhere(path: &str) -> Outcome {
    let to = match path {
        "/" => "/ui/",
        "/v1/node" => "/v1/node/",
        "//v1/nodes" | "/v1/./nodes" => "/v1/nodes",
        _ => return Err(Answer::new(404, &[("Vary", "Accept-Encoding")], "")),
    };
    let headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Location", to),
        ("Vary", "Accept-Encoding"),
    ];
    Err(Answer::new(307, &headers, format!("<a href=\"{to}\">Temporary Redirect</a>.\n\n")))
}

fn node_route(model: &impl Model, head: &Head, asked: (&Target, &str)) -> Outcome {
    let (target, rest) = asked;
    if let Some((id, verb @ ("drain" | "eligibility" | "purge"))) = rest.rsplit_once('/') {
        if !matches!(head.method.as_str(), "PUT" | "POST") {
            return Err(Answer::text(405, "Invalid method"));
        }
        query_options(target)?;
        return model.with(|cluster| {
            may(cluster, head, target)?;
            writes::answer(cluster, (id, verb), &head.body)
        });
    }
    only_get(head)?;
    if rest.ends_with("/allocations") {
        query_options(target)?;
        return model.with(|cluster| {
            may(cluster, head, target)?;
            let index = cluster.alloc_index.to_string();
            Ok(indexed(Answer::json("[]"), &index, cluster))
        });
    }
    if rest.is_empty() {
        return Err(Answer::text(500, "missing node ID"));
    }
    detail(model, head, (target, rest))
}

/// `index` and `wait`.
struct Blocking {
    index: u64,
    wait: Duration,
}

/// The longest block.
const WAIT_MAX: Duration = Duration::from_secs(300);

fn query_options(target: &Target) -> Result<Blocking, Answer> {
    let wait = match target.get("wait") {
        None | Some("") => 0,
        Some(text) => go_duration(text).ok_or_else(|| Answer::text(400, "Invalid wait time"))?,
    };
    let index = match target.get("index") {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| Answer::text(400, "Invalid index"))?,
    };
    if !matches!(target.get("stale"), None | Some("" | "true" | "false")) {
        return Err(Answer::text(
            400,
            "Expect `true` or `false` for `stale` query string parameter",
        ));
    }
    let wait = match u64::try_from(wait) {
        Ok(nanos @ 1..) => Duration::from_nanos(nanos).min(WAIT_MAX),
        _ => WAIT_MAX,
    };
    Ok(Blocking { index, wait })
}

/// Region, leader and rights, in the order in which Nomad looks at them.
fn may(cluster: &Cluster, head: &Head, target: &Target) -> Result<(), Answer> {
    region(cluster, target)?;
    let stale = matches!(target.get("stale"), Some("" | "true"));
    if cluster.leaderless && !stale {
        return Err(Answer::text(500, "No cluster leader"));
    }
    if allowed(cluster, head) { Ok(()) } else { Err(Answer::text(403, "Permission denied")) }
}

fn region(cluster: &Cluster, target: &Target) -> Result<(), Answer> {
    match target.get("region") {
        Some(name) if !name.is_empty() && !cluster.regions.iter().any(|known| known == name) => {
            Err(Answer::text(500, "No path to region"))
        }
        _ => Ok(()),
    }
}

fn allowed(cluster: &Cluster, head: &Head) -> bool {
    let Some(tokens) = &cluster.tokens else { return true };
    let bearer = head.header("Authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
    });
    let token = head.header("X-Nomad-Token").filter(|token| !token.is_empty()).or(bearer);
    match token {
        None | Some("") => cluster.anonymous,
        Some(token) => tokens.contains(token),
    }
}

/// Adds the three headers that tell where an answer stands.
fn indexed(mut answer: Answer, index: &str, cluster: &Cluster) -> Answer {
    let known = (cluster.known_leader && !cluster.leaderless).to_string();
    for (name, value) in [
        ("X-Nomad-Index", index),
        ("X-Nomad-Knownleader", &known),
        ("X-Nomad-Lastcontact", &cluster.last_contact_ms.to_string()),
    ] {
        answer.headers.push((name.to_owned(), value.to_owned()));
    }
    answer
}

fn finish(target: &Target, text: String) -> String {
    let pretty = target.get("pretty").is_some_and(|value| value != "0");
    if pretty { wire::pretty(&text) } else { text }
}

fn per_page(target: &Target) -> Result<i32, Answer> {
    match target.get("per_page") {
        None | Some("") => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            Answer::text(400, "Expect a number for `per_page` query string parameter")
        }),
    }
}

fn list(model: &impl Model, head: &Head, target: &Target) -> Outcome {
    let blocking = query_options(target)?;
    let per_page = per_page(target)?;
    let flag = |name| {
        let parsed = target.bool(name);
        parsed.map_err(|why| Answer::text(400, &format!("Failed to parse node list fields: {why}")))
    };
    let extra = Extra { resources: flag("resources")?, os: flag("os")? };
    if target.get("filter").is_some_and(|filter| !filter.is_empty()) {
        return Err(Answer::text(400, "the simulator does not know the parameter \"filter\""));
    }
    let prefix = id_prefix(target.get("prefix").unwrap_or_default()).map_err(lookup_failed)?;
    model.with(|cluster| may(cluster, head, target))?;
    hold(model, &blocking, |cluster| cluster.index);

    let (page, mut answer, shape) = model.with(|cluster| {
        let index = cluster.index_header.clone().unwrap_or_else(|| cluster.index.to_string());
        let found = cluster
            .nodes()
            .filter(|node| prefix.is_empty() || node.id.replace('-', "").starts_with(&prefix));
        let found = found.filter(|node| on_from(target, &node.id)).cloned();
        (page(found, per_page), indexed(Answer::json(""), &index, cluster), cluster.shape)
    });
    let (nodes, next) = page;
    if let Some(next) = next {
        answer.headers.push(("X-Nomad-Nexttoken".to_owned(), next));
    }
    let mut rng = model.rng();
    let mut text = String::with_capacity(2 + nodes.len() * 1_600);
    text.push('[');
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        node.stub(&mut text, (shape, extra), &mut rng);
    }
    text.push(']');
    answer.body = finish(target, text).into_bytes();
    Ok(answer)
}

/// Whether the node is not before the page. `reverse` turns only this test round, not the order:
/// so its pages are wrong, as Nomad's are.
fn on_from(target: &Target, id: &str) -> bool {
    match target.get("next_token") {
        None | Some("") => true,
        Some(token) if target.get("reverse") == Some("true") => id <= token,
        Some(token) => id >= token,
    }
}

type Nodes = Vec<std::sync::Arc<crate::node::Node>>;

/// The nodes of one page, and the ID of the first that is not on it. A negative size is an empty page.
fn page(
    found: impl Iterator<Item = std::sync::Arc<crate::node::Node>>,
    size: i32,
) -> (Nodes, Option<String>) {
    if size == 0 {
        return (found.collect(), None);
    }
    let mut found = found;
    let nodes: Nodes = found.by_ref().take(usize::try_from(size).unwrap_or(0)).collect();
    (nodes, found.next().map(|node| node.id.to_string()))
}

fn lookup_failed(why: String) -> Answer {
    Answer::text(500, &format!("node lookup failed: index error: {why}"))
}

/// Blocks while the index that is watched has not passed the one that was named.
fn hold(model: &impl Model, blocking: &Blocking, watched: impl Fn(&Cluster) -> u64) {
    if blocking.index == 0 {
        return;
    }
    let jitter = model.rng().below(blocking.wait.as_nanos() as u64 / 16 + 1);
    let until = Instant::now() + blocking.wait + Duration::from_nanos(jitter);
    model.wait(until, |cluster| watched(cluster) > blocking.index);
}

fn detail(model: &impl Model, head: &Head, asked: (&Target, &str)) -> Outcome {
    let (target, text) = asked;
    let blocking = query_options(target)?;
    model.with(|cluster| may(cluster, head, target))?;
    let id = node_id(text).map_err(lookup_failed)?;
    hold(model, &blocking, |cluster| cluster.by_id(&id).map_or(0, |node| node.modify_index));
    let mut rng = model.rng();
    model.with(|cluster| match cluster.by_id(&id) {
        None => {
            Err(indexed(Answer::text(404, "node not found"), &cluster.index.to_string(), cluster))
        }
        Some(node) => {
            let mut text = String::with_capacity(8_192);
            node.detail(&mut text, cluster.shape, &mut rng);
            let index = node.modify_index.to_string();
            Ok(indexed(Answer::json(finish(target, text)), &index, cluster))
        }
    })
}

fn allocations(model: &impl Model, head: &Head, target: &Target) -> Outcome {
    query_options(target)?;
    model.with(|cluster| {
        may(cluster, head, target)?;
        let index = if cluster.alloc_index > 1 { cluster.alloc_index } else { 0 };
        Ok(indexed(Answer::json("[]"), &index.to_string(), cluster))
    })
}

/// The figures of hosts are not simulated; the ways to ask wrongly are.
fn stats(model: &impl Model, head: &Head, target: &Target) -> Outcome {
    let why = model.with(|cluster| match target.get("node_id") {
        _ if !allowed(cluster, head) => Answer::text(403, "Permission denied"),
        None | Some("") => Answer::text(400, "No local Node and node_id not provided"),
        Some(id) => match node_id(id) {
            Err(why) => lookup_failed(why),
            Ok(known) if cluster.by_id(&known).is_some() => Answer::text(404, "No path to node"),
            Ok(_) => Answer::text(404, &format!("Unknown node {id}")),
        },
    });
    let mut answer = why;
    answer.headers.push(("Vary".to_owned(), "Origin".to_owned()));
    Err(answer)
}

fn leader(model: &impl Model, target: &Target) -> Outcome {
    model.with(|cluster| {
        region(cluster, target)?;
        if cluster.leaderless {
            return Err(Answer::text(500, "No cluster leader"));
        }
        Ok(Answer::json(json!(cluster.leader).to_string()))
    })
}

fn agent_self(model: &impl Model, head: &Head) -> Outcome {
    model.with(|cluster| {
        if !allowed(cluster, head) {
            return Err(Answer::text(403, "Permission denied"));
        }
        let region = &cluster.regions[0];
        let body = json!({
            "config": {"ACL": {"Enabled": cluster.tokens.is_some()}, "Datacenter": "dc1", "Region": region, "Version": {"Version": "2.0.5"}},
            "member": {"Name": format!("server-1.{region}"), "Status": "alive", "Tags": {"build": "2.0.5", "dc": "dc1", "region": region, "role": "nomad"}},
            "stats": {"nomad": {"leader": "true", "server": "true"}},
        });
        Ok(Answer::json(body.to_string()))
    })
}

/// How long a target blocks in a replay; `None` if it does not.
pub(crate) fn blocked(target: &Target) -> Option<Duration> {
    let blocking = query_options(target).ok()?;
    (blocking.index > 0).then_some(blocking.wait)
}
