//! The report of `doctor`: a line for each check, what to do on a line of its own; or JSON.

use std::io::{self, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::doctor::{Check, CheckStatus, Section};
use crate::model::format::count;
use crate::model::json;

use super::OutputStyle;
use super::column::Tone;

/// Columns before what is said: the state, the name, and what keeps them apart.
const STATE: usize = 9;
const NAME: usize = 13;
const MARGIN: usize = 2 + STATE + NAME;
/// Nobody reads longer lines, however wide the terminal.
const WIDEST: usize = 110;

/// The object of `doctor --json`, without a newline.
pub(crate) fn doctor_json(checks: &[Check]) -> Vec<u8> {
    let [problems, warnings, _] = counts(checks);
    json::bytes(&Report { ok: problems == 0, problems, warnings, checks })
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    problems: u64,
    warnings: u64,
    checks: &'a [Check],
}

/// Problems, warnings, skipped.
fn counts(checks: &[Check]) -> [u64; 3] {
    [CheckStatus::Problem, CheckStatus::Warning, CheckStatus::Skipped]
        .map(|state| checks.iter().filter(|check| check.state == state).count() as u64)
}

/// The report for people.
pub(crate) fn doctor(to: &mut dyn Write, checks: &[Check], look: &OutputStyle) -> io::Result<()> {
    for link in Section::ALL {
        let mut checks = checks.iter().filter(|check| check.link == link).peekable();
        if checks.peek().is_some() {
            writeln!(to, "{}", Tone::Strong.painted(head(link), look.colour))?;
        }
        for check in checks {
            line(to, check, look)?;
        }
    }
    writeln!(to, "\n{}", summary(checks))
}

fn head(link: Section) -> &'static str {
    match link {
        Section::Configuration => "Configuration",
        Section::Nomad => "Nomad",
        Section::Redis => "Redis",
        Section::Files => "Files of this machine",
        Section::Cache => "Cache",
        Section::Clock => "Clock",
    }
}

fn line(to: &mut dyn Write, check: &Check, look: &OutputStyle) -> io::Result<()> {
    let (state, tone, said_tone) = match check.state {
        CheckStatus::Ok => ("ok", Tone::Good, Tone::Plain),
        CheckStatus::Warning => ("warning", Tone::Attention, Tone::Plain),
        CheckStatus::Problem => ("problem", Tone::Bad, Tone::Plain),
        CheckStatus::Skipped => ("skipped", Tone::Faint, Tone::Faint),
    };
    let state = format!("{state:STATE$}");
    write!(to, "  {}{:NAME$}", tone.painted(&state, look.colour), check.name)?;
    let said = wrapped(&check.said, look.width, MARGIN);
    for (at, text) in said.iter().enumerate() {
        let margin = if at == 0 { 0 } else { MARGIN };
        writeln!(to, "{:margin$}{}", "", said_tone.painted(text, look.colour))?;
    }
    let advice = check.advice.as_deref().map(|advice| wrapped(advice, look.width, MARGIN + 2));
    for (at, text) in advice.unwrap_or_default().iter().enumerate() {
        let arrow = if at == 0 { "→ " } else { "  " };
        writeln!(to, "{:MARGIN$}{}", "", tone.painted(&format!("{arrow}{text}"), look.colour))?;
    }
    Ok(())
}

fn summary(checks: &[Check]) -> String {
    match counts(checks) {
        [0, 0, 0] => "All is well.".to_owned(),
        [0, 0, skipped] => format!("No problem, {} skipped.", count(skipped, "check")),
        [0, warnings, _] => format!("No problem, {}.", count(warnings, "warning")),
        [problems, warnings, _] => {
            format!("{}, {}.", count(problems, "problem"), count(warnings, "warning"))
        }
    }
}

/// Lines of whole words that fit behind the margin; one line in a pipe. A word that is too long
/// stays whole: it may be a path that is copied.
fn wrapped(text: &str, width: Option<usize>, margin: usize) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    let room = width.min(WIDEST).saturating_sub(margin).max(20);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.width() + 1 + word.width() <= room {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{doctor, summary, wrapped};
    use crate::doctor::{Check, CheckStatus, Section};
    use crate::render::OutputStyle;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("a bc def", None, 90), ["a bc def"]);
        assert_eq!(
            wrapped("aaaa bbbb cccc dddd eeee ff", Some(30), 10),
            ["aaaa bbbb cccc dddd", "eeee ff"]
        );
        let long = "x".repeat(40);
        assert_eq!(wrapped(&format!("a {long} b"), Some(30), 10), ["a", &long, "b"]);
    }

    #[test]
    fn all_is_well_only_where_all_was_checked() {
        let said = |states: &[CheckStatus]| {
            let check = |state: &CheckStatus| {
                let said = String::new();
                Check { link: Section::Redis, name: "x", state: *state, said, advice: None }
            };
            summary(&states.iter().map(check).collect::<Vec<_>>())
        };
        use CheckStatus::{Ok, Problem, Skipped, Warning};
        assert_eq!(said(&[Ok]), "All is well.");
        assert_eq!(said(&[Ok, Skipped]), "No problem, 1 check skipped.");
        assert_eq!(said(&[Warning, Skipped]), "No problem, 1 warning.");
        assert_eq!(said(&[Problem, Problem, Warning]), "2 problems, 1 warning.");
    }

    #[test]
    fn colour_is_not_the_only_sign_and_goes_away() {
        let check = Check {
            link: Section::Redis,
            name: "reached",
            state: CheckStatus::Problem,
            said: "refused".to_owned(),
            advice: Some("start it".to_owned()),
        };
        let shown = |colour| {
            let look = OutputStyle { width: Some(80), colour, headers: true, secrets: false };
            let mut bytes = Vec::new();
            doctor(&mut bytes, std::slice::from_ref(&check), &look).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let plain = "Redis\n  problem  reached      refused\n                        → start it\n\n1 problem, 0 warnings.\n";
        assert_eq!(shown(false), plain);
        assert!(shown(true).contains("\u{1b}[31mproblem  \u{1b}[0mreached"), "{}", shown(true));
    }
}
