//! JSON as this tool writes it: compact, and harmless on a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// The JSON bytes of `value`. DEL, the C1 controls, U+2028 and U+2029 are escaped besides what
/// JSON demands, because terminals and scripts read these bytes too.
pub fn bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    value
        .serialize(&mut Serializer::with_formatter(&mut out, Harmless))
        .expect("records have text keys, and memory takes every write");
    out
}

/// JSON that somebody else wrote, with the same characters escaped: they stand only in strings.
pub fn escaped(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut safe, character| {
        if needs_escape(character) {
            safe.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            safe.push(character);
        }
        safe
    })
}

/// Whether these bytes can be JSON of [`bytes()`]: text without the characters that it escapes. Who
/// prints what somebody else has stored asks this first.
pub fn is_harmless(json: &[u8]) -> bool {
    let control = |byte: &u8| *byte < b' ' || *byte == 0x7f;
    if json.iter().any(control) {
        return false;
    }
    json.is_ascii() || std::str::from_utf8(json).is_ok_and(|text| !text.contains(needs_escape))
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        to: &mut W,
        text: &str,
    ) -> io::Result<()> {
        // Most texts: no need to look at characters one by one.
        if text.is_ascii() && !text.contains('\u{7f}') {
            return CompactFormatter.write_string_fragment(to, text);
        }
        let mut plain = 0;
        for (at, character) in text.char_indices().filter(|(_, c)| needs_escape(*c)) {
            to.write_all(&text.as_bytes()[plain..at])?;
            write!(to, "\\u{:04x}", u32::from(character))?;
            plain = at + character.len_utf8();
        }
        CompactFormatter.write_string_fragment(to, &text[plain..])
    }
}

fn needs_escape(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::{bytes, is_harmless};

    #[test]
    fn controls_beyond_ascii_are_escaped() {
        let text = "a\u{7f}b\u{9b}c\u{2028}d\u{e9}\u{1b}\"";
        let json = String::from_utf8(bytes(text)).unwrap();
        assert_eq!(json, r#""a\u007fb\u009bc\u2028dé\u001b\"""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn only_what_could_be_ours_is_harmless() {
        assert!(is_harmless(&bytes("a\u{7f}b\u{9b}c\u{2028}d\u{e9}\u{1b}\"")));
        let raw = ["\u{1b}[2J", "\n", "\u{7f}", "\u{9b}2J", "é\u{2028}"].map(str::as_bytes);
        for raw in raw.into_iter().chain([&b"\xff\xfe"[..], b"\x9b2J"]) {
            assert!(!is_harmless(raw), "{raw:?}");
        }
    }
}
