//! The requests and connections of this process to Nomad, and their slots.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::host::connection_slots::ConnectionSlot;

/// How long after the last refusal the limit is lifted.
const RECOVERY: Duration = Duration::from_secs(30);

/// Takes a slot for a process that holds so many already.
pub(super) struct SlotSource(pub(super) Box<dyn Fn(usize) -> Option<ConnectionSlot> + Send + Sync>);

/// A connection that is open.
pub(super) struct OpenConnection {
    /// Closes it, also while it is in use.
    pub(super) close: Box<dyn Fn() + Send + Sync>,
}

/// Kept behind one lock, which is never held while waiting.
#[derive(Debug)]
pub(super) struct ConnectionTable {
    /// In flight, including long polls.
    pub(super) requests: usize,
    /// In flight, without long polls.
    pub(super) short: usize,
    /// Open connections, in use or idle; the latest last.
    pub(super) open: Vec<Arc<OpenConnection>>,
    /// One for each connection, and for each request that may open one.
    pub(super) slots: Vec<ConnectionSlot>,
    /// The most short requests at once, and kept connections.
    pub(super) limit: usize,
    /// How often `limit` was lowered.
    pub(super) lowered: u64,
    /// When Nomad last refused a request as one too many.
    pub(super) refused: Option<Instant>,
    /// All slots of the host were taken: when to search again.
    pub(super) search_at: Option<Instant>,
    /// A thread searches for a slot; two would both take a first one.
    pub(super) is_searching: bool,
    /// When the last request ended, if none is in flight.
    pub(super) idle_since: Instant,
    /// A thread waits to close idle connections.
    pub(super) is_closing: bool,
}

impl fmt::Debug for SlotSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakeSlot")
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenConnection")
    }
}

impl ConnectionTable {
    pub(super) fn new() -> Self {
        Self {
            requests: 0,
            short: 0,
            open: Vec::new(),
            slots: Vec::new(),
            limit: usize::MAX,
            lowered: 0,
            refused: None,
            search_at: None,
            is_searching: false,
            idle_since: clock::now(),
            is_closing: false,
        }
    }

    /// Releases the slots that no connection and no request needs.
    pub(super) fn release_unused(&mut self) {
        self.slots.truncate(self.requests.max(self.open.len()));
    }

    /// Removes and returns the connections that are not needed while no request is in flight: all but
    /// the latest.
    pub(super) fn unused(&mut self) -> Vec<Arc<OpenConnection>> {
        if self.requests > 0 {
            return Vec::new();
        }
        let kept = self.open.len().saturating_sub(1);
        self.open.drain(..kept).collect()
    }

    /// Whether it is time to search for another slot.
    pub(super) fn may_search(&self, now: Instant) -> bool {
        !self.is_searching && self.search_at.is_none_or(|at| now >= at)
    }

    pub(super) fn recover(&mut self, now: Instant) {
        if self.refused.is_some_and(|at| now.saturating_duration_since(at) >= RECOVERY) {
            (self.refused, self.limit) = (None, usize::MAX);
        }
    }
}
