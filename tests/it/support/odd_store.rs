//! A cache whose step BASE is not as usual.

use std::sync::Arc;

use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::store::{
    Base, Cleared, Enter, Entered, Error, FailureClass, Flight, Lease, Look, Publication,
    Published, Sample, Stats, Store, Want,
};

use super::memory;

/// A cache in memory in which `base` takes the place of BASE.
pub(crate) struct OddStore<F> {
    inner: Arc<dyn Store>,
    base: F,
}

impl<F: Fn() -> Option<Base> + Send + Sync> OddStore<F> {
    pub(crate) fn new(base: F) -> Self {
        Self { inner: memory::store(), base }
    }
}

impl<F: Fn() -> Option<Base> + Send + Sync> Store for OddStore<F> {
    fn look(&self, want: Want) -> Result<Look, Error> {
        self.inner.look(want)
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        self.inner.enter(enter)
    }

    fn base(&self, _: &Flight, _: Want) -> Option<Base> {
        (self.base)()
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        self.inner.publish(flight, publication)
    }

    fn renew(&self, lease: &Lease) -> Result<bool, Error> {
        self.inner.renew(lease)
    }

    fn release(&self, lease: &Lease) {
        self.inner.release(lease);
    }

    fn fail(&self, lease: &Lease, class: FailureClass) {
        self.inner.fail(lease, class);
    }

    fn void(&self, own: Option<&Lease>) -> Result<(), Error> {
        self.inner.void(own)
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        self.inner.partial(waited)
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        self.inner.last(want)
    }

    fn clear(&self) -> Cleared {
        self.inner.clear()
    }

    fn count(&self, sample: &Sample) {
        self.inner.count(sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        self.inner.stats()
    }
}
