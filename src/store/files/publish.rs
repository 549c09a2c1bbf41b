//! PUBLISH on files: everything by two renames, under one lock.

use std::io;

use crate::clock;
use crate::host::folder::WriteLock;
use crate::model::format::millis;
use crate::store::meta::{self, Meta};
use crate::store::records::difference;
use crate::store::{Error, FailureClass, Flight, Publication, Published};

use super::lease;
use super::look::LocalEntry;
use super::snapshot_file::Header;
use super::{LOCK_TIMEOUT, LocalStore};

/// Publishes if nothing happened since the flight began; else makes sure that nothing older than
/// what is about to be printed is served. Only an older index leaves the flight its lease.
pub(super) fn publish(
    store: &LocalStore,
    flight: Flight,
    new: &Publication<'_>,
) -> Result<Published, Error> {
    let lease = flight.lease.clone();
    let published = try_publish(store, flight, new);
    if !matches!(published, Ok(Published::Older { .. } | Published::Rebase(_))) {
        store.flights.release(&lease.token);
    }
    published.map_err(|error| {
        let error = store.cannot("write", &error);
        // The answer is unaffected, but every run will ask Nomad until somebody looks into it.
        store.notifier.warning(format!("the answer could not be cached: {error}"));
        error
    })
}

fn try_publish(store: &LocalStore, flight: Flight, new: &Publication<'_>) -> io::Result<Published> {
    let writing = store.folder.writing(LOCK_TIMEOUT)?;
    let known = store.known();
    let present = known.last_published(store);
    let unbroken = store.flights.is_unbroken(&flight.lease.token, &present, store.now());
    if known.epoch.as_ref() != Some(&flight.epoch) || !unbroken {
        invalidate(store, &writing, &flight, new, &known)?;
        return Ok(Published::Fenced);
    }
    let present = known.valid(store);
    if let Some(newer) = present.filter(|present| new.index < present.idx)
        && new.reset != Some(&*newer.rev)
    {
        return Ok(Published::Older { flight, index: newer.idx, rev: newer.rev.clone() });
    }
    let same = flight.meta().filter(|_| new.same);
    let same = same.map(|same| republished(store, same, present));
    if same.is_some_and(|same| same.is_none()) {
        return Ok(Published::Rebase(flight));
    }
    if let Err(error) = write(store, &writing, &flight, new, present) {
        // What is about to be printed may be newer than what is there, and removing needs no room.
        writing.remove(&store.name("snap"))?;
        store.remove_fulls(&writing, "");
        return Err(error);
    }
    if new.partial {
        store.flights.fail(&flight.lease.token, FailureClass::Partial, store.now());
    }
    Ok(Published::Done)
}

fn write(
    store: &LocalStore,
    writing: &WriteLock<'_>,
    flight: &Flight,
    new: &Publication<'_>,
    present: Option<&Header>,
) -> io::Result<()> {
    let fresh = header(store, flight, new);
    let same = flight.meta().filter(|_| new.same);
    let header = match same.and_then(|same| republished(store, same, present)) {
        Some(Header { count, hsum, full, listed, .. }) => Header {
            count: *count,
            hsum: hsum.clone(),
            full: full.clone(),
            listed: *listed,
            ..fresh
        },
        None => Header { full: fulls(store, writing, flight, new, present)?, ..fresh },
    };
    let all = if new.partial { &[] } else { new.all };
    lease::note(&store.folder, &store.name("flight"), &header.rev)?;
    writing.replace(&store.name("snap"), &[&header.line(), all])?;
    store.remove_fulls(writing, &header.full);
    Ok(())
}

/// The present publication, if it is the one that is published anew and still has its records.
fn republished<'a>(
    store: &LocalStore,
    same: &Meta,
    present: Option<&'a Header>,
) -> Option<&'a Header> {
    let is_there =
        |header: &&Header| header.full.is_empty() || store.folder.len(&header.full).is_some();
    present.filter(|header| same.rev == header.rev).filter(is_there)
}

/// Of a list; the file of full records is not named yet.
fn header(store: &LocalStore, flight: &Flight, new: &Publication<'_>) -> Header {
    let (rev, len, sum) = if new.partial {
        (format!("p{}", flight.watch), 0, "-".to_owned())
    } else {
        (flight.watch.clone(), new.all.len() as u64, meta::sum(new.all))
    };
    let now = store.now();
    let meta = Meta {
        scope: store.scope.as_str().to_owned(),
        epoch: flight.epoch.clone(),
        rev,
        index: new.index,
        count: new.fulls.len() as u64,
        len,
        sum,
        hsum: meta::sum_of_values(new.fulls.iter().map(|(_, full)| full.as_slice())),
        ttl_ms: millis(store.ttl),
        lag_ms: lag(flight, new, now),
    };
    let beside = flight.beside.clone();
    Header { beside, ..Header::new(meta, String::new(), &store.boot.id, now) }
}

