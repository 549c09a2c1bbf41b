//! Nodes made up from a number: always the same, of the size of real ones, and built only when asked for.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::node::{Base, Node, Text};
use crate::rng::Rng;
use crate::wire::{Fields, quote};

/// The keys of a detail of 2.0.5, sorted.
pub(crate) const KEYS: [&str; 35] = [
    "Attributes",
    "CSIControllerPlugins",
    "CSINodePlugins",
    "CgroupParent",
    "ComputedClass",
    "CreateIndex",
    "Datacenter",
    "Drain",
    "DrainStrategy",
    "Drivers",
    "Events",
    "GCVolumesOnNodeGC",
    "HTTPAddr",
    "HostNetworks",
    "HostVolumes",
    "ID",
    "IdentitySigningKeyID",
    "LastAllocUpdateIndex",
    "LastDrain",
    "LastMissedHeartbeatIndex",
    "Links",
    "Meta",
    "ModifyIndex",
    "Name",
    "NodeClass",
    "NodeMaxAllocs",
    "NodePool",
    "NodeResources",
    "ReservedResources",
    "SchedulingEligibility",
    "SecretID",
    "Status",
    "StatusDescription",
    "StatusUpdatedAt",
    "TLSEnabled",
];

const ROLES: [&str; 8] = ["web", "db", "cache", "batch", "gpu", "edge", "queue", "search"];
const DATACENTERS: [&str; 4] = ["dc1", "dc2", "eu-west-1a", "us-east-1b"];
const CLASSES: [&str; 5] = ["compute", "memory", "", "gpu", "edge"];
const POOLS: [&str; 4] = ["default", "default", "gpu", "edge"];
const VERSIONS: [&str; 3] = ["2.0.5", "2.0.5", "1.11.3"];
const STARTED: u64 = 1_795_400_000;
type Pair = (&'static str, &'static str);

const JAVA: [Pair; 4] = [
    ("driver.java", "true"),
    ("driver.java.version", "17.0.15"),
    ("driver.java.runtime", "OpenJDK Runtime Environment (build 17.0.15+6-LTS)"),
    ("driver.java.vm", "OpenJDK 64-Bit Server VM (build 17.0.15+6-LTS, mixed mode, sharing)"),
];
const SIGNALS: &str = "SIGABRT,SIGALRM,SIGBUS,SIGCHLD,SIGCONT,SIGFPE,SIGHUP,SIGILL,SIGINT,SIGIO,SIGIOT,SIGKILL,SIGNULL,SIGPIPE,SIGPROF,SIGQUIT,SIGSEGV,SIGSTOP,SIGSYS,SIGTERM,SIGTRAP,SIGTSTP,SIGTTIN,SIGTTOU,SIGURG,SIGUSR1,SIGUSR2,SIGWINCH,SIGXCPU,SIGXFSZ";

/// The node of a number; its indexes are for the cluster to set.
pub(crate) fn node(number: u32) -> Node {
    let mut chance = Rng::new(u64::from(number) + 1);
    let pick =
        |list: &'static [&str], number: u64| Text::Borrowed(list[number as usize % list.len()]);
    let role = ROLES[number as usize % ROLES.len()];
    let down = chance.below(50) == 0;
    Node {
        id: Text::Owned(chance.uuid()),
        name: Text::Owned(format!("{role}-{}", number as usize / ROLES.len() + 1)),
        datacenter: pick(&DATACENTERS, chance.number()),
        node_class: pick(&CLASSES, chance.number()),
        node_pool: pick(&POOLS, chance.number()),
        status: Text::Borrowed(if down { "down" } else { "ready" }),
        status_description: Text::Borrowed(""),
        eligible: chance.below(20) != 0,
        create_index: 0,
        modify_index: 0,
        drain: None,
        last_drain: None,
        events: Vec::new(),
        last_alloc_update: 0,
        last_missed_heartbeat: 0,
        status_updated_at: STARTED + u64::from(number),
        base: Base::Generated(number),
    }
}

pub(crate) fn http_address(number: u32) -> String {
    format!("10.{}.{}.{}:4646", number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff)
}

pub(crate) fn attribute(number: u32, name: &str) -> Text {
    match name {
        "nomad.version" => Text::Borrowed(VERSIONS[number as usize % VERSIONS.len()]),
        "os.name" => Text::Borrowed(if number.is_multiple_of(3) { "ubuntu" } else { "debian" }),
        _ => Text::Borrowed(""),
    }
}

/// What a node's events begin with.
pub(crate) fn first_event() -> Value {
    json!({"CreateIndex": 0, "Details": null, "Message": "Node registered", "Subsystem": "Cluster", "Timestamp": "2026-11-23T02:13:20Z"})
}

