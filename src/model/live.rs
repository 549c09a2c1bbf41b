//! The facts about a node that are never cached.

use std::collections::BTreeMap;

/// Requested when one node is shown as a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// Oldest first; Nomad keeps ten.
    pub events: Vec<Event>,
    /// RFC 3339, `none` or `at once`; `None` if it does not drain.
    pub drain_deadline: Option<String>,
    /// Why a detected driver is as healthy as it is.
    pub driver_reasons: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// RFC 3339.
    pub time: String,
    pub subsystem: String,
    pub message: String,
}
