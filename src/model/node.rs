//! A node as Nomad describes it, and the record that is made of that.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::json;

/// Text to text, in the order of the keys: Nomad shuffles its maps, a record must not.
pub type TextMap = BTreeMap<String, String>;

/// A node's ID: a UUID of 36 characters, lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(String);

impl NodeId {
    pub(super) const NO_UUID: &str = "not a UUID";

    /// `None` if the text is no UUID in its 36-character form. Upper case is folded.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of(text.into())
    }

    fn of(text: Cow<'_, str>) -> Option<Self> {
        Self::text(text).map(|text| Self(text.into_owned()))
    }

    /// The same as text, copied only to fold it.
    pub(super) fn text(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
        let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
        let fits = |(at, byte): (usize, &u8)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        // Without a branch for each byte: each table reads every ID.
        let fits = bytes.iter().enumerate().map(fits).fold(true, |all, one| all & one);
        let is_upper = bytes.iter().fold(false, |any, byte| any | byte.is_ascii_uppercase());
        fits.then(|| if is_upper { text.to_ascii_lowercase().into() } else { text })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for NodeId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::of(text.into()).ok_or(Self::NO_UUID)
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0
    }
}

/// A full record as JSON. Shared, because a refresh publishes most records as it has read them.
pub type FullJson = Arc<Vec<u8>>;

/// A JSON array of records, by name (natural), then id: the very bytes of `list --json`. Shared, because
/// an unchanged list is published and shown as it was read.
pub type AllJson = Arc<Vec<u8>>;

/// The full records of many nodes.
pub type Fulls = Vec<(NodeId, FullJson)>;

/// The health of a task driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverHealth {
    Healthy,
    Unhealthy,
    Undetected,
}

impl DriverHealth {
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Undetected => "undetected",
        }
    }
}

/// The last drain of a node. Times are RFC 3339 as Nomad wrote them; a zero time is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDrain {
    /// `draining`, `complete` or `canceled`.
    pub status: String,
    pub started_at: Option<String>,
    pub updated_at: Option<String>,
    pub accessor_id: String,
    pub meta: TextMap,
}

/// One entry of `GET /v1/nodes`. Fields that old servers do not have are empty (`node_pool` before 1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stub {
    pub id: NodeId,
    pub name: String,
    pub status: String,
    pub status_description: String,
    pub eligibility: String,
    pub drain: bool,
    pub datacenter: String,
    pub node_class: String,
    pub node_pool: String,
    pub address: String,
    pub version: String,
    pub drivers: BTreeMap<String, DriverHealth>,
    pub last_drain: Option<LastDrain>,
    pub host_volumes: BTreeMap<String, HostVolume>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// The answer of `GET /v1/node/:id`: the facts that the stub lacks, and the index that must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    pub id: NodeId,
    pub modify_index: u64,
    pub facts: Facts,
}

/// The facts that only a detail has. CPU in MHz, memory and disk in MB as Nomad counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub os: String,
    pub arch: String,
    pub meta: TextMap,
    pub attributes: TextMap,
    pub resources: Resources,
    pub reserved: Reserved,
    pub host_networks: BTreeMap<String, HostNetwork>,
}

/// All resources of a node; minus [`Reserved`], they are available to tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    pub cpu_mhz: u64,
    pub cpu_cores: u64,
    pub memory_mb: u64,
    pub disk_mb: u64,
    pub devices: Vec<Device>,
    pub networks: Vec<Network>,
}

/// The resources that tasks can't have. `ports` as Nomad writes them: `22,8000-8010`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    pub cpu_mhz: u64,
    pub cpu_cores: Vec<u64>,
    pub memory_mb: u64,
    pub disk_mb: u64,
    pub ports: String,
}

/// A group of equal devices, GPUs for instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub vendor: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub count: u64,
}

