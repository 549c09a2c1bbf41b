//! What one run remembers from one ENTER to the next.

use std::time::Duration;

use crate::model::node::AllJson;
use crate::random;
use crate::store::{How, RefusedRevs};

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Wait {
    pub(super) how: How,
    pub(super) refuse: RefusedRevs,
    /// The lease that the last reply named.
    pub(super) waited: Option<String>,
    /// The lease that a refresh found on arrival: it began before the question.
    pub(super) first: Option<String>,
    /// `all` as a refresh found it on arrival.
    pub(super) seen: Option<AllJson>,
    pause: Duration,
}

impl Wait {
    pub(super) fn new(how: How) -> Self {
        Self {
            how,
            refuse: super::refuse_at_first(how),
            waited: None,
            first: None,
            seen: None,
            pause: FIRST_PAUSE,
        }
    }

    pub(super) fn refuse(&mut self, rev: Option<String>) {
        if let RefusedRevs::Revs(revs) = &mut self.refuse {
            revs.extend(rev);
        }
    }

    pub(super) fn refuses(&self, rev: &str) -> bool {
        match &self.refuse {
            RefusedRevs::Everything => true,
            RefusedRevs::Revs(revs) => revs.iter().any(|refused| refused == rev),
        }
    }

    /// Somebody else fetches. What a refresh finds under way, and what that will publish, began
    /// before it asked; everything later may serve it.
    pub(super) fn on(&mut self, lease: String, rev: Option<String>) {
        if self.how == How::Refresh && self.first.is_none() {
            self.first = Some(lease.clone());
            self.refuse = RefusedRevs::Revs(rev.into_iter().chain([lease.clone()]).collect());
        }
        self.waited = Some(lease);
    }

    /// The next pause: longer each time, jittered so that those who wait do not ask in step.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        let half = u64::try_from(pause.as_millis() / 2).unwrap_or(0);
        pause / 2 + Duration::from_millis(random::below(half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PAUSE, Wait};
    use crate::store::{How, RefusedRevs};

    #[test]
    fn a_refresh_refuses_what_it_found_and_nothing_later() {
        let mut wait = Wait::new(How::Refresh);
        assert!(wait.refuses("Nany"));
        wait.on("N1".to_owned(), Some("N0".to_owned()));
        wait.on("N2".to_owned(), Some("N1".to_owned()));
        assert_eq!(wait.refuse, RefusedRevs::Revs(vec!["N0".to_owned(), "N1".to_owned()]));
        assert_eq!((wait.first.as_deref(), wait.waited.as_deref()), (Some("N1"), Some("N2")));
    }

    #[test]
    fn a_get_refuses_only_what_it_could_not_use() {
        let mut wait = Wait::new(How::Get);
        wait.on("N1".to_owned(), Some("N0".to_owned()));
        assert!(!wait.refuses("N0"));
        wait.refuse(Some("N0".to_owned()));
        assert!(wait.refuses("N0"));
        assert_eq!(wait.first, None);
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut wait = Wait::new(How::Get);
        let pauses: Vec<_> = (0..8).map(|_| wait.pause()).collect();
        assert!(pauses[0].as_millis() >= 12 && pauses[0].as_millis() <= 25, "{pauses:?}");
        assert!(pauses[7] >= LONGEST_PAUSE / 2 && pauses[7] <= LONGEST_PAUSE, "{pauses:?}");
    }
}
