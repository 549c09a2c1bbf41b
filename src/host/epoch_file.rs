//! The file of epochs: those that ended, and the one that each cache showed last.
//!
//! One nonce a line, oldest first. A line `at MS` says when those below it were noted (milliseconds
//! since the boot that the line `boot ID` names), a line `seen CACHE EPOCH` which epoch a cache showed.

use std::collections::HashSet;
use std::fmt::Write as _;

/// How many are kept, whatever their age.
const KEPT: usize = 64;
/// No key of the cache lives longer, so none can bring back what was cleared before.
const LASTS_MS: u64 = 86_400_000;
/// The most that are kept.
const EPOCHS_MAX: usize = 16_384;
/// The most caches whose epochs are kept.
const CACHES: usize = 64;
/// Epochs noted within this time share a line that says when.
const STEP_MS: u64 = 1000;

#[derive(Debug, Default)]
pub(super) struct EpochFile {
    /// Caches and what they showed; the latest last.
    seen: Vec<(String, String)>,
    /// When each was noted, and the epoch.
    ended: Vec<(u64, String)>,
    /// Not noted before.
    added: Vec<String>,
}

impl EpochFile {
    /// In bytes, more than this program writes.
    pub(super) const LONGEST: u64 = 2 << 20;

    pub(super) fn has_ended(text: &str, epoch: &[u8]) -> bool {
        text.lines().any(|dead| dead.as_bytes() == epoch && is_nonce(dead))
    }

    pub(super) fn current_in(text: &str, cache: &str) -> Option<String> {
        let seen = text.lines().filter_map(seen).find(|(of, _)| *of == cache);
        seen.map(|(_, epoch)| epoch.to_owned())
    }

    /// Epochs of another boot count as noted when this one began.
    pub(super) fn parse(text: &str, boot_id: &str) -> Self {
        let is_ours = text.lines().any(|line| line.strip_prefix("boot ") == Some(boot_id));
        let (mut book, mut at) = (Self::default(), 0);
        for line in text.lines() {
            if let Some(ms) = line.strip_prefix("at ") {
                at = ms.parse().ok().filter(|_| is_ours).unwrap_or(0);
            } else if let Some((cache, epoch)) = seen(line) {
                book.seen.push((cache.to_owned(), epoch.to_owned()));
            } else if is_nonce(line) {
                book.ended.push((at, line.to_owned()));
            }
        }
        book
    }

    pub(super) fn add_ended(&mut self, epochs: &[&str]) {
        self.added.extend(epochs.iter().map(|epoch| (*epoch).to_owned()));
    }

    pub(super) fn current(&self, cache: &str) -> Option<&str> {
        self.seen.iter().find(|(of, _)| of == cache).map(|(_, epoch)| epoch.as_str())
    }

    /// Notes what a cache shows now, unless that epoch has ended.
    pub(super) fn set_current(&mut self, cache: &str, epoch: Option<&str>) {
        self.seen.retain(|(of, _)| of != cache);
        let is_over = |epoch: &&str| {
            self.ended.iter().any(|(_, dead)| dead == epoch)
                || self.added.iter().any(|dead| dead == epoch)
        };
        if let Some(epoch) = epoch.filter(|epoch| !is_over(epoch)) {
            self.seen.push((cache.to_owned(), epoch.to_owned()));
        }
    }

    /// The text of the file, without what is too old.
    pub(super) fn text(mut self, boot_id: &str, now: u64) -> String {
        self.ended.extend(self.added.drain(..).map(|epoch| (now, epoch)));
        let mut dead = Vec::with_capacity(self.ended.len());
        let mut seen = HashSet::new();
        // Latest first: the last note of an epoch counts.
        for (at, epoch) in self.ended.iter().rev() {
            if seen.insert(epoch) {
                dead.push((*at, epoch));
            }
        }
        let is_recent = |at: u64| now.saturating_sub(at) <= LASTS_MS;
        let recent = dead.iter().take_while(|(at, _)| is_recent(*at)).count();
        dead.truncate(recent.clamp(KEPT, EPOCHS_MAX));
        let mut text = format!("boot {boot_id}\n");
        let first = self.seen.len().saturating_sub(CACHES);
        for (cache, epoch) in &self.seen[first..] {
            let _ = writeln!(text, "seen {cache} {epoch}");
        }
        let mut step = None;
        for (at, epoch) in dead.iter().rev() {
            if step.is_none_or(|step: u64| at.saturating_sub(step) >= STEP_MS) {
                let _ = writeln!(text, "at {at}");
                step = Some(*at);
            }
            let _ = writeln!(text, "{epoch}");
        }
        text
    }
}

