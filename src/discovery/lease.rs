//! The lease of a fetch: renewed while the fetch runs, released however the run ends.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::net::sync::lock;
use crate::store::{FailureClass, Flight, Lease, Store};

/// The protocol renews a lease of 3 s every second.
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// Starts to catch the signals for this shutdown.
type CatchSignals = Box<dyn FnOnce(Arc<Shutdown>) + Send>;

/// What SIGINT and SIGTERM must do before the process ends.
#[derive(Default)]
pub struct Shutdown {
    /// Until it has been called.
    watch: Mutex<Option<CatchSignals>>,
    /// The lease that must be released.
    held: Mutex<Option<(Arc<dyn Store>, Lease)>>,
    /// Replaces the release of the lease (`serve` drains its connections first).
    handler: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Shutdown {
    /// `watch` starts to catch the signals when there is something to release: an answer from the
    /// cache needs none of it, and a signal just ends it.
    pub fn new(watch: impl FnOnce(Arc<Self>) + Send + 'static) -> Self {
        Self { watch: Mutex::new(Some(Box::new(watch))), ..Self::default() }
    }

    /// From now on signals are caught. Call it before a lease may be taken.
    pub fn watch(self: &Arc<Self>) {
        let watch = lock(&self.watch).take();
        if let Some(watch) = watch {
            watch(Arc::clone(self));
        }
    }

    /// Sets the function that a signal calls instead of releasing the lease.
    pub fn set_handler(self: &Arc<Self>, end: impl Fn() + Send + 'static) {
        *lock(&self.handler) = Some(Box::new(end));
        self.watch();
    }

    /// Calls the handler; `false` if none is set. Called by the signal thread.
    pub fn run_handler(&self) -> bool {
        let end = lock(&self.handler);
        end.as_ref().map(|end| end()).is_some()
    }

    /// Releases the lease that is held at this moment, if one is. Called by the signal thread.
    pub fn release_lease(&self) {
        let held = lock(&self.held).take();
        if let Some((store, lease)) = held {
            store.release(&lease);
        }
    }
}

/// Holds the lease of a flight, if there is one, and releases it on drop, also after an error or a
/// panic.
pub(super) struct LeaseGuard<'a> {
    /// `None` without a flight, and while it is published.
    pub(super) flight: Option<Flight>,
    /// The lease, until it has ended.
    lease: Option<Lease>,
    store: &'a Arc<dyn Store>,
    shutdown: &'a Shutdown,
}

impl<'a> LeaseGuard<'a> {
    pub(super) fn new(
        flight: Option<Flight>,
        store: &'a Arc<dyn Store>,
        leaving: &'a Shutdown,
    ) -> Self {
        let lease = flight.as_ref().map(|flight| flight.lease().clone());
        *lock(&leaving.held) = lease.clone().map(|lease| (Arc::clone(store), lease));
        Self { flight, lease, store, shutdown: leaving }
    }

    /// Tells those who wait, and holds no lease any more.
    pub(super) fn fail(&mut self, class: FailureClass) {
        if let Some(lease) = self.done() {
            self.store.fail(&lease, class);
        }
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// The lease ended with its publication.
    pub(super) fn done(&mut self) -> Option<Lease> {
        lock(&self.shutdown.held).take();
        self.flight = None;
        self.lease.take()
    }
}

impl Drop for LeaseGuard<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.done() {
            self.store.release(&lease);
        }
    }
}

/// Ends the renewing when it is dropped.
pub(super) struct HeartbeatGuard<'a>(&'a Heartbeat);

#[derive(Default)]
pub(super) struct Heartbeat {
    over: Mutex<bool>,
    stopped: Condvar,
}

impl Heartbeat {
    /// Runs until the fetch is over. A lost lease changes nothing: the publication will be refused,
    /// its result is still true for whoever asked.
    pub(super) fn renew(&self, store: &dyn Store, lease: &Lease) {
        let mut over = lock(&self.over);
        while !*over {
            let waited = self
                .stopped
                .wait_timeout(over, RENEW_EVERY)
                .unwrap_or_else(PoisonError::into_inner);
            let timed_out = waited.1.timed_out();
            over = waited.0;
            if timed_out && !*over {
                drop(over);
                let lost = matches!(store.renew(lease), Ok(false));
                over = lock(&self.over);
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
        *lock(&self.0.over) = true;
        self.0.stopped.notify_all();
    }
}
