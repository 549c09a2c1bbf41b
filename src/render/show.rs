//! One node as a page for people.

use std::io::{self, Write};

use anstyle::Style;

use crate::model::live::Live;
use crate::model::node::{DriverHealth, Full, TextMap};
use crate::model::secret::is_secret;
use crate::model::text::sanitised;

use super::cell::{Column, size};
use super::width::width;
use super::{OutputStyle, allocatable, drain};

/// Writes all that is known of a node, section by section. `live` is what Nomad says now, or why it
/// does not.
pub(crate) fn show(
    to: &mut dyn Write,
    node: &Full,
    live: Result<&Live, &str>,
    look: &OutputStyle,
) -> io::Result<()> {
    let page = NodePage { node, live, look };
    page.section(to, None, page.identity())?;
    page.section(to, Some("State"), page.state())?;
    page.section(to, Some("Resources"), page.resources())?;
    page.section(to, Some("Drivers"), page.drivers())?;
    page.section(to, Some("Host volumes"), page.volumes())?;
    page.section(to, Some("Networks"), page.networks())?;
    page.section(to, Some("Metadata"), page.texts(node.record.meta.as_ref()))?;
    page.attributes(to)?;
    page.section(to, Some("Events (asked for now, not cached)"), page.events())
}

/// A label and what it says.
type LabeledValue = (String, String);

struct NodePage<'a> {
    node: &'a Full,
    live: Result<&'a Live, &'a str>,
    look: &'a OutputStyle,
}

