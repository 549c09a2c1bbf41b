//! One node as a page for people.

use std::io::{self, Write};

use anstyle::Style;

use crate::model::live::Live;
use crate::model::node::{DriverHealth, Full, TextMap};
use crate::model::secret::is_secret;
use crate::model::text::sanitised;

use super::column::size;
use super::width::width;
use super::{OutputStyle, allocatable, drain};

/// Writes all that is known of a node, section by section. `live` is what Nomad says now, or why it
/// does not.
pub(crate) fn show(
    to: &mut dyn Write,
    node: &Full,
    live: Result<&Live, &str>,
    style: &OutputStyle,
) -> io::Result<()> {
    let page = NodePage { node, live, style };
    page.section(to, None, &page.identity())?;
    page.section(to, Some("State"), &page.state())?;
    page.section(to, Some("Resources"), &page.resources())?;
    page.section(to, Some("Drivers"), &page.drivers())?;
    page.section(to, Some("Host volumes"), &page.volumes())?;
    page.section(to, Some("Networks"), &page.networks())?;
    page.section(to, Some("Metadata"), &page.texts(node.record.meta.as_ref()))?;
    page.attributes(to)?;
    page.section(to, Some("Events (asked for now, not cached)"), &page.events())
}

/// A label and its value, both safe for a terminal.
type LabeledValue = (String, String);

struct NodePage<'a> {
    node: &'a Full,
    live: Result<&'a Live, &'a str>,
    style: &'a OutputStyle,
}

