//! Whether Nomad is worth asking if anything has changed: not while it always has.

use std::path::PathBuf;
use std::time::Duration;

use super::BootClock;
use super::scope::Scope;
use crate::host::notes::Notes;

const NAME: &str = "probes";
/// After this many answers in a row that something has changed, the question is left out.
const IN_VAIN: u32 = 3;
/// For so long, which is many times the usual time to live; then it is asked once.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// A count that nobody has added to for so long says nothing any more.
const LASTS: Duration = Duration::from_secs(60 * 60);
/// Scopes that are remembered.
const SCOPES: usize = 64;

/// What the last questions of this machine came to. A busy cluster, whose allocation reports move
/// the index all the time, would pay for both the question and the list.
#[derive(Debug, Clone)]
pub struct ProbeBackoff {
    notes: Notes,
    scope: String,
}

/// The answers of one scope that came to nothing, one after the other.
#[derive(Debug, PartialEq, Eq)]
struct FruitlessProbes<'a> {
    scope: &'a str,
    count: u32,
    /// Of the last one, on the clock of this boot.
    at_ms: u64,
    age: Duration,
}

impl ProbeBackoff {
    /// Remembers nothing without a directory.
    pub fn new(folder: Option<PathBuf>, scope: &Scope) -> Self {
        Self { notes: Notes::new(folder), scope: scope.to_string() }
    }

    pub fn are_worth_it(&self) -> bool {
        let noted = self.notes.read(NAME).unwrap_or_default();
        let boot = BootClock::of_this_boot(self.notes.folder());
        let ours = vain(&noted, &boot.id, boot.ms()).find(|vain| vain.scope == self.scope);
        ours.is_none_or(|vain| vain.is_over())
    }

    /// Notes what one came to.
    pub fn note(&self, moved: bool) {
        if !moved && self.notes.read(NAME).is_none_or(|noted| !noted.contains(&self.scope)) {
            return;
        }
        let boot = BootClock::of_this_boot(self.notes.folder());
        self.notes.replace(NAME, |noted| {
            noting(&noted.unwrap_or_default(), (&boot.id, boot.ms()), &self.scope, moved)
        });
    }
}

impl FruitlessProbes<'_> {
    fn is_over(&self) -> bool {
        self.count < IN_VAIN || self.age >= PAUSE
    }
}

/// What is noted and still counts, a line each: boot, milliseconds of that boot, count, scope.
fn vain<'a>(
    noted: &'a str,
    boot: &'a str,
    now_ms: u64,
) -> impl Iterator<Item = FruitlessProbes<'a>> {
    noted.lines().filter_map(move |line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [of_boot, at, count, scope] = words.try_into().ok()?;
        let at_ms = at.parse().ok()?;
        let age = Duration::from_millis(now_ms.checked_sub(at_ms)?);
        let counts = of_boot == boot && age < LASTS;
        counts.then_some(FruitlessProbes { scope, count: count.parse().ok()?, at_ms, age })
    })
}

/// The note after one more answer, the latest first.
fn noting(noted: &str, (boot, now_ms): (&str, u64), scope: &str, moved: bool) -> String {
    let (ours, others): (Vec<_>, Vec<_>) =
        vain(noted, boot, now_ms).partition(|vain| vain.scope == scope);
    let count = ours.first().map_or(0, |vain| vain.count).saturating_add(1);
    let ours =
        moved.then_some(FruitlessProbes { scope, count, at_ms: now_ms, age: Duration::ZERO });
    let lines = ours.into_iter().chain(others).take(SCOPES);
    lines
        .map(|FruitlessProbes { scope, count, at_ms, .. }| {
            format!("{boot} {at_ms} {count} {scope}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ProbeBackoff, SCOPES, noting, vain};
    use crate::store::scope::{Cluster, Scope};

    const MINUTE: u64 = 60_000;

    #[test]
    fn a_few_in_vain_are_enough_and_one_that_is_not_begins_anew() {
        let home = tempfile::tempdir().unwrap();
        let of = |host: &str| {
            let cluster = Cluster { host: host.to_owned(), ..Cluster::default() };
            ProbeBackoff::new(Some(home.path().join("cache")), &Scope::of(&cluster))
        };
        let (probes, other) = (of("a"), of("b"));
        probes.note(false);
        assert!(!home.path().join("cache").exists(), "nothing to note");
        for _ in 0..3 {
            assert!(probes.are_worth_it());
            probes.note(true);
            other.note(false);
        }
        assert!(!probes.are_worth_it());
        assert!(other.are_worth_it(), "another cluster");
        (0..3).for_each(|_| other.note(true));
        assert!(!probes.are_worth_it() && !other.are_worth_it(), "each has its own count");
        probes.note(false);
        assert!(probes.are_worth_it() && !other.are_worth_it());
        let forgets = ProbeBackoff::new(None, &Scope::of(&Cluster::default()));
        (0..4).for_each(|_| forgets.note(true));
        assert!(forgets.are_worth_it());
    }

    /// With one answer a minute, as the usual time to live has it: three, then one each ten minutes.
    #[test]
    fn a_busy_cluster_is_asked_once_in_ten_minutes() {
        let mut noted = String::new();
        let mut asked = Vec::new();
        for minute in 0..35 {
            let now = minute * MINUTE;
            if vain(&noted, "boot", now).all(|vain| vain.is_over()) {
                asked.push(minute);
                noted = noting(&noted, ("boot", now), "s", true);
            }
        }
        assert_eq!(asked, [0, 1, 2, 12, 22, 32]);
        assert_eq!(noting(&noted, ("boot", 35 * MINUTE), "s", false), "");
    }

    #[test]
    fn a_note_counts_for_its_boot_and_an_hour() {
        let count = |noted: &str, now| {
            let found: Vec<_> =
                vain(noted, "boot", now).map(|vain| (vain.count, vain.scope.to_owned())).collect();
            found
        };
        let hour = 60 * MINUTE;
        assert_eq!(
            count("boot 1000 5 s\nboot 0 1 t\n", hour - 1),
            [(5, "s".to_owned()), (1, "t".to_owned())]
        );
        assert_eq!(count("boot 1000 5 s\nboot 0 1 t\n", hour), [(5, "s".to_owned())]);
        for noted in [
            "boot 3000 5 s\n",
            "other 1000 5 s\n",
            "boot 1000 5\n",
            "boot x 5 s\n",
            "boot 1000 x s\n",
            "",
        ] {
            assert_eq!(count(noted, 2000), [], "{noted}");
        }
    }

    #[test]
    fn no_more_scopes_are_remembered_than_a_machine_has() {
        let mut noted = String::new();
        for scope in 0..=SCOPES {
            noted = noting(&noted, ("boot", 0), &scope.to_string(), true);
        }
        assert_eq!(noted.lines().count(), SCOPES);
        assert!(noted.starts_with(&format!("boot 0 1 {SCOPES}\nboot 0 1 {}\n", SCOPES - 1)));
        assert!(noted.ends_with("boot 0 1 1\n"), "the oldest went");
    }
}
