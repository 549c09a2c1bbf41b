//! Globs, compiled once and matched in one pass over the text.

use crate::model::work_limit::WorkLimit;

/// Characters of a pattern with wildcards.
pub const MAX_PATTERN_CHARS: usize = 256;

/// A state for each character of the pattern, and the one behind the last.
const WORDS: usize = MAX_PATTERN_CHARS / 64 + 1;

/// A pattern for texts: `*` is any text, `?` one character, `[a-z]` one of these, `[!a-z]`
/// none of these. A `[` without its `]` stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// `None` = nothing in it is a wildcard.
    wild: Option<Automaton>,
}

/// All ways to match at once, a bit each: bit `n` is set while the first `n` single characters of
/// the pattern match the text that was read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Automaton {
    /// Words of 64 states.
    words: usize,
    /// The state in which the whole pattern is matched.
    last: usize,
    /// States with a `*` behind them, which any character leaves as they are.
    stays: [u64; WORDS],
    /// The first character of each range that the whole pattern treats alike, ascending from `\0`.
    ranges: Vec<char>,
    /// For each range, the states that its characters lead on from.
    leads: Vec<[u64; WORDS]>,
}

/// One character of a pattern, or a set of them.
#[derive(Debug)]
struct Single {
    negated: bool,
    /// From and to; a range that runs backwards holds nothing.
    members: Vec<(char, char)>,
}

enum Token {
    Star,
    One(Single),
}

/// Whether `text` has wildcards, so that matching nothing is not an error.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

impl Pattern {
    /// # Errors
    /// Wildcards in more than [`MAX_PATTERN_CHARS`] characters.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !is_glob(text) {
            return Ok(Self::literal(text));
        }
        if text.chars().nth(MAX_PATTERN_CHARS).is_some() {
            return Err(format!("a pattern may have at most {MAX_PATTERN_CHARS} characters"));
        }
        Ok(Self { text: text.to_owned(), wild: Some(Automaton::of(text)) })
    }

    /// Exactly this text.
    pub fn literal(text: &str) -> Self {
        Self { text: text.to_owned(), wild: None }
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, text: &str, work: &WorkLimit) -> bool {
        match &self.wild {
            None => self.text == text,
            Some(wild) => wild.accepts(text.chars(), work),
        }
    }
}

impl Automaton {
    fn of(text: &str) -> Self {
        let (mut stays, mut singles) = ([0; WORDS], Vec::new());
        for token in tokens(text) {
            match token {
                Token::Star => set(&mut stays, singles.len()),
                Token::One(single) => singles.push(single),
            }
        }
        let ranges = ranges(&singles);
        let leads = ranges.iter().map(|first| leads(&singles, *first)).collect();
        Self { words: singles.len() / 64 + 1, last: singles.len(), stays, ranges, leads }
    }

    /// Looks at each character once, and does the same few steps for each.
    fn accepts(&self, text: impl Iterator<Item = char>, work: &WorkLimit) -> bool {
        let mut states = [0; WORDS];
        set(&mut states, 0);
        let ends_in_star = holds(&self.stays, self.last);
        for character in text {
            work.spend(2 + self.words);
            if ends_in_star && holds(&states, self.last) {
                return true;
            }
            let range = self.ranges.partition_point(|first| *first <= character) - 1;
            let (mut carry, mut any) = (0, 0);
            let words = states.iter_mut().zip(&self.leads[range]).zip(&self.stays);
            for ((state, leads), stays) in words.take(self.words) {
                let led = *state & leads;
                *state = led << 1 | carry | *state & stays;
                carry = led >> 63;
                any |= *state;
            }
            if any == 0 {
                return false;
            }
        }
        holds(&states, self.last)
    }
}

fn set(states: &mut [u64; WORDS], state: usize) {
    states[state / 64] |= 1 << (state % 64);
}

fn holds(states: &[u64; WORDS], state: usize) -> bool {
    states[state / 64] >> (state % 64) & 1 == 1
}

/// The states that the character leads on from.
fn leads(singles: &[Single], character: char) -> [u64; WORDS] {
    let mut leads = [0; WORDS];
    for (state, _) in singles.iter().enumerate().filter(|(_, single)| single.takes(character)) {
        set(&mut leads, state);
    }
    leads
}

/// The first characters of the ranges that a part of the pattern treats differently.
fn ranges(singles: &[Single]) -> Vec<char> {
    let members = singles.iter().flat_map(|single| &single.members);
    let mut firsts: Vec<char> =
        members.flat_map(|(from, to)| [Some(*from), after(*to)]).flatten().collect();
    firsts.push('\0');
    firsts.sort_unstable();
    firsts.dedup();
    firsts
}

