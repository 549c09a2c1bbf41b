//! The writes that a test may send over HTTP: eligibility, drain, purge.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::http::Answer;
use crate::query::node_id;

/// Answers `PUT /v1/node/:id/<verb>`.
pub(crate) fn answer(
    cluster: &mut Cluster,
    asked: (&str, &str),
    body: &[u8],
) -> Result<Answer, Answer> {
    let (text, verb) = asked;
    let body = if verb == "purge" { Value::Null } else { parse(body)? };
    let id = node_id(text)
        .map_err(|why| Answer::text(500, &format!("node lookup failed: index error: {why}")))?;
    if verb == "eligibility" {
        valid_eligibility(&body)?;
    }
    if cluster.by_id(&id).is_none() {
        return Err(Answer::text(500, "node not found"));
    }
    match verb {
        "eligibility" => eligibility(cluster, &id, &body),
        "drain" => Ok(drain(cluster, &id, &body)),
        _ => Ok(purge(cluster, &id)),
    }
}

fn parse(body: &[u8]) -> Result<Value, Answer> {
    serde_json::from_slice(body).map_err(|error| {
        let text = match (body, error.is_eof()) {
            ([], _) => "EOF".to_owned(),
            (_, true) => "unexpected EOF".to_owned(),
            _ => error.to_string(),
        };
        Answer::text(400, &text)
    })
}

fn written(index: u64, node_index: u64) -> Answer {
    let body = json!({"EvalCreateIndex": 0, "EvalIDs": null, "Index": index, "NodeModifyIndex": node_index});
    with_index(body, index)
}

fn with_index(body: Value, index: u64) -> Answer {
    let mut answer = Answer::json(body.to_string());
    answer.headers.push(("X-Nomad-Index".to_owned(), index.to_string()));
    answer
}

fn valid_eligibility(body: &Value) -> Result<(), Answer> {
    match body["Eligibility"].as_str().unwrap_or_default() {
        "eligible" | "ineligible" => Ok(()),
        other => Err(Answer::text(500, &format!("invalid scheduling eligibility {other:?}"))),
    }
}

fn eligibility(cluster: &mut Cluster, id: &str, body: &Value) -> Result<Answer, Answer> {
    let eligible = body["Eligibility"] == "eligible";
    if eligible && cluster.node(id).drain.is_some() {
        return Err(Answer::text(
            500,
            "can not set node's scheduling eligibility to eligible while it is draining",
        ));
    }
    Ok(written(cluster.set_eligible(id, eligible), 0))
}

fn drain(cluster: &mut Cluster, id: &str, body: &Value) -> Answer {
    let index = match &body["DrainSpec"] {
        Value::Null => cluster.drain_cancel(id, body["MarkEligible"].as_bool().unwrap_or_default()),
        spec => {
            let deadline = spec["Deadline"].as_i64().unwrap_or_default();
            cluster.drain(id, deadline, body["Meta"].clone())
        }
    };
    written(index, index)
}

fn purge(cluster: &mut Cluster, id: &str) -> Answer {
    let index = cluster.purge(id);
    let body = json!({
        "EvalCreateIndex": 0, "EvalIDs": null, "Features": 0, "HeartbeatTTL": 0, "Index": index,
        "KnownLeader": false, "LastContact": 0, "LeaderRPCAddr": "", "NextToken": "",
        "NodeModifyIndex": index, "NumNodes": 0, "SchedulingEligibility": "", "Servers": null,
        "SignedIdentity": null,
    });
    with_index(body, index)
}