/// Writes the value of one key of a detail.
pub(crate) fn write(number: u32, key: &str, node: &Node, to: (&mut String, &mut Rng)) {
    let (out, rng) = to;
    match key {
        "Attributes" => map(out, &mut attributes(number, node), rng),
        "CSIControllerPlugins" | "CSINodePlugins" | "HostVolumes" | "Links" => out.push_str("{}"),
        "CgroupParent" => out.push_str("\"nomad.slice\""),
        "ComputedClass" => {
            let _ = write!(out, "\"v1:{}\"", Rng::new(u64::from(number % 40)).number());
        }
        "Drivers" => drivers(out, number, rng),
        "Events" => {
            let _ = write!(out, "[{}]", first_event());
        }
        "GCVolumesOnNodeGC" | "TLSEnabled" => out.push_str("false"),
        "HTTPAddr" => quote(out, &http_address(number)),
        "IdentitySigningKeyID" => out.push_str("\"4febed27-43e0-54f6-be65-62481188298b\""),
        "Meta" => map(out, &mut meta(number), rng),
        "NodeMaxAllocs" => out.push('0'),
        "NodeResources" => resources(out, number),
        "ReservedResources" => out.push_str(
            r#"{"Cpu":{"CpuShares":100,"ReservedCpuCores":null},"Disk":{"DiskMB":512},"Memory":{"MemoryMB":256},"Networks":{"ReservedHostPorts":"22"}}"#,
        ),
        "SecretID" => out.push_str("\"\""),
        _ => out.push_str("null"),
    }
}

fn map(out: &mut String, entries: &mut [(Text, Text)], rng: &mut Rng) {
    rng.shuffle(entries);
    let mut fields = Fields::new(out);
    entries.iter().for_each(|(key, value)| fields.text(key, value));
    fields.end();
}

fn cores(number: u32) -> u32 {
    [2, 4, 8, 16][number as usize / 3 % 4]
}

fn memory_mb(number: u32) -> u32 {
    cores(number) * [2_048, 4_096][number as usize / 7 % 2]
}

fn attributes(number: u32, node: &Node) -> Vec<(Text, Text)> {
    let cores = cores(number);
    let fixed = [
        ("cpu.arch", "amd64"),
        ("cpu.frequency", "2300"),
        ("cpu.modelname", "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz"),
        ("driver.docker", "1"),
        ("driver.docker.bridge_ip", "172.17.0.1"),
        ("driver.docker.os_type", "linux"),
        ("driver.docker.runtimes", "io.containerd.runc.v2,runc"),
        ("driver.docker.version", "28.3.2"),
        ("driver.exec", "1"),
        ("driver.raw_exec", "1"),
        ("kernel.arch", "x86_64"),
        ("kernel.landlock", "v7"),
        ("kernel.name", "linux"),
        ("kernel.version", "6.12.44-generic"),
        ("nomad.bridge.hairpin_mode", "false"),
        ("nomad.service_discovery", "true"),
        ("numa.node.count", "1"),
        ("os.cgroups.version", "2"),
        ("os.signals", SIGNALS),
        ("os.version", "12.11"),
        ("plugins.cni.version.bridge", "v1.7.1"),
        ("plugins.cni.version.firewall", "v1.7.1"),
        ("plugins.cni.version.host-local", "v1.7.1"),
        ("plugins.cni.version.loopback", "v1.7.1"),
        ("plugins.cni.version.portmap", "v1.7.1"),
        ("plugins.host_volume.mkdir.version", "0.0.1"),
        ("plugins.secrets.nomad.version", "1.0.0"),
        ("plugins.secrets.vault.version", "1.0.0"),
        ("unique.storage.volume", "/dev/nvme0n1p1"),
    ];
    let made = [
        ("cpu.numcores", cores.to_string()),
        ("cpu.reservablecores", cores.to_string()),
        ("cpu.totalcompute", (cores * 2_300).to_string()),
        ("cpu.usablecompute", (cores * 2_300 - 100).to_string()),
        ("memory.totalbytes", (u64::from(memory_mb(number)) << 20).to_string()),
        ("nomad.version", attribute(number, "nomad.version").into_owned()),
        ("numa.node0.cores", format!("0-{}", cores - 1)),
        ("os.name", attribute(number, "os.name").into_owned()),
        ("unique.advertise.address", http_address(number)),
        ("unique.hostname", node.name.clone().into_owned()),
        ("unique.storage.bytestotal", (200_000_000_000 + u64::from(number)).to_string()),
    ];
    let fixed = fixed.into_iter().chain(JAVA).map(|(key, value)| (key.into(), value.into()));
    fixed.chain(made.into_iter().map(|(key, value)| (key.into(), value.into()))).collect()
}