/// A network of the node's resources; empty where Nomad left the key out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub mode: String,
    pub device: String,
    pub cidr: String,
    pub ip: String,
    pub mbits: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostVolume {
    pub id: String,
    pub path: String,
    pub read_only: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNetwork {
    pub interface: String,
    pub cidr: String,
    pub reserved_ports: String,
}

/// A node as `all` holds it and as `list --json` prints it: the keys are a contract. `None` in
/// what only a detail knows: the detail could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: NodeId,
    pub name: String,
    pub status: String,
    pub status_description: String,
    pub eligibility: String,
    pub drain: bool,
    pub datacenter: String,
    pub node_class: String,
    pub node_pool: String,
    pub address: String,
    pub version: String,
    pub os: Option<String>,
    pub arch: Option<String>,
    pub cpu_mhz: Option<u64>,
    pub cpu_cores: Option<u64>,
    pub memory_mb: Option<u64>,
    pub disk_mb: Option<u64>,
    pub drivers: BTreeMap<String, DriverHealth>,
    pub meta: Option<TextMap>,
    pub last_drain: Option<LastDrain>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// The fields that only a full record has. All are `None` without a detail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    pub attributes: Option<TextMap>,
    pub resources: Option<Resources>,
    pub reserved: Option<Reserved>,
    pub host_volumes: Option<BTreeMap<String, HostVolume>>,
    pub host_networks: Option<BTreeMap<String, HostNetwork>>,
}

/// A node as `hash` holds it and as `show --json` prints it: the record's keys, then the extra ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    pub record: Record,
    pub extra: Extra,
}

impl AsRef<Self> for Record {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRef<Record> for Full {
    fn as_ref(&self) -> &Record {
        &self.record
    }
}

impl From<Record> for Full {
    /// Without the fields that only full records have.
    fn from(record: Record) -> Self {
        Self { record, extra: Extra::default() }
    }
}

impl Full {
    /// The one place where stub and detail become a record: fields of the stub win over those of the
    /// detail.
    pub fn new(stub: &Stub, facts: Option<Facts>) -> Self {
        let mut full = Self::bare(stub);
        let Some(Facts { os, arch, meta, attributes, resources, reserved, host_networks }) = facts
        else {
            return full;
        };
        let Self { record, extra } = &mut full;
        (record.os, record.arch, record.meta) = (Some(os), Some(arch), Some(meta));
        record.cpu_mhz = Some(resources.cpu_mhz);
        record.cpu_cores = Some(resources.cpu_cores);
        record.memory_mb = Some(resources.memory_mb);
        record.disk_mb = Some(resources.disk_mb);
        *extra = Extra {
            attributes: Some(attributes),
            resources: Some(resources),
            reserved: Some(reserved),
            host_volumes: Some(stub.host_volumes.clone()),
            host_networks: Some(host_networks),
        };
        full
    }

    /// Without the facts of a detail.
    fn bare(stub: &Stub) -> Self {
        Self::from(Record {
            id: stub.id.clone(),
            name: stub.name.clone(),
            status: stub.status.clone(),
            status_description: stub.status_description.clone(),
            eligibility: stub.eligibility.clone(),
            drain: stub.drain,
            datacenter: stub.datacenter.clone(),
            node_class: stub.node_class.clone(),
            node_pool: stub.node_pool.clone(),
            address: stub.address.clone(),
            version: stub.version.clone(),
            os: None,
            arch: None,
            cpu_mhz: None,
            cpu_cores: None,
            memory_mb: None,
            disk_mb: None,
            drivers: stub.drivers.clone(),
            meta: None,
            last_drain: stub.last_drain.clone(),
            create_index: stub.create_index,
            modify_index: stub.modify_index,
        })
    }

    /// The facts of the detail, to build the record again with a newer stub. `None` for a record
    /// without details.
    pub fn facts(self) -> Option<Facts> {
        Some(Facts {
            os: self.record.os?,
            arch: self.record.arch?,
            meta: self.record.meta?,
            attributes: self.extra.attributes?,
            resources: self.extra.resources?,
            reserved: self.extra.reserved?,
            host_networks: self.extra.host_networks?,
        })
    }

    /// The JSON of the full record, and where in it that of the record ends, but for its brace.
    pub fn to_json(&self) -> (Vec<u8>, usize) {
        let mut full = json::bytes(&self.record);
        let end = full.len() - 1;
        let extra = json::bytes(&self.extra);
        full[end] = b',';
        full.extend_from_slice(&extra[1..]);
        full.shrink_to_fit();
        (full, end)
    }

    /// The JSON of the full record, or of the record alone.
    pub fn json(&self, full: bool) -> Vec<u8> {
        if full { self.to_json().0 } else { json::bytes(&self.record) }
    }

    /// Two readings of the same bytes: each struct takes its own keys, so the two lists of fields
    /// stay the only description of a record.
    pub fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        Ok(Self { record: serde_json::from_slice(bytes)?, extra: serde_json::from_slice(bytes)? })
    }
}
