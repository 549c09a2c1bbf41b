//! How wide each column may be, so that a row never wraps.

use crate::model::text::is_plain;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// One column that is to be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColumnWidth {
    /// The width of its widest cell, the head included.
    pub(super) width: usize,
    /// Below this it is not shortened; `None` = never.
    pub(super) narrowest: Option<usize>,
}

/// The widths and the gap between columns. If columns may be left out there can be fewer widths than
/// wishes: the last ones do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) widths: Vec<usize>,
    pub(super) gap: usize,
}

/// First the gaps give way, then the widest text, then (if they may) the last columns. Columns that
/// may not be left out and do not fit are left as they are.
pub(super) fn fit(wishes: &[ColumnWidth], room: usize, may_leave_out: bool) -> Fit {
    let mut widths: Vec<usize> = wishes.iter().map(|wish| wish.width).collect();
    if total(&widths, 2) <= room {
        return Fit { widths, gap: 2 };
    }
    while total(&widths, 1) > room && widths.len() > 1 {
        let widest = (0..widths.len())
            .filter(|at| wishes[*at].narrowest.is_some_and(|narrowest| widths[*at] > narrowest))
            .max_by_key(|at| widths[*at]);
        match widest {
            Some(at) => widths[at] -= 1,
            None if may_leave_out => drop(widths.pop()),
            // It does not fit anyhow: then as it is, and the terminal wraps it.
            None => return Fit { widths: wishes.iter().map(|wish| wish.width).collect(), gap: 2 },
        }
    }
    Fit { widths, gap: 1 }
}

fn total(widths: &[usize], gap: usize) -> usize {
    widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1)
}

/// Columns that `text` takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// `text`, shortened with `…` if it is wider than `room` (≥ 1).
pub(super) fn shortened(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let (mut kept, mut used) = (String::new(), 0);
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > room - 1 {
            break;
        }
        kept.push(character);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::{ColumnWidth, Fit, fit, shortened};

    fn wish(width: usize, narrowest: Option<usize>) -> ColumnWidth {
        ColumnWidth { width, narrowest }
    }

    #[test]
    fn gaps_give_way_first_then_text_then_columns() {
        let wishes = [wish(8, None), wish(20, Some(10)), wish(9, Some(8)), wish(7, None)];
        let fit = |wishes: &[ColumnWidth], room| fit(wishes, room, true);
        assert_eq!(fit(&wishes, 50), Fit { widths: vec![8, 20, 9, 7], gap: 2 });
        assert_eq!(fit(&wishes, 47), Fit { widths: vec![8, 20, 9, 7], gap: 1 });
        assert_eq!(fit(&wishes, 40), Fit { widths: vec![8, 13, 9, 7], gap: 1 });
        assert_eq!(fit(&wishes, 36), Fit { widths: vec![8, 10, 8, 7], gap: 1 });
        assert_eq!(fit(&wishes, 30), Fit { widths: vec![8, 10, 8], gap: 1 });
        assert_eq!(fit(&wishes, 3), Fit { widths: vec![8], gap: 1 });
    }

    #[test]
    fn what_was_asked_for_is_never_left_out() {
        assert_eq!(
            fit(&[wish(8, None), wish(9, Some(4))], 13, false),
            Fit { widths: vec![8, 4], gap: 1 }
        );
        assert_eq!(
            fit(&[wish(8, None), wish(9, Some(4))], 3, false),
            Fit { widths: vec![8, 9], gap: 2 }
        );
    }

    #[test]
    fn text_is_cut_by_what_it_takes_on_the_screen() {
        assert_eq!(shortened("worker-1", 8), "worker-1");
        assert_eq!(shortened("worker-10", 8), "worker-…");
        assert_eq!(shortened("節点節点", 5), "節点…");
        assert_eq!(shortened("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
    }
}
