//! What Redis has shown to this machine: nothing that is older is served from its files.

use crate::store::fallback::ShownList;

use super::snapshot_file::Header;

const VERSION: &str = "v1";
/// More than any note of this program.
pub(super) const LONGEST: u64 = 512;

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
    pub(super) fn parse(text: &str, boot_id: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        if words.next() != Some(VERSION) || words.next() != Some(boot_id) {
            return None;
        }
        let mut number = || words.next()?.parse().ok();
        let (at, index, listed, before) = (number()?, number()?, number()?, number()?);
        Some(Self { at, index, listed, before })
    }

    pub(super) fn line(&self, boot_id: &str) -> String {
        let Self { at, index, listed, before } = self;
        format!("{VERSION} {boot_id} {at} {index} {listed} {before}\n")
    }

    /// Whether Redis has shown something newer than this publication. Where its index is higher and
    /// its list is older, the cluster was restored in between.
    pub(super) fn is_above(&self, header: &Header) -> bool {
        let listed = header.at.saturating_sub(header.lag);
        let is_older = header.idx < self.index || (header.idx > self.index && listed < self.listed);
        listed < self.before || (listed < self.at && is_older)
    }

    /// The note after Redis has shown this, too; `None` if it stays as it is.
    pub(super) fn raised(&self, shown: ShownList, now: u64) -> Option<Self> {
        let age = u64::try_from(shown.age.as_millis()).unwrap_or(u64::MAX);
        let listed = now.saturating_sub(age);
        let is_known = shown.index < self.index && listed <= self.listed;
        let is_same = shown.index == self.index;
        let noted = Self { at: now, index: shown.index, listed, before: self.before };
        (!is_known && !is_same).then_some(noted)
    }

    /// The note after Redis had nothing to show: the next list will be newer than all that is here.
    pub(super) fn raised_to(&self, now: u64) -> Self {
        Self { before: now.max(self.before), ..self.clone() }
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
