//! The terminal, if stdout or stderr is one.

use std::io::IsTerminal as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcgetwinsize;

use crate::render::OutputStyle;

/// Whether there is colour as the usual variables say it, where no setting does. No colour wins over
/// colour, and both over a terminal that has none; `None` = on a terminal.
pub(super) fn colour_of_variables(variable: impl Fn(&str) -> Option<String>) -> Option<bool> {
    let is = |name: &str, said: &str| variable(name).is_some_and(|value| value == said);
    let set = |name: &&str| variable(name).is_some();
    let forces = |name: &&str| set(name) && !is(name, "0");
    match () {
        () if ["NO_COLOR", "NOMAD_CLI_NO_COLOR"].iter().any(set) => Some(false),
        () if ["CLICOLOR_FORCE", "NOMAD_CLI_FORCE_COLOR"].iter().any(forces) => Some(true),
        () if is("TERM", "dumb") || is("CLICOLOR", "0") => Some(false),
        () => None,
    }
}

/// Columns and lines of the terminal that stdout is.
pub(crate) fn stdout_size() -> Option<(usize, usize)> {
    let stdout = std::io::stdout();
    let size = stdout.is_terminal().then(|| tcgetwinsize(&stdout))?;
    let size = size.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    let (width, height) = size.map_or((80, 24), |size| (size.ws_col, size.ws_row));
    Some((usize::from(width).max(20), usize::from(height).max(4)))
}

/// The width of the terminal that stdout is, in columns.
pub(crate) fn stdout_width() -> Option<usize> {
    stdout_size().map(|(width, _)| width)
}

/// Whether nobody can read any more what is written to stdout.
pub(crate) fn stdout_is_closed() -> bool {
    let stdout = std::io::stdout();
    let mut closed = [PollFd::new(&stdout, PollFlags::empty())];
    let asked = poll(&mut closed, Some(&Timespec::default()));
    asked.is_ok() && closed[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Whether people look at stderr.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// How text looks while no setting is known.
pub(crate) fn plain_look() -> OutputStyle {
    OutputStyle { width: stdout_width(), colour: false, headers: true, secrets: false }
}

#[cfg(test)]
mod tests {
    use super::colour_of_variables;

    #[test]
    fn variables_say_whether_there_is_colour() {
        for (variables, colour) in [
            (vec![], None),
            (vec![("TERM", "xterm"), ("CLICOLOR", "1"), ("CLICOLOR_FORCE", "0")], None),
            (vec![("TERM", "dumb")], Some(false)),
            (vec![("CLICOLOR", "0")], Some(false)),
            (vec![("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], Some(true)),
            (vec![("NOMAD_CLI_FORCE_COLOR", "1")], Some(true)),
            (vec![("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], Some(false)),
            (vec![("NOMAD_CLI_NO_COLOR", "x")], Some(false)),
        ] {
            let value = |name: &str| {
                let found = variables.iter().find(|(of, _)| *of == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(colour_of_variables(value), colour, "{variables:?}");
        }
    }
}
