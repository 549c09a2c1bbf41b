//! The readings of a text: as it is, and with encoding, escapes or quotes undone.

use std::ops::Range;

/// Decoded bytes, and the part of the text that each comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DecodedText {
    bytes: Vec<u8>,
    parts: Vec<Range<usize>>,
}

impl DecodedText {
    fn plain(text: &str) -> Self {
        let parts = (0..text.len()).map(|at| at..at + 1).collect();
        Self { bytes: text.as_bytes().to_vec(), parts }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The part of the text that these bytes come from.
    pub(super) fn source(&self, bytes: Range<usize>) -> Range<usize> {
        match self.parts.get(bytes) {
            Some([first, .., last]) => first.start..last.end,
            Some([only]) => only.clone(),
            _ => 0..0,
        }
    }

    fn push(&mut self, byte: u8, part: Range<usize>) {
        self.bytes.push(byte);
        self.parts.push(part);
    }
}

/// Decodes the beginning of the bytes, and tells how many bytes that took.
type Undo = fn(&[u8]) -> Option<(Unit, usize)>;

enum Unit {
    Byte(u8),
    Character(char),
}

/// One for each way of writing.
const UNDO: [Undo; 5] = [percent, form, escape, doubled, entity];

/// The text as it is, with one way of writing undone, and with two, one after the other.
pub(super) fn readings(text: &str) -> Vec<DecodedText> {
    let plain = DecodedText::plain(text);
    let once: Vec<DecodedText> = UNDO.iter().filter_map(|undo| undone(&plain, *undo)).collect();
    let twice: Vec<DecodedText> = once
        .iter()
        .flat_map(|reading| UNDO.iter().filter_map(|undo| undone(reading, *undo)))
        .collect();
    [vec![plain], once, twice].concat()
}

/// `None` if nothing is written in this way.
fn undone(reading: &DecodedText, undo: Undo) -> Option<DecodedText> {
    let (mut undone, mut at) = (DecodedText::default(), 0);
    while at < reading.bytes.len() {
        let (unit, length) =
            undo(&reading.bytes[at..]).unwrap_or((Unit::Byte(reading.bytes[at]), 1));
        let part = reading.source(at..at + length);
        match unit {
            Unit::Byte(byte) => undone.push(byte, part),
            Unit::Character(character) => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    undone.push(byte, part.clone());
                }
            }
        }
        at += length;
    }
    (undone.bytes != reading.bytes).then_some(undone)
}

/// `%2F`
fn percent(bytes: &[u8]) -> Option<(Unit, usize)> {
    match bytes {
        [b'%', high, low, ..] => Some((Unit::Byte(pair(*high, *low)?), 3)),
        _ => None,
    }
}

/// As forms write it: the same, and `+` for a space.
fn form(bytes: &[u8]) -> Option<(Unit, usize)> {
    if bytes[0] == b'+' { Some((Unit::Byte(b' '), 1)) } else { percent(bytes) }
}

/// As JSON, C, Rust and Redis write it: `\"`, `\n`, `\x1b`, `\u001b`, `\u{1b}`.
fn escape(bytes: &[u8]) -> Option<(Unit, usize)> {
    let [b'\\', kind, rest @ ..] = bytes else { return None };
    let byte = |byte| Some((Unit::Byte(byte), 2));
    match kind {
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'b' => byte(8),
        b'f' => byte(12),
        b'a' => byte(7),
        b'e' => byte(27),
        b'x' => Some((Unit::Byte(pair(*rest.first()?, *rest.get(1)?)?), 4)),
        b'u' if rest.first() == Some(&b'{') => {
            let length = rest.iter().position(|byte| *byte == b'}')?;
            Some((Unit::Character(number(rest.get(1..length)?, 16)?), length + 3))
        }
        b'u' => utf16(rest),
        other => byte(*other),
    }
}

/// Four digits, or two times four for a surrogate pair.
fn utf16(rest: &[u8]) -> Option<(Unit, usize)> {
    let unit = |at: usize| u16::try_from(digits(rest.get(at..at + 4)?, 16)?).ok();
    let first = unit(0)?;
    if let Ok(character) = char::decode_utf16([first]).next()? {
        return Some((Unit::Character(character), 6));
    }
    let second = (rest.get(4..6)? == b"\\u").then(|| unit(6))??;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((Unit::Character(character), 12))
}

/// A quote within quotes, as SQL, CSV and YAML write it.
fn doubled(bytes: &[u8]) -> Option<(Unit, usize)> {
    match bytes {
        [first @ (b'\'' | b'"'), second, ..] if first == second => Some((Unit::Byte(*first), 2)),
        _ => None,
    }
}

