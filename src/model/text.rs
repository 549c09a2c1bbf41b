//! Foreign text on its way to a terminal or into an error.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

/// `text` with everything that could steer a terminal or hide itself made visible: control
/// characters (line breaks and tabs too), DEL, C1, bidirectional and zero-width controls become
/// `\u{1b}` and the like.
pub fn sanitised(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        push(&mut safe, character);
    }
    Cow::Owned(safe)
}

/// Whether all of it is printable ASCII, one column a byte: most texts are.
pub fn is_plain(text: &str) -> bool {
    // All at once: to stop at the first that is not takes longer.
    text.bytes().fold(true, |is_plain, byte| is_plain & matches!(byte, b' '..=b'~'))
}

/// The first line of `text` that is not empty, made harmless, then at most `most` characters: no
/// escape is cut in two.
pub fn first_line(text: &str, most: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let (mut safe, mut count) = (String::new(), 0);
    for character in line.chars() {
        let end = safe.len();
        push(&mut safe, character);
        count += safe[end..].chars().count();
        if count > most {
            safe.truncate(end);
            break;
        }
    }
    safe
}

/// `unknown status "up"; expected ready or down`
pub fn unknown<'a>(what: &str, text: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    let last = names.pop().unwrap_or_default();
    let expected =
        if names.is_empty() { last.to_owned() } else { names.join(", ") + " or " + last };
    format!("unknown {what} {:?}; expected {expected}", first_line(text, 40))
}

/// Characters of a stranger's text in an error.
pub const FOREIGN: usize = 200;

/// What a stranger says, as a part of an error: one line, harmless and short, however much it was.
pub fn foreign(said: impl fmt::Display) -> String {
    let mut text = Limited(String::new());
    // It fails where the text is cut off, which is what is wanted.
    let _ = write!(text, "{said}");
    first_line(&text.0, FOREIGN)
}

/// Takes a few kilobytes and refuses the rest.
struct Limited(String);

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = (16 * FOREIGN).saturating_sub(self.0.len());
        let fits = (0..=left.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        self.0.push_str(&text[..fits.unwrap_or(0)]);
        if text.len() > left { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Characters of anything that is told on one line: of lists too, whose parts are short.
const TOLD: usize = 4000;

/// The last look at what is told to somebody, whoever has written parts of it: harmless, and cut
/// where nobody reads on.
pub fn printable(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => Cow::Owned(format!("{}…", sanitised(&text[..end]))),
        None => sanitised(text),
    }
}

/// An I/O error in the words of the system, without its number.
pub fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => {
            let text = foreign(error);
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}

/// A path as it is printed.
pub fn display_path(path: &Path) -> String {
    first_line(&path.to_string_lossy(), 400)
}

fn push(safe: &mut String, character: char) {
    if is_harmful(character) {
        write!(safe, "\\u{{{:x}}}", u32::from(character)).expect("a String takes every write");
    } else {
        safe.push(character);
    }
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        FOREIGN, TOLD, first_line, foreign, io, io_reason, is_plain, printable, sanitised,
    };
    use crate::model::properties::{assert_harmless, harm};

    #[test]
    fn what_steers_a_terminal_becomes_visible() {
        for (text, safe) in [
            ("plain é 節点", "plain é 節点"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\r\n\tb", "a\\u{d}\\u{a}\\u{9}b"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("\u{202e}abc\u{200b}\u{2066}\u{feff}", "\\u{202e}abc\\u{200b}\\u{2066}\\u{feff}"),
        ] {
            assert_eq!(sanitised(text), safe);
        }
    }

    #[test]
    fn a_first_line_is_short_and_harmless() {
        assert_eq!(first_line("\n  No cluster leader \nmore", 200), "No cluster leader");
        assert_eq!(first_line("abcdef", 4), "abcd");
        assert_eq!(first_line("abc\u{1b}def", 10), "abc\\u{1b}d");
        assert_eq!(first_line("abc\u{1b}def", 8), "abc");
        assert_eq!(first_line("", 5), "");
    }

    #[test]
    fn what_strangers_say_is_cut() {
        let long = "é\u{1b}".repeat(1 << 20);
        assert!(foreign(&long).chars().count() <= FOREIGN);
        assert_eq!(foreign(&long), first_line(&long, FOREIGN));
        assert_eq!(foreign("\n short \n"), "short");
        let said = printable(&long);
        assert_harmless(&said);
        assert!(said.ends_with('…') && said.len() < 8 * TOLD, "{} bytes", said.len());
        let most = "x".repeat(TOLD);
        assert_eq!(printable(&most), most);
        let error = io::Error::from_raw_os_error(28);
        assert_eq!(io_reason(&error), "no space left on device");
    }

    /// What the Unicode database calls harmful is shown as its number, and nothing else is.
    #[test]
    fn s1_of_every_character() {
        for character in char::MIN..=char::MAX {
            let text = character.to_string();
            let safe = match harm(character) {
                Some(_) => format!("\\u{{{:x}}}", u32::from(character)),
                None => text.clone(),
            };
            assert_eq!(sanitised(&text), safe, "{:?}", harm(character));
        }
    }

    /// C0, DEL, C1, bidirectional and zero-width controls, and anything else between them.
    fn texts() -> impl Strategy<Value = String> {
        let harmful = prop::char::ranges(
            vec![
                '\0'..='\u{1f}',
                '\u{7f}'..='\u{9f}',
                '\u{200b}'..='\u{200f}',
                '\u{2028}'..='\u{202e}',
                '\u{2060}'..='\u{206f}',
                '\u{feff}'..='\u{feff}',
            ]
            .into(),
        );
        let character = prop_oneof![harmful, any::<char>(), prop::char::range(' ', '~')];
        prop::collection::vec(character, 0..60).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn s1_nothing_that_steers_or_hides_comes_out(text in texts()) {
            let safe = sanitised(&text);
            assert_harmless(&safe);
            prop_assert_eq!(sanitised(&safe), &*safe, "made safe already");
            let plain: String = text.chars().filter(|c| harm(*c).is_none()).collect();
            prop_assert_eq!(sanitised(&plain), &*plain, "nothing to make safe");
            let line = first_line(&text, 20);
            assert_harmless(&line);
            prop_assert!(line.chars().count() <= 20);
        }

        #[test]
        fn s1_printable_text_stays_as_it_is(text in "[ -~]{0,60}") {
            prop_assert!(is_plain(&text));
            prop_assert_eq!(&*sanitised(&text), &*text);
        }
    }
}
