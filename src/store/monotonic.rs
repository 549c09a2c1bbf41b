//! Nothing that this host shows is older than what it has shown before, whatever a cache holds.

use std::sync::Arc;
use std::time::Duration;

use crate::host::shown::ShownNote;
use crate::model::node::FullJson;
use crate::model::notice::Notifier;
use crate::model::snapshot::Snapshot;

use super::{
    Base, BootClock, Cleared, Enter, Entered, Error, FailureClass, Flight, Lease, Look, Place,
    Present, Publication, Published, Sample, Stats, Store, Want, meta,
};

/// A store in which everything below what this host has shown is a miss; see `ShownNote`.
pub struct MonotonicStore {
    inner: Arc<dyn Store>,
    shown: Arc<ShownNote>,
    notifier: Notifier,
}

/// The note of a place, which several runs of a process share.
pub(super) fn note(place: &Place, boot: BootClock) -> Arc<ShownNote> {
    // Clusters of one address are told apart by their prefix. Where the cache is does not matter: the
    // same cluster is shown from Redis and from files.
    let key = format!("{}-{}", place.scope, meta::sum(place.prefix.as_bytes()));
    Arc::new(ShownNote::new(place.folder.clone(), &key, boot, place.ttl))
}

impl MonotonicStore {
    pub fn new(inner: Arc<dyn Store>, place: &Place, boot: BootClock, tell: Notifier) -> Self {
        Self::with_note(inner, note(place, boot), tell)
    }

    pub(super) fn with_note(
        inner: Arc<dyn Store>,
        shown: Arc<ShownNote>,
        notifier: Notifier,
    ) -> Self {
        Self { inner, shown, notifier }
    }

    fn is_older(&self, rev: &str, index: u64, age: Duration) -> bool {
        let is_older = self.shown.is_above(rev, index, age);
        if is_older {
            let why = "older than what was shown on this machine";
            self.notifier.verbose(format!("cache entry ignored: {why}"));
        }
        is_older
    }

    fn allowed(&self, snapshot: Option<Snapshot>) -> Option<Snapshot> {
        snapshot.filter(|it| !self.is_older(&it.rev, it.index, it.age))
    }
}

impl Store for MonotonicStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        let refuse = match self.inner.look(want)? {
            Look::Hit(hit) | Look::File(hit, _) if self.is_older(&hit.rev, hit.index, hit.age) => {
                Some(hit.rev)
            }
            Look::File(hit, file) if hit.rev != self.shown.read().rev => {
                // What is printed for the first time is noted with the highest index of its records.
                return Ok(match file.read() {
                    Ok(all) => Look::Hit(Snapshot { all: all.into(), ..hit }),
                    Err(_) => Look::Miss { refuse: None },
                });
            }
            look @ (Look::Hit(_) | Look::File(..)) => return Ok(look),
            Look::Miss { refuse } => refuse,
        };
        let kept = self.allowed(self.inner.kept_here(want));
        Ok(kept.map_or(Look::Miss { refuse }, Look::Hit))
    }

    fn present(&self) -> Result<Option<Present>, Error> {
        let present = self.inner.present()?;
        let present = present.filter(|it| !self.is_older(&it.rev, it.index, it.age));
        Ok(present.or_else(|| {
            let kept = self.allowed(self.inner.kept_here(Want::Records))?;
            let Snapshot { rev, index, age, since, .. } = kept;
            Some(Present { rev, index, age, since })
        }))
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        self.inner.enter(enter)
    }

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        self.inner.base(flight, want)
    }

    /// Something newer may have been shown since the flight began.
    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        let (index, rev) = self.shown();
        if publication.index < index && publication.reset != Some(&*rev) {
            return Ok(Published::Older { flight, index, rev });
        }
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
        Ok(self.allowed(self.inner.partial(waited)?))
    }

    fn full(&self, record: &[u8]) -> Option<FullJson> {
        self.inner.full(record)
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        self.allowed(self.inner.last(want))
    }

    fn shown(&self) -> (u64, String) {
        let shown = self.shown.read();
        (shown.index, shown.rev)
    }

    fn printed(&self, snapshot: &Snapshot) {
        self.shown.printed(snapshot);
    }

    fn restored(&self, index: u64, age: Duration) {
        self.shown.lower(index, age);
    }

    fn has_lost_redis(&self) -> bool {
        self.inner.has_lost_redis()
    }

    fn clear(&self) -> Cleared {
        self.inner.clear()
    }

    fn follow(&self, name: &str) -> Result<bool, Error> {
        self.inner.follow(name)
    }

    fn unfollow(&self, name: &str) {
        self.inner.unfollow(name);
    }

    fn count(&self, sample: &Sample) {
        self.inner.count(sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        self.inner.stats()
    }
}
