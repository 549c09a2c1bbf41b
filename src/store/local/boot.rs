//! The clock of this boot: what several processes of one machine share.

use crate::clock;

/// What tells the time of this machine's boot.
#[derive(Debug, Clone)]
pub struct BootClock {
    /// Milliseconds since boot.
    pub now: fn() -> u64,
    /// Names the boot.
    pub id: String,
}

impl BootClock {
    pub fn of_this_boot() -> Self {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        // Where the system does not name its boots, the minute of the boot does.
        let minute = || {
            format!("boot-{}", clock::unix_seconds().saturating_sub(clock::boot_ms() / 1000) / 60)
        };
        Self { now: clock::boot_ms, id: id.map_or_else(|_| minute(), |id| id.trim().to_owned()) }
    }
}