fn meta(number: u32) -> Vec<(Text, Text)> {
    vec![
        (
            "connect.gateway_image".into(),
            "docker.io/envoyproxy/envoy:v${NOMAD_envoy_version}".into(),
        ),
        ("connect.log_level".into(), "info".into()),
        ("connect.proxy_concurrency".into(), "1".into()),
        (
            "connect.sidecar_image".into(),
            "docker.io/envoyproxy/envoy:v${NOMAD_envoy_version}".into(),
        ),
        ("connect.transparent_proxy.default_outbound_port".into(), "15001".into()),
        ("connect.transparent_proxy.default_uid".into(), "101".into()),
        ("owner".into(), ["team-a", "team-b", "team-c"][number as usize % 3].into()),
        ("rack".into(), format!("r{}", number / 40 + 1).into()),
        ("role".into(), ROLES[number as usize % ROLES.len()].into()),
    ]
}

/// Five drivers; docker is sick on every 33rd node.
fn drivers(out: &mut String, number: u32, rng: &mut Rng) {
    let docker = if number % 33 == 7 { "Failed to connect to docker daemon" } else { "Healthy" };
    let found: [(&str, &str, &[Pair]); 5] = [
        (
            "docker",
            docker,
            &[
                ("driver.docker.version", "28.3.2"),
                ("driver.docker.os_type", "linux"),
                ("driver.docker.runtimes", "io.containerd.runc.v2,runc"),
                ("driver.docker.bridge_ip", "172.17.0.1"),
                ("driver.docker", "true"),
            ],
        ),
        ("exec", "Healthy", &[("driver.exec", "true")]),
        ("java", "Healthy", &JAVA),
        ("qemu", "", &[]),
        ("raw_exec", "Healthy", &[("driver.raw_exec", "true")]),
    ];
    let mut order = [0, 1, 2, 3, 4];
    rng.shuffle(&mut order);
    let mut all = Fields::new(out);
    for (name, health, attributes) in order.map(|at| found[at]) {
        let mut one = Fields::new(all.key(name));
        let mut entries = Fields::new(one.key("Attributes"));
        attributes.iter().for_each(|(key, value)| entries.text(key, value));
        entries.end();
        let healthy = health == "Healthy";
        one.plain("Detected", !health.is_empty());
        one.text("HealthDescription", health);
        one.plain("Healthy", healthy);
        one.plain(
            "UpdateTime",
            format_args!(
                "\"2026-11-23T02:{:02}:{:02}.{:09}Z\"",
                number % 60,
                number / 60 % 60,
                100_000_001 + number
            ),
        );
        one.end();
    }
    all.end();
}

fn resources(out: &mut String, number: u32) {
    let cores = cores(number);
    let list: Vec<String> = (0..cores).map(|core| core.to_string()).collect();
    let topology: Vec<String> = (0..cores)
        .map(|core| format!(r#"{{"BaseSpeed":2300,"Disable":false,"Grade":true,"GuessSpeed":0,"ID":{core},"MaxSpeed":3500,"NodeID":0,"SocketID":0}}"#))
        .collect();
    let address = http_address(number);
    let ip = address.trim_end_matches(":4646");
    let _ = write!(
        out,
        r#"{{"Cpu":{{"CpuShares":{},"ReservableCpuCores":[{}],"TotalCpuCores":{cores}}},"Devices":{},"Disk":{{"DiskMB":{}}},"MaxDynamicPort":32000,"Memory":{{"MemoryMB":{}}},"MinDynamicPort":20000,"Networks":[{{"Mode":"bridge"}},{{"CIDR":"{ip}/32","Device":"eth0","IP":"{ip}","MBits":1000,"Mode":"host"}}],"NodeNetworks":[{{"Addresses":null,"Device":"","MacAddress":"","Mode":"bridge","Speed":0}},{{"Addresses":[{{"Address":"{ip}","Alias":"default","Family":"ipv4","Gateway":"","ReservedPorts":""}}],"Device":"eth0","MacAddress":"02:42:0a:00:00:{:02x}","Mode":"host","Speed":1000}}],"Processors":{{"Topology":{{"Cores":[{}],"Distances":[[10]],"Nodes":[0],"OverrideTotalCompute":0,"OverrideWitholdCompute":100}}}}}}"#,
        cores * 2_300,
        list.join(","),
        devices(number),
        190_000 + number % 1_000,
        memory_mb(number),
        number & 0xff,
        topology.join(","),
    );
}

fn devices(number: u32) -> &'static str {
    if number % ROLES.len() as u32 != 4 {
        return "null";
    }
    r#"[{"Attributes":{"memory":{"Int":24,"Unit":"GiB"}},"Instances":[{"HealthDescription":"","Healthy":true,"ID":"GPU-0","Locality":null}],"Name":"A10","Type":"gpu","Vendor":"nvidia"}]"#
}
