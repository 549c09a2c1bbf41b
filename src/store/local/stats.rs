//! What `cache stats` shows of the files.

use std::time::Duration;

use rustix::fs::OFlags;

use crate::clock;
use crate::store::{KeyStats, Look, State, Stats, Want};

use super::snap::Snap;
use super::{LocalStore, counts};

pub(super) fn stats(store: &LocalStore) -> Stats {
    let (snap, _) = store.valid();
    let (state, hit) = match store.look_once(Want::Records).0 {
        Look::Hit(hit) => (State::Hot, Some(hit)),
        Look::Miss { .. } if snap.is_some() => (State::Stale, None),
        Look::Miss { .. } => (State::Cold, None),
    };
    let old = snap
        .as_ref()
        .map(|snap| Duration::from_millis(snap.header.lag.saturating_add(since(store, snap))));
    let minute = clock::unix_seconds() / 60;
    Stats {
        kind: "local",
        place: store.folder.place(),
        state,
        age: hit.as_ref().map(|hit| hit.age).or(old),
        fresh_for: hit.map(|hit| store.ttl.saturating_sub(hit.since)),
        nodes: snap.as_ref().map(|snap| snap.header.count),
        keys: snap.map(|snap| files(store, &snap)).unwrap_or_default(),
        memory: None,
        minutes: counts::minutes(&store.folder, &store.name("stats"), minute),
    }
}

fn files(store: &LocalStore, snap: &Snap) -> Vec<KeyStats> {
    let keep = u64::try_from(store.detail_ttl.as_millis()).unwrap_or(u64::MAX);
    let files = [(store.name("snap"), snap.header.ttl), (snap.header.full.clone(), keep)];
    let lasting = files.into_iter().filter_map(|(name, ttl)| {
        let file = store.folder.file(&name, OFlags::RDONLY).ok()?;
        let ttl = Some(Duration::from_millis(ttl.saturating_sub(since(store, snap))));
        Some(KeyStats { key: name, kind: "file", bytes: file.metadata().ok()?.len(), ttl })
    });
    lasting.collect()
}

/// Milliseconds since the publication.
fn since(store: &LocalStore, snap: &Snap) -> u64 {
    store.now().saturating_sub(snap.header.at)
}
