//! What this process has to do with Nomad at this moment: requests, connections, and slots for them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::host::connection_slots::ConnectionSlot;

/// After as long without a refusal there may be as many connections as before.
const RECOVERED: Duration = Duration::from_secs(30);

/// Gives a slot to a process that has so many of them already.
pub(super) struct TakeSlot(pub(super) Box<dyn Fn(usize) -> Option<ConnectionSlot> + Send + Sync>);

/// An open connection.
pub(super) struct OpenConnection {
    /// Closes it, whoever has it.
    pub(super) close: Box<dyn Fn() + Send + Sync>,
}

/// Behind one lock, which nobody holds while he waits for anything else.
#[derive(Debug)]
pub(super) struct ConnectionTable {
    /// Under way, those that Nomad holds back among them.
    pub(super) requests: usize,
    /// Under way, without those.
    pub(super) short: usize,
    /// Connections that are open, used or not; the latest last.
    pub(super) open: Vec<Arc<OpenConnection>>,
    /// One for each connection, and for each request that may open one.
    pub(super) slots: Vec<ConnectionSlot>,
    /// The most short requests at once, and connections that are kept.
    pub(super) most: usize,
    /// How often `most` was lowered.
    pub(super) lowered: u64,
    /// Nomad last refused a request as one too many.
    pub(super) refused: Option<Instant>,
    /// All slots of the host were taken: nobody looks again before.
    pub(super) look_at: Option<Instant>,
    /// One thread looks for a slot; two would both take a first one.
    pub(super) is_looking: bool,
    /// Since when no request is under way, if none is.
    pub(super) idle_since: Instant,
    /// One thread waits to close what is not used.
    pub(super) is_closing: bool,
}

impl fmt::Debug for TakeSlot {
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
            most: usize::MAX,
            lowered: 0,
            refused: None,
            look_at: None,
            is_looking: false,
            idle_since: clock::now(),
            is_closing: false,
        }
    }

    /// Slots for which there is neither a connection nor a request are others'.
    pub(super) fn give_back(&mut self) {
        self.slots.truncate(self.requests.max(self.open.len()));
    }

    /// The connections that nobody needs while no request is under way: all but the latest. They
    /// count no more.
    pub(super) fn unused(&mut self) -> Vec<Arc<OpenConnection>> {
        if self.requests > 0 {
            return Vec::new();
        }
        let kept = self.open.len().saturating_sub(1);
        self.open.drain(..kept).collect()
    }

    /// Whether it is time to look for another slot.
    pub(super) fn may_look(&self, now: Instant) -> bool {
        !self.is_looking && self.look_at.is_none_or(|at| now >= at)
    }

    pub(super) fn recover(&mut self, now: Instant) {
        if self.refused.is_some_and(|at| now.saturating_duration_since(at) >= RECOVERED) {
            (self.refused, self.most) = (None, usize::MAX);
        }
    }
}
