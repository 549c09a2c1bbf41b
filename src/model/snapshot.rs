//! All records at one moment.

use std::time::Duration;

use super::node::NodeId;

/// A publication as it was read, or as a fetch has just made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The name of the publication.
    pub rev: String,
    /// `X-Nomad-Index` of the list that it was made from.
    pub index: u64,
    /// How many nodes.
    pub count: u64,
    /// JSON array of records, by name (natural), then id: the very bytes of `list --json`.
    pub all: Vec<u8>,
    /// Full records as JSON, in no order; only if they were asked for.
    pub fulls: Option<Vec<(NodeId, Vec<u8>)>>,
    /// Since the list was asked for.
    pub age: Duration,
    /// Since it was published: what the TTL counts from.
    pub since: Duration,
}
