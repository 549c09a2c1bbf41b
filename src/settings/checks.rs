//! What the values of settings must be.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::secret::Secret;
use crate::model::text::{first_line, unknown};
use crate::store::redis;

/// Far beyond every use, and small enough for every clock and every Redis.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// `90s`, `5m`, `1m30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let shown = first_line(text, 40);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{shown:?} has no unit; write {shown}s or {shown}m"));
    }
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let duration = parsed.and_then(|parsed| Duration::try_from(parsed).ok());
    match duration {
        Some(duration) if duration > MAX_DURATION => Err("must be at most a year".to_owned()),
        Some(duration) => Ok(duration),
        None => Err(format!("{shown:?} is not a duration; write 90s, 5m or 1m30s")),
    }
}

/// More than nothing.
pub(super) fn time_limit(text: &str) -> Result<Duration, String> {
    let limit = duration(text)?;
    if limit.is_zero() { Err("must be longer than 0s".to_owned()) } else { Ok(limit) }
}

/// `None` = as long as giving up costs.
pub(super) fn redis_timeout(text: &str) -> Result<Option<Duration>, String> {
    if text == "auto" { Ok(None) } else { time_limit(text).map(Some) }
}

/// The value that has this name; `what` is the word for all of them.
pub(super) fn named<T: Copy>(
    what: &str,
    text: &str,
    values: &[(&'static str, T)],
) -> Result<T, String> {
    let found = values.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| unknown(what, text, values.iter().map(|(name, _)| *name)))
}

pub(super) fn to_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

pub(super) fn to_path(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

/// Unclear is false.
pub(super) fn to_bool(text: &str) -> Result<bool, String> {
    Ok(truth(text).unwrap_or(false))
}

pub(super) fn redis_url(text: &str) -> Result<Secret, String> {
    let url = Secret::new(text);
    redis::parse_url(&url).map(|_| url).map_err(|error| error.to_string())
}

pub(super) fn concurrency(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=100).contains(number));
    number.ok_or_else(|| format!("must be a number from 1 to 100, not {:?}", first_line(text, 40)))
}

/// A name that becomes part of key names; 32 hex digits would look like a scope.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let scope = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('.')
        && !scope;
    let reserved =
        ["all", "hash", "meta", "epoch", "lease", "stats", "follow", "kept"].contains(&text);
    if fits && !reserved {
        return Ok(text.to_owned());
    }
    Err("must be 1 to 64 letters, digits, '.', '_' or '-', without a dot at its start, no name of a key and no 32 hex digits".to_owned())
}

/// The truth values of Go, which the official command line takes; it ignores all others.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{concurrency, duration, named, prefix, redis_timeout, truth};

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1m30s", 90), ("0s", 0), ("1h", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "-1s", "1e309", "1e309s", "abc", "5 potatoes", "99999999999999999999s"] {
            let why = format!("{text:?} is not a duration; write 90s, 5m or 1m30s");
            assert_eq!(duration(text), Err(why));
        }
        let why = "\"60\" has no unit; write 60s or 60m".to_owned();
        assert_eq!(duration("60"), Err(why));
    }

    #[test]
    fn durations_have_an_end() {
        assert!(duration("8760h").is_ok());
        assert_eq!(duration("8761h"), Err("must be at most a year".to_owned()));
    }

    #[test]
    fn a_silent_redis_has_a_limit_or_none_of_its_own() {
        assert_eq!(redis_timeout("auto"), Ok(None));
        assert_eq!(redis_timeout("250ms"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(redis_timeout("0s"), Err("must be longer than 0s".to_owned()));
        assert!(redis_timeout("Auto").is_err());
    }

    #[test]
    fn names_have_values() {
        let values = [("auto", 1), ("always", 2), ("never", 3)];
        assert_eq!(named("mode", "never", &values), Ok(3));
        let why = "unknown mode \"Never\"; expected auto, always or never".to_owned();
        assert_eq!(named("mode", "Never", &values), Err(why));
    }

    #[test]
    fn prefixes_are_harmless() {
        assert_eq!(prefix("team-a.x_1").as_deref(), Ok("team-a.x_1"));
        let long = "x".repeat(65);
        let hex = "0123456789abcdef".repeat(2);
        for text in ["../../etc", "a/b", "", ".x", "é", "all", "epoch", "kept", &long, &hex] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bounds() {
        assert_eq!((concurrency("1"), concurrency("100")), (Ok(1), Ok(100)));
        assert!(["0", "101", "-1", "x"].iter().all(|text| concurrency(text).is_err()));
        assert_eq!([truth("TRUE"), truth("0"), truth("yes")], [Some(true), Some(false), None]);
    }
}
