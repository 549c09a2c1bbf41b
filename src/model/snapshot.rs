//! All records at one moment.

use std::collections::HashMap;
use std::time::Duration;

use super::node::{AllJson, Full, FullJson, Fulls, NodeId, Record};
use super::projection::Wanted;
use super::text::foreign;
use crate::parallel;

/// A publication as it was read, or as a fetch has just made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The name of the publication; empty if it is none.
    pub rev: String,
    /// `X-Nomad-Index` of the list that it was made from.
    pub index: u64,
    /// How many nodes.
    pub count: u64,
    pub all: AllJson,
    /// The highest index of anything in it, as far as that is known: details are newer than their list.
    pub newest: u64,
    /// Full records as JSON, in no order; only if they were asked for.
    pub fulls: Option<Fulls>,
    /// Since the list was asked for.
    pub age: Duration,
    /// Since it was published, which is where the TTL begins.
    pub since: Duration,
}

/// Cached nodes were verified by their checksum, and those of Nomad by their types, so this means
/// that the cache was forged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the cached nodes: {0}")]
pub struct Unreadable(String);

impl Unreadable {
    pub const HINT: &str = "run nomad-clients cache clear";

    pub fn because(why: impl std::fmt::Display) -> Self {
        Self(foreign(why))
    }
}

impl Snapshot {
    /// The nodes in the order of `all`, in full if there are full records.
    ///
    /// # Errors
    /// A record is none, or a full record is missing.
    pub fn nodes(&self) -> Result<Vec<Full>, Unreadable> {
        Self::assembled(&self.all, self.fulls.as_deref(), &Wanted::everything())
    }

    /// The same of the parts of a snapshot, as far as it is wanted.
    ///
    /// # Errors
    /// As [`Self::nodes`].
    pub fn assembled(
        all: &[u8],
        fulls: Option<&[(NodeId, FullJson)]>,
        wanted: &Wanted,
    ) -> Result<Vec<Full>, Unreadable> {
        let Some(fulls) = fulls else {
            let bare = |records: Vec<Record>| records.into_iter().map(Full::from).collect();
            let nodes = parallel::array(all, |json| wanted.records(json).map(bare));
            return nodes.map_err(Unreadable::because);
        };
        let records = parallel::array(all, |json| wanted.records(json));
        let records = records.map_err(Unreadable::because)?;
        let of: HashMap<&NodeId, &[u8]> =
            fulls.iter().map(|(id, json)| (id, json.as_slice())).collect();
        let bytes = fulls.iter().map(|(_, json)| json.len()).sum();
        let full = |record: Record| match of.get(&record.id) {
            // A full record begins with the record that `all` has: it need not be read twice.
            Some(json) => {
                let extra = wanted.extra(json).map_err(Unreadable::because)?;
                Ok(Full { record, extra })
            }
            None => Err(Unreadable::because("a full record is missing")),
        };
        let part = |records: Vec<Record>| records.into_iter().map(&full).collect();
        let parts = parallel::split(records, parallel::shares(bytes));
        let parts: Result<Vec<Vec<Full>>, _> = parallel::each(parts, part).into_iter().collect();
        Ok(parallel::joined(parts?))
    }

    /// The records of `all`.
    ///
    /// # Errors
    /// A record is none.
    pub fn records(all: &[u8]) -> Result<Vec<Record>, Unreadable> {
        serde_json::from_slice(all).map_err(Unreadable::because)
    }

    /// The JSON of a full record; `None` if there are none, or not this.
    pub fn full(&self, id: &NodeId) -> Option<&[u8]> {
        let fulls = self.fulls.as_deref()?;
        fulls.iter().find(|(of, _)| of == id).map(|(_, json)| json.as_slice())
    }
}
