//! Remarks that repeat themselves with every request: each text once a minute, and not too many.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The same text is told again after this.
const AGAIN: Duration = Duration::from_secs(60);
/// Texts that are told within that time.
const TEXTS: usize = 100;

/// What was told lately.
#[derive(Default)]
pub(super) struct NoticeLimiter {
    told: HashMap<String, Instant>,
    /// Beyond [`TEXTS`], and since when.
    untold: Option<(u64, Instant)>,
}

impl NoticeLimiter {
    /// What to tell in place of `text`: itself, that there are too many, or nothing.
    pub(super) fn instead(&mut self, text: &str, now: Instant) -> Option<String> {
        self.told.retain(|_, at| now.saturating_duration_since(*at) < AGAIN);
        if self.told.contains_key(text) {
            return None;
        }
        if self.told.len() < TEXTS {
            self.told.insert(text.to_owned(), now);
            return Some(text.to_owned());
        }
        let (count, _) = self.untold.get_or_insert((0, now));
        *count += 1;
        (*count == 1).then(|| {
            format!(
                "more than {TEXTS} different messages within a minute: the others are only counted"
            )
        })
    }

    /// How many were not told in the minute that is over by now; told once.
    pub(super) fn untold(&mut self, now: Instant) -> Option<String> {
        let (_, since) = self.untold?;
        if now.saturating_duration_since(since) < AGAIN { None } else { self.rest() }
    }

    /// The same for the time that is not over.
    pub(super) fn rest(&mut self) -> Option<String> {
        let (count, _) = self.untold.take()?;
        Some(format!("{count} messages were not shown, because there were too many different ones"))
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN, NoticeLimiter, TEXTS};
    use crate::clock;

    #[test]
    fn a_text_is_told_once_a_minute() {
        let (mut seldom, now) = (NoticeLimiter::default(), clock::now());
        assert_eq!(seldom.instead("a", now).as_deref(), Some("a"));
        assert_eq!(seldom.instead("a", now + AGAIN / 2), None);
        assert_eq!(seldom.instead("b", now + AGAIN / 2).as_deref(), Some("b"));
        assert_eq!(seldom.instead("a", now + AGAIN).as_deref(), Some("a"));
        assert_eq!((seldom.untold(now + AGAIN), seldom.rest()), (None, None));
    }

    #[test]
    fn texts_beyond_the_limit_are_counted_and_the_count_is_told() {
        let (mut seldom, now) = (NoticeLimiter::default(), clock::now());
        let text = |number: usize| format!("warning {number}");
        for number in 0..TEXTS {
            assert_eq!(seldom.instead(&text(number), now), Some(text(number)));
        }
        let limit = "more than 100 different messages within a minute: the others are only counted";
        assert_eq!(seldom.instead("more", now).as_deref(), Some(limit));
        assert_eq!(seldom.instead("more", now), None);
        assert_eq!(seldom.instead("still more", now), None);
        assert_eq!(seldom.instead(&text(5), now), None, "that one was told");
        assert_eq!(seldom.untold(now + AGAIN / 2), None, "the minute is not over");
        let told = "3 messages were not shown, because there were too many different ones";
        assert_eq!(seldom.untold(now + AGAIN).as_deref(), Some(told));
        assert_eq!(seldom.untold(now + AGAIN), None);
        assert_eq!(seldom.instead("more", now + AGAIN).as_deref(), Some("more"));
        assert_eq!(seldom.rest(), None);
    }

    #[test]
    fn at_the_end_the_rest_is_told() {
        let (mut seldom, now) = (NoticeLimiter::default(), clock::now());
        (0..TEXTS + 7).for_each(|number| drop(seldom.instead(&number.to_string(), now)));
        let told = "7 messages were not shown, because there were too many different ones";
        assert_eq!(seldom.rest().as_deref(), Some(told));
    }
}
