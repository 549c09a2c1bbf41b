//! The clock of this boot, which the processes of one machine share.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::clock;
use crate::random;

use super::notes::Notes;

const NAME: &str = "boot";
/// By how many seconds the wall clock may change during a boot; no machine reboots as fast.
const CLOCK_CHANGE_MAX: u64 = 10;

/// The time since this machine booted; tests use one that they can set.
#[derive(Clone)]
pub struct BootClock {
    /// Milliseconds since boot.
    pub now: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Identifies the boot: times of another one cannot be compared.
    pub id: String,
}

impl BootClock {
    /// `folder`: where an id is noted if the system has none.
    pub fn of_this_boot(folder: Option<&Path>) -> Self {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let noted = || noted(folder, clock::boot_ms(), clock::unix_seconds());
        let id = id.map_or_else(|_| noted(), |id| id.trim().to_owned());
        Self { now: Arc::new(clock::boot_ms), id }
    }

    pub(crate) fn ms(&self) -> u64 {
        (self.now)()
    }
}

/// The id that a run of this boot has noted in that directory, or a new one. If it cannot be noted,
/// nothing else is kept for other runs either.
fn noted(folder: Option<&Path>, boot_ms: u64, unix: u64) -> String {
    let mut id = random::hex16();
    let notes = Notes::new(folder.map(Path::to_owned));
    let found = |note: &str| of_same_boot(note, boot_ms, unix).map(str::to_owned);
    if let Some(id) = notes.read(NAME).as_deref().and_then(found) {
        return id;
    }
    notes.replace(NAME, |note| {
        // Another run may have noted one in the meantime.
        let note = note.filter(|note| found(note).is_some());
        let note = note.unwrap_or_else(|| format!("{id} {boot_ms} {unix}\n"));
        id = found(&note).unwrap_or_default();
        note
    });
    id
}

/// The id in a note of this boot: of one that began at the same time, as far as a wall clock that may
/// be set can tell, and that was not already older.
fn of_same_boot(note: &str, boot_ms: u64, unix: u64) -> Option<&str> {
    let words: Vec<&str> = note.split_whitespace().collect();
    let [id, noted_ms, noted_unix] = words.try_into().ok()?;
    let (noted_ms, noted_unix): (u64, u64) = (noted_ms.parse().ok()?, noted_unix.parse().ok()?);
    let began = |unix: u64, ms: u64| unix.saturating_sub(ms / 1000);
    let apart = began(unix, boot_ms).abs_diff(began(noted_unix, noted_ms));
    (noted_ms <= boot_ms && apart <= CLOCK_CHANGE_MAX).then_some(id)
}

impl fmt::Debug for BootClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootClock({} at {})", self.id, self.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::{BootClock, noted};

    #[test]
    fn one_boot_has_one_name_and_its_clock_runs_forward() {
        let (first, second) = (BootClock::of_this_boot(None), BootClock::of_this_boot(None));
        assert_eq!(first.id, second.id);
        assert!(!first.id.is_empty() && !first.id.contains('\n'), "{}", first.id);
        let before = (first.now)();
        assert!((second.now)() >= before);
    }

    /// Two runs never see the same minute for sure, and clocks are set.
    #[test]
    fn a_boot_keeps_its_name_where_the_system_gives_it_none() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache");
        let name = |boot_ms, unix| noted(Some(&folder), boot_ms, unix);
        let first = name(59_000, 1_800_000_059);
        assert!(first.len() == 16, "{first}");
        for (boot_ms, unix) in
            [(59_000, 1_800_000_059), (59_999, 1_800_000_060), (3_600_000, 1_800_003_607)]
        {
            assert_eq!(name(boot_ms, unix), first, "{boot_ms} {unix}");
        }
        let next = name(58_999, 1_800_000_059);
        assert_ne!(next, first, "it is younger than the note");
        let other = name(90_000, 1_800_100_000);
        assert_ne!(other, next, "it began later");
        assert_eq!(name(91_000, 1_800_100_001), other);
        std::fs::write(folder.join("boot"), "nonsense").unwrap();
        let again = name(92_000, 1_800_100_002);
        assert_eq!(name(92_000, 1_800_100_002), again);
        assert_ne!(noted(None, 1, 1), noted(None, 1, 1), "nothing is kept");
    }
}
