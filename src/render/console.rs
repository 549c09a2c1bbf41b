//! stderr: remarks, errors, and the bar of long work. A stderr that is closed hurts nothing.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock;
use crate::discovery::Progress;
use crate::model::notice::{Level, Notice};
use crate::model::text::told;
use crate::net::sync::lock;

use super::line_queue::Backlog;

/// What may wait for somebody who reads stderr, in bytes.
const BACKLOG: usize = 256 << 10;
/// Work that takes less shows no bar: it would only flash.
const UNSEEN: Duration = Duration::from_millis(150);
/// What waits has this long at the end of the process.
const FAREWELL: Duration = Duration::from_secs(2);

/// What people see beside the data.
pub(crate) struct Console {
    /// Remarks up to this level; `None` = none at all, only errors.
    level: Option<Level>,
    colour: bool,
    bars: bool,
    /// The bar, and since when the work goes on.
    bar: Mutex<Option<(ProgressBar, Instant)>>,
    /// Set for a process that must not wait for whoever reads its stderr.
    backlog: OnceLock<Backlog>,
}

impl Console {
    pub(crate) fn new(level: Option<Level>, colour: bool) -> Self {
        let bars = level.is_some() && io::stderr().is_terminal();
        Self { level, colour, bars, bar: Mutex::default(), backlog: OnceLock::new() }
    }

    /// From now on nobody waits for a stderr that is not read: what is too much is dropped, and how
    /// much that was is told when it is read again.
    pub(crate) fn never_wait(&self) {
        let colour = self.colour;
        let notice = move |count| {
            let text = format!("{count} messages were dropped because stderr was not read");
            labelled("warning", AnsiColor::Yellow, colour, &text)
        };
        self.backlog
            .get_or_init(|| Backlog::new(Box::new(io::stderr()), BACKLOG, Box::new(notice)));
    }

    /// At the end of the process: what still waits is written, if it is read soon.
    pub(crate) fn flush(&self) {
        if let Some(backlog) = self.backlog.get() {
            backlog.flush(FAREWELL);
        }
    }

    pub(crate) fn show(&self, notice: &Notice) {
        if self.level.is_none_or(|level| notice.level > level) {
            return;
        }
        match notice.level {
            Level::Warning => self.labelled("warning", AnsiColor::Yellow, &notice.text),
            Level::Note => self.labelled("note", AnsiColor::Cyan, &notice.text),
            Level::Summary | Level::Verbose | Level::Call => self.line(&told(&notice.text)),
        }
    }

    /// What went wrong, and on a line of its own what to do.
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
        // Nobody reads a closed stderr, so there is nobody to tell that it is closed.
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
    format!("{style}{label}:{style:#} {}", told(text))
}

fn hidden_bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} details");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// One more is done; the bar appears once the work has taken long enough.
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
