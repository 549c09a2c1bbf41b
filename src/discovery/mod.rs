//! The one decision: answer from the cache, wait for another's fetch, or fetch, diff and publish.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::node::NodeId;
use crate::model::remark::Tell;
use crate::model::snapshot::Snapshot;
use crate::nomad::{self, Nomad};
use crate::store::{self, Store};

pub use crate::store::{How, Want};

/// Answers "which nodes are there?" from one cache and one Nomad.
pub struct Discovery {
    pub nomad: Arc<dyn Nomad>,
    pub store: Arc<dyn Store>,
    pub policy: Policy,
    pub tell: Tell,
    pub progress: Arc<dyn Progress>,
}

/// The limits of one run.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Detail requests in flight.
    pub concurrency: usize,
    /// When the whole command must be done.
    pub deadline: Instant,
}

/// Where the details under way are reported: a bar on a terminal, or nowhere.
pub trait Progress: Send + Sync {
    /// `total` details are asked for.
    fn begin(&self, total: usize);
    /// One more was answered.
    fn advance(&self);
    fn end(&self);
}

/// What was found out, and how.
#[derive(Debug, Clone)]
pub struct Answer {
    pub snapshot: Snapshot,
    pub source: Source,
    /// Nodes whose details could not be had, and why, one line each. Empty = complete.
    pub missing: Vec<(NodeId, String)>,
    pub tally: Tally,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The first look at the cache was a hit.
    Cache,
    /// Another process's fetch, waited for or found on the way.
    Served,
    /// Asked now. `cold`: nothing was cached to compare with, or nothing cached was to be used.
    Nomad { cold: bool },
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

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// The flight that was waited for failed.
    #[error("{} (from a concurrent refresh)", class_words(*.0))]
    Shared(store::Class),
    /// More than 3 and more than 10 % of the details failed; the first reason.
    #[error("cannot get the details of {failed} of {total} nodes: {why}")]
    Details { failed: usize, total: usize, why: String },
    /// The deadline passed while another's fetch was waited for.
    #[error("timed out after {} s while waiting for a concurrent refresh", .0.as_secs())]
    TimedOut(Duration),
    /// Nomad's index moved backwards at every try.
    #[error("cannot get a consistent list of nodes: Nomad's index went back {0} times")]
    Unsettled(u32),
}

fn class_words(class: store::Class) -> &'static str {
    match class {
        store::Class::Denied => "permission denied: token needs node:read",
        store::Class::NotNomad => "not a Nomad API answer",
        _ => "cannot get the nodes from Nomad",
    }
}

impl Discovery {
    /// The nodes, as fresh as `how` demands; with `Want::Full` the full records too.
    pub fn nodes(&self, how: How, want: Want) -> Result<Answer, Error> {
        let _ = (how, want, &self.nomad, &self.store);
        Err(Error::Unsettled(0))
    }
}
