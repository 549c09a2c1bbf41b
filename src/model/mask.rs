//! Hides secrets that were sent in answers that repeat them: plain, encoded, escaped, quoted or cut.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::decoded::{DecodedText, encoded, readings};
use super::secret::Secret;
use super::text::first_line;
use super::work_limit::WorkLimit;

/// A shorter secret is hidden only where it is a word of its own: it would be found everywhere.
const SHORTEST: usize = 4;
/// A piece of a secret of this length is hidden, whatever was cut off before or behind it.
const PART: usize = 8;
/// How much of a text is searched: far more than is ever shown of a foreign text.
const LOOKED_AT: usize = 4 << 10;
/// The most bytes for one byte of a secret that is encoded twice: `%5Cu0022` for JSON in a URL.
const WRITTEN: usize = 18;

/// The secrets that were sent to one server, which must not be shown with its answers.
#[derive(Debug, Clone, Default)]
pub struct Mask(Arc<[Needle]>);

impl Mask {
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.reveal().is_empty());
        Self(secrets.map(Needle::new).collect())
    }

    /// The first line of a foreign `text` with `***` in place of every secret;
    /// harmless, and `most` characters at most.
    pub fn line(&self, text: &str, most: usize) -> String {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let longest = self.0.iter().map(|needle| needle.secret.reveal().len()).max().unwrap_or(0);
        let looked_at = 4 * most + WRITTEN * longest.max(PART);
        first_line(&self.hidden(&line[..boundary(line, looked_at)]), most)
    }

    /// The beginning of `text`, with `***` in place of every secret.
    pub fn hidden(&self, text: &str) -> String {
        self.hidden_by(text, &WorkLimit::unbounded())
    }

    fn hidden_by(&self, text: &str, work: &WorkLimit) -> String {
        let text = &text[..boundary(text, LOOKED_AT)];
        if self.0.is_empty() {
            return text.to_owned();
        }
        let mut found: Vec<Range<usize>> = Vec::new();
        for reading in readings(text) {
            let runs = encoded(&reading);
            for needle in self.0.iter() {
                let all = [&reading].into_iter().chain(&runs);
                found.extend(all.flat_map(|run| needle.found(run, work)));
            }
        }
        starred(text, found)
    }
}

/// A secret to look for.
#[derive(Clone)]
struct Needle {
    secret: Secret,
    /// All pieces of it that are hidden.
    pieces: HashSet<[u8; PART]>,
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.secret.fmt(f)
    }
}

impl Needle {
    fn new(secret: Secret) -> Self {
        let pieces = secret.reveal().as_bytes().windows(PART);
        Self { pieces: pieces.filter_map(|piece| piece.try_into().ok()).collect(), secret }
    }

    /// The parts of the text that stand for the secret, or for a piece of it. However long it is,
    /// each byte of the text is looked at a few times.
    fn found(&self, reading: &DecodedText, work: &WorkLimit) -> Vec<Range<usize>> {
        let (bytes, mut found) = (reading.bytes(), Vec::<Range<usize>>::new());
        for at in 0..bytes.len() {
            let length = self.length(bytes, at, work);
            match found.last_mut() {
                _ if length == 0 => {}
                Some(last) if at < last.end => last.end = last.end.max(at + length),
                _ => found.push(at..at + length),
            }
        }
        found.into_iter().map(|part| reading.source(part)).collect()
    }

    /// How many bytes from `at` on are the secret, a piece of it, or its beginning, cut off. A larger
    /// piece consists of pieces.
    fn length(&self, bytes: &[u8], at: usize, work: &WorkLimit) -> usize {
        let (secret, rest) = (self.secret.reveal().as_bytes(), &bytes[at..]);
        work.spend(1);
        if secret.len() < SHORTEST {
            return word(bytes, at, secret);
        }
        if rest.first_chunk().is_some_and(|piece: &[u8; PART]| self.pieces.contains(piece)) {
            return PART;
        }
        let pairs = rest.iter().zip(secret).take(PART);
        let first = pairs.take_while(|(byte, wanted)| byte == wanted).count();
        work.spend(first);
        let is_hidden = first >= SHORTEST && (first == secret.len() || is_end(&rest[first..]));
        if is_hidden { first } else { 0 }
    }
}

/// The length of `secret` if it is at `at`, as a word of its own.
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

/// Whether the text ends here, or a quote or an ellipsis follows.
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

    use super::{LOOKED_AT, Mask, PART, Secret, WorkLimit};

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

    /// Steps for so many bytes, whatever the secret: all readings, with what is decoded of each of
    /// them, and for each byte at most one look and a comparison with the beginning.
    fn most(text: usize) -> u64 {
        (31 * 6 * text * (1 + PART)) as u64
    }

    #[test]
    fn a_long_secret_costs_no_more_than_a_short_one() {
        let token: String = (0..900).map(|at| char::from(b'a' + (at * at % 23) as u8)).collect();
        for secret in [token.clone(), "a".repeat(900), "ab".repeat(450)] {
            for text in [secret[..7].repeat(600), "a".repeat(5000), token.repeat(5)] {
                let work = WorkLimit::unbounded();
                mask(&secret).hidden_by(&text, &work);
                assert!(work.spent() <= most(LOOKED_AT), "{} steps", work.spent());
            }
            let said = format!("{} {secret} ends", "%41".repeat(20));
            assert!(mask(&secret).line(&said, 200).ends_with(" *** ends"));
        }
    }

    #[test]
    fn pieces_that_overlap_are_hidden_as_one() {
        check("abcdefghXbcdefghij", "to abcdefghij", "to ***");
    }

    proptest! {
        #[test]
        fn no_secret_comes_out(secret in "\\PC{4,40}", before in "\\PC{0,40}", after in "\\PC{0,40}") {
            prop_assume!(!"***".contains(&secret) && !secret.contains('*'));
            let (text, work) = (format!("{before}{secret}{after}"), WorkLimit::unbounded());
            let hidden = mask(&secret).hidden_by(&text, &work);
            prop_assert!(!hidden.contains(&secret), "{hidden}");
            prop_assert!(work.spent() <= most(text.len()), "{} steps", work.spent());
        }

        #[test]
        fn what_holds_no_secret_stays(text in "[a-m \"'%&+\\\\/]{0,60}") {
            prop_assert_eq!(mask("secret").hidden(&text), text);
        }
    }
}
