//! The highest index that this host has shown of a scope: nothing older is shown again.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use crate::model::snapshot::Snapshot;
use crate::net::sync::lock;

use super::BootClock;
use super::notes::Notes;

const VERSION: &str = "v1";
const LONGEST: u64 = 512;
/// How long to wait for the lock: the user waits for it too.
const LOCK_WAIT: Duration = Duration::from_millis(250);
/// The rev of an answer that was not published.
const NO_REV: &str = "-";

/// The note about one scope: `v1 INDEX REV`, and ` BOOT MS` where a moment counts too.
///
/// INDEX is the highest index of anything that was printed, of lists and of records: details are
/// requested after their list and may be newer than it. A cached publication is known by the index of
/// its list alone, so it may show more than that. Therefore a publication is shown if it is the one that
/// was printed last (REV), or if its list is not lower than INDEX. This refuses nothing in vain, because
/// a fetch lists after everything that an earlier publication holds: its list is as high as all of that.
///
/// Indexes and revs are good for ever: the note outlives restarts of Redis and of this host.
#[derive(Debug)]
pub(crate) struct ShownNote {
    notes: Notes,
    name: String,
    boot: BootClock,
    /// How long a list is fresh.
    ttl: Duration,
    /// As it was last read or changed by this process, also if it cannot be written.
    known: Mutex<Shown>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) index: u64,
    /// The publication that was shown last.
    pub(crate) rev: String,
    /// When a list was requested that has no index, or one that is lower for good: lists that are not
    /// later are older. Milliseconds since the boot of this id.
    since: Option<(String, u64)>,
}

/// What a hit, or an answer, says about its list.
#[derive(Debug, Clone, Copy)]
struct Listed<'a> {
    rev: &'a str,
    index: u64,
    /// Milliseconds since boot.
    at: u64,
}

impl ShownNote {
    /// `key` names the scope and the prefix; it is part of a file name.
    pub(crate) fn new(folder: Option<PathBuf>, key: &str, boot: BootClock, ttl: Duration) -> Self {
        let (notes, name) = (Notes::new(folder), format!("{key}.shown"));
        Self { notes, name, boot, ttl, known: Mutex::default() }
    }

    /// What this host has shown.
    pub(crate) fn read(&self) -> Shown {
        let text = self.notes.read_up_to(&self.name, LONGEST);
        let mut known = lock(&self.known);
        if let Some(noted) = text.as_deref().and_then(Shown::parse) {
            *known = noted;
        }
        known.clone()
    }

    /// Whether something newer than this publication has been shown.
    pub(crate) fn is_above(&self, rev: &str, index: u64, age: Duration) -> bool {
        let (shown, at) = (self.read(), self.before(age));
        shown.is_above(&Listed { rev, index, at }, self.since(&shown))
    }

    /// This answer was printed; no rev = it was not published, index 0 = it has none. Best effort.
    pub(crate) fn printed(&self, snapshot: &Snapshot) {
        let Snapshot { rev, index, age, .. } = snapshot;
        let is_word = !rev.is_empty() && rev.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // The usual case: it is what was shown before.
        if *index > 0 && is_word && lock(&self.known).rev == *rev {
            return;
        }
        let rev = if is_word { rev } else { NO_REV };
        let listed = Listed { rev, index: *index, at: self.before(*age) };
        let highest = snapshot.newest.max(*index);
        self.change(|shown| shown.raised(&listed, highest, (&self.boot.id, self.since(shown))));
    }

    /// Two lists of Nomad are lower than what was shown: the cluster was restored. `age`: since the
    /// first of them was requested.
    pub(crate) fn lower(&self, index: u64, age: Duration) {
        let since = Some((self.boot.id.clone(), self.before(age)));
        let lowered = Shown { index, rev: NO_REV.to_owned(), since };
        self.change(|shown| (index < shown.index).then(|| lowered.clone()));
    }

    /// Writes nothing if nothing changes.
    fn change(&self, change: impl Fn(&Shown) -> Option<Shown>) {
        let before = self.read();
        let Some(mut known) = change(&before) else { return };
        let _ = self.notes.change((&self.name, LONGEST), LOCK_WAIT, |text| {
            // Another process may have changed it in the meantime.
            let noted = text.as_deref().and_then(Shown::parse).unwrap_or(before);
            known = change(&noted).unwrap_or(noted);
            known.line()
        });
        *lock(&self.known) = known;
    }

    /// When a list of that age was requested, rounded down.
    fn before(&self, age: Duration) -> u64 {
        let age = u64::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.boot.ms().saturating_sub(age)
    }

