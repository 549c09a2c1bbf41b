//! What runs on this host remember about a Redis for later runs: that it timed out, or that it lacks
//! a command that the cache needs.

use std::time::Duration;

use super::BootClock;
use super::notes::Notes;

const NAME: &str = "redis-skip";
const SILENCE_LASTS: Duration = Duration::from_secs(15);
const LACK_LASTS: Duration = Duration::from_secs(5 * 60);
/// The prefix of a missing command; no address begins with it.
const LACKS: char = '-';

/// The note about one Redis in the cache directory.
#[derive(Debug)]
pub(crate) struct RedisBackoff {
    notes: Notes,
    /// Which Redis, without credentials.
    place: String,
}

/// Why runs do not use this Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    Silent,
    /// It lacks this command, or one of a script, whose name it did not report.
    Lacks(Option<String>),
}

impl RedisBackoff {
    pub(crate) fn new(notes: Notes, place: String) -> Self {
        Self { notes, place }
    }

    pub(crate) fn set(&self, why: &Skipped) {
        let boot = BootClock::of_this_boot(self.notes.folder());
        let why = match why {
            Skipped::Silent => String::new(),
            Skipped::Lacks(command) => {
                format!("{LACKS}{} ", command.as_deref().unwrap_or_default())
            }
        };
        let line = format!("{} {} {why}{}\n", boot.id, boot.ms(), self.place);
        self.notes.replace(NAME, |_| line);
    }

    /// Why this Redis is not used, and how long ago that was noted.
    pub(crate) fn why(&self) -> Option<(Skipped, Duration)> {
        let text = self.notes.read(NAME)?;
        let boot = BootClock::of_this_boot(self.notes.folder());
        why(text.trim_end_matches('\n'), &boot.id, boot.ms(), &self.place)
    }
}

fn why(line: &str, boot: &str, now_ms: u64, place: &str) -> Option<(Skipped, Duration)> {
    let mut words = line.splitn(3, ' ');
    if words.next() != Some(boot) {
        return None;
    }
    let at: u64 = words.next()?.parse().ok()?;
    let age = Duration::from_millis(now_ms.checked_sub(at)?);
    let rest = words.next()?;
    let (why, of, lasts) = match rest.strip_prefix(LACKS) {
        Some(lack) => {
            let (command, of) = lack.split_once(' ')?;
            let command = Some(command.to_owned()).filter(|command| !command.is_empty());
            (Skipped::Lacks(command), of, LACK_LASTS)
        }
        None => (Skipped::Silent, rest, SILENCE_LASTS),
    };
    (of == place && age < lasts).then_some((why, age))
}

#[cfg(test)]
mod tests {
    use super::{RedisBackoff, Skipped, why};
    use crate::host::notes::Notes;

    #[test]
    fn a_backoff_counts_for_its_redis_its_boot_and_15_seconds() {
        let age = |line, now| {
            let (why, age) = why(line, "boot", now, "redis://h")?;
            assert_eq!(why, Skipped::Silent);
            Some(age.as_millis())
        };
        assert_eq!(age("boot 1000 redis://h", 1000), Some(0));
        assert_eq!(age("boot 1000 redis://h", 15_999), Some(14_999));
        assert_eq!(age("boot 1000 redis://h", 16_000), None);
        assert_eq!(age("boot 1000 redis://h", 999), None);
        assert_eq!(age("other 1000 redis://h", 1000), None);
        assert_eq!(age("boot 1000 redis://other", 1000), None);
        assert_eq!(age("", 1000), None);
    }

    #[test]
    fn a_missing_command_is_remembered_for_five_minutes() {
        let lacks = |line, now| match why(line, "boot", now, "unix:///a b") {
            Some((Skipped::Lacks(command), _)) => Some(command.unwrap_or_default()),
            _ => None,
        };
        let named = Some("EVAL".to_owned());
        assert_eq!(lacks("boot 1000 -EVAL unix:///a b", 300_999), named);
        assert_eq!(lacks("boot 1000 -EVAL unix:///a b", 301_000), None);
        assert_eq!(lacks("boot 1000 - unix:///a b", 1000), Some(String::new()));
        assert_eq!(lacks("boot 1000 -EVAL unix:///b", 1000), None);
        assert_eq!(lacks("boot 1000 -EVAL", 1000), None);
    }

    #[test]
    fn what_is_set_is_found() {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::new(Some(home.path().join("cache")));
        let mark = RedisBackoff::new(notes.clone(), "redis://h:1/0".to_owned());
        assert_eq!(mark.why(), None);
        for why in [Skipped::Silent, Skipped::Lacks(None), Skipped::Lacks(Some("EVAL".to_owned()))]
        {
            mark.set(&why);
            assert_eq!(mark.why().map(|(why, _)| why), Some(why));
        }
        assert_eq!(RedisBackoff::new(notes, "redis://h:2/0".to_owned()).why(), None);
    }
}
