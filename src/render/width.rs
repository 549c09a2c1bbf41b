//! What text takes on a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::model::text::is_plain;

/// Columns that `text` takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// `text`, shortened with `…` if it is wider than `room` (≥ 1).
pub(super) fn shortened(text: &str, room: usize) -> Cow<'_, str> {
    if width(text) <= room {
        return text.into();
    }
    let (mut kept, mut used) = (String::new(), 0);
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > room - 1 {
            break;
        }
        kept.push(character);
    }
    (kept + "…").into()
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn text_is_cut_by_what_it_takes_on_the_screen() {
        assert_eq!(shortened("worker-1", 8), "worker-1");
        assert_eq!(shortened("worker-10", 8), "worker-…");
        assert_eq!(shortened("節点節点", 5), "節点…");
        assert_eq!(shortened("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
    }
}
