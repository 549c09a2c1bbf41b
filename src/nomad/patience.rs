//! Calls that may take for ever, and how long a server wants to be left alone.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use crate::clock;

/// What `call` gives, or `None` after `limit`: then its thread is left behind.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || tell.send(call())).ok()?;
    told.recv_timeout(limit).ok()
}

/// `Retry-After`: seconds, or a date. The server's own clock says how far that is away, as ours
/// may differ.
pub(super) fn retry_after(value: &str, date: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = unix_seconds(date).unwrap_or_else(|| clock::unix_seconds().cast_signed());
    Some(Duration::from_secs(unix_seconds(value)?.saturating_sub(now).max(0).unsigned_abs()))
}

/// A date as HTTP has it.
pub(super) fn unix_seconds(date: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(date.trim()).ok().map(|time| time.as_second())
}

#[cfg(test)]
mod tests {
    use super::{retry_after, within};
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = "Mon, 23 Nov 2026 10:00:00 GMT";
        for (value, seconds) in [
            ("2", Some(2)),
            (" 120 ", Some(120)),
            ("Mon, 23 Nov 2026 10:00:07 GMT", Some(7)),
            ("Mon, 23 Nov 2026 09:59:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT", ""), Some(Duration::ZERO));
    }

    #[test]
    fn a_call_that_hangs_is_left_behind() {
        let (hold, held) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(10), move || held.recv().is_ok()), None);
        drop(hold);
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
    }
}
