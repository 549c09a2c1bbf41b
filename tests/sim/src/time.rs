//! Times as Nomad writes them.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub seconds: u64,
    pub nanos: u32,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: since.as_secs(), nanos: since.subsec_nanos() }
    }

    /// `2026-11-23T02:38:54.75388155Z`: Go drops the zeros at the end of the fraction.
    pub(crate) fn rfc3339(self) -> String {
        let (year, month, day) = date(self.seconds / 86_400);
        let rest = self.seconds % 86_400;
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if self.nanos > 0 {
            let fraction = format!(".{:09}", self.nanos);
            text.push_str(fraction.trim_end_matches('0'));
        }
        text.push('Z');
        text
    }

    pub(crate) fn whole_seconds(self) -> Self {
        Self { nanos: 0, ..self }
    }

    /// The form of the header `Date`.
    pub(crate) fn http(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (year, month, day) = date(self.seconds / 86_400);
        let weekday = DAYS[(self.seconds / 86_400 % 7) as usize];
        let month = MONTHS[month as usize - 1];
        let rest = self.seconds % 86_400;
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// A Go duration in nanoseconds: `30s`, `1500ms`, `1h2m`, `-1s`. A bare number is refused, 0 is not.
pub(crate) fn go_duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[end..];
    }
    Some(sign * total as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_look_as_nomad_writes_them() {
        let moment = Moment { seconds: 1_795_401_534, nanos: 753_881_550 };
        assert_eq!(moment.rfc3339(), "2026-11-23T02:38:54.75388155Z");
        assert_eq!(moment.whole_seconds().rfc3339(), "2026-11-23T02:38:54Z");
        assert_eq!(moment.http(), "Mon, 23 Nov 2026 02:38:54 GMT");
        assert_eq!(
            Moment { seconds: 951_782_400, nanos: 0 }.http(),
            "Tue, 29 Feb 2000 00:00:00 GMT"
        );
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(go_duration("1500ms"), Some(1_500_000_000));
        assert_eq!(go_duration("1h2m"), Some(3_720_000_000_000));
        assert_eq!(go_duration("-1s"), Some(-1_000_000_000));
        for bad in ["", "10", "x", "1x", "s"] {
            assert_eq!(go_duration(bad), None, "{bad}");
        }
    }
}
