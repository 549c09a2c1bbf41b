//! Secrets that were sent, hidden in what comes back: as they are, encoded, escaped, quoted or cut.

use std::ops::Range;
use std::sync::Arc;

use super::reading::{Reading, encoded, readings};
use super::secret::Secret;
use super::text::first_line;

/// Below this a text is found everywhere, and hides nothing; a word of its own is hidden.
const SHORTEST: usize = 4;
/// So much of a secret is hidden wherever it stands, whatever was cut off before or behind it.
const PART: usize = 8;
/// What is looked at: far more than what is ever shown of a foreign text.
const LOOKED_AT: usize = 4 << 10;

/// What was sent to one server and must be in nothing that is shown of its answers.
#[derive(Debug, Clone, Default)]
pub struct Mask(Arc<[Secret]>);

impl Mask {
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(secrets.into_iter().filter(|secret| !secret.reveal().is_empty()).collect())
    }

    /// The first line of `text`, which somebody else wrote, with `***` in place of every secret;
    /// harmless, and `most` characters at most.
    pub fn line(&self, text: &str, most: usize) -> String {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        first_line(&self.hidden(line), most)
    }

    /// The beginning of `text`, with `***` in place of every secret.
    pub fn hidden(&self, text: &str) -> String {
        let text = &text[..boundary(text, LOOKED_AT)];
        if self.0.is_empty() {
            return text.to_owned();
        }
        let mut found: Vec<Range<usize>> = Vec::new();
        for reading in readings(text) {
            for secret in self.0.iter() {
                found.extend(self::found(&reading, secret.reveal().as_bytes()));
                let runs = encoded(&reading);
                found.extend(
                    runs.iter().flat_map(|run| self::found(run, secret.reveal().as_bytes())),
                );
            }
        }
        starred(text, found)
    }
}

/// The parts of the text that stand for `secret`, or for a piece of it.
fn found(reading: &Reading, secret: &[u8]) -> Vec<Range<usize>> {
    let (bytes, mut found, mut at) = (reading.bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let length = match secret.len() {
            0..SHORTEST => word(bytes, at, secret),
            _ => longest(bytes, at, secret),
        };
        if length > 0 {
            found.push(reading.source(at..at + length));
        }
        at += length.max(1);
    }
    found
}

/// The length of `secret` if it stands at `at` as a word of its own.
fn word(bytes: &[u8], at: usize, secret: &[u8]) -> usize {
    let is_edge = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    let stands = secret.len() > 1
        && bytes[at..].starts_with(secret)
        && is_edge(at.checked_sub(1))
        && is_edge(Some(at + secret.len()));
    if stands { secret.len() } else { 0 }
}

/// How many bytes from `at` on are the secret, a large piece of it, or its beginning, cut off.
fn longest(bytes: &[u8], at: usize, secret: &[u8]) -> usize {
    let rest = &bytes[at..];
    let common = |from: usize| {
        rest.iter().zip(&secret[from..]).take_while(|(byte, wanted)| byte == wanted).count()
    };
    let first = common(0);
    let is_cut = first >= SHORTEST && (first == secret.len() || is_end(&rest[first..]));
    let pieces = (0..secret.len().saturating_sub(PART - 1)).map(common);
    let piece = pieces.max().filter(|piece| *piece >= PART).unwrap_or(0);
    if is_cut { first.max(piece) } else { piece }
}

/// Nothing follows, or what closes a quotation or marks an omission.
fn is_end(rest: &[u8]) -> bool {
    const ENDS: [&[u8]; 7] =
        [b"'", b"\"", b"`", b"...", "…".as_bytes(), "\u{fffd}".as_bytes(), "’".as_bytes()];
    rest.is_empty() || ENDS.iter().any(|end| rest.starts_with(end))
}