fn seen(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("seen ")?.split_once(' ').filter(|(_, epoch)| is_nonce(epoch))
}

pub(super) fn is_nonce(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{EPOCHS_MAX, EpochFile, KEPT, LASTS_MS};

    fn name(number: usize) -> String {
        format!("{number:016x}")
    }

    fn after(text: &str, boot: &str, now: u64, epochs: &[String]) -> String {
        let mut book = EpochFile::parse(text, boot);
        book.add_ended(&epochs.iter().map(String::as_str).collect::<Vec<_>>());
        book.text(boot, now)
    }

    #[track_caller]
    fn kept(text: &str, numbers: std::ops::Range<usize>) {
        let expected: Vec<String> = numbers.map(name).collect();
        let nonces: Vec<&str> = text.lines().filter(|line| line.len() == 16).collect();
        assert_eq!(nonces, expected);
    }

    #[test]
    fn a_day_of_clears_is_kept_and_the_last_ones_always() {
        let first: Vec<String> = (0..100).map(name).collect();
        let text = after("", "b", 5000, &first);
        kept(&text, 0..100);
        let next = after(&text, "b", 5000 + LASTS_MS, &[name(100)]);
        kept(&next, 0..101);
        let later = after(&next, "b", 5001 + LASTS_MS, &[name(101)]);
        kept(&later, 102 - KEPT..102);
        // Of another boot: as if noted when this one began.
        kept(&after(&text, "c", LASTS_MS, &[name(100)]), 0..101);
        kept(&after(&text, "c", LASTS_MS + 1, &[name(100)]), 101 - KEPT..101);
    }

    #[test]
    fn the_file_has_an_end() {
        let all: Vec<String> = (0..EPOCHS_MAX + 10).map(name).collect();
        let text = after("", "b", 5000, &all);
        kept(&text, 10..EPOCHS_MAX + 10);
        assert!((text.len() as u64) < EpochFile::LONGEST);
    }

    #[test]
    fn what_is_noted_again_is_new() {
        let text = after("", "b", 0, &(0..100).map(name).collect::<Vec<_>>());
        let again = after(&text, "b", LASTS_MS, &[name(0)]);
        let later = after(&again, "b", LASTS_MS + 1, &[]);
        assert!(
            EpochFile::has_ended(&later, name(0).as_bytes())
                && !EpochFile::has_ended(&later, name(1).as_bytes())
        );
    }

    /// As an older program has written it.
    #[test]
    fn lines_that_are_only_nonces_are_read() {
        let text = after("ab\n../x\ncd\n", "b", 7, &["ef".to_owned()]);
        assert_eq!(text, "boot b\nat 0\nab\ncd\nef\n");
        assert!(EpochFile::has_ended(&text, b"cd") && !EpochFile::has_ended(&text, b"boot b"));
    }

    #[test]
    fn what_a_cache_shows_is_one_line() {
        let mut book = EpochFile::parse("seen r a1\nseen s b1\n", "b");
        book.set_current("r", Some("a2"));
        assert_eq!(
            (book.current("r"), book.current("s"), book.current("t")),
            (Some("a2"), Some("b1"), None)
        );
        book.add_ended(&["a3"]);
        book.set_current("r", Some("a3"));
        assert_eq!(book.text("b", 5), "boot b\nseen s b1\nat 5\na3\n");
        assert_eq!(EpochFile::current_in("seen s b1\n", "s").as_deref(), Some("b1"));
    }
}
