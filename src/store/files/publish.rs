//! PUBLISH on files: everything by two renames, under one lock.

use std::io;

use crate::clock;
use crate::host::folder::WriteLock;
use crate::model::format::millis;
use crate::model::node::Fulls;
use crate::store::meta::{self, Meta};
use crate::store::records::{merged, seal};
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
    let Some(records) = full_records(store, new, present) else {
        return Ok(Published::Rebase(flight));
    };
    if let Err(error) = write(store, &writing, header(store, &flight, new), (new, records)) {
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

/// The full records of a publication.
enum FullRecords {
    /// Nothing has changed: the file that this header names.
    Present(Box<Header>),
    Written(Fulls),
    /// Only those that have changed are at hand: the list is published without any.
    Unknown,
}

/// `None` if the base is not (any more) there, or if its list is too old to be published unasked.
fn full_records(
    store: &LocalStore,
    new: &Publication<'_>,
    present: Option<&Header>,
) -> Option<FullRecords> {
    let Some(base) = new.base else {
        let is_whole = new.fulls.len() as u64 == new.count;
        let whole = || FullRecords::Written(new.fulls.clone());
        return Some(if is_whole { whole() } else { FullRecords::Unknown });
    };
    let present = present.filter(|present| present.rev == base.rev)?;
    let listed = store.now().saturating_sub(present.listed);
    if new.probed && listed > millis(store.detail_ttl) {
        return None;
    }
    if new.gone.is_empty() && new.fulls.is_empty() {
        let is_whole =
            present.count == 0 || store.folder.len(&present.full) == Some(present.full_len);
        return is_whole.then(|| FullRecords::Present(Box::new(present.clone())));
    }
    Some(FullRecords::Written(merged(store.counted(present)?, new.gone, new.fulls)))
}

fn write(
    store: &LocalStore,
    writing: &WriteLock<'_>,
    fresh: Header,
    (new, records): (&Publication<'_>, FullRecords),
) -> io::Result<()> {
    let header = match records {
        FullRecords::Present(present) => {
            let Header { count, full, full_len, listed, .. } = *present;
            let listed = if new.probed { listed } else { fresh.listed };
            Header { count, full, full_len, listed, ..fresh }
        }
        FullRecords::Written(fulls) => {
            let (full, full_len) = write_fulls(store, writing, &fresh, &fulls)?;
            Header { count: fulls.len() as u64, full, full_len, ..fresh }
        }
        FullRecords::Unknown => Header { count: new.count, ..fresh },
    };
    let all: &[u8] = if new.partial { &[] } else { new.all };
    lease::note(&store.folder, &store.name("flight"), &header.rev)?;
    writing.replace(&store.name("snap"), &[&header.line(), all])?;
    store.remove_fulls(writing, &header.full);
    Ok(())
}

/// Of a list; its full records are not counted and not named yet.
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
        count: 0,
        len,
        sum,
        ttl_ms: millis(store.ttl),
        lag_ms: lag(flight, new, now),
    };
    let beside = flight.beside.clone();
    Header { beside, ..Header::new(meta, &store.boot.id, now) }
}

/// Since the list was asked for. The clock of the boot counts the time asleep, too.
fn lag(flight: &Flight, new: &Publication<'_>, now: u64) -> u64 {
    let list_sent = millis(new.list_sent.saturating_duration_since(flight.entered));
    let awake = millis(clock::now().saturating_duration_since(new.list_sent));
    now.saturating_sub(flight.now_ms.saturating_add(list_sent)).max(awake)
}

/// Writes the file of full records; its name and length.
fn write_fulls(
    store: &LocalStore,
    writing: &WriteLock<'_>,
    fresh: &Header,
    fulls: &Fulls,
) -> io::Result<(String, u64)> {
    if fulls.is_empty() {
        return Ok((String::new(), 0));
    }
    let name = store.name(&format!("{}.full", fresh.rev));
    let lines: Vec<Vec<u8>> = fulls.iter().map(|(_, full)| seal(full)).collect();
    let lines = [&lines.join(&b'\n')[..], b"\n"].concat();
    writing.replace(&name, &[&lines])?;
    Ok((name, lines.len() as u64))
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
    let (count, full, full_len) = present
        .map(|present| (present.count, present.full.clone(), present.full_len))
        .unwrap_or_default();
    let meta = Meta {
        scope: store.scope.as_str().to_owned(),
        epoch,
        rev: format!("t{}", flight.lease.token),
        index: new.eff,
        count,
        len: 0,
        sum: "-".to_owned(),
        ttl_ms: 0,
        lag_ms: 0,
    };
    Header { full, full_len, ..Header::new(meta, &store.boot.id, store.now()) }
}
