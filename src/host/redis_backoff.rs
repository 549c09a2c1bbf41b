//! After a black hole the runs of the next seconds on this host do not wait for the same silence.

use std::time::Duration;

use super::BootClock;
use super::notes::Notes;

const NAME: &str = "redis-skip";
const LASTS: Duration = Duration::from_secs(15);

/// The mark of one Redis in the cache folder.
#[derive(Debug)]
pub(crate) struct RedisBackoff {
    notes: Notes,
    /// Which Redis, without credentials.
    place: String,
}

impl RedisBackoff {
    pub(crate) fn new(notes: Notes, place: String) -> Self {
        Self { notes, place }
    }

    pub(crate) fn set(&self) {
        let boot = BootClock::of_this_boot(self.notes.folder());
        let line = format!("{} {} {}\n", boot.id, boot.ms(), self.place);
        self.notes.replace(NAME, |_| line);
    }

    /// How long ago this Redis was silent, if that was a moment ago.
    pub(crate) fn since(&self) -> Option<Duration> {
        let text = self.notes.read(NAME)?;
        let boot = BootClock::of_this_boot(self.notes.folder());
        since(text.trim_end_matches('\n'), &boot.id, boot.ms(), &self.place)
    }
}

fn since(line: &str, boot: &str, now_ms: u64, place: &str) -> Option<Duration> {
    let mut words = line.splitn(3, ' ');
    if words.next() != Some(boot) {
        return None;
    }
    let at: u64 = words.next()?.parse().ok()?;
    let age = Duration::from_millis(now_ms.checked_sub(at)?);
    (words.next() == Some(place) && age < LASTS).then_some(age)
}

#[cfg(test)]
mod tests {
    use super::{RedisBackoff, since};
    use crate::host::notes::Notes;

    #[test]
    fn a_mark_counts_for_its_redis_its_boot_and_15_seconds() {
        let age = |line, now| since(line, "boot", now, "redis://h").map(|age| age.as_millis());
        assert_eq!(age("boot 1000 redis://h", 1000), Some(0));
        assert_eq!(age("boot 1000 redis://h", 15_999), Some(14_999));
        assert_eq!(age("boot 1000 redis://h", 16_000), None);
        assert_eq!(age("boot 1000 redis://h", 999), None);
        assert_eq!(age("other 1000 redis://h", 1000), None);
        assert_eq!(age("boot 1000 redis://other", 1000), None);
        assert_eq!(age("", 1000), None);
    }

    #[test]
    fn what_is_set_is_found() {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::new(Some(home.path().join("cache")));
        let skip = RedisBackoff::new(notes.clone(), "redis://h:1/0".to_owned());
        assert_eq!(skip.since(), None);
        skip.set();
        assert!(skip.since().is_some());
        assert_eq!(RedisBackoff::new(notes, "redis://h:2/0".to_owned()).since(), None);
    }
}
