//! What Redis has shown to this machine: nothing that is older is served from its files.

use std::time::Duration;

use crate::host::folder::WriteLock;
use crate::model::format::millis;
use crate::store::ShownList;

use super::LocalStore;
use super::lease;
use super::lease::LeaseAttempt;
use super::snapshot_file::Header;

const VERSION: &str = "v1";
/// More than any note of this program.
const MAX_NOTE_BYTES: u64 = 512;
/// Short, because a run with Redis waits for it.
const FORGET_PATIENCE: Duration = Duration::from_millis(100);
/// Longer than the pauses of those who wait for a flight, in milliseconds.
const WAITERS_MS: u64 = 1000;

/// The note of one scope. Times are milliseconds since boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Floor {
    /// When this was noted: a list that was asked for later can't be older.
    at: u64,
    /// The index of the list that Redis has shown.
    index: u64,
    /// When that list was asked for.
    listed: u64,
    /// Every list that was asked for before this moment is older, whatever its index.
    before: u64,
}

impl Floor {
    /// `None` if it is another boot's, whose clock means nothing, or no note.
    fn parse(text: &str, boot_id: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        if words.next() != Some(VERSION) || words.next() != Some(boot_id) {
            return None;
        }
        let mut number = || words.next()?.parse().ok();
        let (at, index, listed, before) = (number()?, number()?, number()?, number()?);
        Some(Self { at, index, listed, before })
    }

    fn line(&self, boot_id: &str) -> String {
        let Self { at, index, listed, before } = self;
        format!("{VERSION} {boot_id} {at} {index} {listed} {before}\n")
    }

    /// Whether Redis has shown something newer than this publication. Where its index is higher and
    /// its list is older, the cluster was restored in between. What Redis could not take is newer than
    /// what it had.
    pub(super) fn is_above(&self, header: &Header) -> bool {
        let listed = header.at.saturating_sub(header.lag);
        let is_older = header.idx < self.index || (header.idx > self.index && listed < self.listed);
        header.beside.is_none() && (listed < self.before || (listed < self.at && is_older))
    }

    /// The note after Redis has shown this, too; `None` if it stays as it is.
    fn raised(&self, shown: ShownList, now: u64) -> Option<Self> {
        let age = millis(shown.age);
        let listed = now.saturating_sub(age);
        let is_known = shown.index < self.index && listed <= self.listed;
        let is_same = shown.index == self.index;
        let noted = Self { at: now, index: shown.index, listed, before: self.before };
        (!is_known && !is_same).then_some(noted)
    }

    /// The note after Redis had nothing to show: the next list will be newer than all that is here.
    fn raised_to(&self, now: u64) -> Self {
        Self { before: now.max(self.before), ..self.clone() }
    }
}

impl LocalStore {
    /// What Redis has shown.
    pub(super) fn floor(&self) -> Floor {
        let note = self.folder.read(&self.name("floor"), MAX_NOTE_BYTES);
        let text = note.and_then(|note| String::from_utf8(note).ok());
        text.and_then(|text| Floor::parse(&text, &self.boot.id)).unwrap_or_default()
    }

    /// Redis is used again. What is older here than what it has shown is served no more; `None`: it
    /// has nothing, and what comes next will be newer than anything here. A flight goes on, and what
    /// it will bring is served if it is not older. Best effort.
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
        // Without room for the note it must go.
        if is_older && !noted {
            self.remove_idle_snapshot(&writing);
        }
    }

    /// This host does not avoid Redis any more: the snapshot goes, unless it is what Redis could not
    /// take. Best effort.
    pub fn drop_snapshot(&self) {
        // Those who waited for it come for it within moments.
        let is_new = |header: &Header| self.now().saturating_sub(header.at) < WAITERS_MS;
        let stays = |header: &Header| header.beside.is_some() || is_new(header);
        if self.known().header().is_some_and(stays) {
            return;
        }
        if let Ok(writing) = self.folder.writing(FORGET_PATIENCE) {
            self.remove_idle_snapshot(&writing);
        }
    }

    /// Removes the snapshot, unless a flight is under way: nobody touches what it started from and what
    /// it will bring. None begins before that is done.
    fn remove_idle_snapshot(&self, writing: &WriteLock<'_>) {
        if let Ok(LeaseAttempt::Free(_lock)) = lease::take(&self.folder, &self.name("flight")) {
            self.remove_snapshot(writing);
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
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Floor, Header, ShownList};

    fn header(idx: u64, listed: u64) -> Header {
        Header { idx, at: listed + 7, lag: 7, ..Header::default() }
    }

    fn shown(index: u64, age: u64) -> ShownList {
        ShownList { index, age: Duration::from_millis(age) }
    }

    #[test]
    fn the_index_decides_and_a_restore_is_seen_by_the_time() {
        let floor = Floor::default().raised(shown(9, 400), 1000).unwrap();
        let is_above = |idx, listed| floor.is_above(&header(idx, listed));
        assert_eq!([is_above(8, 999), is_above(9, 0), is_above(10, 600)], [true, false, false]);
        assert!(is_above(10, 599), "the index has gone back since");
        assert!(!is_above(8, 1000), "it was asked for later");
        let nothing = floor.raised_to(2000);
        assert!(nothing.is_above(&header(9, 1999)) && !nothing.is_above(&header(9, 2000)));
    }

    #[test]
    fn it_is_written_only_if_it_says_more() {
        let floor = Floor::default().raised(shown(9, 400), 1000).unwrap();
        assert_eq!(floor.raised(shown(9, 0), 2000), None);
        assert_eq!(floor.raised(shown(8, 1400), 2000), None, "shown before, noted after");
        assert_eq!(floor.raised(shown(8, 10), 2000).unwrap().index, 8, "it went back");
        assert_eq!(floor.raised(shown(10, 3000), 2000).unwrap().listed, 0);
        assert_eq!(floor.raised_to(1500).raised(shown(10, 0), 2000).unwrap().before, 1500);
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let floor = Floor { at: 4, index: u64::MAX, listed: 3, before: 2 };
        let line = floor.line("boot");
        assert_eq!(Floor::parse(&line, "boot"), Some(floor));
        for (text, boot) in [(&*line, "other"), (line.trim_end(), "boot"), ("", "boot")] {
            assert_eq!(Floor::parse(text, boot), None);
        }
    }
}