/// Since the list was asked for. The clock of the boot counts the time asleep, too.
fn lag(flight: &Flight, new: &Publication<'_>, now: u64) -> u64 {
    let list_sent = millis(new.list_sent.saturating_duration_since(flight.entered));
    let awake = millis(clock::now().saturating_duration_since(new.list_sent));
    now.saturating_sub(flight.now_ms.saturating_add(list_sent)).max(awake)
}

/// The name of the file of full records, which is written if anything in it changed.
fn fulls(
    store: &LocalStore,
    writing: &WriteLock<'_>,
    flight: &Flight,
    new: &Publication<'_>,
    present: Option<&Header>,
) -> io::Result<String> {
    unchanged(store, new, present).map_or_else(|| write_fulls(store, writing, flight, new), Ok)
}

/// The present file of full records, if nothing in it changed.
fn unchanged(
    store: &LocalStore,
    new: &Publication<'_>,
    present: Option<&Header>,
) -> Option<String> {
    let (base, present) = (new.base?, present?);
    let changes = difference(new);
    let same = base.rev == present.rev && changes.gone.is_empty() && changes.changed.is_empty();
    let bytes: u64 = new.fulls.iter().map(|(_, full)| full.len() as u64 + 1).sum();
    let whole = same && bytes > 0 && store.folder.len(&present.full) == Some(bytes);
    whole.then(|| present.full.clone())
}

fn write_fulls(
    store: &LocalStore,
    writing: &WriteLock<'_>,
    flight: &Flight,
    new: &Publication<'_>,
) -> io::Result<String> {
    if new.fulls.is_empty() {
        return Ok(String::new());
    }
    let name = store.name(&format!("{}.full", flight.lease.token));
    let lines: Vec<&[u8]> =
        new.fulls.iter().flat_map(|(_, full)| [full.as_slice(), b"\n"]).collect();
    writing.replace(&name, &[&lines.concat()])?;
    Ok(name)
}

/// Fenced. What is about to be printed may be newer than what is visible: then nobody may be shown
/// the older any more.
fn invalidate(
    store: &LocalStore,
    writing: &WriteLock<'_>,
    flight: &Flight,
    new: &Publication<'_>,
    known: &LocalEntry,
) -> io::Result<()> {
    let present = known.valid(store);
    let Some(epoch) = known.epoch.clone() else { return Ok(()) };
    if present.is_some_and(|present| present.idx == new.eff) {
        return Ok(());
    }
    let header = match present {
        // Its index was disproved: neither it nor a flight that knows it may go on.
        _ if new.reset.is_some() => {
            let scope = store.scope.as_str().to_owned();
            Header::void(epoch, scope, &store.boot.id, store.now())
        }
        // Newer than ours: its records stay a base, its `all` is not shown.
        Some(newer) if new.eff < newer.idx => {
            Header { len: 0, sum: "-".to_owned(), ..newer.clone() }
        }
        older => floor(store, flight, new, older, epoch),
    };
    let snap = store.name("snap");
    // Without room for the note there is room for nothing.
    let _ = lease::note(&store.folder, &store.name("flight"), &header.rev);
    match writing.replace(&snap, &[&header.line()]) {
        Ok(()) => store.remove_fulls(writing, &header.full),
        // Without room for a floor there is room for nothing.
        Err(_) => writing.remove(&snap)?,
    }
    Ok(())
}

/// Serves nothing, remembers the index; keeps the records behind it as a base.
fn floor(
    store: &LocalStore,
    flight: &Flight,
    new: &Publication<'_>,
    present: Option<&Header>,
    epoch: String,
) -> Header {
    let (count, hsum, full) = match present {
        Some(present) => (present.count, present.hsum.clone(), present.full.clone()),
        None => (0, meta::sum_of_values([]), String::new()),
    };
    let meta = Meta {
        scope: store.scope.as_str().to_owned(),
        epoch,
        rev: format!("t{}", flight.lease.token),
        index: new.eff,
        count,
        len: 0,
        sum: "-".to_owned(),
        hsum,
        ttl_ms: 0,
        lag_ms: 0,
    };
    Header::new(meta, full, &store.boot.id, store.now())
}
