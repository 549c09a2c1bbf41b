//! The JSON of Nomad's API, and its conversion into this program's types.

mod detail;
mod live;
mod stub;

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::model::node::{Detail, Stub};
use crate::model::text::sanitised;
use crate::parallel;

use detail::DetailWire;
use stub::StubWire;

/// The answer of `GET /v1/nodes`.
///
/// # Errors
/// What is wrong and where: `[3].ModifyIndex: invalid type…`.
pub(super) fn stubs(body: &[u8]) -> Result<Vec<Stub>, String> {
    let stubs = match in_parts(body) {
        Some(stubs) => stubs,
        // What is wrong is reported with its place in the whole.
        None => parsed::<Vec<StubWire>>(body)?.into_iter().map(Stub::from).collect(),
    };
    let mut ids = HashSet::with_capacity(stubs.len());
    match stubs.iter().position(|stub| !ids.insert(&stub.id)) {
        Some(at) => Err(format!("[{at}].ID: {} is listed twice", stubs[at].id)),
        None => Ok(stubs),
    }
}

/// Reads the entries of a long list on all cores; `None` if one can't be read.
fn in_parts(body: &[u8]) -> Option<Vec<Stub>> {
    let entries: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    let read = |entry: &&RawValue| serde_json::from_str::<StubWire>(entry.get()).map(Stub::from);
    parallel::map(&entries, body.len(), read).into_iter().collect::<Result<_, _>>().ok()
}

/// The answer of `GET /v1/node/:id`.
///
/// # Errors
/// As [`stubs`].
pub(super) fn detail(body: &[u8]) -> Result<Detail, String> {
    Ok(parsed::<DetailWire>(body)?.into())
}

pub(super) use live::live;

/// The answer of `GET /v1/status/leader`: the address of the leader for servers, empty without one.
///
/// # Errors
/// As [`stubs`].
pub(super) fn leader(body: &[u8]) -> Result<String, String> {
    parsed(body)
}

/// The version in the answer of `GET /v1/agent/self`.
///
/// # Errors
/// As [`stubs`].
pub(super) fn version(body: &[u8]) -> Result<String, String> {
    Ok(parsed::<AgentWire>(body)?.config.version.version)
}

#[derive(Deserialize)]
struct AgentWire {
    config: ConfigWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigWire {
    version: VersionWire,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersionWire {
    version: String,
}

/// The error is not shortened: a secret that is cut in two would not be masked. Only an error costs
/// the second parse, which finds the path of the wrong field.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|_| {
        let mut json = serde_json::Deserializer::from_slice(body);
        match serde_path_to_error::deserialize::<_, T>(&mut json) {
            Err(error) => sanitised(&with_path(&error)).into_owned(),
            Ok(_) => "text after the end of the JSON".to_owned(),
        }
    })
}

