//! Whether Nomad is worth asking if anything has changed: not while it always has.

use std::path::PathBuf;
use std::time::Duration;

use super::BootClock;
use super::notes::Notes;
use super::scope::Scope;

const NAME: &str = "probes";
/// After this many answers in a row that something has changed, the question is left out.
const IN_VAIN: u32 = 3;
/// For so long; then it is tried once more.
const LASTS: Duration = Duration::from_secs(60);

/// What the last questions of this machine came to. A busy cluster, whose allocation reports move
/// the index all the time, would pay for both the question and the list.
#[derive(Debug, Clone)]
pub struct Probes {
    notes: Notes,
    scope: String,
}

impl Probes {
    /// Remembers nothing without a folder.
    pub fn new(folder: Option<PathBuf>, scope: &Scope) -> Self {
        Self { notes: Notes::new(folder), scope: scope.to_string() }
    }

    pub fn are_worth_it(&self) -> bool {
        let noted = self.notes.read(NAME);
        let boot = BootClock::of_this_boot();
        in_vain(noted.as_deref(), &boot.id, boot.ms(), &self.scope) < IN_VAIN
    }

    /// Notes what one came to.
    pub fn note(&self, moved: bool) {
        if !moved && self.notes.read(NAME).is_none_or(|noted| noted.is_empty()) {
            return;
        }
        let boot = BootClock::of_this_boot();
        self.notes.replace(NAME, |noted| {
            let before = in_vain(noted.as_deref(), &boot.id, boot.ms(), &self.scope);
            let scope = &self.scope;
            match moved {
                true => format!("{} {} {} {scope}\n", boot.id, boot.ms(), before.saturating_add(1)),
                false => String::new(),
            }
        });
    }
}

/// How many came to nothing, if that is not long ago.
fn in_vain(noted: Option<&str>, boot: &str, now_ms: u64, scope: &str) -> u32 {
    let read = || {
        let words: Vec<&str> = noted?.split_ascii_whitespace().collect();
        let [of_boot, at, count, of_scope] = words.try_into().ok()?;
        let age = Duration::from_millis(now_ms.checked_sub(at.parse().ok()?)?);
        let is_ours = of_boot == boot && of_scope == scope && age < LASTS;
        is_ours.then(|| count.parse().ok())?
    };
    read().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Probes, in_vain};
    use crate::store::scope::{Cluster, Scope};

    #[test]
    fn a_few_in_vain_are_enough_and_one_that_is_not_begins_anew() {
        let home = tempfile::tempdir().unwrap();
        let of = |host: &str| {
            let cluster = Cluster { host: host.to_owned(), ..Cluster::default() };
            Probes::new(Some(home.path().join("cache")), &Scope::of(&cluster))
        };
        let probes = of("a");
        probes.note(false);
        assert!(!home.path().join("cache").exists(), "nothing to note");
        for _ in 0..3 {
            assert!(probes.are_worth_it());
            probes.note(true);
        }
        assert!(!probes.are_worth_it());
        assert!(of("b").are_worth_it(), "another cluster");
        probes.note(false);
        assert!(probes.are_worth_it());
        let forgets = Probes::new(None, &Scope::of(&Cluster::default()));
        (0..4).for_each(|_| forgets.note(true));
        assert!(forgets.are_worth_it());
    }

    #[test]
    fn a_note_counts_for_a_while() {
        let count = |noted: &str, now| in_vain(Some(noted), "boot", now, "s");
        assert_eq!(count("boot 1000 5 s\n", 60_999), 5);
        for (noted, now) in [
            ("boot 1000 5 s\n", 61_000),
            ("boot 1000 5 s\n", 999),
            ("other 1000 5 s\n", 2000),
            ("boot 1000 5 t\n", 2000),
            ("boot 1000 5\n", 2000),
            ("boot x 5 s\n", 2000),
            ("", 2000),
        ] {
            assert_eq!(count(noted, now), 0, "{noted} {now}");
        }
        assert_eq!(in_vain(None, "boot", 0, "s"), 0);
    }
}
