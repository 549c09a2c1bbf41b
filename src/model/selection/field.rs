//! The fields of a node by the names that people type: in columns, filters, sort keys and counts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node_arg::did_you_mean;
use crate::model::node::{Full, TextMap};

/// One name that can be typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// The key in JSON.
    pub key: &'static str,
    /// A shorter name.
    pub short: Option<&'static str>,
    /// Only full records have it.
    pub full: bool,
    /// The name of what may follow after a dot.
    pub inner: Option<&'static str>,
    pub meaning: &'static str,
}

const fn plain(key: &'static str, meaning: &'static str) -> FieldSpec {
    FieldSpec { key, short: None, full: false, inner: None, meaning }
}

const fn short(key: &'static str, short: &'static str, meaning: &'static str) -> FieldSpec {
    FieldSpec { short: Some(short), ..plain(key, meaning) }
}

const fn map(key: &'static str, inner: &'static str, meaning: &'static str) -> FieldSpec {
    FieldSpec { inner: Some(inner), ..plain(key, meaning) }
}

const fn full(known: FieldSpec) -> FieldSpec {
    FieldSpec { full: true, ..known }
}

/// All of them, in the order of the JSON.
pub const KNOWN: [FieldSpec; 27] = [
    plain("id", "UUID"),
    plain("name", "name of the node"),
    plain("status", "initializing, ready, down or disconnected"),
    plain("status_description", "Nomad's explanation of the status"),
    plain("eligibility", "eligible or ineligible for new work"),
    plain("drain", "whether it is draining"),
    short("datacenter", "dc", "datacenter"),
    short("node_class", "class", "class that operators gave it"),
    short("node_pool", "pool", "node pool"),
    plain("address", "address of its HTTP API, without the port"),
    plain("version", "version of its Nomad"),
    plain("os", "operating system and its version"),
    plain("arch", "architecture of its CPU"),
    plain("cpu_mhz", "CPU in MHz, all cores together"),
    plain("cpu_cores", "cores"),
    plain("memory_mb", "memory in MB"),
    plain("disk_mb", "disk in MB"),
    map("drivers", "NAME", "task drivers: healthy, unhealthy or undetected"),
    map("meta", "KEY", "metadata"),
    map("last_drain", "status", "the last drain: status, started_at, updated_at, accessor_id"),
    plain("create_index", "Raft index of its registration"),
    plain("modify_index", "Raft index of its last change"),
    full(FieldSpec {
        short: Some("attr"),
        ..map("attributes", "KEY", "attributes detected by the client")
    }),
    full(map("resources", "memory_mb", "total resources: cpu_mhz, cpu_cores, memory_mb, disk_mb")),
    full(map(
        "reserved",
        "memory_mb",
        "reserved resources, not for tasks: cpu_mhz, memory_mb, disk_mb, ports",
    )),
    full(map("host_volumes", "NAME", "host volumes")),
    full(map("host_networks", "NAME", "host networks")),
];

/// A field that was named: a key, and the part after its dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    known: FieldSpec,
    inner: Option<String>,
    /// As it was typed, which is its name in the output.
    name: String,
}

impl Field {
    /// # Errors
    /// There is no field of that name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (key, inner) = match text.split_once('.') {
            Some((key, inner)) => (key, Some(inner.to_owned())),
            None => (text, None),
        };
        let known = KNOWN.iter().find(|known| known.key == key || known.short == Some(key));
        let known = known.filter(|known| inner.is_none() || known.inner.is_some());
        let known = known.filter(|_| inner.as_deref() != Some(""));
        match known {
            Some(known) => Ok(Self { known: *known, inner, name: text.to_owned() }),
            None => Err(unknown(text)),
        }
    }

    /// As it was typed; for a field without a dot the key in JSON.
    pub fn name(&self) -> &str {
        if self.inner.is_none() { self.known.key } else { &self.name }
    }

    /// The key in JSON, if the field has no inner name.
    pub fn key(&self) -> Option<&'static str> {
        self.inner.is_none().then_some(self.known.key)
    }

    /// The key in JSON that it is found under.
    pub fn root(&self) -> &'static str {
        self.known.key
    }

    pub fn needs_full(&self) -> bool {
        self.known.full
    }

    /// The key of metadata or attributes that this names.
    pub fn map_key(&self) -> Option<&str> {
        let is_map = ["meta", "attributes"].contains(&self.known.key);
        self.inner.as_deref().filter(|_| is_map)
    }

    /// Whether these are values of metadata or attributes, which may be secret.
    pub fn is_foreign(&self) -> bool {
        ["meta", "attributes"].contains(&self.known.key)
    }

    /// The names that this field could have had among `nodes`: the keys of the same map.
    pub fn siblings<'a>(&self, nodes: &'a [Full]) -> impl Iterator<Item = &'a str> {
        let is_meta = self.known.key == "meta";
        let map = move |node: &'a Full| {
            if is_meta { node.record.meta.as_ref() } else { node.extra.attributes.as_ref() }
        };
        nodes.iter().filter_map(map).flat_map(TextMap::keys).map(String::as_str)
    }

    /// The value of a node as JSON; null if it has none.
    pub fn value(&self, node: &Full) -> Value {
        match (&self.inner, self.known.key) {
            (Some(key), "meta") => inner_text(node.record.meta.as_ref(), key),
            (Some(key), "attributes") => inner_text(node.extra.attributes.as_ref(), key),
            // A node may have any number of these, so only one is converted.
            (Some(path), "drivers") => member(Some(&node.record.drivers), path),
            (Some(path), "host_volumes") => member(node.extra.host_volumes.as_ref(), path),
            (Some(path), "host_networks") => member(node.extra.host_networks.as_ref(), path),
            (Some(path), key) => within(&outer(node, key), path),
            (None, key) => outer(node, key),
        }
    }
}

