//! PUBLISH on files: everything by two renames, under one lock.

use std::io;

use crate::clock;
use crate::store::folder::Writing;
use crate::store::meta::Meta;
use crate::store::records::difference;
use crate::store::{Class, Flight, Publication, Published, sum};

use super::snap::{Header, Snap};
use super::{LocalStore, PATIENCE};

/// Publishes if nothing happened since the flight began; else makes sure that nothing older than
/// what is about to be printed is served.
pub(super) fn publish(
    store: &LocalStore,
    flight: &Flight,
    new: &Publication<'_>,
) -> io::Result<Published> {
    let writing = store.folder.writing(PATIENCE)?;
    writing.sweep();
    let (now, epoch) = store.valid();
    if epoch.as_ref() != Some(&flight.epoch) || !is_unbroken(store, flight, now.as_ref()) {
        invalidate(store, &writing, flight, new, now)?;
        return Ok(Published::Fenced);
    }
    if let Some(now) = &now
        && new.index < now.header.idx
        && new.reset != Some(&*now.header.rev)
    {
        return Ok(Published::Older { index: now.header.idx, rev: now.header.rev.clone() });
    }
    if let Err(error) = write(store, &writing, flight, new, now.as_ref()) {
        // What is about to be printed may be newer than what is there.
        writing.remove(&store.name("snap"))?;
        return Err(error);
    }
    match new.partial {
        true => store.flights.fail(&flight.token, Class::Partial, store.now()),
        false => store.flights.release(&flight.token),
    }
    Ok(Published::Done)
}

/// Nobody published since the flight began. A floor that appeared meanwhile only remembers an
/// index; whoever holds the lock may publish over it.
fn is_unbroken(store: &LocalStore, flight: &Flight, now: Option<&Snap>) -> bool {
    let before = flight.meta.as_ref().map(|meta| meta.rev.as_str());
    let present = now.map(|now| now.header.rev.as_str());
    let holds = !flight.solo && store.flights.holds(&flight.token);
    let floor = present.is_some_and(|rev| rev.starts_with('t'));
    (flight.solo || holds) && (before == present || (holds && floor))
}

fn write(
    store: &LocalStore,
    writing: &Writing<'_>,
    flight: &Flight,
    new: &Publication<'_>,
    now: Option<&Snap>,
) -> io::Result<()> {
    let full = match kept(new, now) {
        Some(full) => full,
        None => write_fulls(store, writing, flight, new)?,
    };
    let lag = clock::now().saturating_duration_since(new.list_sent).as_millis();
    let (rev, len, sum) = match new.partial {
        true => (format!("p{}", flight.watch), 0, "-".to_owned()),
        false => (flight.watch.clone(), new.all.len() as u64, sum::of(new.all)),
    };
    let meta = Meta {
        scope: store.scope.as_str().to_owned(),
        epoch: flight.epoch.clone(),
        rev,
        index: new.index,
        count: new.fulls.len() as u64,
        len,
        sum,
        hsum: sum::of_values(new.fulls.iter().map(|(_, full)| full.as_slice())),
        ttl_ms: u64::try_from(store.ttl.as_millis()).unwrap_or(u64::MAX),
        lag_ms: u64::try_from(lag).unwrap_or(u64::MAX),
    };
    let header = Header::new(meta, full, &store.boot.id, store.now());
    writing
        .replace(&store.name("snap"), &[&header.line(), if new.partial { &[] } else { new.all }])?;
    // Full files that no header names any more.
    writing.remove_all(|name| {
        name.starts_with(store.scope.as_str()) && name.ends_with(".full") && name != header.full
    });
    Ok(())
}

/// The present file of full records, if nothing in it changed.
fn kept(new: &Publication<'_>, now: Option<&Snap>) -> Option<String> {
    let (base, now) = (new.base?, now?);
    let changes = difference(new);
    let same = base.rev == now.header.rev && changes.gone.is_empty() && changes.changed.is_empty();
    (same && !now.header.full.is_empty()).then(|| now.header.full.clone())
}

fn write_fulls(
    store: &LocalStore,
    writing: &Writing<'_>,
    flight: &Flight,
    new: &Publication<'_>,
) -> io::Result<String> {
    if new.fulls.is_empty() {
        return Ok(String::new());
    }
    let name = store.name(&format!("{}.full", flight.token));
    let lines: Vec<&[u8]> =
        new.fulls.iter().flat_map(|(_, full)| [full.as_slice(), b"\n"]).collect();
    writing.replace(&name, &[&lines.concat()])?;
    Ok(name)
}

/// Fenced. What is about to be printed may be newer than what is visible: then nobody may be shown
/// the older any more.
fn invalidate(
    store: &LocalStore,
    writing: &Writing<'_>,
    flight: &Flight,
    new: &Publication<'_>,
    now: Option<Snap>,
) -> io::Result<()> {
    let snap = store.name("snap");
    if now.as_ref().is_some_and(|now| now.header.idx == new.eff) {
        return Ok(());
    }
    if new.reset.is_some() {
        return writing.remove(&snap);
    }
    let Some(epoch) = store.valid().1 else { return Ok(()) };
    let header = match now {
        // Newer than ours: its records stay a base, its `all` is not shown.
        Some(now) if new.eff < now.header.idx => {
            Header { len: 0, sum: "-".to_owned(), ..now.header }
        }
        now => floor(store, flight, new, now, epoch),
    };
    // Without room for a floor there is room for nothing.
    writing.replace(&snap, &[&header.line()]).or_else(|_| writing.remove(&snap))
}

/// Serves nothing, remembers the index; keeps the records behind it as a base.
fn floor(
    store: &LocalStore,
    flight: &Flight,
    new: &Publication<'_>,
    now: Option<Snap>,
    epoch: String,
) -> Header {
    let (count, hsum, full) = match now {
        Some(now) => (now.header.count, now.header.hsum, now.header.full),
        None => (0, sum::of_values([]), String::new()),
    };
    let meta = Meta {
        scope: store.scope.as_str().to_owned(),
        epoch,
        rev: format!("t{}", flight.token),
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
