//! A detail as Nomad sends it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::node::{
    Detail, Device, Facts, HostNetwork, Network, NodeId, Reserved, Resources, TextMap,
};

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
pub(super) struct DetailWire {
    #[serde(rename = "ID")]
    id: NodeId,
    // Every node has these three.
    #[serde(rename = "Name")]
    _name: String,
    #[serde(rename = "Status")]
    _status: String,
    #[serde(rename = "CreateIndex")]
    _create_index: u64,
    attributes: Option<TextMap>,
    meta: Option<TextMap>,
    node_resources: Option<ResourcesWire>,
    reserved_resources: Option<ReservedWire>,
    /// Since 1.2.
    host_networks: Option<BTreeMap<String, HostNetworkWire>>,
    modify_index: u64,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct ResourcesWire {
    cpu: CpuWire,
    memory: MemoryWire,
    disk: DiskWire,
    devices: Option<Vec<DeviceWire>>,
    networks: Option<Vec<NetworkWire>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct CpuWire {
    cpu_shares: u64,
    total_cpu_cores: u64,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", default)]
struct MemoryWire {
    #[serde(rename = "MemoryMB")]
    mb: u64,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", default)]
struct DiskWire {
    #[serde(rename = "DiskMB")]
    mb: u64,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct DeviceWire {
    vendor: String,
    r#type: String,
    name: String,
    instances: Option<Vec<serde::de::IgnoredAny>>,
}

/// Nomad omits empty keys.
#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct NetworkWire {
    mode: String,
    device: String,
    #[serde(rename = "CIDR")]
    cidr: String,
    #[serde(rename = "IP")]
    ip: String,
    #[serde(rename = "MBits")]
    mbits: u64,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct ReservedWire {
    cpu: ReservedCpuWire,
    memory: MemoryWire,
    disk: DiskWire,
    networks: ReservedPortsWire,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct ReservedCpuWire {
    cpu_shares: u64,
    reserved_cpu_cores: Option<Vec<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct ReservedPortsWire {
    reserved_host_ports: String,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
struct HostNetworkWire {
    interface: String,
    #[serde(rename = "CIDR")]
    cidr: String,
    reserved_ports: String,
}

impl From<DetailWire> for Detail {
    fn from(wire: DetailWire) -> Self {
        let attributes = wire.attributes.unwrap_or_default();
        let attribute = |key: &str| attributes.get(key).cloned().unwrap_or_default();
        let networks = wire.host_networks.unwrap_or_default();
        let facts = Facts {
            os: format!("{} {}", attribute("os.name"), attribute("os.version")).trim().to_owned(),
            arch: attribute("cpu.arch"),
            meta: wire.meta.unwrap_or_default(),
            resources: wire.node_resources.unwrap_or_default().into(),
            reserved: wire.reserved_resources.unwrap_or_default().into(),
            host_networks: networks
                .into_iter()
                .map(|(name, network)| (name, network.into()))
                .collect(),
            attributes,
        };
        Self { id: wire.id, modify_index: wire.modify_index, facts }
    }
}

impl From<ResourcesWire> for Resources {
    fn from(wire: ResourcesWire) -> Self {
        Self {
            cpu_mhz: wire.cpu.cpu_shares,
            cpu_cores: wire.cpu.total_cpu_cores,
            memory_mb: wire.memory.mb,
            disk_mb: wire.disk.mb,
            devices: wire.devices.unwrap_or_default().into_iter().map(Device::from).collect(),
            networks: wire.networks.unwrap_or_default().into_iter().map(Network::from).collect(),
        }
    }
}

impl From<DeviceWire> for Device {
    fn from(wire: DeviceWire) -> Self {
        let count = wire.instances.map_or(0, |instances| instances.len() as u64);
        Self { vendor: wire.vendor, kind: wire.r#type, name: wire.name, count }
    }
}

impl From<NetworkWire> for Network {
    fn from(wire: NetworkWire) -> Self {
        Self {
            mode: wire.mode,
            device: wire.device,
            cidr: wire.cidr,
            ip: wire.ip,
            mbits: wire.mbits,
        }
    }
}

impl From<ReservedWire> for Reserved {
    fn from(wire: ReservedWire) -> Self {
        Self {
            cpu_mhz: wire.cpu.cpu_shares,
            cpu_cores: wire.cpu.reserved_cpu_cores.unwrap_or_default(),
            memory_mb: wire.memory.mb,
            disk_mb: wire.disk.mb,
            ports: wire.networks.reserved_host_ports,
        }
    }
}

impl From<HostNetworkWire> for HostNetwork {
    fn from(wire: HostNetworkWire) -> Self {
        Self { interface: wire.interface, cidr: wire.cidr, reserved_ports: wire.reserved_ports }
    }
}
