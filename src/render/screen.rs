//! A table that is drawn over itself.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::width::shortened;

/// The state of the screen.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// Lines that were drawn and stand above the cursor.
    lines: usize,
    /// The lines have moved: everything is drawn again.
    cleared: bool,
}

/// The lines below the table, safe for a terminal.
#[derive(Debug, Default)]
pub(crate) struct StatusLines {
    pub(crate) lines: Vec<String>,
    /// Failures and warnings, in one line.
    pub(crate) trouble: Option<String>,
    pub(crate) colour: bool,
}

impl StatusLines {
    /// Each line as wide as the screen at most.
    fn fitted(&self, width: usize) -> Vec<String> {
        let style = match self.colour {
            true => Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
            false => Style::new(),
        };
        let lines = self.lines.iter().map(|line| shortened(line, width).into_owned());
        let trouble = self.trouble.iter();
        let trouble = trouble.map(|line| format!("{style}{}{style:#}", shortened(line, width)));
        lines.chain(trouble).collect()
    }
}

impl Screen {
    /// Draws `text` and the status lines below it over the last drawing. On a small terminal `text` is
    /// cut, and a line tells how much of it.
    pub(crate) fn draw(
        &mut self,
        to: &mut dyn Write,
        text: &[u8],
        status: &StatusLines,
        size: Option<(usize, usize)>,
    ) -> io::Result<()> {
        let text = String::from_utf8_lossy(text);
        let lines: Vec<&str> = text.lines().collect();
        let status = status.fitted(size.map_or(usize::MAX, |(width, _)| width));
        // The cursor needs a line of its own below the last one.
        let room =
            size.map_or(usize::MAX, |(_, height)| height.saturating_sub(status.len() + 2).max(1));
        if std::mem::take(&mut self.cleared) {
            to.write_all(b"\x1b[2J\x1b[H")?;
        } else if self.lines > 0 {
            write!(to, "\x1b[{}A\r", self.lines)?;
        }
        self.lines = 0;
        let cut = lines.len().saturating_sub(room);
        let more = if cut > 0 { Some(format!("… {cut} more")) } else { None };
        let visible = lines.iter().take(lines.len() - cut).copied();
        for line in visible.chain(more.as_deref()).chain(status.iter().map(String::as_str)) {
            writeln!(to, "{line}\x1b[K")?;
            self.lines += 1;
        }
        to.write_all(b"\x1b[J")
    }

    /// The terminal has moved the lines about.
    pub(crate) fn resized(&mut self) {
        self.cleared = true;
    }

    /// Something else was printed below: the next drawing begins after it.
    pub(crate) fn forget(&mut self) {
        self.lines = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{Screen, StatusLines};

    fn foot(lines: &[&str], trouble: Option<&str>) -> StatusLines {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        StatusLines { lines, trouble: trouble.map(str::to_owned), colour: false }
    }

    #[test]
    fn the_second_drawing_covers_the_first() {
        let (mut screen, mut out) = (Screen::default(), Vec::new());
        let one = foot(&["foot"], None);
        screen.draw(&mut out, b"a\nb\n", &one, None).unwrap();
        screen.draw(&mut out, b"c\n", &one, Some((80, 24))).unwrap();
        screen.resized();
        screen.draw(&mut out, b"1\n2\n3\n4\n", &one, Some((80, 6))).unwrap();
        let text = String::from_utf8(out).unwrap().replace('\u{1b}', "^");
        let drawings = [
            "a^[K\nb^[K\nfoot^[K\n^[J",
            "^[3A\rc^[K\nfoot^[K\n^[J",
            "^[2J^[H1^[K\n2^[K\n3^[K\n… 1 more^[K\nfoot^[K\n^[J",
        ];
        assert_eq!(text, drawings.concat());
    }

    #[test]
    fn trouble_comes_last_is_cut_and_goes() {
        let (mut screen, mut out) = (Screen::default(), Vec::new());
        let trouble = foot(&["foot"], Some("no answer at all"));
        screen.draw(&mut out, b"a\n", &trouble, Some((10, 24))).unwrap();
        screen.draw(&mut out, b"a\n", &foot(&["foot"], None), Some((10, 24))).unwrap();
        let text = String::from_utf8(out).unwrap().replace('\u{1b}', "^");
        assert_eq!(text, "a^[K\nfoot^[K\nno answer…^[K\n^[J^[3A\ra^[K\nfoot^[K\n^[J");
        let coloured = StatusLines { colour: true, ..trouble };
        let last = coloured.fitted(10).pop().unwrap();
        assert!(last.starts_with("\u{1b}[1m") && last.contains("no answer…"), "{last:?}");
    }
}
