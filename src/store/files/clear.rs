//! CLEAR on files, and forgetting what Redis has newer.

use std::io;
use std::time::{Duration, Instant};

use crate::clock;
use crate::host::folder::WriteLock;
use crate::random;
use crate::store::fallback::ShownList;

use super::floor::{self, Floor};
use super::lease;
use super::lease::LeaseAttempt;
use super::snapshot_file::Header;
use super::{EPOCH, LocalStore, PATIENCE};

/// This stands between a question and its answer from Redis.
const FORGET_PATIENCE: Duration = Duration::from_millis(100);

impl LocalStore {
    pub(super) fn clear_all(&self, until: Instant) -> io::Result<()> {
        let writing = self.folder.writing(until.saturating_duration_since(clock::now()))?;
        // From here it is cleared: nothing that is there, or that a flight brings, matches the new
        // epoch, or none at all where there is no room for a new one.
        writing.replace(EPOCH, &[random::hex16().as_bytes()]).or_else(|_| writing.remove(EPOCH))?;
        let ends = [".snap", ".full", ".floor"];
        writing.remove_all(|name| ends.iter().any(|end| name.ends_with(end)));
        Ok(())
    }

    /// What Redis has shown.
    pub(super) fn floor(&self) -> Floor {
        let note = self.folder.read(&self.name("floor"), floor::LONGEST);
        let text = note.and_then(|note| String::from_utf8(note).ok());
        text.and_then(|text| Floor::parse(&text, &self.boot.id)).unwrap_or_default()
    }

    /// Redis is used again. What is older here than what it has shown is served no more, and is
    /// removed; `None`: it has nothing, and what comes next will be newer than anything here. A
    /// flight goes on: as long as one is held, what it started from stays, and what it will bring
    /// is served if it is not older. Best effort.
    pub fn forget(&self, than: Option<ShownList>) {
        // Before anything is looked at: a flight that begins after this lists after this.
        let now = self.now();
        let flown = self.name("flight");
        if self.folder.len(&flown).is_none() || self.raised(than, now).is_none() {
            return;
        }
        if than.is_none() && lease::is_held(&self.folder, &flown) {
            return;
        }
        let Ok(writing) = self.folder.writing(FORGET_PATIENCE) else { return };
        let Some(floor) = self.raised(than, now) else { return };
        let line = floor.line(&self.boot.id);
        let noted = writing.replace(&self.name("floor"), &[line.as_bytes()]).is_ok();
        let is_older = self.known().header().is_some_and(|header| floor.is_above(header));
        // As long as Redis has nothing it is a base. Without room for the note it must go all the
        // same. Nobody begins to fly before that is done.
        if is_older
            && (than.is_some() || !noted)
            && let Ok(LeaseAttempt::Free(_lock)) = lease::take(&self.folder, &flown)
        {
            self.remove_snapshot(&writing);
        }
    }

    /// The note that must be written, if one must.
    fn raised(&self, than: Option<ShownList>, now: u64) -> Option<Floor> {
        let floor = self.floor();
        match than {
            Some(shown) => floor.raised(shown, now),
            None => {
                let known = self.known();
                let floor = floor.raised_to(now);
                let hides = |header| !known.is_outdated && floor.is_above(header);
                known.header().is_some_and(hides).then_some(floor)
            }
        }
    }

    /// What replaces the snapshot fences every flight that began before, ours too.
    pub(super) fn void_scope(&self) -> io::Result<()> {
        let writing = self.folder.writing(PATIENCE)?;
        let (snap, scope) = (self.name("snap"), self.scope.as_str().to_owned());
        let Some(epoch) = self.known_epoch() else { return Ok(()) };
        let void = Header::void(epoch, scope, &self.boot.id, self.now()).line();
        writing.replace(&snap, &[&void]).or_else(|_| writing.remove(&snap))?;
        self.remove_fulls(&writing, "");
        Ok(())
    }

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
