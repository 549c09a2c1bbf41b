//! stderr: notices, errors, and the progress bar. A closed stderr is ignored.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock;
use crate::discovery::Progress;
use crate::model::notice::{Level, Notice};
use crate::model::text::printable;
use crate::net::sync::lock;

use super::line_queue::Backlog;

/// The bytes of lines that wait for a reader of stderr.
const BACKLOG: usize = 256 << 10;
/// Work that takes less time shows no bar, which would only flash.
const UNSEEN: Duration = Duration::from_millis(150);
/// How long the end of the process waits for these lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The messages that people see besides the data.
pub(crate) struct Console {
    /// Notices up to this level are shown; `None` = only errors.
    level: Option<Level>,
    colour: bool,
    bars: bool,
    /// The bar, and when the work began.
    bar: Mutex<Option<(ProgressBar, Instant)>>,
    /// Set for a process that must not wait for a reader of its stderr.
    backlog: OnceLock<Backlog>,
}

impl Console {
    pub(crate) fn new(level: Option<Level>, colour: bool) -> Self {
        let bars = level.is_some() && io::stderr().is_terminal();
        Self { level, colour, bars, bar: Mutex::default(), backlog: OnceLock::new() }
    }

    /// From now on no thread waits for a reader of stderr: lines that are too many are dropped, and
    /// counted in a notice later.
    pub(crate) fn never_wait(&self) {
        let colour = self.colour;
        let notice = move |count| {
            let text = format!("{count} messages were dropped because stderr was not read");
            labelled("warning", AnsiColor::Yellow, colour, &text)
        };
        self.backlog
            .get_or_init(|| Backlog::new(Box::new(io::stderr()), BACKLOG, Box::new(notice)));
    }

    /// At the end of the process, writes the lines that still wait, if stderr is read soon.
    pub(crate) fn flush(&self) {
        if let Some(backlog) = self.backlog.get() {
            backlog.flush(FLUSH_TIMEOUT);
        }
    }

    pub(crate) fn show(&self, notice: &Notice) {
        if self.level.is_none_or(|level| notice.level > level) {
            return;
        }
        match notice.level {
            Level::Warning => self.labelled("warning", AnsiColor::Yellow, &notice.text),
            Level::Note => self.labelled("note", AnsiColor::Cyan, &notice.text),
            Level::Summary | Level::Verbose | Level::Call => self.line(&printable(&notice.text)),
        }
    }

    /// Prints an error, and its hint on a line of its own.
    pub(crate) fn error(&self, what: &str, hint: Option<&str>) {
        self.labelled("error", AnsiColor::Red, what);
        if let Some(hint) = hint {
            self.labelled("hint", AnsiColor::Cyan, hint);
        }
    }

    /// Ends the bar, if one is shown.
    pub(crate) fn clear(&self) {
        if let Some((bar, _)) = self.bar().take() {
            bar.finish_and_clear();
        }
    }

    fn labelled(&self, label: &str, colour: AnsiColor, text: &str) {
        self.line(&labelled(label, colour, self.colour, text));
    }

    fn line(&self, text: &str) {
        if let Some(backlog) = self.backlog.get() {
            return backlog.push(text.to_owned());
        }
        // There is no place to report a closed stderr.
        let write = || drop(writeln!(io::stderr(), "{text}"));
        // Not locked meanwhile: a signal that ends the process clears the bar first.
        let bar = self.bar().clone();
        match bar {
            Some((bar, _)) => bar.suspend(write),
            None => write(),
        }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<(ProgressBar, Instant)>> {
        lock(&self.bar)
    }
}

fn labelled(label: &str, colour: AnsiColor, coloured: bool, text: &str) -> String {
    let style =
        if coloured { Style::new().bold().fg_color(Some(colour.into())) } else { Style::new() };
    format!("{style}{label}:{style:#} {}", printable(text))
}

fn hidden_bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} details");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Advances the bar, which appears once the work has taken long enough.
fn advance(bar: &ProgressBar, elapsed: Duration, target: fn() -> ProgressDrawTarget) {
    bar.inc(1);
    if bar.is_hidden() && elapsed >= UNSEEN {
        bar.set_draw_target(target());
        bar.force_draw();
    }
}

impl Progress for Console {
    fn begin(&self, total: usize) {
        if self.bars {
            *self.bar() = Some((hidden_bar(total), clock::now()));
        }
    }

    fn advance(&self) {
        if let Some((bar, since)) = &*self.bar() {
            let elapsed = clock::now().saturating_duration_since(*since);
            advance(bar, elapsed, ProgressDrawTarget::stderr);
        }
    }

    fn end(&self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;
    use std::time::Duration;

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::{UNSEEN, advance, hidden_bar};

    static DRAWN: Mutex<String> = Mutex::new(String::new());

    #[derive(Debug)]
    struct Screen;

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            DRAWN.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_appears_only_when_the_work_takes_long() {
        let screen = || ProgressDrawTarget::term_like(Box::new(Screen));
        let drawn = || DRAWN.lock().unwrap().clone();
        let bar = hidden_bar(3);
        advance(&bar, Duration::ZERO, screen);
        advance(&bar, UNSEEN - Duration::from_millis(1), screen);
        assert_eq!(drawn(), "");
        advance(&bar, UNSEEN, screen);
        assert!(drawn().contains("3/3 details"), "{}", drawn());
    }
}
