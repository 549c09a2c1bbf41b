//! The clock of this machine, compared with those of Nomad and of Redis.

use std::time::Duration;

use crate::clock;
use crate::model::format::span;

use super::{Findings, Section};

/// Certificates and tokens end by the clock: seconds do not matter, minutes do.
const OFF: u64 = 10;
const ADVICE: &str = "set the clock (NTP): certificates, tokens and the minutes of the statistics go by it; the age of what is cached does not";

/// What another's clock said, and what ours said just then; seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockReading {
    theirs: u64,
    ours: u64,
}

impl ClockReading {
    pub(super) fn now(theirs: u64) -> Self {
        Self { theirs, ours: clock::unix_seconds() }
    }
}

pub(super) fn checks(nomad: Option<ClockReading>, redis: Option<ClockReading>) -> Findings {
    let mut found = Findings::of(Section::Clock, &[]);
    for (name, whose, reading) in [("nomad", "Nomad's", nomad), ("redis", "that of Redis", redis)] {
        let Some(ClockReading { theirs, ours }) = reading else { continue };
        let off = theirs.abs_diff(ours);
        if off < OFF {
            found.ok(name, format!("this machine's clock and {whose} agree"));
            continue;
        }
        let side = if ours > theirs { "ahead of" } else { "behind" };
        let off = span(Duration::from_secs(off));
        found.warning(name, format!("this machine's clock is {off} {side} {whose}"), ADVICE);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{ClockReading, checks};
    use crate::doctor::CheckStatus;

    #[test]
    fn clocks_that_differ_are_reported_with_their_side() {
        let said = |theirs, ours| {
            let check = checks(Some(ClockReading { theirs, ours }), None).checks.remove(0);
            (check.state, check.said)
        };
        let agree = "this machine's clock and Nomad's agree".to_owned();
        assert_eq!(said(1000, 1009), (CheckStatus::Ok, agree));
        let ahead = "this machine's clock is 10s ahead of Nomad's".to_owned();
        assert_eq!(said(1000, 1010), (CheckStatus::Warning, ahead));
        let behind = "this machine's clock is 1m40s behind Nomad's".to_owned();
        assert_eq!(said(1100, 1000), (CheckStatus::Warning, behind));
        assert_eq!(checks(None, None).checks, []);
    }
}
