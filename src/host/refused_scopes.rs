//! Scopes that Nomad has refused while their cache could not be voided: this host no longer shows
//! lists from before the refusal.

use std::sync::Mutex;
use std::time::Duration;

use crate::net::sync::lock;

use super::BootClock;
use super::notes::Notes;

const NAME: &str = "refused-scopes";
const LONGEST: u64 = 64 << 10;
/// How long to wait for the lock: the user waits for it too.
const LOCK_WAIT: Duration = Duration::from_millis(250);
/// No key of the cache lives longer, in milliseconds.
const LASTS_MS: u64 = 86_400_000;
/// The most scopes that are remembered.
const SCOPES_MAX: usize = 256;

/// One scope of one cache, and when Nomad last refused it.
///
/// The file: `boot ID`, then `SCOPE MS` a line (milliseconds since that boot), the latest last.
#[derive(Debug)]
pub(crate) struct RefusedScope {
    notes: Notes,
    /// Names the scope, the Redis and the prefix.
    key: String,
    /// What this process noted itself, in case no note can be written.
    own: Mutex<Option<u64>>,
}

impl RefusedScope {
    /// `key` contains no space.
    pub(crate) fn new(notes: Notes, key: String) -> Self {
        Self { notes, key, own: Mutex::default() }
    }

    /// Notes that Nomad refuses this scope now; `false` if later runs will not know.
    pub(crate) fn note(&self) -> bool {
        let boot = self.boot();
        let now = boot.ms();
        self.set_own(Some(now));
        self.change(&boot, |lines| {
            lines.retain(|(key, _)| *key != self.key);
            lines.push((self.key.clone(), now));
        })
    }

    /// Whether a list of that age is older than the refusal.
    pub(crate) fn covers(&self, age: Duration) -> bool {
        let own = self.own();
        let text = self.notes.read_up_to(NAME, LONGEST);
        if own.is_none() && text.is_none() {
            return false;
        }
        let boot = self.boot();
        let now = boot.ms();
        let noted = text.and_then(|text| self.noted(&text, &boot.id, now));
        own.max(noted).is_some_and(|at| listed(age, now) <= at)
    }

    /// A list of that age was published: if it is newer than the refusal, the refusal has ended. Best
    /// effort.
    pub(crate) fn allowed(&self, age: Duration) {
        let own = self.own();
        let text = self.notes.read_up_to(NAME, LONGEST);
        if own.is_none() && text.is_none() {
            return;
        }
        let boot = self.boot();
        let now = boot.ms();
        let is_over = |at: u64| listed(age, now) > at;
        if own.is_some_and(is_over) {
            self.set_own(None);
        }
        let noted = text.and_then(|text| self.noted(&text, &boot.id, now));
        if noted.is_some_and(is_over) {
            self.change(&boot, |lines| {
                // Another process may have been refused in the meantime.
                lines.retain(|(key, at)| *key != self.key || !is_over(*at));
            });
        }
    }

    fn noted(&self, text: &str, boot: &str, now: u64) -> Option<u64> {
        let lines = parsed(text, boot, now).into_iter();
        lines.filter(|(key, _)| *key == self.key).map(|(_, at)| at).max()
    }

    fn change(&self, boot: &BootClock, change: impl FnOnce(&mut Vec<(String, u64)>)) -> bool {
        let changed = |text: Option<String>| {
            let mut lines = parsed(&text.unwrap_or_default(), &boot.id, boot.ms());
            change(&mut lines);
            let excess = lines.len().saturating_sub(SCOPES_MAX);
            let lines = lines.iter().skip(excess).map(|(key, at)| format!("{key} {at}\n"));
            format!("boot {}\n{}", boot.id, lines.collect::<String>())
        };
        self.notes.change((NAME, LONGEST), LOCK_WAIT, changed).is_ok()
    }

    fn boot(&self) -> BootClock {
        BootClock::of_this_boot(self.notes.folder())
    }

    fn own(&self) -> Option<u64> {
        *lock(&self.own)
    }

    fn set_own(&self, at: Option<u64>) {
        *lock(&self.own) = at;
    }
}