/// A wrong value is reported with the path of its field, invalid JSON with its line and column.
fn with_path(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let text = error.inner().to_string();
    let at = text.rfind(" at line ").filter(|_| error.inner().is_data());
    let why = &text[..at.unwrap_or(text.len())];
    match error.path().to_string().as_str() {
        "." => why.to_owned(),
        path => format!("{path}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::model::node::DriverHealth;

    use super::{detail, stubs};

    const ID: &str = "6f1c36aa-0000-4000-8000-000000000001";

    /// The least that a stub or a detail must say, and `more`.
    fn node(more: Value) -> Value {
        let mut node =
            json!({"ID": ID, "Name": "n", "Status": "ready", "CreateIndex": 7, "ModifyIndex": 9});
        node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        node
    }

    fn wrong(body: &Value) -> String {
        stubs(body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn an_old_server_lacks_fields_and_has_null_maps() {
        let more =
            json!({"ModifyIndex": u64::MAX, "Drivers": null, "HostVolumes": null, "New": [1]});
        let stub = &stubs(json!([node(more)]).to_string().as_bytes()).unwrap()[0];
        assert_eq!((stub.modify_index, stub.node_pool.as_str()), (u64::MAX, ""));
        assert_eq!((&stub.last_drain, stub.drivers.len(), stub.drain), (&None, 0, false));
        let more =
            json!({"Meta": null, "Attributes": null, "HostNetworks": null, "NodeResources": null});
        let detail = detail(node(more).to_string().as_bytes()).unwrap();
        assert_eq!((detail.modify_index, detail.facts.os.as_str()), (9, ""));
        assert_eq!((detail.facts.meta.len(), detail.facts.resources.cpu_mhz), (0, 0));
    }

    #[test]
    fn a_zero_time_is_none_and_a_driver_has_three_states() {
        let drain = json!({"Status": "complete", "StartedAt": "2026-01-02T03:04:05Z", "UpdatedAt": "0001-01-01T00:00:00Z", "Meta": null});
        let drivers = json!({"a": {"Detected": true, "Healthy": true}, "b": {"Detected": true, "Healthy": false}, "c": {"Detected": false, "Healthy": false}});
        let body = json!([node(json!({"LastDrain": drain, "Drivers": drivers}))]);
        let stub = stubs(body.to_string().as_bytes()).unwrap().remove(0);
        let drain = stub.last_drain.unwrap();
        assert_eq!(
            (drain.started_at.as_deref(), drain.updated_at),
            (Some("2026-01-02T03:04:05Z"), None)
        );
        let health: Vec<DriverHealth> = stub.drivers.into_values().collect();
        assert_eq!(
            health,
            [DriverHealth::Healthy, DriverHealth::Unhealthy, DriverHealth::Undetected]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_path() {
        for (more, start) in [
            (
                json!({"ModifyIndex": -1}),
                "[1].ModifyIndex: invalid value: integer `-1`, expected u64",
            ),
            (json!({"CreateIndex": 1.5}), "[1].CreateIndex: invalid type: floating point `1.5`"),
            (
                json!({"ModifyIndex": "9"}),
                "[1].ModifyIndex: invalid type: string \"9\", expected u64",
            ),
            (json!({"Name": null}), "[1].Name: invalid type: null, expected a string"),
            (json!({"ID": "6f1c36aa"}), "[1].ID: not a UUID"),
            (
                json!({"Drivers": {"docker": {"Healthy": 1}}}),
                "[1].Drivers.docker.Healthy: invalid type",
            ),
            (json!({"Name": {"\u{1b}": 1}}), "[1].Name: invalid type: map, expected a string"),
        ] {
            let body = json!([node(json!({"ID": ID.replace('6', "7")})), node(more)]);
            assert!(wrong(&body).starts_with(start), "{} for {start}", wrong(&body));
        }
        assert_eq!(
            wrong(&json!([node(json!({})), node(json!({}))])),
            format!("[1].ID: {ID} is listed twice")
        );
        for body in [json!(null), json!({}), json!("nodes")] {
            assert!(wrong(&body).starts_with("invalid type: "), "{}", wrong(&body));
        }
        assert!(stubs(b"[{\"ID\":\"\xff\"}]").is_err());
        assert_eq!(stubs(b"[] x").unwrap_err(), "text after the end of the JSON");
    }

    #[test]
    fn what_makes_a_node_must_be_there() {
        for key in ["ID", "Name", "Status", "CreateIndex", "ModifyIndex"] {
            let mut node = node(json!({}));
            node.as_object_mut().unwrap().remove(key);
            let missing = format!("missing field `{key}`");
            assert!(wrong(&json!([node])).starts_with(&format!("[0]: {missing}")));
            assert!(detail(node.to_string().as_bytes()).unwrap_err().starts_with(&missing));
        }
    }

    #[test]
    fn deep_nesting_ends_no_process() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(stubs(deep.as_bytes()).unwrap_err().contains("invalid type: sequence"));
        let meta = format!(r#"{{"ID":"{ID}","Meta":{deep}}}"#);
        assert!(detail(meta.as_bytes()).unwrap_err().starts_with("Meta: invalid type: sequence"));
    }
}
