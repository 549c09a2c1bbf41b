//! Figures as people read them.

use std::time::Duration;

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A time limit, rounded to two digits or a tenth of a second: `50ms`, `250ms`, `3s`, `1.5s`.
pub(crate) fn limit(time: Duration) -> String {
    let ms = match millis(time) {
        ms @ ..100 => ms,
        ms @ ..1000 => (ms + 5) / 10 * 10,
        ms => ms.saturating_add(50) / 100 * 100,
    };
    match (ms / 1000, ms % 1000 / 100) {
        (0, _) if ms > 0 => format!("{ms}ms"),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, tenths) => format!("{seconds}.{tenths}s"),
    }
}

/// A span of time, rounded down: `12s`, `3m20s`, `2h5m`, `400d`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long something took: `3ms`, `0.12s`.
pub(crate) fn short(took: Duration) -> String {
    if took < Duration::from_millis(100) {
        format!("{}ms", took.as_millis())
    } else {
        format!("{:.2}s", took.as_secs_f64())
    }
}

/// `0.4 ms`, `12 ms`, `1.5 s`
pub(crate) fn took(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        ..9.95 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// `17 B`, `3.7 KiB`, `1.2 MiB`
#[expect(clippy::cast_precision_loss, reason = "a tenth of a unit is enough")]
pub(crate) fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut amount, mut unit) = (count as f64 / 1024.0, "KiB");
    for larger in ["MiB", "GiB"] {
        // What would be rounded to 1024.0 is 1.0 of the next.
        if amount < 1023.95 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    format!("{amount:.1} {unit}")
}

/// `1 node`, `5 nodes`
pub(crate) fn count(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, count, limit, short, span, took};

    #[test]
    fn figures_read_well() {
        let took = |us| took(Duration::from_micros(us));
        assert_eq!([412, 12_345, 1_540_000].map(took), ["0.4 ms", "12 ms", "1.5 s"]);
        assert_eq!([9_940, 9_960, 999_600].map(took), ["9.9 ms", "10 ms", "1.0 s"]);
        assert_eq!(
            [17, 3821, 1_258_291, 6 << 30].map(bytes),
            ["17 B", "3.7 KiB", "1.2 MiB", "6.0 GiB"]
        );
        assert_eq!(
            [1023, 1_048_500, 1_048_570, (1 << 30) - 1].map(bytes),
            ["1023 B", "1023.9 KiB", "1.0 MiB", "1.0 GiB"]
        );
        assert_eq!([count(1, "key"), count(2, "key")], ["1 key", "2 keys"]);
    }

    #[test]
    fn times_are_short() {
        let limit = |ms| limit(Duration::from_millis(ms));
        let limits = [1, 50, 250, 998, 1500, 1980, 30_000].map(limit);
        assert_eq!(limits, ["1ms", "50ms", "250ms", "1s", "1.5s", "2s", "30s"]);
        let span = |seconds| span(Duration::from_secs(seconds));
        let spans = [59, 200, 7500, 172_799, 400 * 86_400].map(span);
        assert_eq!(spans, ["59s", "3m20s", "2h5m", "47h59m", "400d"]);
        assert_eq!([99, 100].map(|ms| short(Duration::from_millis(ms))), ["99ms", "0.10s"]);
    }
}
