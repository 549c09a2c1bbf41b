//! Protects against the return of cleared data: epochs that are never accepted again.
//!
//! A Redis can return to an earlier state: a restart from an older dump, a failover to a replica that
//! missed the deletion. Nonces are never reused, so an epoch that this host has cleared, or has seen
//! replaced by another, has ended for good.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::net::sync::lock;

use super::BootClock;
use super::epoch_file::{EpochFile, is_nonce};
use super::notes::{Notes, Unwritten};

const NAME: &str = "dead-epochs";
/// How long to wait for the lock: the user waits for it too.
const LOCK_WAIT: Duration = Duration::from_millis(250);
/// The most epochs of this process that are kept in memory.
const OWN_MAX: usize = 4096;

/// The epochs that have ended, as far as this host knows.
#[derive(Debug)]
pub(crate) struct ClearedEpochs {
    notes: Notes,
    /// Identifies the cache: which Redis, with which prefix.
    cache: String,
    own: Mutex<ProcessEpochs>,
}

/// What this process noted itself, in case no note can be written.
#[derive(Debug, Default)]
struct ProcessEpochs {
    ended: Vec<String>,
    seen: Option<String>,
}

/// What this host had seen before a request to Redis.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SeenBefore(Vec<String>);

impl ClearedEpochs {
    pub(crate) fn new(notes: Notes, cache: String) -> Self {
        Self { notes, cache, own: Mutex::default() }
    }

    pub(crate) fn has_ended(&self, epoch: &[u8]) -> bool {
        self.own().ended.iter().any(|dead| dead.as_bytes() == epoch)
            || self.text().is_some_and(|text| EpochFile::has_ended(&text, epoch))
    }

    /// Call it before the request to Redis: what Redis shows is later then.
    pub(crate) fn seen_before(&self) -> SeenBefore {
        let noted = self.text().and_then(|text| EpochFile::current_in(&text, &self.cache));
        let mut seen: Vec<String> = self.own().seen.clone().into_iter().collect();
        seen.extend(noted.filter(|noted| !seen.contains(noted)));
        SeenBefore(seen)
    }

    /// Redis shows this epoch now, or none: another one that was seen before was replaced. Best effort.
    pub(crate) fn observe(&self, before: &SeenBefore, now: Option<&[u8]>) {
        let now = now.and_then(nonce);
        // The usual case.
        if before.0.iter().map(String::as_str).eq(now) {
            return;
        }
        if now.is_some_and(|now| self.has_ended(now.as_bytes())) {
            return;
        }
        let replaced: Vec<&str> =
            before.0.iter().map(String::as_str).filter(|seen| Some(*seen) != now).collect();
        {
            let mut own = self.own();
            own.add_ended(&replaced);
            own.seen = now.map(str::to_owned);
        }
        let _ = self.change(LOCK_WAIT, |book| {
            book.add_ended(&replaced);
            // Another process may have seen a later one in the meantime.
            let noted = book.current(&self.cache);
            if noted.is_none_or(|noted| before.0.iter().any(|seen| seen == noted)) {
                book.set_current(&self.cache, now);
            }
        });
    }

    /// A clear has deleted this epoch. What this host had seen before has ended, too.
    ///
    /// # Errors
    /// Why it cannot be noted within `limit`. A host without a cache directory notes nothing.
    pub(crate) fn cleared(
        &self,
        before: &SeenBefore,
        found: Option<&[u8]>,
        limit: Duration,
    ) -> Result<(), String> {
        let over: Vec<&str> =
            before.0.iter().map(String::as_str).chain(found.and_then(nonce)).collect();
        if over.is_empty() {
            return Ok(());
        }
        {
            let mut own = self.own();
            own.add_ended(&over);
            own.seen.take_if(|seen| over.contains(&seen.as_str()));
        }
        let noted = self.change(limit, |book| {
            book.add_ended(&over);
            if book.current(&self.cache).is_some_and(|seen| over.contains(&seen)) {
                book.set_current(&self.cache, None);
            }
        });
        match noted {
            Ok(()) | Err(Unwritten::NoFolder) => Ok(()),
            Err(Unwritten::Failed(why)) => Err(why),
        }
    }

    fn change(
        &self,
        limit: Duration,
        change: impl FnOnce(&mut EpochFile),
    ) -> Result<(), Unwritten> {
        let boot = BootClock::of_this_boot(self.notes.folder());
        let changed = |text: Option<String>| {
            let mut book = EpochFile::parse(&text.unwrap_or_default(), &boot.id);
            change(&mut book);
            book.text(&boot.id, boot.ms())
        };
        self.notes.change((NAME, EpochFile::LONGEST), limit, changed)
    }

    fn text(&self) -> Option<String> {
        self.notes.read_up_to(NAME, EpochFile::LONGEST)
    }

    fn own(&self) -> MutexGuard<'_, ProcessEpochs> {
        lock(&self.own)
    }
}

impl ProcessEpochs {
    fn add_ended(&mut self, epochs: &[&str]) {
        for epoch in epochs {
            if !self.ended.iter().any(|dead| dead == epoch) {
                self.ended.push((*epoch).to_owned());
            }
        }
        let excess = self.ended.len().saturating_sub(OWN_MAX);
        self.ended.drain(..excess);
    }
}

