//! What one question may cost: neither who asks nor who names the nodes decides how long others wait.

use std::cell::Cell;

/// Steps that a request may take: some tens of milliseconds, and enough for as many conditions as
/// there may be on ten thousand usual nodes.
const REQUEST: u64 = 1 << 26;

/// Counts the steps of one question; a step is about as long as a look at one character.
#[derive(Debug)]
pub struct WorkLimit {
    spent: Cell<u64>,
    most: u64,
}

/// The question was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these filters and this order take too long on the values of these nodes")]
pub struct WorkLimitExceeded;

impl WorkLimit {
    /// Of a request, which others must not wait for.
    pub fn of_request() -> Self {
        Self::at_most(REQUEST)
    }

    /// Of a run of the program, which nobody else waits for.
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

    /// More was spent than may be: what is left to do need not be done.
    pub fn is_over(&self) -> bool {
        self.spent.get() > self.most
    }

    /// # Errors
    /// More was spent than may be.
    pub fn checked(&self) -> Result<(), WorkLimitExceeded> {
        if self.is_over() { Err(WorkLimitExceeded) } else { Ok(()) }
    }
}
