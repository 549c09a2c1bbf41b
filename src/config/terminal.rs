//! The terminal, if stdout or stderr is one.

use std::io::IsTerminal as _;

use crate::render::Look;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

impl Colour {
    pub(crate) fn on(self, terminal: bool) -> bool {
        match self {
            Self::Auto => terminal,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Columns and lines of the terminal that stdout is.
pub(crate) fn stdout_size() -> Option<(usize, usize)> {
    let stdout = std::io::stdout();
    let size = terminal_size::terminal_size_of(&stdout);
    let (width, height) =
        size.map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)));
    stdout.is_terminal().then_some((width.max(20), height.max(4)))
}

/// The width of the terminal that stdout is, in columns.
pub(crate) fn stdout_width() -> Option<usize> {
    stdout_size().map(|(width, _)| width)
}

/// Whether people look at stderr.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// How text looks while no setting is known.
pub(crate) fn plain_look() -> Look {
    Look { width: stdout_width(), colour: false, headers: true, secrets: false }
}
