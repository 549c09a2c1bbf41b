//! CLEAR and VOID on files.

use std::io;
use std::time::Instant;

use crate::clock;
use crate::host::copies::is_copy;
use crate::host::folder::WriteLock;
use crate::random;

use super::snapshot_file::Header;
use super::{EPOCH, LOCK_TIMEOUT, LocalStore};

pub(super) fn clear(store: &LocalStore, until: Instant) -> io::Result<()> {
    let writing = store.folder.writing(until.saturating_duration_since(clock::now()))?;
    // From here it is cleared: nothing that is there, or that a flight brings, matches the new
    // epoch, or none at all where there is no room for a new one.
    writing.replace(EPOCH, &[random::hex16().as_bytes()]).or_else(|_| writing.remove(EPOCH))?;
    let ends = [".snap", ".full", ".floor"];
    writing.remove_all(|name| is_copy(name) || ends.iter().any(|end| name.ends_with(end)));
    Ok(())
}

/// What replaces the snapshot fences every flight that began before, ours too.
pub(super) fn void(store: &LocalStore) -> io::Result<()> {
    let writing = store.folder.writing(LOCK_TIMEOUT)?;
    let (snap, scope) = (store.name("snap"), store.scope.as_str().to_owned());
    let Some(epoch) = store.known_epoch() else { return Ok(()) };
    let void = Header::void(epoch, scope, &store.boot.id, store.now()).line();
    writing.replace(&snap, &[&void]).or_else(|_| writing.remove(&snap))?;
    store.remove_fulls(&writing, "");
    Ok(())
}

impl LocalStore {
    /// The snapshot goes first, so that no list is left without its records.
    pub(super) fn remove_snapshot(&self, writing: &WriteLock<'_>) {
        if writing.remove(&self.name("snap")).is_ok() {
            self.remove_fulls(writing, "");
        }
    }

    /// Removes the files of full records that the header does not name.
    pub(super) fn remove_fulls(&self, writing: &WriteLock<'_>, named: &str) {
        writing.remove_all(|name| {
            name.starts_with(self.scope.as_str()) && name.ends_with(".full") && name != named
        });
    }
}
