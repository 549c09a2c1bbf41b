//! Answers that Redis could not take: kept in the files of this machine, and served from there beside
//! it until it has something as new.
//!
//! Such an answer is bound to the epoch that Redis showed when it was fetched: a clear on any host ends
//! it too. A Redis without an epoch holds nothing.

use std::sync::atomic::Ordering;

use crate::model::snapshot::Snapshot;
use crate::store::files::LocalStore;
use crate::store::{
    Enter, Entered, Error, How, Lease, Publication, Published, RefusedRevs, Store as _, Want,
};

use super::FallbackStore;

impl FallbackStore {
    /// The files, where they are used.
    pub(super) fn files(&self) -> Option<&LocalStore> {
        self.local.as_deref().ok().filter(|_| self.falls_back)
    }

    /// What is kept, if it is fresh.
    pub(super) fn kept(&self, want: Want) -> Option<Snapshot> {
        let local = self.files().filter(|_| !self.has_failed())?;
        local.kept_beside(&self.redis.seen_epoch()?, want)
    }

    /// ENTER in the files, because Redis can be read and not written.
    pub(super) fn enter_beside(&self, enter: &Enter<'_>, error: Error) -> Entered {
        match self.files().map(|local| self.try_enter_beside(local, enter)) {
            Some(Ok(Entered::Own(flight))) => self.own(flight, Some(error)),
            Some(Ok(entered)) => {
                // The next look is for this, whatever Redis has.
                self.found_here.store(matches!(entered, Entered::Hit { .. }), Ordering::Relaxed);
                entered
            }
            Some(Err(_)) | None => {
                self.tell_uncached(&error);
                Entered::Alone
            }
        }
    }

    fn try_enter_beside(&self, local: &LocalStore, enter: &Enter<'_>) -> Result<Entered, Error> {
        // What was cleared before the list is requested must not be taken for newer.
        self.redis.present()?;
        let epoch = self.redis.seen_epoch().ok_or(Error::NotRedis)?;
        let refuse = match enter.refuse {
            RefusedRevs::Everything => RefusedRevs::Everything,
            RefusedRevs::Revs(revs) => {
                let others = local.rev_not_beside(&epoch);
                RefusedRevs::Revs(revs.iter().cloned().chain(others).collect())
            }
        };
        Ok(match local.enter(&Enter { refuse: &refuse, ..enter.clone() })? {
            Entered::Own(flight) => Entered::Own(flight.standing_in(Some(epoch))),
            entered => entered,
        })
    }

    /// A list that cannot be published is printed all the same, and kept. The lease is released, so
    /// that waiting processes need not wait for its expiry.
    pub(super) fn unpublished(
        &self,
        (lease, epoch): (&Lease, String),
        new: &Publication<'_>,
        error: &Error,
    ) -> Published {
        self.tell_uncached(error);
        if error.is_answer() {
            self.redis.release(lease);
        }
        match self.files().filter(|_| !new.partial) {
            Some(local) if keep(local, lease.token(), epoch, new) => Published::Done,
            _ => Published::Fenced,
        }
    }

    pub(super) fn tell_uncached(&self, error: &Error) {
        let why = self.failed("write to", error);
        self.tell_once(format!("the answer could not be cached: {why}"), false);
    }
}

/// Keeps it under the name of the publication that Redis may have after all. Beside another flight that
/// is not needed: its list is as new, and no process touches it.
fn keep(local: &LocalStore, token: &str, epoch: String, new: &Publication<'_>) -> bool {
    let refuse = RefusedRevs::Everything;
    let enter = Enter { token, how: How::Refresh, refuse: &refuse, waited: None };
    let Ok(Entered::Own(flight)) = local.enter(&enter) else { return false };
    // What was not shown to be older by now is not older than what is here.
    let present = flight.meta().map(|meta| meta.rev.clone());
    let whole = Publication { base: None, reset: present.as_deref(), ..new.clone() };
    let lease = flight.lease.clone();
    let published = local.publish(flight.standing_in(Some(epoch)), &whole);
    local.release(&lease);
    published == Ok(Published::Done)
}
