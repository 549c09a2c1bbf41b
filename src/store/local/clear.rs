//! CLEAR on files, and forgetting what is in Redis anyway.

use std::io;
use std::time::Duration;

use crate::random;

use super::snap::Header;
use super::{EPOCH, LocalStore, flight};

const CLEAR_PATIENCE: Duration = Duration::from_secs(5);
/// This stands between a question and its answer from Redis.
const FORGET_PATIENCE: Duration = Duration::from_millis(100);

impl LocalStore {
    pub(super) fn clear_all(&self) -> io::Result<()> {
        let writing = self.folder.writing(CLEAR_PATIENCE)?;
        // From here it is cleared: nothing that is there, or that a flight brings, matches.
        writing.replace(EPOCH, &[random::hex16().as_bytes()])?;
        writing.remove_all("", ".snap");
        writing.remove_all("", ".full");
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
        match self.known_epoch().filter(|_| flies) {
            Some(epoch) => {
                let scope = self.scope.as_str().to_owned();
                let void = Header::void(epoch, scope, &self.boot.id, self.now());
                if writing.replace(&snap, &[&void.line()]).is_err() {
                    writing.remove(&snap);
                }
            }
            None => writing.remove(&snap),
        }
        writing.remove_all(self.scope.as_str(), ".full");
    }
}
