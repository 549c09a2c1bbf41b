//! The clock of this boot: what several processes of one machine share.

use std::fmt;
use std::sync::Arc;

use crate::clock;

/// What tells the time of this machine's boot; tests hand in one that they can move.
#[derive(Clone)]
pub struct BootClock {
    /// Milliseconds since boot.
    pub now: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Names the boot: the clock of another one means nothing.
    pub id: String,
}

impl BootClock {
    pub fn of_this_boot() -> Self {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        // Where the system does not name its boots, the minute of the boot does.
        let minute = || {
            format!("boot-{}", clock::unix_seconds().saturating_sub(clock::boot_ms() / 1000) / 60)
        };
        let id = id.map_or_else(|_| minute(), |id| id.trim().to_owned());
        Self { now: Arc::new(clock::boot_ms), id }
    }

    pub(crate) fn ms(&self) -> u64 {
        (self.now)()
    }
}

impl fmt::Debug for BootClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootClock({} at {})", self.id, self.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::BootClock;

    #[test]
    fn one_boot_has_one_name_and_its_clock_runs_forward() {
        let (first, second) = (BootClock::of_this_boot(), BootClock::of_this_boot());
        assert_eq!(first.id, second.id);
        assert!(!first.id.is_empty() && !first.id.contains('\n'), "{}", first.id);
        let before = (first.now)();
        assert!((second.now)() >= before);
    }
}
