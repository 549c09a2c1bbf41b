//! Limits the work of one request, so that neither its filters nor the nodes' values delay others.

use std::cell::Cell;

/// Steps that a request may take: some tens of milliseconds, and enough for as many conditions as
/// there may be on ten thousand usual nodes.
const REQUEST: u64 = 1 << 26;

/// Counts the steps of one request; a step takes about as long as comparing one character.
#[derive(Debug)]
pub struct WorkLimit {
    spent: Cell<u64>,
    most: u64,
}

/// The request was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("filtering and sorting these nodes takes too long")]
pub struct WorkLimitExceeded;

impl WorkLimit {
    /// For a request of `serve`, which must not delay others.
    pub fn of_request() -> Self {
        Self::at_most(REQUEST)
    }

    /// For a run of the program, which delays no other.
    pub fn unbounded() -> Self {
        Self::at_most(u64::MAX)
    }

    pub(super) fn at_most(most: u64) -> Self {
        Self { spent: Cell::new(0), most }
    }

    pub(super) fn spend(&self, steps: usize) {
        self.spent.set(self.spent.get().saturating_add(steps as u64));
    }

    pub fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// Whether more was spent than is allowed: then the rest need not be done.
    pub fn is_over(&self) -> bool {
        self.spent.get() > self.most
    }

    /// # Errors
    /// More was spent than is allowed.
    pub fn checked(&self) -> Result<(), WorkLimitExceeded> {
        if self.is_over() { Err(WorkLimitExceeded) } else { Ok(()) }
    }
}