/// When a list of that age was requested, rounded down.
fn listed(age: Duration, now: u64) -> u64 {
    let age = u64::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    now.saturating_sub(age)
}

/// The lines that still count. Those of another boot count as noted when this one began.
fn parsed(text: &str, boot: &str, now: u64) -> Vec<(String, u64)> {
    let mut lines = text.lines();
    let is_ours = lines.next().and_then(|line| line.strip_prefix("boot ")) == Some(boot);
    let entry = |line: &str| {
        let (key, at) = line.split_once(' ')?;
        let at: u64 = at.parse().ok()?;
        let at = if is_ours { at } else { 0 };
        let age = now.checked_sub(at)?;
        (age <= LASTS_MS).then(|| (key.to_owned(), at))
    };
    lines.filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LASTS_MS, LONGEST, NAME, RefusedScope, SCOPES_MAX, listed, parsed};
    use crate::clock;
    use crate::host::notes::Notes;

    const ZERO: Duration = Duration::ZERO;
    const HOUR: Duration = Duration::from_secs(3600);

    /// Until a list of this moment is one of after the refusal.
    fn wait_for_later(scope: &RefusedScope) {
        let until = clock::now() + Duration::from_secs(60);
        while scope.covers(ZERO) {
            assert!(clock::now() < until);
        }
    }

    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn notes(&self) -> Notes {
            Notes::new(Some(self.0.path().join("cache")))
        }

        /// One process.
        fn scope(&self, key: &str) -> RefusedScope {
            RefusedScope::new(self.notes(), key.to_owned())
        }
    }

    #[test]
    fn what_was_listed_before_the_refusal_is_covered_in_every_process() {
        let host = Host::new();
        assert!(!host.scope("a").covers(HOUR));
        assert!(host.scope("a").note() && host.scope("b").note());
        assert!(host.scope("a").covers(HOUR) && host.scope("b").covers(HOUR));
        assert!(!host.scope("c").covers(HOUR));
        // A list from before the refusal, published after it.
        host.scope("a").allowed(HOUR);
        assert!(host.scope("a").covers(HOUR));
        wait_for_later(&host.scope("a"));
        host.scope("a").allowed(ZERO);
        assert!(!host.scope("a").covers(HOUR), "it is over");
        assert!(host.scope("b").covers(HOUR), "only of the one");
    }

    #[test]
    fn without_a_directory_the_process_remembers_its_own() {
        let scope = RefusedScope::new(Notes::new(None), "a".to_owned());
        assert!(!scope.covers(HOUR) && !scope.note() && scope.covers(HOUR));
        wait_for_later(&scope);
        scope.allowed(ZERO);
        assert!(!scope.covers(HOUR));
        assert!(!RefusedScope::new(Notes::new(None), "a".to_owned()).covers(HOUR));
    }

    #[test]
    fn a_line_counts_for_a_day_and_that_of_another_boot_for_all_before_this_one() {
        let at = |text, now| parsed(text, "b", now).first().map(|(_, at)| *at);
        assert_eq!(at("boot b\na 1000\n", 1000), Some(1000));
        assert_eq!(at("boot b\na 1000\n", 999), None);
        assert_eq!(at("boot b\na 1000\n", 1000 + LASTS_MS), Some(1000));
        assert_eq!(at("boot b\na 1000\n", 1001 + LASTS_MS), None);
        assert_eq!(at("boot c\na 1000\n", 5), Some(0));
        assert_eq!(at("a 1000\n", 5), None, "nonsense");
        assert_eq!(listed(Duration::from_micros(1001), 10), 8, "rather earlier");
        assert_eq!(listed(HOUR, 10), 0, "before this boot");
    }

    #[test]
    fn the_file_has_an_end() {
        let host = Host::new();
        (0..SCOPES_MAX + 3)
            .for_each(|number| assert!(host.scope(&format!("{number:040x}")).note()));
        let text = host.notes().read(NAME).unwrap();
        assert_eq!(text.lines().count(), 1 + SCOPES_MAX);
        assert!((text.len() as u64) < LONGEST / 2);
        assert!(!host.scope(&format!("{:040x}", 2)).covers(HOUR));
        assert!(host.scope(&format!("{:040x}", 3)).covers(HOUR));
    }
}
