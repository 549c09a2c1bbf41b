//! How long to wait before a request is sent again.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use crate::{clock, random};

/// `Retry-After`: seconds, or a date, compared with the server's own clock, as ours may differ.
pub(super) fn retry_after(value: &str, date: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = unix_seconds(date).unwrap_or_else(|| clock::unix_seconds().cast_signed());
    Some(Duration::from_secs(unix_seconds(value)?.saturating_sub(now).max(0).unsigned_abs()))
}

/// The wait after Nomad has refused a request as one too many: its `Retry-After`, or longer with each
/// try; with jitter, so that not all requests return at once.
pub(super) fn backoff(tries: u32, retry_after: Option<Duration>) -> Duration {
    const FIRST_MS: u64 = 100;
    const DOUBLINGS: u32 = 4;
    let usual = FIRST_MS << tries.min(DOUBLINGS);
    let wait = retry_after.unwrap_or(Duration::from_millis(usual / 2));
    wait.saturating_add(Duration::from_millis(random::below(usual)))
}

/// A date in an HTTP header.
pub(super) fn unix_seconds(date: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(date.trim()).ok().map(|time| time.as_second())
}

#[cfg(test)]
mod tests {
    use super::{backoff, retry_after};
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
    fn pauses_grow_differ_and_keep_to_what_is_wanted() {
        let pauses = |tries, wanted: Option<u64>| {
            let wanted = wanted.map(Duration::from_secs);
            (0..200).map(move |_| backoff(tries, wanted).as_millis())
        };
        assert!(pauses(0, None).all(|ms| (50..150).contains(&ms)));
        assert!(pauses(4, None).all(|ms| (800..2400).contains(&ms)));
        assert!(pauses(u32::MAX, None).all(|ms| ms < 2400));
        assert!(pauses(0, Some(7)).all(|ms| (7000..7100).contains(&ms)));
        assert!(pauses(4, None).max() > pauses(4, None).min());
        assert_eq!(backoff(0, Some(Duration::MAX)), Duration::MAX);
    }
}