    /// Every list that is not later is older; `None` once none of them can be fresh.
    fn since(&self, shown: &Shown) -> Option<u64> {
        let (boot, at) = shown.since.as_ref()?;
        let passed = Duration::from_millis(self.boot.ms().saturating_sub(*at));
        (*boot == self.boot.id && passed <= self.ttl).then_some(*at)
    }
}

impl Shown {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.strip_suffix('\n')?.split(' ').collect();
        let (version, index, rev, since) = match words[..] {
            [version, index, rev] => (version, index, rev, None),
            [version, index, rev, boot, at] => {
                (version, index, rev, Some((boot.to_owned(), at.parse().ok()?)))
            }
            _ => return None,
        };
        let index = index.parse().ok().filter(|_| version == VERSION && !rev.is_empty())?;
        Some(Self { index, rev: rev.to_owned(), since })
    }

    fn line(&self) -> String {
        let Self { index, rev, since } = self;
        let since = since.as_ref().map(|(boot, at)| format!(" {boot} {at}")).unwrap_or_default();
        format!("{VERSION} {index} {rev}{since}\n")
    }

    fn is_above(&self, listed: &Listed<'_>, since: Option<u64>) -> bool {
        let is_older = listed.index < self.index || since.is_some_and(|since| listed.at <= since);
        listed.rev != self.rev && is_older
    }

    /// After a list with records up to the index `highest` was printed; `None` = as before. `now`:
    /// this boot, and what [`ShownNote::since`] says.
    fn raised(&self, new: &Listed<'_>, highest: u64, now: (&str, Option<u64>)) -> Option<Self> {
        let (boot, since) = now;
        let index = self.index.max(highest);
        if new.index == 0 {
            let since = Some((boot.to_owned(), new.at.max(since.unwrap_or(0))));
            return Some(Self { index, rev: NO_REV.to_owned(), since });
        }
        // Read before, printed after something newer.
        let is_late = since.is_some_and(|since| new.at < since);
        let is_newer = highest > self.index || new.index >= self.index;
        // Of two fetches at the same time each may have a newer record: neither is shown again.
        let is_known = new.index >= self.index || new.rev == self.rev;
        let rev = if is_known { new.rev } else { NO_REV };
        let raised = Self { index, rev: rev.to_owned(), since: self.since.clone() };
        (is_newer && !is_late && raised != *self).then_some(raised)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::{Shown, ShownNote};
    use crate::host::BootClock;
    use crate::host::notes::Notes;
    use crate::model::snapshot::Snapshot;

    const TTL: Duration = Duration::from_secs(60);

    struct Host {
        home: tempfile::TempDir,
        ms: Arc<AtomicU64>,
    }

    impl Host {
        fn new() -> Self {
            Self { home: tempfile::tempdir().unwrap(), ms: Arc::new(AtomicU64::new(100_000)) }
        }

        /// One process of the boot `id`.
        fn process(&self, id: &str) -> ShownNote {
            let ms = Arc::clone(&self.ms);
            let boot =
                BootClock { now: Arc::new(move || ms.load(Ordering::Relaxed)), id: id.to_owned() };
            ShownNote::new(Some(self.home.path().join("cache")), "scope", boot, TTL)
        }

        fn pass(&self, ms: u64) {
            self.ms.fetch_add(ms, Ordering::Relaxed);
        }

        /// Which publications of these revs and indexes, `age` old, are refused.
        fn refused(&self, age: u64, of: &[(&str, u64)]) -> Vec<bool> {
            let age = Duration::from_millis(age);
            of.iter().map(|(rev, index)| self.process("b").is_above(rev, *index, age)).collect()
        }

        fn text(&self) -> Option<String> {
            Notes::new(Some(self.home.path().join("cache"))).read("scope.shown")
        }
    }

    /// A list of this index, and one record of another.
    fn printed(rev: &str, index: u64, record: u64, age: u64) -> Snapshot {
        Snapshot {
            rev: rev.to_owned(),
            index,
            newest: record,
            count: 1,
            all: crate::model::node::AllJson::default(),
            fulls: None,
            age: Duration::from_millis(age),
            since: Duration::ZERO,
        }
    }

    #[test]
    fn what_is_lower_is_refused_in_every_process_and_every_boot() {
        let host = Host::new();
        assert_eq!(host.refused(0, &[("N1", 0)]), [false]);
        host.process("a").printed(&printed("N1", 9, 5, 0));
        assert_eq!(host.text().unwrap(), "v1 9 N1\n");
        assert_eq!(host.refused(0, &[("N0", 8), ("N2", 9), ("N2", 10)]), [true, false, false]);
        host.process("a").printed(&printed("N0", 8, 8, 0));
        assert_eq!(host.text().unwrap(), "v1 9 N1\n", "printed late");
    }

    /// A detail is newer than its list: the publication is good all the same, another of the same list
    /// may not have it.
    #[test]
    fn records_count_too() {
        let host = Host::new();
        host.process("a").printed(&printed("N1", 9, 12, 0));
        assert_eq!(host.text().unwrap(), "v1 12 N1\n");
        let of = [("N1", 9), ("N2", 9), ("N2", 11), ("N2", 12)];
        assert_eq!(host.refused(0, &of), [false, true, true, false]);
        host.process("a").printed(&printed("N2", 12, 12, 0));
        host.process("a").printed(&printed("N1", 9, 12, 0));
        assert_eq!(host.text().unwrap(), "v1 12 N2\n", "the list of N1 is older");
    }

    #[test]
    fn of_two_fetches_at_the_same_time_neither_is_shown_again() {
        let host = Host::new();
        host.process("a").printed(&printed("N1", 9, 12, 0));
        host.process("a").printed(&printed("N2", 10, 14, 0));
        assert_eq!(host.text().unwrap(), "v1 14 -\n");
        let of = [("N1", 9), ("N2", 10), ("N3", 14)];
        assert_eq!(host.refused(0, &of), [true, true, false]);
    }

    #[test]
    fn an_answer_without_an_index_counts_by_its_time_within_the_ttl() {
        let host = Host::new();
        host.process("b").printed(&printed("N1", 9, 9, 5000));
        host.process("b").printed(&printed("", 0, 7, 1000));
        assert_eq!(host.text().unwrap(), "v1 9 - b 99000\n");
        assert_eq!(host.refused(1000, &[("N1", 9), ("N2", 10)]), [true, true]);
        assert_eq!(host.refused(999, &[("N1", 9), ("N2", 10)]), [false, false]);
        assert!(!host.process("c").is_above("N1", 9, TTL), "another boot's time means nothing");
        host.process("b").printed(&printed("N1", 9, 9, 5000));
        assert_eq!(host.text().unwrap(), "v1 9 - b 99000\n", "read before, printed after");
        host.pass(59_001);
        assert_eq!(host.refused(60_002, &[("N1", 9)]), [false]);
    }

    #[test]
    fn a_restored_cluster_lowers_it_and_its_old_lists_are_refused() {
        let host = Host::new();
        host.process("b").printed(&printed("N1", 9, 9, 0));
        host.process("b").lower(9, Duration::ZERO);
        assert_eq!(host.text().unwrap(), "v1 9 N1\n");
        host.pass(5000);
        host.process("b").lower(4, Duration::from_secs(1));
        assert_eq!(host.text().unwrap(), "v1 4 - b 104000\n");
        assert_eq!(host.refused(1000, &[("N1", 9)]), [true], "from before");
        assert_eq!(host.refused(900, &[("N2", 4), ("N2", 3)]), [false, true]);
        host.process("b").printed(&printed("N1", 9, 9, 5000));
        host.process("b").printed(&printed("N2", 4, 4, 900));
        assert_eq!(host.text().unwrap(), "v1 4 N2 b 104000\n");
        assert_eq!(host.refused(1000, &[("N2", 4)]), [false], "it is that very publication");
    }

    #[test]
    fn nothing_is_written_if_nothing_grows() {
        let host = Host::new();
        let process = host.process("b");
        process.printed(&printed("N1", 9, 9, 0));
        let path = host.home.path().join("cache/scope.shown");
        let written = || std::fs::metadata(&path).unwrap().modified().unwrap();
        let before = written();
        for process in [&process, &host.process("b")] {
            assert!(!process.is_above("N1", 9, TTL));
            process.printed(&printed("N1", 9, 9, 0));
        }
        assert_eq!(written(), before);
    }

    #[test]
    fn without_a_directory_the_process_remembers_its_own() {
        let boot = BootClock::of_this_boot(None);
        let note = ShownNote::new(None, "scope", boot, TTL);
        note.printed(&printed("N1", 9, 9, 0));
        assert!(note.is_above("N0", 8, Duration::ZERO));
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for line in ["v1 9 N1\n", "v1 0 - boot-1 77\n"] {
            assert_eq!(Shown::parse(line).unwrap().line(), line);
        }
        for junk in ["", "v1 9 N1", "v2 9 N1\n", "v1 -1 N1\n", "v1 9 \n", "v1 9 N1 b\n"] {
            assert_eq!(Shown::parse(junk), None, "{junk}");
        }
    }
}
