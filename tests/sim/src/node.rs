//! A node of the model, and the two ways in which Nomad shows it: stub and detail.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::generate;
use crate::rng::Rng;
use crate::wire::{self, Fields};

pub type Text = Cow<'static, str>;

/// What changes in a node's life; the rest is in its [`Base`].
#[derive(Debug, Clone)]
pub struct Node {
    pub id: Text,
    pub name: Text,
    pub datacenter: Text,
    pub node_class: Text,
    pub node_pool: Text,
    pub status: Text,
    pub status_description: Text,
    pub eligible: bool,
    pub create_index: u64,
    pub modify_index: u64,
    /// `DrainStrategy`, while a drain is running.
    pub drain: Option<Value>,
    pub last_drain: Option<Value>,
    /// Empty for a generated node to which nothing happened yet.
    pub events: Vec<Value>,
    pub last_alloc_update: u64,
    pub last_missed_heartbeat: u64,
    pub status_updated_at: u64,
    pub base: Base,
}

/// Where the unchanging part of a node comes from.
#[derive(Debug, Clone)]
pub enum Base {
    /// A whole detail, recorded or written by hand.
    Given(Arc<Value>),
    /// Made up when asked for, from this number: so 100,000 nodes fit into memory.
    Generated(u32),
}

/// How a server of some version writes nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// As the base has it: 2.0.5 or 1.9.7.
    #[default]
    Today,
    /// Before 1.6: no `NodePool`, no `LastDrain`, and `null` where maps are empty.
    Old,
}

/// What the list was asked to add to the stubs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra {
    pub resources: bool,
    pub os: bool,
}

/// Keys that a server before 1.6 does not know.
const NEW_KEYS: [&str; 11] = [
    "CgroupParent",
    "GCVolumesOnNodeGC",
    "HostNetworks",
    "IdentitySigningKeyID",
    "LastAllocUpdateIndex",
    "LastDrain",
    "LastMissedHeartbeatIndex",
    "NodeMaxAllocs",
    "NodePool",
    "CSIControllerPlugins",
    "CSINodePlugins",
];

impl Node {
    /// A node as the body of a detail describes it.
    pub fn from_detail(detail: Value) -> Self {
        let text = |key: &str| Text::Owned(detail[key].as_str().unwrap_or_default().to_owned());
        let number = |key: &str| detail[key].as_u64().unwrap_or_default();
        let object = |key: &str| Some(detail[key].clone()).filter(|value| !value.is_null());
        Self {
            id: text("ID"),
            name: text("Name"),
            datacenter: text("Datacenter"),
            node_class: text("NodeClass"),
            node_pool: text("NodePool"),
            status: text("Status"),
            status_description: text("StatusDescription"),
            eligible: detail["SchedulingEligibility"] != "ineligible",
            create_index: number("CreateIndex"),
            modify_index: number("ModifyIndex"),
            drain: object("DrainStrategy"),
            last_drain: object("LastDrain"),
            events: detail["Events"].as_array().cloned().unwrap_or_default(),
            last_alloc_update: number("LastAllocUpdateIndex"),
            last_missed_heartbeat: number("LastMissedHeartbeatIndex"),
            status_updated_at: number("StatusUpdatedAt"),
            base: Base::Given(Arc::new(detail)),
        }
    }

    /// The unchanging part, to change it after all: `Meta`, `Attributes`, `Drivers`, anything.
    pub fn base_mut(&mut self) -> &mut Value {
        if let Base::Generated(_) = self.base {
            let mut text = String::new();
            self.detail(&mut text, Shape::Today, &mut Rng::new(0));
            let detail = serde_json::from_str(&text).expect("a detail is JSON");
            self.base = Base::Given(Arc::new(detail));
        }
        match &mut self.base {
            Base::Given(detail) => Arc::make_mut(detail),
            Base::Generated(_) => unreachable!("it was just replaced"),
        }
    }

    /// Adds an event and keeps the last ten, as Nomad does.
    pub fn add_event(&mut self, event: Value) {
        if let (Base::Generated(_), true) = (&self.base, self.events.is_empty()) {
            self.events.push(generate::first_event());
        }
        self.events.push(event);
        if self.events.len() > 10 {
            self.events.remove(0);
        }
    }

