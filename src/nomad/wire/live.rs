//! The part of `GET /v1/node/:id` that changes all the time and is never cached.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::live::{Event, Live};

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
struct LiveWire {
    #[serde(default)]
    events: Option<Vec<EventWire>>,
    #[serde(default)]
    drain_strategy: Option<StrategyWire>,
    #[serde(default)]
    drivers: Option<BTreeMap<String, LiveDriverWire>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase", default)]
#[derive(Default)]
struct EventWire {
    message: String,
    subsystem: String,
    timestamp: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
struct StrategyWire {
    /// Nanoseconds; -1 = at once, 0 = no deadline.
    #[serde(default)]
    deadline: i64,
    #[serde(default)]
    force_deadline: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object", rename_all = "PascalCase")]
struct LiveDriverWire {
    #[serde(default)]
    detected: bool,
    #[serde(default)]
    health_description: String,
}

pub(in crate::nomad) fn live(body: &[u8]) -> Result<Live, String> {
    let wire: LiveWire = super::parsed(body)?;
    let events = wire.events.unwrap_or_default().into_iter().map(|event| Event {
        time: event.timestamp,
        subsystem: event.subsystem,
        message: event.message,
    });
    let reasons = wire.drivers.unwrap_or_default().into_iter();
    let reasons = reasons.filter(|(_, driver)| driver.detected);
    Ok(Live {
        events: events.collect(),
        drain_deadline: wire.drain_strategy.map(deadline),
        driver_reasons: reasons.map(|(name, driver)| (name, driver.health_description)).collect(),
    })
}

/// A zero time means none.
fn deadline(strategy: StrategyWire) -> String {
    let time = strategy.force_deadline.filter(|time| !time.starts_with("0001-"));
    match (strategy.deadline, time) {
        (_, Some(time)) => time,
        (..0, None) => "at once".to_owned(),
        (_, None) => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::live;

    #[test]
    fn what_is_true_now() {
        let body = br#"{"Events":[{"Message":"Node registered","Subsystem":"Cluster","Timestamp":"2026-11-23T02:10:00Z","Details":null}],
            "DrainStrategy":{"Deadline":3600000000000,"ForceDeadline":"2026-11-23T03:10:00Z","StartedAt":"2026-11-23T02:10:00Z"},
            "Drivers":{"docker":{"Detected":true,"Healthy":false,"HealthDescription":"cannot connect"},"exec":{"Detected":false}}}"#;
        let live = live(body).unwrap();
        assert_eq!(live.events[0].message, "Node registered");
        assert_eq!(live.drain_deadline.as_deref(), Some("2026-11-23T03:10:00Z"));
        assert_eq!(live.driver_reasons.get("docker").map(String::as_str), Some("cannot connect"));
        assert_eq!(live.driver_reasons.len(), 1);
    }

    #[test]
    fn deadlines() {
        let of = |deadline: i64, force: &str| {
            let body =
                format!(r#"{{"DrainStrategy":{{"Deadline":{deadline},"ForceDeadline":{force}}}}}"#);
            live(body.as_bytes()).unwrap().drain_deadline.unwrap()
        };
        assert_eq!(of(0, "null"), "none");
        assert_eq!(of(-1, r#""0001-01-01T00:00:00Z""#), "at once");
        assert_eq!(live(b"{}").unwrap().drain_deadline, None);
    }
}
