//! One setting: where it was said, and what it must be.

use std::time::Duration;

use crate::error::{Error, Exit};
use crate::model::text::first_line;

use super::file::File;

/// Far beyond every use, and small enough for every clock and every Redis.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where a value was said: decides the words and the exit code of a mistake.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// `--ttl`
    Typed(&'a str),
    /// `NOMAD_CLIENTS_TTL`
    Variable(&'a str),
    /// `ttl`, and the file that says it.
    File(&'a str, &'a File),
}

impl Origin<'_> {
    /// `why` says what the value must be. Values are shown only where they can't be secrets.
    pub(super) fn error(self, why: &str) -> Error {
        match self {
            Self::Typed(option) => {
                Exit::Usage.error(format!("invalid value for --{option}: {why}"))
            }
            Self::Variable(name) => Exit::Config.error(format!("invalid value of {name}: {why}")),
            Self::File(key, file) => Exit::Config
                .error(format!("invalid configuration ({}): {key}: {why}", file.place(key))),
        }
    }
}

/// `90s`, `5m`, `1m30s`. A bare number has no unit and is refused.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{:?} is no duration like 90s, 5m or 1m30s", first_line(text, 40));
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from(parsed).map_err(|_| wrong())?;
    if duration > LONGEST { Err("must be at most a year".to_owned()) } else { Ok(duration) }
}

/// One of `names`, by position.
pub(super) fn choice(text: &str, names: &[&str]) -> Result<usize, String> {
    let wrong = || format!("{:?} is none of {}", first_line(text, 40), names.join(", "));
    names.iter().position(|name| *name == text).ok_or_else(wrong)
}

pub(super) fn concurrency(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=100).contains(number));
    number.ok_or_else(|| format!("{:?} is no number from 1 to 100", first_line(text, 40)))
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
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{concurrency, duration, prefix, truth};

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1m30s", 90), ("0s", 0), ("1h", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["60", "", "-1s", "1e309", "1e309s", "abc", "5 potatoes", "99999999999999999999s"]
        {
            assert!(
                duration(text).unwrap_err().ends_with("is no duration like 90s, 5m or 1m30s"),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_have_an_end() {
        assert!(duration("8760h").is_ok());
        assert_eq!(duration("8761h"), Err("must be at most a year".to_owned()));
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