fn after(character: char) -> Option<char> {
    (character..=char::MAX).nth(1)
}

impl Single {
    fn takes(&self, character: char) -> bool {
        let found = self.members.iter().any(|(from, to)| (*from..=*to).contains(&character));
        found != self.negated
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let pattern: Vec<char> = text.chars().collect();
    let last_end = pattern.iter().rposition(|character| *character == ']').unwrap_or(0);
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(character) = pattern.get(at) {
        at += 1;
        tokens.push(match character {
            '*' => Token::Star,
            '?' => Token::One(Single { negated: true, members: Vec::new() }),
            // Behind the last `]` there is no need to look for one.
            '[' if at < last_end => match set_of(&pattern[at..]) {
                Some((single, length)) => {
                    at += length;
                    Token::One(single)
                }
                None => Token::One(Single::of('[')),
            },
            character => Token::One(Single::of(*character)),
        });
    }
    tokens
}

impl Single {
    fn of(character: char) -> Self {
        Self { negated: false, members: vec![(character, character)] }
    }
}

/// The set behind a `[`, and its length with the `]`. A `]` in the first place is a member.
fn set_of(rest: &[char]) -> Option<(Single, usize)> {
    let negated = matches!(rest.first(), Some('!' | '^'));
    let body = &rest[usize::from(negated)..];
    let end = 1 + body.iter().skip(1).position(|character| *character == ']')?;
    let (mut members, mut left) = (Vec::new(), &body[..end]);
    while let [from, behind @ ..] = left {
        let (to, behind) = match behind {
            ['-', to, behind @ ..] => (to, behind),
            behind => (from, behind),
        };
        members.push((*from, *to));
        left = behind;
    }
    Some((Single { negated, members }, usize::from(negated) + end + 1))
}

#[cfg(test)]
mod tests {
    use super::{MAX_PATTERN_CHARS, Pattern};
    use crate::model::work_limit::WorkLimit;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(text, &WorkLimit::unbounded())
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("web-*", "web-12", true),
            ("web-*", "awe-web-1", false),
            ("*-?", "web-1", true),
            ("*-?", "web-12", false),
            ("w[a-f]b", "web", true),
            ("w[!a-f]b", "web", false),
            ("w[^a-f]b", "wxb", true),
            ("w[!a-f]b", "wxb", true),
            ("[", "[", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("[0-9]", "-", false),
            ("[a-cx-z]", "y", true),
            ("[z-a]", "b", false),
            ("a[b", "a[b", true),
            ("]a[", "]a[", true),
            ("[!]", "[!]", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("**", "", true),
            ("?", "", false),
            ("", "", true),
            ("", "a", false),
            ("節*", "節點", true),
            ("[一-龠]?", "節點", true),
            ("[!\u{0}-\u{d7ff}]", "\u{e000}", true),
            ("*\u{10ffff}", "a\u{10ffff}", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(MAX_PATTERN_CHARS / 2), &"a".repeat(MAX_PATTERN_CHARS / 2 - 1)));
        assert!(fits(&"?".repeat(MAX_PATTERN_CHARS), &"é".repeat(MAX_PATTERN_CHARS)));
        assert!(!fits(&"?".repeat(MAX_PATTERN_CHARS), &"é".repeat(MAX_PATTERN_CHARS + 1)));
    }

    #[test]
    fn patterns_have_an_end_and_texts_have_none() {
        let why = Pattern::parse(&"*".repeat(MAX_PATTERN_CHARS + 1)).unwrap_err();
        assert_eq!(why, "a pattern may have at most 256 characters");
        assert!(Pattern::parse(&"[".repeat(MAX_PATTERN_CHARS)).is_ok());
        assert!(fits(&"x".repeat(5000), &"x".repeat(5000)));
    }

    /// The worst that can be asked of the worst value: a few steps for each character, once.
    #[test]
    fn the_work_is_linear() {
        let text = "[".repeat(100_000);
        for pattern in ["*[[[[x", &format!("*{}x", "[".repeat(254)), &"*[".repeat(128)] {
            let (pattern, work) = (Pattern::parse(pattern).unwrap(), WorkLimit::unbounded());
            pattern.matches(&text, &work);
            assert!(work.spent() <= 7 * 100_000, "{} steps", work.spent());
        }
    }
}
