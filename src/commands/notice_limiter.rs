//! Limits notices that repeat with every request: each text once a minute, and not too many texts.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A text is shown again after this.
const AGAIN: Duration = Duration::from_secs(60);
/// The texts that are shown within that time.
const TEXTS: usize = 100;

#[derive(Default)]
pub(super) struct NoticeLimiter {
    recent: HashMap<String, Instant>,
    /// How many notices beyond [`TEXTS`] were suppressed, and since when.
    suppressed: Option<(u64, Instant)>,
}

impl NoticeLimiter {
    /// What to show for `text`: the text, that there are too many of them, or nothing.
    pub(super) fn admit(&mut self, text: &str, now: Instant) -> Option<String> {
        self.recent.retain(|_, at| now.saturating_duration_since(*at) < AGAIN);
        if self.recent.contains_key(text) {
            return None;
        }
        if self.recent.len() < TEXTS {
            self.recent.insert(text.to_owned(), now);
            return Some(text.to_owned());
        }
        let (count, _) = self.suppressed.get_or_insert((0, now));
        *count += 1;
        (*count == 1).then(|| {
            format!(
                "more than {TEXTS} different messages within a minute: the others are only counted"
            )
        })
    }

    /// How many notices were suppressed, once the minute is over.
    pub(super) fn suppressed(&mut self, now: Instant) -> Option<String> {
        let (_, since) = self.suppressed?;
        if now.saturating_duration_since(since) < AGAIN { None } else { self.take_suppressed() }
    }

    /// The same at once.
    pub(super) fn take_suppressed(&mut self) -> Option<String> {
        let (count, _) = self.suppressed.take()?;
        Some(format!("{count} messages were not shown, because there were too many different ones"))
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN, NoticeLimiter, TEXTS};
    use crate::clock;

    #[test]
    fn a_text_is_reported_once_a_minute() {
        let (mut limiter, now) = (NoticeLimiter::default(), clock::now());
        assert_eq!(limiter.admit("a", now).as_deref(), Some("a"));
        assert_eq!(limiter.admit("a", now + AGAIN / 2), None);
        assert_eq!(limiter.admit("b", now + AGAIN / 2).as_deref(), Some("b"));
        assert_eq!(limiter.admit("a", now + AGAIN).as_deref(), Some("a"));
        assert_eq!((limiter.suppressed(now + AGAIN), limiter.take_suppressed()), (None, None));
    }

    #[test]
    fn texts_beyond_the_limit_are_counted_and_the_count_is_reported() {
        let (mut limiter, now) = (NoticeLimiter::default(), clock::now());
        let text = |number: usize| format!("warning {number}");
        for number in 0..TEXTS {
            assert_eq!(limiter.admit(&text(number), now), Some(text(number)));
        }
        let limit = "more than 100 different messages within a minute: the others are only counted";
        assert_eq!(limiter.admit("more", now).as_deref(), Some(limit));
        assert_eq!(limiter.admit("more", now), None);
        assert_eq!(limiter.admit("still more", now), None);
        assert_eq!(limiter.admit(&text(5), now), None, "that one was told");
        assert_eq!(limiter.suppressed(now + AGAIN / 2), None, "the minute is not over");
        let told = "3 messages were not shown, because there were too many different ones";
        assert_eq!(limiter.suppressed(now + AGAIN).as_deref(), Some(told));
        assert_eq!(limiter.suppressed(now + AGAIN), None);
        assert_eq!(limiter.admit("more", now + AGAIN).as_deref(), Some("more"));
        assert_eq!(limiter.take_suppressed(), None);
    }

    #[test]
    fn at_the_end_the_rest_is_reported() {
        let (mut limiter, now) = (NoticeLimiter::default(), clock::now());
        (0..TEXTS + 7).for_each(|number| drop(limiter.admit(&number.to_string(), now)));
        let told = "7 messages were not shown, because there were too many different ones";
        assert_eq!(limiter.take_suppressed().as_deref(), Some(told));
    }
}
