//! CLEAR on files, and forgetting what is in Redis anyway.

use std::io;
use std::time::Duration;

use crate::host::folder::Writing;
use crate::random;

use super::snap::Header;
use super::{EPOCH, LocalStore, flight};

const CLEAR_PATIENCE: Duration = Duration::from_secs(5);
/// This stands between a question and its answer from Redis.
const FORGET_PATIENCE: Duration = Duration::from_millis(100);

impl LocalStore {
    pub(super) fn clear_all(&self) -> io::Result<()> {
        let writing = self.folder.writing(CLEAR_PATIENCE)?;
        // From here it is cleared: nothing that is there, or that a flight brings, matches the new
        // epoch, or none at all where there is no room for a new one.
        writing.replace(EPOCH, &[random::hex16().as_bytes()]).or_else(|_| writing.remove(EPOCH))?;
        writing.remove_all(|name| name.ends_with(".snap") || name.ends_with(".full"));
        Ok(())
    }

    /// Redis is used again: what it shows from now on may be newer than what is here, or than what
    /// a flight under way will bring.
    pub(super) fn forget_all(&self) {
        let (snap, flown) = (self.name("snap"), self.name("flight"));
        let flies = flight::is_held(&self.folder, &flown);
        if !flies && self.folder.len(&snap).is_none() {
            return;
        }
        let Ok(writing) = self.folder.writing(FORGET_PATIENCE) else { return };
        let void = self.known_epoch().filter(|_| flies).map(|epoch| {
            let scope = self.scope.as_str().to_owned();
            Header::void(epoch, scope, &self.boot.id, self.now()).line()
        });
        let replaced = void.is_some_and(|void| writing.replace(&snap, &[&void]).is_ok());
        // The snapshot goes first, so that no list is left without its records.
        if replaced || writing.remove(&snap).is_ok() {
            self.remove_fulls(&writing, "");
        }
    }

    /// Removes the files of full records that the header does not name.
    pub(super) fn remove_fulls(&self, writing: &Writing<'_>, named: &str) {
        writing.remove_all(|name| {
            name.starts_with(self.scope.as_str()) && name.ends_with(".full") && name != named
        });
    }
}