    pub fn eligibility(&self) -> &'static str {
        if self.eligible { "eligible" } else { "ineligible" }
    }

    /// Writes the node as one entry of `GET /v1/nodes`.
    pub fn stub(&self, out: &mut String, form: (Shape, Extra), rng: &mut Rng) {
        let (shape, extra) = form;
        let mut fields = Fields::new(out);
        fields.text("Address", &self.address());
        if extra.os {
            fields.value("Attributes", Some(&json!({"os.name": self.attribute("os.name")})), rng);
        }
        fields.plain("CreateIndex", self.create_index);
        fields.text("Datacenter", &self.datacenter);
        fields.plain("Drain", self.drain.is_some());
        self.write("Drivers", &mut fields, shape, rng);
        self.write("HostVolumes", &mut fields, shape, rng);
        fields.text("ID", &self.id);
        if shape == Shape::Today {
            fields.value("LastDrain", self.last_drain.as_ref(), rng);
        }
        fields.plain("ModifyIndex", self.modify_index);
        fields.text("Name", &self.name);
        fields.text("NodeClass", &self.node_class);
        if shape == Shape::Today {
            fields.text("NodePool", &self.node_pool);
        }
        if extra.resources {
            self.write("NodeResources", &mut fields, shape, rng);
            self.write("ReservedResources", &mut fields, shape, rng);
        }
        fields.text("SchedulingEligibility", self.eligibility());
        fields.text("Status", &self.status);
        fields.text("StatusDescription", &self.status_description);
        fields.text("Version", &self.attribute("nomad.version"));
        fields.end();
    }

    /// Writes the node as `GET /v1/node/:id` does.
    pub fn detail(&self, out: &mut String, shape: Shape, rng: &mut Rng) {
        let mut fields = Fields::new(out);
        match &self.base {
            Base::Given(detail) => {
                let mut keys: Vec<&String> =
                    detail.as_object().into_iter().flat_map(|object| object.keys()).collect();
                keys.sort_unstable();
                keys.into_iter().for_each(|key| self.write(key, &mut fields, shape, rng));
            }
            Base::Generated(_) => {
                generate::KEYS.iter().for_each(|key| self.write(key, &mut fields, shape, rng));
            }
        }
        fields.end();
    }

    /// Writes one key of the detail: from the life of the node if that knows it, else from its base.
    fn write(&self, key: &str, fields: &mut Fields<'_>, shape: Shape, rng: &mut Rng) {
        if shape == Shape::Old && NEW_KEYS.contains(&key) {
            return;
        }
        match key {
            "CreateIndex" => fields.plain(key, self.create_index),
            "Datacenter" => fields.text(key, &self.datacenter),
            "Drain" => fields.plain(key, self.drain.is_some()),
            "DrainStrategy" => fields.value(key, self.drain.as_ref(), rng),
            "ID" => fields.text(key, &self.id),
            "LastAllocUpdateIndex" => fields.plain(key, self.last_alloc_update),
            "LastDrain" => fields.value(key, self.last_drain.as_ref(), rng),
            "LastMissedHeartbeatIndex" => fields.plain(key, self.last_missed_heartbeat),
            "ModifyIndex" => fields.plain(key, self.modify_index),
            "Name" => fields.text(key, &self.name),
            "NodeClass" => fields.text(key, &self.node_class),
            "NodePool" => fields.text(key, &self.node_pool),
            "SchedulingEligibility" => fields.text(key, self.eligibility()),
            "Status" => fields.text(key, &self.status),
            "StatusDescription" => fields.text(key, &self.status_description),
            "StatusUpdatedAt" => fields.plain(key, self.status_updated_at),
            "Events" if !self.events.is_empty() => {
                wire::value(fields.key(key), key, &Value::Array(self.events.clone()), rng);
            }
            _ => self.write_base(key, fields, shape, rng),
        }
    }

    fn write_base(&self, key: &str, fields: &mut Fields<'_>, shape: Shape, rng: &mut Rng) {
        match &self.base {
            Base::Given(detail) if shape == Shape::Old => {
                fields.value(key, Some(&emptied(&detail[key])), rng);
            }
            Base::Given(detail) => fields.value(key, detail.get(key), rng),
            Base::Generated(number) if shape == Shape::Old => {
                let mut text = String::new();
                generate::write(*number, key, self, (&mut text, rng));
                let value: Value = serde_json::from_str(&text).expect("a generated value is JSON");
                fields.value(key, Some(&emptied(&value)), rng);
            }
            Base::Generated(number) => {
                generate::write(*number, key, self, (fields.key(key), rng));
            }
        }
    }

    fn address(&self) -> String {
        let address = match &self.base {
            Base::Given(detail) => detail["HTTPAddr"].as_str().unwrap_or_default().to_owned(),
            Base::Generated(number) => generate::http_address(*number),
        };
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']').to_owned()
    }

    fn attribute(&self, name: &str) -> Text {
        match &self.base {
            Base::Given(detail) => {
                Text::Owned(detail["Attributes"][name].as_str().unwrap_or_default().to_owned())
            }
            Base::Generated(number) => generate::attribute(*number, name),
        }
    }
}

/// The value with `null` in place of every empty map or list, as old servers wrote it.
fn emptied(value: &Value) -> Value {
    match value {
        Value::Object(object) if object.is_empty() => Value::Null,
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Object(object) => {
            Value::Object(object.iter().map(|(key, value)| (key.clone(), emptied(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(emptied).collect()),
        plain => plain.clone(),
    }
}
