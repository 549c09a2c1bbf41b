//! `doctor`: diagnose configuration, Nomad, Redis and cache, and suggest fixes.

use std::io::{ErrorKind, Write};

use anyhow::{Error, Result};

use crate::cli::Doctor;
use crate::doctor::{self, Check, CheckStatus};
use crate::error::{self, ProblemFound};
use crate::model::notice::{Level, Notifier};
use crate::render::{self, OutputStyle};

use super::CommandContext;

pub(super) fn run(options: &Doctor, context: &mut CommandContext<'_>) -> Result<()> {
    // Only calls are notices here: what would be a warning elsewhere is a check.
    let notifier = context.notifier.clone();
    let calls = Notifier::new(move |notice| {
        if notice.level == Level::Call {
            notifier.call(notice.text);
        }
    });
    let config = &context.config;
    let checks = doctor::examined(&config.found, &config.access, &config.place, &calls);
    let style = context.style(true, false);
    report(options, &checks, &style, context.out)
}

/// The report when the configuration can't be used.
pub(crate) fn without_settings(
    options: &Doctor,
    error: &Error,
    style: &OutputStyle,
    out: &mut dyn Write,
) -> Result<()> {
    let hint = error::hint(error);
    let checks = doctor::unconfigured(&format!("{error:#}"), hint.as_deref());
    report(options, &checks, style, out)
}

fn report(
    options: &Doctor,
    checks: &[Check],
    style: &OutputStyle,
    out: &mut dyn Write,
) -> Result<()> {
    let has_problem = checks.iter().any(|check| check.state == CheckStatus::Problem);
    let printed = match options.json {
        true => out.write_all(&render::doctor_json(checks)).and_then(|()| out.write_all(b"\n")),
        false => render::doctor(out, checks, style),
    };
    match printed.and_then(|()| out.flush()) {
        // The exit code also counts if the reader has closed the pipe.
        Err(error) if !has_problem || error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ if has_problem => Err(ProblemFound.into()),
        _ => Ok(()),
    }
}