/// The last place up to `at` where a character begins or the text ends.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// `text` with three stars in place of each of these parts.
fn starred(text: &str, mut parts: Vec<Range<usize>>) -> String {
    parts.sort_unstable_by_key(|part| part.start);
    let (mut starred, mut at) = (String::with_capacity(text.len()), 0);
    for part in parts {
        let start = boundary(text, part.start);
        let end = (part.end..text.len()).find(|at| text.is_char_boundary(*at));
        let end = end.unwrap_or(text.len());
        if end <= at {
            continue;
        }
        if start >= at {
            starred.push_str(&text[at..start]);
            starred.push_str("***");
        }
        at = end;
    }
    starred.push_str(&text[at..]);
    starred
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use proptest::prelude::*;

    use super::{Mask, Secret};

    const SECRET: &str = "p\"4'\\ss w/ö&d";

    fn mask(secret: &str) -> Mask {
        Mask::new([Secret::new(secret)])
    }

    #[track_caller]
    fn check(secret: &str, text: &str, safe: &str) {
        assert_eq!(mask(secret).line(text, 200), safe, "{text}");
    }

    #[test]
    fn a_secret_is_hidden_as_it_is() {
        check("canary", "xx canary: canary", "xx ***: ***");
        check("canary", "canarycanary", "******");
        check("x1", "x1, xx1 x1x", "***, xx1 x1x");
        check("x", "x marks", "x marks");
        check("", "nothing", "nothing");
        let both = Mask::new(["canary", "ary-bird"].map(Secret::new));
        assert_eq!(both.line("a canary-bird", 200), "a ***");
        assert_eq!(format!("{both:?}"), "Mask([***, ***])");
    }

    #[test]
    fn a_secret_is_hidden_in_every_encoding() {
        let hex = |upper| -> String {
            SECRET
                .bytes()
                .map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") })
                .collect()
        };
        let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for safe in [
            hex(true),
            hex(false),
            percent,
            "p%224%27%5Css%20w/%C3%B6&d".to_owned(),
            "p%224'\\ss+w%2F%c3%b6%26d".to_owned(),
            r#"p\"4'\\ss w/ö&d"#.to_owned(),
            r#"p\u00224'\\ss w\/\u00f6&d"#.to_owned(),
            r#"p\"4\'\\ss w/\xc3\xb6&d"#.to_owned(),
            r#"p""4'\ss w/ö&d"#.to_owned(),
            "p&quot;4&#39;\\ss w/ö&amp;d".to_owned(),
            "p&quot;4&#x27;\\ss w/&#246;&amp;d".to_owned(),
        ] {
            check(SECRET, &format!("you said '{safe}'!"), "you said '***'!");
        }
    }

    /// Wherever in the encoded text it begins.
    #[test]
    fn a_secret_is_hidden_in_base64() {
        for before in ["", "u", "me:", "user:", "default:"] {
            let whole = format!("{before}{SECRET}{before}");
            for said in [
                BASE64_STANDARD.encode(&whole),
                BASE64_STANDARD_NO_PAD.encode(&whole),
                BASE64_URL_SAFE.encode(&whole),
                BASE64_STANDARD.encode(&whole).replace('+', "%2B").replace('/', "%2F"),
            ] {
                let safe = mask(SECRET).line(&format!("sent {said} to"), 200);
                assert!(safe.contains("***") && safe.len() < 40, "{said}: {safe}");
            }
        }
    }

    #[test]
    fn a_secret_that_was_cut_is_hidden() {
        check("hunter22", "AUTH hunt", "AUTH ***");
        check("hunter22", "AUTH hun", "AUTH hun");
        check("hunter22", "AUTH 'hunte' failed", "AUTH '***' failed");
        check("hunter22", "AUTH hunter... failed", "AUTH ***... failed");
        check("hunter2-and-more", "AUTH hunter2-an failed", "AUTH *** failed");
        check("hunter2-and-more", "ter2-and-more failed", "*** failed");
        check("hunter22", "a hunter failed", "a hunter failed");
        let long = format!("{}hunter2-and-more", "x".repeat(4090));
        assert!(mask("hunter2-and-more").hidden(&long).ends_with("x***"));
    }

    proptest! {
        #[test]
        fn no_secret_comes_out(secret in "\\PC{4,40}", before in "\\PC{0,40}", after in "\\PC{0,40}") {
            prop_assume!(!"***".contains(&secret) && !secret.contains('*'));
            let hidden = mask(&secret).hidden(&format!("{before}{secret}{after}"));
            prop_assert!(!hidden.contains(&secret), "{hidden}");
        }

        #[test]
        fn what_holds_no_secret_stays(text in "[a-m \"'%&+\\\\/]{0,60}") {
            prop_assert_eq!(mask("secret").hidden(&text), text);
        }
    }
}