/// As HTML writes it: `&amp;`, `&#39;`, `&#x27;`.
fn entity(bytes: &[u8]) -> Option<(Unit, usize)> {
    const NAMES: [(&[u8], char); 5] =
        [(b"amp", '&'), (b"lt", '<'), (b"gt", '>'), (b"quot", '"'), (b"apos", '\'')];
    let inner = bytes.strip_prefix(b"&")?;
    let length = inner.iter().take(10).position(|byte| *byte == b';')?;
    let character = match &inner[..length] {
        [b'#', b'x' | b'X', hex @ ..] => number(hex, 16)?,
        [b'#', decimal @ ..] => number(decimal, 10)?,
        name => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((Unit::Character(character), length + 2))
}

fn number(text: &[u8], radix: u32) -> Option<char> {
    char::from_u32(digits(text, radix)?)
}

fn digits(text: &[u8], radix: u32) -> Option<u32> {
    let all = text.iter().all(u8::is_ascii_alphanumeric);
    all.then(|| u32::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok())?
}

fn pair(high: u8, low: u8) -> Option<u8> {
    u8::try_from(hex(high)? * 16 + hex(low)?).ok()
}

fn hex(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

fn sextet(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// The runs of hexadecimal and base64 digits decoded, from each place where the text may begin.
pub(super) fn encoded(reading: &DecodedText) -> Vec<DecodedText> {
    let hexadecimal = runs(reading, hex, 8).into_iter().flat_map(|run| {
        (0..2).map(move |from| decoded(reading, run.start + from..run.end, 4, hex))
    });
    let base64 = runs(reading, sextet, 6).into_iter().flat_map(|run| {
        (0..4).map(move |from| decoded(reading, run.start + from..run.end, 6, sextet))
    });
    hexadecimal.chain(base64).collect()
}

/// Where at least `shortest` digits follow each other.
fn runs(reading: &DecodedText, digit: fn(u8) -> Option<u32>, shortest: usize) -> Vec<Range<usize>> {
    let (mut runs, mut from) = (Vec::new(), 0);
    for part in reading.bytes.split(|byte| digit(*byte).is_none()) {
        if part.len() >= shortest {
            runs.push(from..from + part.len());
        }
        from += part.len() + 1;
    }
    runs
}

/// The bytes of digits that have `bits` bits each.
fn decoded(
    reading: &DecodedText,
    run: Range<usize>,
    bits: usize,
    digit: fn(u8) -> Option<u32>,
) -> DecodedText {
    let digits: Vec<u32> =
        reading.bytes[run.clone()].iter().filter_map(|byte| digit(*byte)).collect();
    let mut decoded = DecodedText::default();
    for at in 0..digits.len() * bits / 8 {
        let (first, last) = (at * 8 / bits, (at * 8 + 7) / bits);
        let joined = digits[first..=last].iter().fold(0, |joined, digit| joined << bits | digit);
        // The bits of the last digit that belong to the next byte.
        let beyond = (last + 1) * bits - (at * 8 + 8);
        let byte = u8::try_from(joined >> beyond & 0xff).unwrap_or_default();
        decoded.push(byte, reading.source(run.start + first..run.start + last + 1));
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::{DecodedText, encoded, readings};

    fn all(text: &str) -> Vec<String> {
        let readings = readings(text);
        let encoded: Vec<DecodedText> = readings.iter().flat_map(encoded).collect();
        let texts = readings.iter().chain(&encoded).map(|reading| reading.bytes.as_slice());
        texts.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    #[test]
    fn every_way_of_writing_is_undone() {
        for (written, read) in [
            ("a%2fb%zz", "a/b%zz"),
            ("a+b%2F", "a b/"),
            (r#"\"\\\/\n\x41\u00e9\u{1F600}\ud83d\ude00"#, "\"\\/\nAé😀😀"),
            ("it''s", "it's"),
            ("&lt;&#39;&#x27;&apos;&nbsp;", "<'''&nbsp;"),
            ("68756E746572", "hunter"),
            ("aHVudGVyMg==", "hunter2"),
            ("%61HVudGVyMg%3D", "hunter2"),
        ] {
            assert!(
                all(written).iter().any(|known| known == read),
                "{written}: {:?}",
                all(written)
            );
        }
    }

    #[test]
    fn each_byte_knows_where_it_stands() {
        let reading = readings("x%41\\u00e9").pop().unwrap();
        assert_eq!(reading.bytes(), "xAé".as_bytes());
        assert_eq!(
            [reading.source(0..1), reading.source(1..2), reading.source(2..4)],
            [0..1, 1..4, 4..10]
        );
    }
}
