//! A lease that is held: renewed while the fetch runs, given back however the run ends.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::store::{FailureClass, Flight, Store};

/// The protocol renews a lease of 3 s every second.
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// What must be done when the process is told to end.
#[derive(Default)]
pub struct Shutdown {
    /// The flight that must be released.
    flight: Mutex<Option<(Arc<dyn Store>, Flight)>>,
    /// How one ends who still has something to finish.
    instead: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Shutdown {
    /// From now on a signal calls this and does nothing else.
    pub fn instead(&self, end: impl Fn() + Send + 'static) {
        *self.instead.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(end));
    }

    /// Whether somebody was told to end by himself. Called by the signal thread.
    pub fn is_told(&self) -> bool {
        let end = self.instead.lock().unwrap_or_else(PoisonError::into_inner);
        end.as_ref().map(|end| end()).is_some()
    }

    /// Releases the lease that is held at this moment, if one is. Called by the signal thread.
    pub fn leave(&self) {
        if let Some((store, flight)) = self.take() {
            store.release(&flight);
        }
    }

    fn hold(&self, store: Arc<dyn Store>, flight: Flight) {
        *self.flight.lock().unwrap_or_else(PoisonError::into_inner) = Some((store, flight));
    }

    fn take(&self) -> Option<(Arc<dyn Store>, Flight)> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The right to fill, or (without a flight) the wish to know for oneself. Dropping it releases
/// the lease, so an error or a panic on the way never leaves one behind.
pub(super) struct LeaseGuard<'a> {
    pub(super) flight: Option<Box<Flight>>,
    store: &'a Arc<dyn Store>,
    leaving: &'a Shutdown,
}

impl<'a> LeaseGuard<'a> {
    pub(super) fn new(
        flight: Option<Box<Flight>>,
        store: &'a Arc<dyn Store>,
        leaving: &'a Shutdown,
    ) -> Self {
        if let Some(flight) = &flight {
            leaving.hold(Arc::clone(store), (**flight).clone());
        }
        Self { flight, store, leaving }
    }

    /// Tells those who wait, and holds no lease any more.
    pub(super) fn fail(&mut self, class: FailureClass) {
        if let Some(flight) = self.done() {
            self.store.fail(&flight, class);
        }
    }

    /// The lease ended with its publication.
    pub(super) fn done(&mut self) -> Option<Box<Flight>> {
        self.leaving.take();
        self.flight.take()
    }
}

impl Drop for LeaseGuard<'_> {
    fn drop(&mut self) {
        if let Some(flight) = self.done() {
            self.store.release(&flight);
        }
    }
}

/// Ends the renewing when it is dropped.
pub(super) struct HeartbeatGuard<'a>(&'a Heartbeat);

#[derive(Default)]
pub(super) struct Heartbeat {
    over: Mutex<bool>,
    rung: Condvar,
}

impl Heartbeat {
    /// Runs until the fetch is over. A lost lease changes nothing: the publication will be refused,
    /// its result is still true for whoever asked.
    pub(super) fn renew(&self, store: &dyn Store, flight: &Flight) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            let waited =
                self.rung.wait_timeout(over, RENEW_EVERY).unwrap_or_else(PoisonError::into_inner);
            let timed_out = waited.1.timed_out();
            over = waited.0;
            if timed_out && !*over {
                drop(over);
                let lost = matches!(store.renew(flight), Ok(false));
                over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
                *over |= lost;
            }
        }
    }

    pub(super) fn renewing(&self) -> HeartbeatGuard<'_> {
        HeartbeatGuard(self)
    }
}

impl Drop for HeartbeatGuard<'_> {
    fn drop(&mut self) {
        *self.0.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.rung.notify_all();
    }
}
