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

/// Foreign JSON with the same characters escaped; they can only be in strings.
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

/// Whether these bytes can be JSON of [`bytes()`]: text without the characters that it escapes. Must
/// be checked before foreign bytes are printed.
pub fn is_harmless(json: &[u8]) -> bool {
    let control = |piece: &[u8]| {
        let is_control = |byte: u8| (byte < b' ') | (byte == 0x7f);
        piece.iter().fold(false, |found, byte| found | is_control(*byte))
    };
    !json.chunks(PIECE).any(control)
        && (json.is_ascii() || (std::str::from_utf8(json).is_ok() && !holds_escaped(json)))
}

/// Bytes are checked in pieces, each to its end: that lets the processor compare many at once, so
/// that 9 MB take half a millisecond instead of six.
const PIECE: usize = 4096;

/// Whether this UTF-8 contains C1 (`C2 80` to `C2 9F`), U+2028 or U+2029 (`E2 80 A8`, `A9`).
fn holds_escaped(text: &[u8]) -> bool {
    (0..text.len()).step_by(PIECE).any(|start| {
        let first = &text[start..text.len().min(start + PIECE + 2)];
        let (second, third) = (first.get(1..).unwrap_or(&[]), first.get(2..).unwrap_or(&[]));
        let pairs = first.iter().zip(second);
        let c1 = pairs.clone().fold(false, |found, (a, b)| found | ((*a == 0xc2) & (*b < 0xa0)));
        let line = pairs.zip(third).fold(false, |found, ((a, b), c)| {
            found | ((*a == 0xe2) & (*b == 0x80) & (*c & 0xfe == 0xa8))
        });
        c1 | line
    })
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

    /// At each place where one piece ends and the next begins.
    #[test]
    fn what_is_harmful_is_found_wherever_it_stands() {
        for harmful in ["\u{9b}", "\u{80}", "\u{9f}", "\u{2028}", "\u{2029}", "\n", "\u{7f}"] {
            for at in (super::PIECE - 4..super::PIECE + 4).chain([0, 1]) {
                let text = format!("{}{harmful}é", "x".repeat(at));
                assert!(!is_harmless(text.as_bytes()), "{harmful:?} at {at}");
            }
        }
        let harmless = "é\u{a0}\u{2027}\u{202a}節".repeat(2000);
        assert!(is_harmless(harmless.as_bytes()));
    }
}
