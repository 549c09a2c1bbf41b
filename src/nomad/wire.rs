//! The JSON as Nomad sends it, and how it becomes ours.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::node::{
    Detail, Device, DriverHealth, Facts, HostNetwork, HostVolume, LastDrain, Network, NodeId,
    Reserved, Resources, Stub, TextMap,
};
use crate::model::text::first_line;

/// The answer of `GET /v1/nodes`.
///
/// # Errors
/// What is wrong and where: `[3].ModifyIndex: invalid type…`.
pub(super) fn stubs(body: &[u8]) -> Result<Vec<Stub>, String> {
    let stubs: Vec<Stub> = parsed::<Vec<StubWire>>(body)?.into_iter().map(Stub::from).collect();
    let mut ids = HashSet::with_capacity(stubs.len());
    match stubs.iter().position(|stub| !ids.insert(&stub.id)) {
        Some(at) => Err(format!("[{at}].ID: {} is there twice", stubs[at].id)),
        None => Ok(stubs),
    }
}

/// The answer of `GET /v1/node/:id`.
///
/// # Errors
/// As [`stubs`].
pub(super) fn detail(body: &[u8]) -> Result<Detail, String> {
    Ok(parsed::<DetailWire>(body)?.into())
}

/// The second parse, which finds the path of the wrong field, costs only when there is one.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|_| {
        let mut json = serde_json::Deserializer::from_slice(body);
        match serde_path_to_error::deserialize::<_, T>(&mut json) {
            Err(error) => first_line(&format!("{}: {}", error.path(), error.inner()), 200),
            Ok(_) => "text after the end of the JSON".to_owned(),
        }
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StubWire {
    #[serde(rename = "ID")]
    id: NodeId,
    name: String,
    status: String,
    #[serde(default)]
    status_description: String,
    scheduling_eligibility: String,
    drain: bool,
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
#[serde(rename_all = "PascalCase")]
struct DriverWire {
    #[serde(default)]
    detected: bool,
    #[serde(default)]
    healthy: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
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
#[serde(rename_all = "PascalCase")]
struct HostVolumeWire {
    /// Since 1.10.
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DetailWire {
    #[serde(rename = "ID")]
    id: NodeId,
    attributes: Option<TextMap>,
    meta: Option<TextMap>,
    node_resources: Option<ResourcesWire>,
    reserved_resources: Option<ReservedWire>,
    /// Since 1.2.
    host_networks: Option<BTreeMap<String, HostNetworkWire>>,
    modify_index: u64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ResourcesWire {
    cpu: CpuWire,
    memory: MemoryWire,
    disk: DiskWire,
    devices: Option<Vec<DeviceWire>>,
    networks: Option<Vec<NetworkWire>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CpuWire {
    cpu_shares: u64,
    total_cpu_cores: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MemoryWire {
    #[serde(rename = "MemoryMB")]
    mb: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DiskWire {
    #[serde(rename = "DiskMB")]
    mb: u64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DeviceWire {
    vendor: String,
    r#type: String,
    name: String,
    instances: Option<Vec<serde::de::IgnoredAny>>,
}

/// Empty keys are left out by Nomad.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
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
#[serde(rename_all = "PascalCase", default)]
struct ReservedWire {
    cpu: ReservedCpuWire,
    memory: MemoryWire,
    disk: DiskWire,
    networks: ReservedPortsWire,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ReservedCpuWire {
    cpu_shares: u64,
    reserved_cpu_cores: Option<Vec<u64>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ReservedPortsWire {
    reserved_host_ports: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct HostNetworkWire {
    interface: String,
    #[serde(rename = "CIDR")]
    cidr: String,
    reserved_ports: String,
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

/// Go's zero time means that there is none; newer servers write `null` for it.
fn time(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.starts_with("0001-01-01T"))
}

impl From<HostVolumeWire> for HostVolume {
    fn from(wire: HostVolumeWire) -> Self {
        Self { id: wire.id, path: wire.path, read_only: wire.read_only }
    }
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

#[cfg(test)]
mod tests {
    use super::{detail, stubs};

    const ID: &str = "6f1c36aa-0000-4000-8000-000000000001";

    fn stub(with: &str) -> String {
        format!(
            r#"{{"ID":"{ID}","Name":"n","Status":"ready","SchedulingEligibility":"eligible","Drain":false,"Datacenter":"dc1","CreateIndex":7{with}}}"#
        )
    }

    #[test]
    fn an_old_server_lacks_fields_and_has_null_maps() {
        let body = format!(
            "[{}]",
            stub(r#","ModifyIndex":18446744073709551615,"Drivers":null,"HostVolumes":null"#)
        );
        let stub = &stubs(body.as_bytes()).unwrap()[0];
        assert_eq!(
            (stub.modify_index, stub.node_pool.as_str(), &stub.last_drain),
            (u64::MAX, "", &None)
        );
        let detail = detail(
            format!(r#"{{"ID":"{ID}","ModifyIndex":9,"Meta":null,"Attributes":null}}"#).as_bytes(),
        )
        .unwrap();
        assert_eq!(
            (detail.modify_index, detail.facts.os.as_str(), detail.facts.meta.len()),
            (9, "", 0)
        );
    }

    #[test]
    fn a_zero_time_is_none() {
        let drain = r#","ModifyIndex":9,"LastDrain":{"Status":"complete","StartedAt":"2026-01-02T03:04:05Z","UpdatedAt":"0001-01-01T00:00:00Z","AccessorID":"","Meta":null}"#;
        let stub = stubs(format!("[{}]", stub(drain)).as_bytes()).unwrap().remove(0);
        let drain = stub.last_drain.unwrap();
        assert_eq!(
            (drain.started_at.as_deref(), drain.updated_at),
            (Some("2026-01-02T03:04:05Z"), None)
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_path() {
        let wrong = |body: &str| stubs(body.as_bytes()).unwrap_err();
        let good = stub(r#","ModifyIndex":9"#);
        assert!(
            wrong(&format!("[{}]", stub(r#","ModifyIndex":-1"#)))
                .starts_with("[0].ModifyIndex: invalid value: integer `-1`")
        );
        assert!(wrong(&format!("[{}]", stub(""))).starts_with("[0]: missing field `ModifyIndex`"));
        assert!(wrong(&format!("[{}]", good.replace(ID, "x"))).starts_with("[0].ID: not a UUID"));
        assert_eq!(wrong(&format!("[{good},{good}]")), format!("[1].ID: {ID} is there twice"));
        assert!(wrong("null").contains("invalid type: null"));
        assert!(
            wrong(&"[".repeat(100_000)).contains("recursion limit")
                || wrong(&"[".repeat(100_000)).contains("invalid type")
        );
        assert!(stubs(b"[{\"ID\":\"\xff\"}]").is_err());
        assert_eq!(wrong(&format!("[{good}] x")), "text after the end of the JSON");
    }
}
