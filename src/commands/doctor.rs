//! `doctor`: check every link of the chain and say what to do.

use std::io::Write;

use crate::cli::Doctor;
use crate::doctor::{self, Check, CheckStatus, Subject};
use crate::error::{self, ProblemFound};
use crate::model::notice::{Level, Notifier};
use crate::render::{self, OutputStyle};

use super::CommandContext;

pub(super) fn run(asked: &Doctor, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
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
    error: &anyhow::Error,
    look: &OutputStyle,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let hint = error::hint(error);
    report(asked, &doctor::unconfigured(&format!("{error:#}"), hint.as_deref()), look, out)
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
) -> anyhow::Result<()> {
    let is_broken = checks.iter().any(|check| check.state == CheckStatus::Problem);
    match written(asked, checks, look, out) {
        Err(error) if !is_broken || !error::is_closed_pipe(&error) => Err(error),
        _ if is_broken => Err(ProblemFound.into()),
        _ => Ok(()),
    }
}

fn written(
    asked: &Doctor,
    checks: &[Check],
    look: &OutputStyle,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if asked.json {
        out.write_all(&render::doctor_json(checks))?;
        out.write_all(b"\n")?;
    } else {
        render::doctor(out, checks, look)?;
    }
    Ok(out.flush()?)
}