impl NodePage<'_> {
    fn identity(&self) -> Vec<LabeledValue> {
        let columns = [
            ("Name", Column::Name),
            ("ID", Column::Id),
            ("Address", Column::Address),
            ("Datacenter", Column::Dc),
            ("Node pool", Column::Pool),
            ("Class", Column::Class),
            ("Version", Column::Version),
            ("OS", Column::Os),
            ("Arch", Column::Arch),
        ];
        columns
            .map(|(label, column)| (label.to_owned(), column.text(&self.node.record).into_owned()))
            .into()
    }

    fn state(&self) -> Vec<LabeledValue> {
        let record = &self.node.record;
        let mut lines = vec![
            line("Status", &self.toned(Column::Status)),
            line("Description", &record.status_description),
            line("Eligibility", &self.toned(Column::Eligibility)),
            line("Drain", drain(record)),
        ];
        if let Some(deadline) = self.live.ok().and_then(|live| live.drain_deadline.as_ref()) {
            lines.push(line("Drain deadline", &format!("{deadline} (asked for now)")));
        }
        if let Some(last) = &record.last_drain {
            let times =
                [&last.started_at, &last.updated_at].map(|time| time.as_deref().unwrap_or("-"));
            lines.push(line(
                "Last drain",
                &format!("{}, started {}, updated {}", last.status, times[0], times[1]),
            ));
            lines.push(line("Asked for by", &last.accessor_id));
            lines.extend(
                last.meta
                    .iter()
                    .map(|(key, value)| line(&format!("Drain {key}"), &self.value(key, value))),
            );
        }
        lines.push(line(
            "Indexes",
            &format!("created {}, modified {}", record.create_index, record.modify_index),
        ));
        lines
    }

    fn toned(&self, column: Column) -> String {
        column.text(&self.node.record).into_owned()
    }

    fn resources(&self) -> Vec<LabeledValue> {
        let (Some(all), Some(kept), Some(rest)) =
            (&self.node.extra.resources, &self.node.extra.reserved, allocatable(self.node))
        else {
            return Vec::new();
        };
        let mut lines = vec![
            line(
                "CPU",
                &format!(
                    "{} MHz, {} cores, reserved {} MHz, allocatable {} MHz",
                    all.cpu_mhz, all.cpu_cores, kept.cpu_mhz, rest[0]
                ),
            ),
            line(
                "Memory",
                &format!(
                    "{}, reserved {}, allocatable {}",
                    size(all.memory_mb),
                    size(kept.memory_mb),
                    size(rest[1])
                ),
            ),
            line(
                "Disk",
                &format!(
                    "{}, reserved {}, allocatable {}",
                    size(all.disk_mb),
                    size(kept.disk_mb),
                    size(rest[2])
                ),
            ),
        ];
        if !kept.ports.is_empty() {
            lines.push(line("Reserved ports", &kept.ports));
        }
        let devices = all.devices.iter().map(|device| {
            line(
                "Device",
                &format!("{} × {}/{}/{}", device.count, device.vendor, device.kind, device.name),
            )
        });
        lines.extend(devices);
        lines
    }

    fn drivers(&self) -> Vec<LabeledValue> {
        let there = self
            .node
            .record
            .drivers
            .iter()
            .filter(|(_, health)| **health != DriverHealth::Undetected);
        there.map(|(name, health)| line(name, &self.driver(name, *health))).collect()
    }

    /// Its health, and why unless that says the same.
    fn driver(&self, name: &str, health: DriverHealth) -> String {
        let reason = self.live.ok().and_then(|live| live.driver_reasons.get(name));
        let reason = reason.filter(|reason| !reason.is_empty());
        match reason.filter(|reason| !reason.eq_ignore_ascii_case(health.name())) {
            Some(reason) => format!("{}: {reason}", health.name()),
            None => health.name().to_owned(),
        }
    }

    /// Newest first.
    fn events(&self) -> Vec<LabeledValue> {
        match self.live {
            Err(why) => vec![line("not known", why)],
            Ok(live) => {
                let newest = live.events.iter().rev();
                newest
                    .map(|it| line(&it.time, &format!("{}: {}", it.subsystem, it.message)))
                    .collect()
            }
        }
    }

    fn volumes(&self) -> Vec<LabeledValue> {
        let volumes = self.node.extra.host_volumes.iter().flatten();
        volumes
            .map(|(name, volume)| {
                let mode = if volume.read_only { "read-only" } else { "read-write" };
                line(name, &format!("{} ({mode})", volume.path))
            })
            .collect()
    }

    fn networks(&self) -> Vec<LabeledValue> {
        let own = self.node.extra.resources.iter().flat_map(|all| &all.networks);
        let own = own.map(|network| {
            let device = if network.device.is_empty() { &network.mode } else { &network.device };
            line(device, &[&network.mode, &network.cidr].map(String::as_str).join(" "))
        });
        let host = self.node.extra.host_networks.iter().flatten();
        own.chain(
            host.map(|(name, network)| {
                line(name, &format!("{} {}", network.interface, network.cidr))
            }),
        )
        .collect()
    }

    fn texts(&self, texts: Option<&TextMap>) -> Vec<LabeledValue> {
        texts.into_iter().flatten().map(|(key, value)| line(key, &self.value(key, value))).collect()
    }

    /// Attributes by the first word of their key: `cpu`, `kernel`, `driver`, …
    fn attributes(&self, to: &mut dyn Write) -> io::Result<()> {
        let mut rest: &[LabeledValue] = &self.texts(self.node.extra.attributes.as_ref());
        let group = |line: &LabeledValue| line.0.split('.').next().unwrap_or_default().to_owned();
        while let Some(first) = rest.first() {
            let name = group(first);
            let end = rest.iter().position(|line| group(line) != name).unwrap_or(rest.len());
            self.section(to, Some(&format!("Attributes: {name}")), rest[..end].to_vec())?;
            rest = &rest[end..];
        }
        Ok(())
    }

    fn value(&self, key: &str, value: &str) -> String {
        if is_secret(key) && !self.look.secrets { "***".to_owned() } else { value.to_owned() }
    }

    fn section(
        &self,
        to: &mut dyn Write,
        head: Option<&str>,
        lines: Vec<LabeledValue>,
    ) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if let Some(head) = head {
            let style = if self.look.colour { Style::new().bold() } else { Style::new() };
            writeln!(to, "\n{style}{}{style:#}", sanitised(head))?;
        }
        let indent = if head.is_some() { "  " } else { "" };
        let widest = lines.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
        for (label, text) in lines {
            writeln!(to, "{indent}{label}{:1$}  {text}", "", widest - width(&label))?;
        }
        Ok(())
    }
}

/// Both parts safe for a terminal; `-` for nothing.
fn line(label: &str, text: &str) -> LabeledValue {
    let text = if text.trim().is_empty() { "-" } else { text.trim_end() };
    (sanitised(label).into_owned(), sanitised(text).into_owned())
}
