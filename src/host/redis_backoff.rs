//! What runs on this host remember about a Redis for later runs: that it was silent, or that it lacks
//! a command that the cache needs.

use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::OFlags;

use super::BootClock;
use super::folder::{Folder, Lock};
use super::notes::Notes;

const NAME: &str = "redis-skip";
/// Locked by the run that probes; holds when it began, in milliseconds since boot.
const PROBE: &str = "redis-probe";
/// From one probe to the next.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
/// How long a Redis is avoided that was silent: at first, and at most if it stays silent.
const SILENCE_LASTS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
const LACK_LASTS: Duration = Duration::from_secs(5 * 60);
/// The prefix of a missing command; no address begins with it.
const LACKS: char = '-';
/// The prefix of the time for which a silent Redis is avoided.
const AVOIDS: char = '~';

/// The note about one Redis in the cache directory.
#[derive(Debug)]
pub(crate) struct RedisBackoff {
    notes: Notes,
    /// Which Redis, without credentials.
    place: String,
    boot: OnceLock<BootClock>,
}

/// Why runs do not use this Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// It was silent, and is avoided for this long.
    Silent { lasts: Duration },
    /// It lacks this command, or one of a script, whose name it did not report.
    Lacks(Option<String>),
}

/// What is noted, and how long ago that was.
pub(crate) type Noted = (Skipped, Duration);

/// The right to send one probe, until it is dropped.
#[derive(Debug)]
pub(crate) struct Probe {
    _lock: Lock,
}

impl RedisBackoff {
    pub(crate) fn new(notes: Notes, place: String) -> Self {
        Self { notes, place, boot: OnceLock::new() }
    }

    fn boot(&self) -> &BootClock {
        self.boot.get_or_init(|| BootClock::of_this_boot(self.notes.folder()))
    }

    /// It was silent. What another run noted a moment ago stays.
    pub(crate) fn silent(&self) {
        self.note_silence(false);
    }

    /// It was silent to a probe: it is avoided for longer.
    pub(crate) fn silent_again(&self) {
        self.note_silence(true);
    }

    fn note_silence(&self, again: bool) {
        self.change(|noted| {
            let [first, longest] = SILENCE_LASTS;
            let lasts = match noted {
                Some((Skipped::Silent { lasts }, age)) if again || age >= lasts => {
                    longest.min(lasts * 2)
                }
                Some((Skipped::Silent { .. }, _)) => return None,
                _ => first,
            };
            Some(format!("{AVOIDS}{}", lasts.as_millis()))
        });
    }

    pub(crate) fn lacks(&self, command: Option<&str>) {
        self.change(|_| Some(format!("{LACKS}{}", command.unwrap_or_default())));
    }

    /// It has answered. `true` if it was noted as silent until now.
    pub(crate) fn answered(&self) -> bool {
        // Most runs find nothing, and need no lock.
        if !is_silent(self.noted().as_ref()) {
            return false;
        }
        let mut is_back = false;
        self.change(|noted| {
            is_back = is_silent(noted.as_ref());
            is_back.then(String::new)
        });
        is_back
    }

    /// Why this Redis is not used, and how long ago that was noted; also if that is over.
    pub(crate) fn noted(&self) -> Option<Noted> {
        let text = self.notes.read(NAME)?;
        let boot = self.boot();
        noted(&text, &boot.id, boot.ms(), &self.place)
    }

    /// The right to ask a Redis that is avoided whether it is back; one run of this host has it at a
    /// time, a second after the last one.
    pub(crate) fn probe(&self) -> Option<Probe> {
        if self.noted().is_some_and(|(_, age)| age < PROBE_PAUSE) {
            return None;
        }
        let folder = Folder::existing(self.notes.folder()?).ok()?;
        let file = folder.file(PROBE, OFlags::RDWR | OFlags::CREATE).ok()?;
        let lock = Lock::take(file).ok()?.ok()?;
        let (now, mut before) = (self.boot().ms(), [0; 8]);
        let is_first = lock.file().read_exact_at(&mut before, 0).is_err();
        let ago = now.checked_sub(u64::from_ne_bytes(before)).map(Duration::from_millis);
        if !is_first && ago.is_some_and(|ago| ago < PROBE_PAUSE) {
            return None;
        }
        lock.file().write_all_at(&now.to_ne_bytes(), 0).ok()?;
        Some(Probe { _lock: lock })
    }

    /// Notes what `change` makes of what is noted; `None` = nothing new.
    fn change(&self, change: impl FnOnce(Option<Noted>) -> Option<String>) {
        let boot = self.boot();
        self.notes.replace(NAME, |text| {
            let text = text.unwrap_or_default();
            let known = noted(&text, &boot.id, boot.ms(), &self.place);
            match change(known) {
                None => text,
                Some(why) if why.is_empty() => String::new(),
                Some(why) => format!("{} {} {why} {}\n", boot.id, boot.ms(), self.place),
            }
        });
    }
}

fn is_silent(noted: Option<&Noted>) -> bool {
    matches!(noted, Some((Skipped::Silent { .. }, _)))
}

impl Skipped {
    /// For how long Redis is not used.
    pub fn lasts(&self) -> Duration {
        match self {
            Self::Silent { lasts } => *lasts,
            Self::Lacks(_) => LACK_LASTS,
        }
    }
}

