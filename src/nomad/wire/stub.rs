//! An entry of the list as Nomad sends it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::node::{DriverHealth, HostVolume, LastDrain, NodeId, Stub, TextMap};

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
pub(super) struct StubWire {
    #[serde(rename = "ID")]
    id: NodeId,
    name: String,
    status: String,
    #[serde(default)]
    status_description: String,
    #[serde(default)]
    scheduling_eligibility: String,
    #[serde(default)]
    drain: bool,
    #[serde(default)]
    datacenter: String,
    #[serde(default)]
    node_class: String,
    /// Since 1.6.
    #[serde(default)]
    node_pool: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    version: String,
    drivers: Option<BTreeMap<String, DriverWire>>,
    /// Since 1.1.
    last_drain: Option<LastDrainWire>,
    host_volumes: Option<BTreeMap<String, HostVolumeWire>>,
    create_index: u64,
    modify_index: u64,
}

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
struct DriverWire {
    #[serde(default)]
    detected: bool,
    #[serde(default)]
    healthy: bool,
}

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
struct LastDrainWire {
    #[serde(default)]
    status: String,
    started_at: Option<String>,
    updated_at: Option<String>,
    #[serde(default, rename = "AccessorID")]
    accessor_id: String,
    meta: Option<TextMap>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
struct HostVolumeWire {
    /// Since 1.10.
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    read_only: bool,
}

impl From<StubWire> for Stub {
    fn from(wire: StubWire) -> Self {
        let drivers = wire.drivers.unwrap_or_default();
        let volumes = wire.host_volumes.unwrap_or_default();
        Self {
            id: wire.id,
            name: wire.name,
            status: wire.status,
            status_description: wire.status_description,
            eligibility: wire.scheduling_eligibility,
            drain: wire.drain,
            datacenter: wire.datacenter,
            node_class: wire.node_class,
            node_pool: wire.node_pool,
            address: wire.address,
            version: wire.version,
            drivers: drivers.into_iter().map(|(name, driver)| (name, driver.health())).collect(),
            last_drain: wire.last_drain.map(LastDrain::from),
            host_volumes: volumes.into_iter().map(|(name, volume)| (name, volume.into())).collect(),
            create_index: wire.create_index,
            modify_index: wire.modify_index,
        }
    }
}

impl DriverWire {
    fn health(&self) -> DriverHealth {
        match (self.healthy, self.detected) {
            (true, _) => DriverHealth::Healthy,
            (false, true) => DriverHealth::Unhealthy,
            (false, false) => DriverHealth::Undetected,
        }
    }
}

impl From<LastDrainWire> for LastDrain {
    fn from(wire: LastDrainWire) -> Self {
        Self {
            status: wire.status,
            started_at: time(wire.started_at),
            updated_at: time(wire.updated_at),
            accessor_id: wire.accessor_id,
            meta: wire.meta.unwrap_or_default(),
        }
    }
}

/// Go's zero time means no time; newer servers write `null`.
fn time(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.starts_with("0001-01-01T"))
}

impl From<HostVolumeWire> for HostVolume {
    fn from(wire: HostVolumeWire) -> Self {
        Self { id: wire.id, path: wire.path, read_only: wire.read_only }
    }
}