fn inner_text(map: Option<&TextMap>, key: &str) -> Value {
    map.and_then(|map| map.get(key)).map_or(Value::Null, |text| Value::from(text.as_str()))
}

fn member<T: serde::Serialize>(map: Option<&BTreeMap<String, T>>, path: &str) -> Value {
    let Some(map) = map else { return Value::Null };
    if let Some(found) = map.get(path) {
        return json(found);
    }
    let inner =
        path.split_once('.').and_then(|(key, rest)| Some(within(&json(map.get(key)?), rest)));
    inner.unwrap_or(Value::Null)
}

/// The member of that name, or the member of a member: `a.b` is looked for before `b` in `a`.
fn within(value: &Value, path: &str) -> Value {
    if let Some(found) = value.get(path) {
        return found.clone();
    }
    let inner = path.split_once('.').and_then(|(key, rest)| Some(within(value.get(key)?, rest)));
    inner.unwrap_or(Value::Null)
}

fn outer(node: &Full, key: &str) -> Value {
    let (record, extra) = (&node.record, &node.extra);
    match key {
        "id" => record.id.as_str().into(),
        "name" => record.name.as_str().into(),
        "status" => record.status.as_str().into(),
        "status_description" => record.status_description.as_str().into(),
        "eligibility" => record.eligibility.as_str().into(),
        "drain" => record.drain.into(),
        "datacenter" => record.datacenter.as_str().into(),
        "node_class" => record.node_class.as_str().into(),
        "node_pool" => record.node_pool.as_str().into(),
        "address" => record.address.as_str().into(),
        "version" => record.version.as_str().into(),
        "os" => record.os.as_deref().into(),
        "arch" => record.arch.as_deref().into(),
        "cpu_mhz" => record.cpu_mhz.into(),
        "cpu_cores" => record.cpu_cores.into(),
        "memory_mb" => record.memory_mb.into(),
        "disk_mb" => record.disk_mb.into(),
        "create_index" => record.create_index.into(),
        "modify_index" => record.modify_index.into(),
        "drivers" => json(&record.drivers),
        "meta" => json(&record.meta),
        "last_drain" => json(&record.last_drain),
        "attributes" => json(&extra.attributes),
        "resources" => json(&extra.resources),
        "reserved" => json(&extra.reserved),
        "host_volumes" => json(&extra.host_volumes),
        "host_networks" => json(&extra.host_networks),
        _ => Value::Null,
    }
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("records have text keys")
}

fn unknown(text: &str) -> String {
    let names = KNOWN.iter().flat_map(|known| Some(known.key).into_iter().chain(known.short));
    let suggestion = did_you_mean(names, text.split('.').next().unwrap_or_default());
    let text: String = text.chars().take(60).collect();
    format!("unknown column {text:?}{suggestion}")
}

/// `text` split at commas into fields.
///
/// # Errors
/// As [`Field::parse`].
pub fn parse_list(text: &str) -> Result<Vec<Field>, String> {
    text.split(',').filter(|part| !part.trim().is_empty()).map(Field::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::{Field, KNOWN, parse_list};

    #[test]
    fn names_and_short_names() {
        let names = |text: &str| -> Vec<String> {
            parse_list(text).unwrap().iter().map(|field| field.name().to_owned()).collect()
        };
        assert_eq!(
            names("id, dc,class,meta.a.b,attr.kernel.name,drivers.docker"),
            ["id", "datacenter", "node_class", "meta.a.b", "attr.kernel.name", "drivers.docker"]
        );
        let why = |text: &str| Field::parse(text).unwrap_err();
        assert_eq!(why("nmae"), "unknown column \"nmae\"; did you mean \"name\"?");
        assert_eq!(why("nothing-like-it"), "unknown column \"nothing-like-it\"");
        assert_eq!(why("name.x"), "unknown column \"name.x\"; did you mean \"name\"?");
        assert_eq!(why("meta."), "unknown column \"meta.\"; did you mean \"meta\"?");
    }

    #[test]
    fn only_full_records_have_attributes_and_resources() {
        let full: Vec<&str> =
            KNOWN.iter().filter(|known| known.full).map(|known| known.key).collect();
        assert_eq!(full, ["attributes", "resources", "reserved", "host_volumes", "host_networks"]);
    }
}
