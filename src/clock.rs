//! The only place that asks the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic: for waits, deadlines and ages within this process.
pub fn now() -> Instant {
    Instant::now()
}

/// How long ago `moment` was.
pub fn since(moment: Instant) -> Duration {
    moment.elapsed()
}

/// Seconds since 1970 by the wall clock: names the minute of a statistic, decides nothing.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Milliseconds since boot, time asleep included: ages that several processes of one boot share.
pub fn boot_ms() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1000
        + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}