fn noted(text: &str, boot: &str, now_ms: u64, place: &str) -> Option<Noted> {
    let mut words = text.trim_end_matches('\n').splitn(4, ' ');
    if words.next() != Some(boot) {
        return None;
    }
    let at: u64 = words.next()?.parse().ok()?;
    let age = Duration::from_millis(now_ms.checked_sub(at)?);
    let why = words.next()?;
    let why = match why.strip_prefix(AVOIDS) {
        Some(lasts) => Skipped::Silent { lasts: Duration::from_millis(lasts.parse().ok()?) },
        None => {
            let command = Some(why.strip_prefix(LACKS)?.to_owned());
            Skipped::Lacks(command.filter(|command| !command.is_empty()))
        }
    };
    (words.next() == Some(place)).then_some((why, age))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::{BootClock, Noted, RedisBackoff, Skipped, noted};
    use crate::host::notes::Notes;

    /// Two runs of one host, and its clock.
    struct Host {
        _home: tempfile::TempDir,
        runs: [RedisBackoff; 2],
        now: Arc<AtomicU64>,
    }

    impl Host {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let notes = Notes::new(Some(home.path().join("cache")));
            let now = Arc::new(AtomicU64::new(100_000));
            let run = || {
                let run = RedisBackoff::new(notes.clone(), "redis://h:1/0".to_owned());
                let clock = Arc::clone(&now);
                let now = Arc::new(move || clock.load(Ordering::Relaxed));
                run.boot.set(BootClock { now, id: "boot".to_owned() }).unwrap();
                run
            };
            Self { runs: [run(), run()], now, _home: home }
        }

        fn after(&self, ms: u64) -> &Self {
            self.now.fetch_add(ms, Ordering::Relaxed);
            self
        }

        /// How long it is avoided from now on, in milliseconds.
        fn avoided(&self) -> Option<u128> {
            let (noted, age) = self.runs[0].noted()?;
            assert!(matches!(noted, Skipped::Silent { .. }), "{noted:?}");
            Some(noted.lasts().saturating_sub(age).as_millis())
        }
    }

    #[test]
    fn a_silent_redis_is_avoided_for_2_seconds_and_up_to_10_while_it_stays_silent() {
        let host = Host::new();
        let [one, other] = &host.runs;
        assert_eq!(host.avoided(), None);
        one.silent();
        other.silent();
        assert_eq!(host.avoided(), Some(2000), "the same silence counts once");
        assert_eq!([host.after(1999).avoided(), host.after(1).avoided()], [Some(1), Some(0)]);
        one.silent();
        assert_eq!(host.avoided(), Some(4000));
        other.silent_again();
        assert_eq!(host.avoided(), Some(8000));
        one.silent_again();
        other.silent_again();
        assert_eq!(host.avoided(), Some(10_000));
        host.after(60_000);
        assert!(one.answered() && !other.answered(), "the first answer ends it for all");
        one.silent();
        assert_eq!(host.avoided(), Some(2000));
        assert!(other.answered() && host.avoided().is_none());
    }

    #[test]
    fn one_run_a_second_asks_whether_it_is_back() {
        let host = Host::new();
        let [one, other] = &host.runs;
        one.silent();
        assert!(host.after(999).runs[1].probe().is_none(), "a second after the silence");
        let probe = host.after(1).runs[0].probe();
        assert!(probe.is_some() && other.probe().is_none(), "one at a time");
        assert!(host.after(5000).runs[1].probe().is_none(), "as long as that one waits");
        drop(probe);
        assert!(other.probe().is_some());
        assert!(host.after(999).runs[0].probe().is_none(), "a second after the last probe");
        assert!(host.after(1).runs[0].probe().is_some());
        one.silent_again();
        assert!(other.probe().is_none());
        assert!(host.after(1000).runs[1].probe().is_some());
    }

    fn of(line: &str, now_ms: u64, place: &str) -> Option<Noted> {
        noted(line, "boot", now_ms, place)
    }

    #[test]
    fn a_note_counts_for_its_redis_and_its_boot() {
        let silent = Skipped::Silent { lasts: Duration::from_secs(2) };
        let noted = |line| of(line, 1500, "redis://h");
        let half = Duration::from_millis(500);
        assert_eq!(noted("boot 1000 ~2000 redis://h\n"), Some((silent, half)));
        for line in [
            "boot 1501 ~2000 redis://h",
            "other 1000 ~2000 redis://h",
            "boot 1000 ~2000 redis://other",
            "boot 1000 ~x redis://h",
            "boot 1000 redis://h",
            "boot 1000 ~2000",
            "",
        ] {
            assert_eq!(noted(line), None, "{line}");
        }
        let lacks = |name: &str| Skipped::Lacks(Some(name.to_owned()).filter(|it| !it.is_empty()));
        let noted = |line| of(line, 1500, "unix:///a b");
        assert_eq!(noted("boot 1000 -EVAL unix:///a b"), Some((lacks("EVAL"), half)));
        assert_eq!(noted("boot 1000 - unix:///a b"), Some((lacks(""), half)));
        assert_eq!(noted("boot 1000 -EVAL unix:///b"), None);
    }

    #[test]
    fn a_missing_command_is_remembered_for_five_minutes() {
        let host = Host::new();
        let [one, other] = &host.runs;
        one.lacks(Some("EVAL"));
        assert!(!other.answered(), "an answer gives it no command");
        let lacks = Skipped::Lacks(Some("EVAL".to_owned()));
        let noted = host.after(7).runs[1].noted();
        assert_eq!(noted, Some((lacks.clone(), Duration::from_millis(7))));
        assert_eq!(lacks.lasts(), Duration::from_secs(300));
        one.silent();
        assert_eq!(host.avoided(), Some(2000));
    }
}
