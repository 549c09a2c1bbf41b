//! ENTER on files: is there something fresh after all, who fetches, or is it this one's turn?

use crate::clock;
use crate::host::folder::Lock;
use crate::random;
use crate::store::{Enter, Entered, Error, Flight, How, RefusedRevs};

use super::lease;
use super::lease::{LeaseAttempt, LeaseHolder};
use super::{EPOCH, LOCK_TIMEOUT, LocalEntry, LocalStore};

pub(super) fn enter(store: &LocalStore, enter: &Enter<'_>) -> Result<Entered, Error> {
    let epoch = epoch(store)?;
    if let Some(rev) = servable(store, &store.known(), enter) {
        return Ok(Entered::Hit { rev });
    }
    let taken = lease::take(&store.folder, &store.name("flight"))
        .map_err(|error| store.cannot("lock", &error))?;
    match taken {
        LeaseAttempt::Held(holder) => {
            let failed = enter.waited.and_then(|waited| holder.failure(waited, store.now()));
            Ok(failed.map_or_else(|| beside(store, enter, epoch, holder), Entered::Failed))
        }
        LeaseAttempt::Free(lock) => alone(store, enter, epoch, lock),
    }
}

/// No other flight is under way.
fn alone(
    store: &LocalStore,
    enter: &Enter<'_>,
    epoch: String,
    lock: Lock,
) -> Result<Entered, Error> {
    let failed = enter.waited.and_then(|waited| lease::failure(&lock, waited, store.now()));
    if let Some(class) = failed {
        return Ok(Entered::Failed(class));
    }
    let known = store.known();
    // Whoever held the lock a moment ago may have published.
    if let Some(rev) = servable(store, &known, enter) {
        return Ok(Entered::Hit { rev });
    }
    let held = store.flights.hold(enter.token, lock, known.last_published(store), store.now());
    held.map_err(|error| store.cannot("write", &error))?;
    Ok(own(store, enter, known, epoch, None))
}

/// Another process holds the lock. `--force`, and any run whose holder has stopped, goes on
/// without it; fencing protects the publication.
fn beside(store: &LocalStore, enter: &Enter<'_>, epoch: String, holder: LeaseHolder) -> Entered {
    let known = store.known();
    // Seen twice: between taking the lock and signing, an owner shows what another left there.
    let in_vain = enter.waited == Some(&*holder.token) && holder.is_stopped(store.now());
    if enter.how != How::Force && !in_vain {
        return Entered::Wait {
            lease: holder.token,
            rev: known.valid(store).map(|it| it.rev.clone()),
        };
    }
    store.notifier.verbose(format!("working beside {}", holder.token));
    store.flights.beside(enter.token, known.last_published(store), store.now());
    // `F`, because a refresh that waits for the lock must not take it for a later flight's.
    let watch = format!("F{}", &enter.token.get(1..).unwrap_or_default());
    own(store, enter, known, epoch, Some(watch))
}

/// `watch`: the name to publish under, if that is not the lock's owner's.
fn own(
    store: &LocalStore,
    enter: &Enter<'_>,
    known: LocalEntry,
    epoch: String,
    watch: Option<String>,
) -> Entered {
    let meta = known.valid(store).map(super::snapshot_file::Header::meta);
    let flight = Flight::new(enter.token, watch, known.epoch.unwrap_or(epoch), meta);
    Entered::Own(flight.entered_at(true, store.now(), clock::now()))
}

/// What may be served to this one. A refresh that waited takes what was published by a holder of
/// the lock (rev `N…`) that is neither the publication nor the lease it saw: such a flight took the
/// lock after the question. One that worked beside the lock (rev `F…`) may have begun before.
fn servable(store: &LocalStore, known: &LocalEntry, enter: &Enter<'_>) -> Option<String> {
    let RefusedRevs::Revs(refused) = enter.refuse else { return None };
    let header = known.valid(store)?;
    let is_fresh = store.now().saturating_sub(header.at) <= header.ttl;
    let is_later = match enter.how {
        How::Get => true,
        How::Refresh => header.rev.starts_with('N'),
        How::Force => false,
    };
    let is_there = known.has_all && !known.is_outdated;
    let serves = is_there && is_fresh && is_later && !refused.contains(&header.rev);
    serves.then(|| header.rev.clone())
}

/// The epoch, which is made if there is none that a snapshot could match.
fn epoch(store: &LocalStore) -> Result<String, Error> {
    if let Some(epoch) = store.known_epoch() {
        return Ok(epoch);
    }
    let writing =
        store.folder.writing(LOCK_TIMEOUT).map_err(|error| store.cannot("write", &error))?;
    if let Some(epoch) = store.known_epoch() {
        return Ok(epoch);
    }
    let epoch = random::hex16();
    let made = writing.replace(EPOCH, &[epoch.as_bytes()]);
    made.map_err(|error| store.cannot("write", &error))?;
    Ok(epoch)
}