impl NodePage<'_> {
    fn identity(&self) -> Vec<LabeledValue> {
        let record = &self.node.record;
        vec![
            line("Name", &record.name),
            line("ID", record.id.as_str()),
            line("Address", &record.address),
            line("Datacenter", &record.datacenter),
            line("Node pool", &record.node_pool),
            line("Class", &record.node_class),
            line("Version", &record.version),
            line("OS", record.os.as_deref().unwrap_or_default()),
            line("Arch", record.arch.as_deref().unwrap_or_default()),
        ]
    }

    fn state(&self) -> Vec<LabeledValue> {
        let record = &self.node.record;
        let mut lines = vec![
            line("Status", &record.status),
            line("Description", &record.status_description),
            line("Eligibility", &record.eligibility),
            line("Drain", drain(&record.into())),
        ];
        if let Some(deadline) = self.live.ok().and_then(|live| live.drain_deadline.as_ref()) {
            lines.push(line("Drain deadline", &format!("{deadline} (asked for now)")));
        }
        if let Some(last) = &record.last_drain {
            let [started, updated] =
                [&last.started_at, &last.updated_at].map(|time| time.as_deref().unwrap_or("-"));
            let times = format!("{}, started {started}, updated {updated}", last.status);
            lines.push(line("Last drain", &times));
            lines.push(line("Asked for by", &last.accessor_id));
            let meta = last.meta.iter();
            lines.extend(
                meta.map(|(key, value)| line(&format!("Drain {key}"), self.value(key, value))),
            );
        }
        let indexes = format!("created {}, modified {}", record.create_index, record.modify_index);
        lines.push(line("Indexes", &indexes));
        lines
    }

    fn resources(&self) -> Vec<LabeledValue> {
        let (Some(all), Some(reserved), Some([cpu_mhz, memory_mb, disk_mb])) =
            (&self.node.extra.resources, &self.node.extra.reserved, allocatable(self.node))
        else {
            return Vec::new();
        };
        let mhz = |mhz: u64| format!("{mhz} MHz");
        let shares = |label, all: String, reserved: String, allocatable: String| {
            line(label, &format!("{all}, reserved {reserved}, allocatable {allocatable}"))
        };
        let cpu = format!("{} MHz, {} cores", all.cpu_mhz, all.cpu_cores);
        let mut lines = vec![
            shares("CPU", cpu, mhz(reserved.cpu_mhz), mhz(cpu_mhz)),
            shares("Memory", size(all.memory_mb), size(reserved.memory_mb), size(memory_mb)),
            shares("Disk", size(all.disk_mb), size(reserved.disk_mb), size(disk_mb)),
        ];
        if !reserved.ports.is_empty() {
            lines.push(line("Reserved ports", &reserved.ports));
        }
        lines.extend(all.devices.iter().map(|device| {
            let kind = format!("{}/{}/{}", device.vendor, device.kind, device.name);
            line("Device", &format!("{} × {kind}", device.count))
        }));
        lines
    }

    fn drivers(&self) -> Vec<LabeledValue> {
        let drivers = self.node.record.drivers.iter();
        let detected = drivers.filter(|(_, health)| **health != DriverHealth::Undetected);
        detected.map(|(name, health)| line(name, &self.driver(name, *health))).collect()
    }

    /// The health of a driver, with the reason unless that says the same.
    fn driver(&self, name: &str, health: DriverHealth) -> String {
        let reason = self.live.ok().and_then(|live| live.driver_reasons.get(name));
        match reason {
            Some(reason) if !reason.is_empty() && !reason.eq_ignore_ascii_case(health.name()) => {
                format!("{}: {reason}", health.name())
            }
            _ => health.name().to_owned(),
        }
    }

    /// Newest first.
    fn events(&self) -> Vec<LabeledValue> {
        let live = match self.live {
            Err(why) => return vec![line("not known", why)],
            Ok(live) => live,
        };
        let newest = live.events.iter().rev();
        newest
            .map(|event| line(&event.time, &format!("{}: {}", event.subsystem, event.message)))
            .collect()
    }

    fn volumes(&self) -> Vec<LabeledValue> {
        let volumes = self.node.extra.host_volumes.iter().flatten();
        let volumes = volumes.map(|(name, volume)| {
            let mode = if volume.read_only { "read-only" } else { "read-write" };
            line(name, &format!("{} ({mode})", volume.path))
        });
        volumes.collect()
    }

    fn networks(&self) -> Vec<LabeledValue> {
        let own = self.node.extra.resources.iter().flat_map(|all| &all.networks);
        let own = own.map(|network| {
            let device = if network.device.is_empty() { &network.mode } else { &network.device };
            line(device, &format!("{} {}", network.mode, network.cidr))
        });
        let host = self.node.extra.host_networks.iter().flatten();
        let host = host
            .map(|(name, network)| line(name, &format!("{} {}", network.interface, network.cidr)));
        own.chain(host).collect()
    }

    fn texts(&self, texts: Option<&TextMap>) -> Vec<LabeledValue> {
        texts.into_iter().flatten().map(|(key, value)| line(key, self.value(key, value))).collect()
    }

    /// The attributes, in sections by the first part of their keys: `cpu`, `kernel`, `driver`, …
    fn attributes(&self, to: &mut dyn Write) -> io::Result<()> {
        let group = |line: &LabeledValue| line.0.split('.').next().unwrap_or_default().to_owned();
        let lines = self.texts(self.node.extra.attributes.as_ref());
        for lines in lines.chunk_by(|a, b| group(a) == group(b)) {
            self.section(to, Some(&format!("Attributes: {}", group(&lines[0]))), lines)?;
        }
        Ok(())
    }

    fn value<'v>(&self, key: &str, value: &'v str) -> &'v str {
        if is_secret(key) && !self.style.secrets { "***" } else { value }
    }

    fn section(
        &self,
        to: &mut dyn Write,
        head: Option<&str>,
        lines: &[LabeledValue],
    ) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if let Some(head) = head {
            let style = if self.style.colour { Style::new().bold() } else { Style::new() };
            writeln!(to, "\n{style}{}{style:#}", sanitised(head))?;
        }
        let indent = if head.is_some() { "  " } else { "" };
        let widest = lines.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
        for (label, text) in lines {
            writeln!(to, "{indent}{label}{:1$}  {text}", "", widest - width(label))?;
        }
        Ok(())
    }
}

/// Both parts safe for a terminal; `-` for an empty text.
fn line(label: &str, text: &str) -> LabeledValue {
    let text = if text.trim().is_empty() { "-" } else { text.trim_end() };
    (sanitised(label).into_owned(), sanitised(text).into_owned())
}
