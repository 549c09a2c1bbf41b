//! What was found out and how it differs from what was known; or why there is no answer.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::format::limit;
use crate::model::node::{Full, NodeId, Record};
use crate::model::rows::Rows;
use crate::model::snapshot::Snapshot;
use crate::nomad;
use crate::store::{AllFile, FailureClass};

use super::How;
use super::wait::Wait;

#[derive(Debug, Clone)]
pub struct Answer {
    pub snapshot: Snapshot,
    /// The bytes that `all` of the snapshot lacks, if these were all that was wanted.
    pub file: Option<AllFile>,
    pub source: Source,
    /// Nodes whose details could not be had, and why, one line each. Empty = complete.
    pub missing: Vec<(NodeId, String)>,
    pub tally: Tally,
    /// Why an old answer stands in for a new one.
    pub outage: Option<Error>,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The first look at the cache was a hit.
    Cache,
    /// Another process's fetch, waited for or found on the way.
    Served,
    /// Asked now. `cold`: nothing cached was there to compare with, or nothing was to be used.
    Nomad { cold: bool },
    /// The cache, although it is no longer fresh: Nomad does not answer.
    Stale,
}

/// What an answer cost. `new + changed + cached` is the number of nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub new: usize,
    pub changed: usize,
    pub cached: usize,
    pub gone: usize,
    pub nomad_calls: u64,
    pub took: Duration,
}

impl Tally {
    pub fn total(&self) -> usize {
        self.new + self.changed + self.cached
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// The flight that was waited for failed.
    #[error("{} (from a concurrent refresh)", words(*.0))]
    Shared(FailureClass),
    /// More than 3 and more than 10 % of the details failed; the first reason.
    #[error("cannot get the details of {failed} of {total} nodes: {why}")]
    Details { failed: usize, total: usize, why: String },
    /// The deadline passed while another's fetch was waited for.
    #[error("cannot get the nodes: timed out after {} while waiting for a concurrent refresh", limit(*.0))]
    TimedOut(Duration),
    /// No list agreed with its details and with what is known to be newer.
    #[error(
        "cannot get the nodes: {0} lists of Nomad in a row were older than their details or the cache"
    )]
    Unsettled(u32),
}

impl Error {
    /// Something that only this run was told can't be used, like a file of certificates.
    pub(super) fn is_of_settings(&self) -> bool {
        matches!(self, Self::Nomad(error) if error.kind == nomad::FailureKind::Config)
    }

    /// What those who wait for this fetch are told.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Nomad(error) => match error.kind {
                nomad::FailureKind::Denied | nomad::FailureKind::Unauthorized => {
                    FailureClass::Denied
                }
                nomad::FailureKind::Outage
                | nomad::FailureKind::TimedOut
                | nomad::FailureKind::Config => FailureClass::Outage,
                nomad::FailureKind::NotNomad => FailureClass::NotNomad,
            },
            Self::Shared(class) => *class,
            Self::Details { .. } | Self::TimedOut(_) | Self::Unsettled(_) => FailureClass::Outage,
        }
    }
}

fn words(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Denied => "permission denied: token needs node:read",
        FailureClass::NotNomad => "not a Nomad API answer",
        FailureClass::NotCacheable | FailureClass::Outage | FailureClass::Partial => {
            "cannot get the nodes from Nomad"
        }
    }
}

/// The first look was good.
pub(super) fn hit(snapshot: Snapshot) -> Answer {
    let tally = all_cached(&snapshot);
    let (file, source) = (None, Source::Cache);
    Answer { snapshot, file, source, missing: Vec::new(), tally, outage: None }
}

fn all_cached(snapshot: &Snapshot) -> Tally {
    let cached = usize::try_from(snapshot.count).unwrap_or(usize::MAX);
    Tally { cached, ..Tally::default() }
}

/// Another's fetch: a refresh counts against what it had seen in the cache on arrival.
pub(super) fn served(snapshot: Snapshot, wait: &Wait) -> Answer {
    let tally = if wait.how == How::Refresh {
        compared(&records(&snapshot.all), wait.seen.as_deref().map(Vec::as_slice))
    } else {
        all_cached(&snapshot)
    };
    Answer { source: Source::Served, tally, ..hit(snapshot) }
}

/// The last answer, in an outage.
pub(super) fn stale(snapshot: Snapshot, error: &Error) -> Answer {
    Answer { source: Source::Stale, outage: Some(error.clone()), ..hit(snapshot) }
}

/// Another's fetch that could not get all details; `None` if what it left can't be read.
pub(super) fn partial(snapshot: Snapshot, wait: &Wait) -> Option<Answer> {
    let (snapshot, without_details) = with_all(snapshot)?;
    let why = "failed in a concurrent refresh";
    let missing = without_details.into_iter().map(|id| (id, why.to_owned())).collect();
    Some(Answer { missing, ..served(snapshot, wait) })
}

/// A snapshot that was read by its full records alone, with its rows, and the nodes without
/// details; `None` if a record can't be read.
fn with_all(snapshot: Snapshot) -> Option<(Snapshot, Vec<NodeId>)> {
    let fulls = snapshot.fulls.as_deref().unwrap_or_default();
    let nodes: Vec<Full> =
        fulls.iter().map(|(_, json)| Full::from_json(json).ok()).collect::<Option<_>>()?;
    let bare = nodes.iter().filter(|node| node.extra.attributes.is_none());
    let bare = bare.map(|node| node.record.id.clone()).collect();
    let Rows { all, fulls } = Rows::of(nodes);
    Some((Snapshot { all: all.into(), fulls: Some(fulls), ..snapshot }, bare))
}

fn records(all: &[u8]) -> Vec<Record> {
    serde_json::from_slice(all).unwrap_or_default()
}

/// How `now` differs from `all` of before; nothing before = everything is new.
fn compared(now: &[Record], before: Option<&[u8]>) -> Tally {
    let before: HashMap<NodeId, Record> = before
        .map(records)
        .unwrap_or_default()
        .into_iter()
        .map(|record| (record.id.clone(), record))
        .collect();
    let mut tally = Tally::default();
    for record in now {
        match before.get(&record.id) {
            None => tally.new += 1,
            Some(old) if old == record => tally.cached += 1,
            Some(_) => tally.changed += 1,
        }
    }
    // A forged answer may name a node twice.
    tally.gone = before.len().saturating_sub(tally.cached + tally.changed);
    tally
}

#[cfg(test)]
mod tests {
    use super::{Tally, compared};
    use crate::model::node::Record;

    /// Only a forged answer does that.
    #[test]
    fn a_node_that_is_listed_twice_is_not_our_bug() {
        let record = r#"{"id":"6f1c36aa-0000-4000-8000-000000000001","name":"n","status":"ready",
            "status_description":"","eligibility":"eligible","drain":false,"datacenter":"dc1",
            "node_class":"","node_pool":"default","address":"","version":"","drivers":{},
            "create_index":1,"modify_index":1}"#;
        let record: Record = serde_json::from_str(record).unwrap();
        let before = serde_json::to_vec(&[&record]).unwrap();
        let twice = compared(&[record.clone(), record], Some(&before));
        assert_eq!(twice, Tally { cached: 2, ..Tally::default() });
    }
}
