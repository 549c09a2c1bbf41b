//! `doctor`: check every link of the chain and say what to do.

use std::io::Write;

use crate::cli::Doctor;
use crate::doctor::{self, Check, CheckStatus, Subject};
use crate::error::Error;
use crate::model::notice::{Level, Notifier};
use crate::render::{self, OutputStyle};

use super::CommandContext;

pub(super) fn run(asked: &Doctor, run: &mut CommandContext<'_>) -> Result<(), Error> {
    let case = Subject {
        found: run.config.found.clone(),
        access: run.config.access.clone(),
        place: run.config.place.clone(),
        tell: calls(&run.tell),
    };
    let look = run.look(true, false);
    report(asked, &doctor::examined(&case), &look, run.out)
}

/// The report when the configuration can't be used.
pub(crate) fn without_settings(
    asked: &Doctor,
    error: &Error,
    look: &OutputStyle,
    out: &mut dyn Write,
) -> Result<(), Error> {
    report(asked, &doctor::unconfigured(&error.to_string(), error.hint()), look, out)
}

/// What others would warn of is told as a check.
fn calls(tell: &Notifier) -> Notifier {
    let tell = tell.clone();
    Notifier::new(move |remark| {
        if remark.level == Level::Call {
            tell.call(remark.text);
        }
    })
}

/// The verdict stands also where nobody reads to the end.
fn report(
    asked: &Doctor,
    checks: &[Check],
    look: &OutputStyle,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let is_broken = checks.iter().any(|check| check.state == CheckStatus::Problem);
    match written(asked, checks, look, out) {
        Err(error) if !is_broken || !error.is_closed_pipe() => Err(error),
        _ if is_broken => Err(Error::Unwell),
        _ => Ok(()),
    }
}

fn written(
    asked: &Doctor,
    checks: &[Check],
    look: &OutputStyle,
    out: &mut dyn Write,
) -> Result<(), Error> {
    if asked.json {
        out.write_all(&render::doctor_json(checks))?;
        out.write_all(b"\n")?;
    } else {
        render::doctor(out, checks, look)?;
    }
    Ok(out.flush()?)
}
