//! The clock of this machine, compared with those of Nomad and of Redis.

use crate::clock;
use crate::model::format::span;

use super::{Check, Checks, Section};

/// Certificates and tokens end by the clock: seconds do not matter, minutes do.
const OFF: u64 = 10;

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

pub(super) fn checks(nomad: Option<ClockReading>, redis: Option<ClockReading>) -> Vec<Check> {
    let mut checks = Checks::of(Section::Clock);
    for (name, whose, reading) in [("nomad", "Nomad's", nomad), ("redis", "that of Redis", redis)] {
        if let Some(reading) = reading {
            compare(&mut checks, name, whose, reading);
        }
    }
    checks.all
}

fn compare(
    checks: &mut Checks,
    name: &str,
    whose: &str,
    ClockReading { theirs, ours }: ClockReading,
) {
    let off = theirs.abs_diff(ours);
    if off < OFF {
        return checks.ok(name, format!("this machine's clock and {whose} agree"));
    }
    let side = if ours > theirs { "ahead of" } else { "behind" };
    let said = format!("this machine's clock is {} {side} {whose}", span(off));
    let advice = "set the clock (NTP): certificates, tokens and the minutes of the statistics go by it; the age of what is cached does not";
    checks.warning(name, said, advice);
}

#[cfg(test)]
mod tests {
    use super::{ClockReading, checks};
    use crate::doctor::CheckStatus;

    #[test]
    fn clocks_that_differ_are_told_with_their_side() {
        let said = |theirs, ours| {
            let check = checks(Some(ClockReading { theirs, ours }), None).remove(0);
            (check.state, check.said)
        };
        let agree = "this machine's clock and Nomad's agree".to_owned();
        assert_eq!(said(1000, 1009), (CheckStatus::Ok, agree));
        let ahead = "this machine's clock is 10 s ahead of Nomad's".to_owned();
        assert_eq!(said(1000, 1010), (CheckStatus::Warning, ahead));
        let behind = "this machine's clock is 1 m 40 s behind Nomad's".to_owned();
        assert_eq!(said(1100, 1000), (CheckStatus::Warning, behind));
        assert_eq!(checks(None, None), []);
    }
}