/// What is not a nonce is in no meta line, so it need not be noted.
fn nonce(epoch: &[u8]) -> Option<&str> {
    std::str::from_utf8(epoch).ok().filter(|epoch| is_nonce(epoch))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ClearedEpochs, NAME, SeenBefore};
    use crate::host::folder::Folder;
    use crate::host::notes::Notes;

    const LIMIT: Duration = Duration::from_secs(5);

    struct Host {
        home: tempfile::TempDir,
    }

    impl Host {
        fn new() -> Self {
            Self { home: tempfile::tempdir().unwrap() }
        }

        fn notes(&self) -> Notes {
            Notes::new(Some(self.home.path().join("cache")))
        }

        /// One process.
        fn process(&self) -> ClearedEpochs {
            ClearedEpochs::new(self.notes(), "redis".to_owned())
        }

        /// A process that only looks.
        fn sees(&self, epoch: &str) {
            let process = self.process();
            let before = process.seen_before();
            process.observe(&before, Some(epoch.as_bytes()).filter(|epoch| !epoch.is_empty()));
        }

        fn clears(&self, epoch: &str) {
            let process = self.process();
            let before = process.seen_before();
            process.cleared(&before, Some(epoch.as_bytes()), LIMIT).unwrap();
        }

        fn dead(&self, epochs: &[&str]) -> Vec<bool> {
            let process = self.process();
            epochs.iter().map(|epoch| process.has_ended(epoch.as_bytes())).collect()
        }
    }

    #[test]
    fn later_clears_push_nothing_out() {
        let host = Host::new();
        for number in 0..200 {
            host.clears(&format!("{number:016x}"));
        }
        host.clears(&format!("{:016x}", 199));
        host.clears("../no nonce\n");
        let name = |number: u64| format!("{number:016x}");
        let names = [0, 135, 199, 200].map(name);
        assert_eq!(host.dead(&names.each_ref().map(String::as_str)), [true, true, true, false]);
        assert_eq!(host.dead(&[""]), [false]);
        let text = host.notes().read(NAME).unwrap();
        assert_eq!(text.lines().filter(|line| line.len() == 16).count(), 200, "{text}");
    }

    /// Another host has cleared, and what was seen before comes back.
    #[test]
    fn what_was_seen_replaced_is_over() {
        let host = Host::new();
        host.sees("a1");
        host.sees("a1");
        assert_eq!(host.dead(&["a1"]), [false]);
        host.sees("a2");
        assert_eq!(host.dead(&["a1", "a2"]), [true, false]);
        host.sees("");
        assert_eq!(
            host.dead(&["a2"]),
            [true],
            "cleared, or evicted: only a rollback brings it back"
        );
        host.sees("a3");
        host.sees("a1");
        assert_eq!(host.dead(&["a3"]), [false], "what is over replaces nothing");
        host.clears("a4");
        assert_eq!(host.dead(&["a3", "a4"]), [true, true], "seen before the clear");
    }

    /// Whoever was slow tells what was there before the others looked.
    #[test]
    fn an_older_answer_replaces_nothing() {
        let host = Host::new();
        host.sees("a1");
        let slow = host.process();
        let before = slow.seen_before();
        host.sees("a2");
        host.sees("a3");
        slow.observe(&before, Some(b"a2"));
        slow.observe(&before, Some(b"a4"));
        assert_eq!(host.dead(&["a1", "a2", "a3", "a4"]), [true, true, false, false]);
        assert_eq!(host.process().seen_before(), SeenBefore(vec!["a3".to_owned()]));
    }

    #[test]
    fn caches_are_distinguished() {
        let host = Host::new();
        host.sees("a1");
        let other = ClearedEpochs::new(host.notes(), "other".to_owned());
        let before = other.seen_before();
        other.observe(&before, Some(b"b1"));
        assert_eq!(host.dead(&["a1"]), [false]);
        assert_eq!(host.process().seen_before(), SeenBefore(vec!["a1".to_owned()]));
    }

    #[test]
    fn without_a_directory_the_process_remembers_its_own() {
        let dead = ClearedEpochs::new(Notes::new(None), String::new());
        dead.observe(&dead.seen_before(), Some(b"ab"));
        dead.cleared(&dead.seen_before(), Some(b"cd"), LIMIT).unwrap();
        assert!(dead.has_ended(b"ab") && dead.has_ended(b"cd") && !dead.has_ended(b"ef"));
        assert!(!ClearedEpochs::new(Notes::new(None), String::new()).has_ended(b"ab"));
    }

    /// It is part of the clear.
    #[test]
    fn a_clear_that_can_not_be_noted_is_reported() {
        let host = Host::new();
        let folder = Folder::open(&host.home.path().join("cache")).unwrap();
        let held = folder.writing(LIMIT).unwrap();
        let process = host.process();
        let cleared = |limit| process.cleared(&SeenBefore::default(), Some(b"ab"), limit);
        let why = cleared(Duration::from_millis(20)).unwrap_err();
        let place = host.home.path().join("cache");
        let locked = "pub.lock is held by another process";
        assert_eq!(why, format!("cache directory {}: {locked}", place.display()));
        assert!(process.has_ended(b"ab") && host.dead(&["ab"]) == [false]);
        drop(held);
        cleared(LIMIT).unwrap();
        assert_eq!(host.dead(&["ab"]), [true]);
    }
}
