//! Tests that need the machine for themselves: many processes at once, each with limits in real time.

use std::sync::{Mutex, MutexGuard, PoisonError};

static MACHINE: Mutex<()> = Mutex::new(());

/// Held by one test at a time; a test that failed gives it back as well.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}
