//! What real agents answered is understood, field by field.

use std::path::{Path, PathBuf};

use nomad_clients::model::node::{Detail, DriverHealth, NodeId, Stub};
use nomad_clients::nomad::{FailureKind, Nomad as _};
use nomad_sim::{Folder, Options, Sim, fixtures};
use serde_json::Value;

use crate::support::wire_server::WireServer;

use super::{answer, check, nomad};

fn replayed(path: PathBuf) -> Sim {
    Sim::start(Options { replay: Some(path), ..Options::default() })
}

fn body(folder: &Path, target: &str) -> Value {
    let folder = Folder::read(folder).unwrap();
    let exchange = folder.exchanges().iter().find(|exchange| exchange.request.target == target);
    let said = exchange.unwrap().response.as_ref().unwrap();
    serde_json::from_slice(&said.body()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[track_caller]
fn same_stub(stub: &Stub, wire: &Value) {
    let texts = [
        (stub.id.as_str(), "ID"),
        (&stub.name, "Name"),
        (&stub.status, "Status"),
        (&stub.status_description, "StatusDescription"),
        (&stub.eligibility, "SchedulingEligibility"),
        (&stub.datacenter, "Datacenter"),
        (&stub.node_class, "NodeClass"),
        (&stub.node_pool, "NodePool"),
        (&stub.address, "Address"),
        (&stub.version, "Version"),
    ];
    for (ours, key) in texts {
        assert_eq!(ours, wire[key], "{key}");
    }
    assert_eq!(
        (&wire["Drain"], &wire["CreateIndex"]),
        (&stub.drain.into(), &stub.create_index.into())
    );
    assert_eq!(wire["ModifyIndex"], stub.modify_index);
    let drivers = wire["Drivers"].as_object().unwrap();
    assert_eq!(stub.drivers.len(), drivers.len());
    for (name, driver) in drivers {
        let health = match (&driver["Healthy"], &driver["Detected"]) {
            (Value::Bool(true), _) => DriverHealth::Healthy,
            (_, Value::Bool(true)) => DriverHealth::Unhealthy,
            _ => DriverHealth::Undetected,
        };
        assert_eq!(stub.drivers[name], health, "{name}");
    }
    match &stub.last_drain {
        None => assert_eq!(wire["LastDrain"], Value::Null),
        Some(drain) => {
            let wire = &wire["LastDrain"];
            assert_eq!(
                (&*drain.status, &*drain.accessor_id),
                (text(&wire["Status"]), text(&wire["AccessorID"]))
            );
            assert_eq!(drain.started_at.as_deref(), wire["StartedAt"].as_str());
            assert_eq!(drain.updated_at.as_deref(), wire["UpdatedAt"].as_str());
        }
    }
    let volumes = wire["HostVolumes"].as_object().into_iter().flatten();
    for (name, volume) in volumes.clone() {
        let ours = &stub.host_volumes[name];
        assert_eq!((&*ours.path, &*ours.id), (text(&volume["Path"]), text(&volume["ID"])));
        assert_eq!(volume["ReadOnly"], ours.read_only);
    }
    assert_eq!(stub.host_volumes.len(), volumes.count());
}

#[track_caller]
fn same_detail(detail: &Detail, wire: &Value) {
    let (facts, attributes) = (&detail.facts, &wire["Attributes"]);
    assert_eq!(
        (wire["ID"].as_str(), &wire["ModifyIndex"]),
        (Some(detail.id.as_str()), &detail.modify_index.into())
    );
    assert_eq!(serde_json::to_value(&facts.meta).unwrap(), wire["Meta"]);
    assert_eq!(serde_json::to_value(&facts.attributes).unwrap(), *attributes);
    let os = format!("{} {}", text(&attributes["os.name"]), text(&attributes["os.version"]));
    assert_eq!((&*facts.os, &*facts.arch), (os.trim(), text(&attributes["cpu.arch"])));
    let (all, kept) = (&wire["NodeResources"], &wire["ReservedResources"]);
    assert_eq!(all["Cpu"]["CpuShares"], facts.resources.cpu_mhz);
    assert_eq!(all["Cpu"]["TotalCpuCores"], facts.resources.cpu_cores);
    assert_eq!(all["Memory"]["MemoryMB"], facts.resources.memory_mb);
    assert_eq!(all["Disk"]["DiskMB"], facts.resources.disk_mb);
    let networks = all["Networks"].as_array().unwrap();
    assert_eq!(facts.resources.networks.len(), networks.len());
    for (ours, wire) in facts.resources.networks.iter().zip(networks) {
        let ours = [&ours.mode, &ours.device, &ours.cidr, &ours.ip];
        assert_eq!(ours, ["Mode", "Device", "CIDR", "IP"].map(|key| text(&wire[key])));
    }
    assert_eq!(kept["Cpu"]["CpuShares"], facts.reserved.cpu_mhz);
    assert_eq!(kept["Memory"]["MemoryMB"], facts.reserved.memory_mb);
    assert_eq!(kept["Disk"]["DiskMB"], facts.reserved.disk_mb);
    assert_eq!(kept["Networks"]["ReservedHostPorts"], *facts.reserved.ports);
}

#[test]
fn every_recorded_node_is_read_whole() {
    let (mut drains, mut read) = (0, 0);
    for step in [
        "1.9.7/04-five-nodes-ready",
        "2.0.5/01-empty-cluster",
        "2.0.5/04-five-nodes-ready",
        "2.0.5/09-drain-started",
        "2.0.5/10-drain-complete",
        "2.0.5/14-drain-cancelled",
        "2.0.5/16-client-down",
        "2.0.5/18-client-disconnected",
    ] {
        let folder = fixtures().join(step);
        let sim = replayed(folder.clone());
        let nomad = nomad(&sim.address());
        let (listing, list) = (nomad.stubs().unwrap(), body(&folder, "/v1/nodes"));
        let list = list.as_array().unwrap();
        assert_eq!(listing.stubs.len(), list.len(), "{step}");
        assert!(listing.known_leader && listing.last_contact_ms == 0);
        for (stub, wire) in listing.stubs.iter().zip(list) {
            same_stub(stub, wire);
            drains += usize::from(stub.last_drain.is_some());
        }
        for detail in Folder::read(&folder).unwrap().details() {
            let id = NodeId::parse(text(&detail["ID"])).unwrap();
            same_detail(&nomad.node(&id).unwrap().unwrap(), &detail);
            read += 1;
        }
    }
    assert!(read >= 10 && drains >= 2, "{read} details, {drains} drains");
}

#[test]
fn recorded_errors_are_understood() {
    let unknown = fixtures().join("2.0.5/41-errors-node");
    let folder = Folder::read(&unknown).unwrap();
    let gone = folder.exchanges().iter().find(|exchange| {
        exchange.response.as_ref().is_some_and(|said| said.body() == b"node not found")
    });
    let target = &gone.unwrap().request.target;
    let id = NodeId::parse(target.trim_start_matches("/v1/node/")).unwrap();
    let sim = replayed(unknown);
    assert!(nomad(&sim.address()).node(&id).unwrap().is_none());

    let sim = replayed(fixtures().join("2.0.5/52-no-leader-ever"));
    let hint = Some("try again when Nomad has elected a leader");
    let what = "Nomad at {at} answered 500: No cluster leader";
    check(nomad(&sim.address()).stubs(), &sim.address(), (FailureKind::Outage, what, hint));

    for (target, status) in [("/v1/nodes", 403), ("/v1/node/", 403)] {
        let refused = recorded("2.0.5/48-acl", target, status);
        let error = nomad(&refused.address()).stubs().unwrap_err();
        assert_eq!(error.kind, FailureKind::Denied, "{target}: {error}");
    }
}

/// Says again what was once answered with `status` to a question that began with `target`.
fn recorded(step: &str, target: &str, status: u16) -> WireServer {
    let folder = Folder::read(&fixtures().join(step)).unwrap();
    let said = folder.exchanges().iter().find_map(|exchange| {
        let said = exchange.response.as_ref()?;
        (said.status == status && exchange.request.target.starts_with(target)).then_some(said)
    });
    let said = said.unwrap();
    let headers = said.headers.iter().filter(|(name, _)| !name.starts_with("Content-Length"));
    let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let body = String::from_utf8(said.body()).unwrap();
    WireServer::saying(&answer(&format!("{status} As recorded"), &headers, &body))
}
