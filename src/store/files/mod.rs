//! The files of this machine: the same protocol without a Redis.
//!
//! No wall clock decides anything (`at` is milliseconds since this boot), and no file that is read
//! is ever changed in place: whoever is killed leaves the old or the new.

mod clear;
mod enter;
mod floor;
pub(crate) mod inspect;
#[cfg(test)]
#[path = "../../../tests/faults/killed.rs"]
mod killed;
mod lease;
mod look;
mod publish;
mod snapshot_file;
mod stats;

use std::io;
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::notice::Notifier;
use crate::model::snapshot::Snapshot;

use super::scope::Scope;
use super::{
    Base, BootClock, CLEAR_TIMEOUT, Cleared, ClearedPlace, Enter, Entered, Error, FailureClass,
    Flight, Lease, Look, Place, Present, Publication, Published, Sample, Stats, Store, Want,
};
use crate::host::FolderFlaw;
use crate::host::folder::Folder;
use crate::model::text::io_reason;

use lease::{Flights, FollowerLock};
use look::LocalEntry;

const EPOCH: &str = "epoch";
const EPOCH_LONGEST: u64 = 64;
/// Writes take milliseconds; a lock that is held longer belongs to a stopped process.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The cache in the files of one user.
#[derive(Debug)]
pub struct LocalStore {
    folder: Folder,
    scope: Scope,
    ttl: Duration,
    detail_ttl: Duration,
    boot: BootClock,
    flights: Flights,
    follower: FollowerLock,
    notifier: Notifier,
}

impl LocalStore {
    /// Opens the cache directory of `place`, which is made if it is missing.
    ///
    /// # Errors
    /// There is no directory that only this user can access.
    pub fn open(place: &Place, boot: BootClock, tell: Notifier) -> Result<Self, Error> {
        let path = place.folder.as_deref();
        let path = path.ok_or(Error::NoHome)?;
        let folder = Folder::open(path).map_err(Error::Folder)?;
        if folder.is_remote() {
            return Err(Error::Folder(FolderFlaw::Remote.of(path)));
        }
        Ok(Self {
            folder,
            scope: place.scope.clone(),
            ttl: place.ttl,
            detail_ttl: place.detail_ttl.max(place.ttl),
            boot,
            flights: Flights::default(),
            follower: FollowerLock::default(),
            notifier: tell,
        })
    }

    fn now(&self) -> u64 {
        self.boot.ms()
    }

    fn name(&self, ending: &str) -> String {
        format!("{}.{ending}", self.scope)
    }

    /// CLEAR, with a deadline.
    pub(super) fn clear_until(&self, until: Instant) -> Cleared {
        // The place stands beside it.
        let outcome = clear::clear(self, until).map_err(|error| Error::Files(io_reason(&error)));
        let place = self.folder.place();
        Cleared { places: vec![ClearedPlace { is_redis: false, place, outcome }] }
    }

    fn cannot(&self, what: &str, error: &io::Error) -> Error {
        let place = self.folder.place();
        Error::Files(format!("cannot {what} the cache directory {place}: {}", io_reason(error)))
    }
}

impl Store for LocalStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        Ok(look::look(self, want))
    }

    fn present(&self) -> Result<Option<Present>, Error> {
        Ok(look::present(self))
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        enter::enter(self, enter)
    }

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        look::base(self, flight, want)
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        publish::publish(self, flight, publication)
    }

    fn renew(&self, lease: &Lease) -> Result<bool, Error> {
        Ok(self.flights.renew(&lease.token, self.now()))
    }

    fn release(&self, lease: &Lease) {
        self.flights.release(&lease.token);
    }

    fn fail(&self, lease: &Lease, class: FailureClass) {
        self.flights.fail(&lease.token, class, self.now());
    }

    fn void(&self, _: Option<&Lease>) -> Result<(), Error> {
        clear::void(self).map_err(|error| self.cannot("write", &error))
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        let known = self.known();
        let header =
            known.valid(self).filter(|header| header.rev.strip_prefix('p') == Some(waited));
        Ok(header.and_then(|header| Some(self.recorded(header, Some(self.counted(header)?)))))
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        look::last(self, want)
    }

    fn clear(&self) -> Cleared {
        self.clear_until(clock::now() + CLEAR_TIMEOUT)
    }

    fn follow(&self, _: &str) -> Result<bool, Error> {
        self.follower
            .take(&self.folder, &self.name("follow"))
            .map_err(|error| self.cannot("lock", &error))
    }

    fn unfollow(&self, _: &str) {
        self.follower.leave();
    }

    fn count(&self, sample: &Sample) {
        stats::count(self, sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        Ok(stats::stats(self))
    }
}
