//! Contact with Nomad: when it last answered this process, and since when it fails.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::discovery;
use crate::model::format::millis;
use crate::model::text::sanitised;
use crate::net::sync::lock;
use crate::nomad;
use crate::store::FailureClass;

/// An answer older than this does not prove that Nomad is up.
pub(crate) const RECENT: Duration = Duration::from_secs(15);
/// Longer reasons are cut, in characters.
const WHY: usize = 300;

#[derive(Default)]
pub(crate) struct NomadContact(Mutex<ContactState>);

#[derive(Default)]
struct ContactState {
    answered: Option<Instant>,
    failing: Option<Failing>,
}

struct Failing {
    since: Instant,
    /// When the last request that failed began.
    asked: Instant,
    /// The strongest request that failed.
    question: Question,
    failure: ContactFailure,
    why: String,
}

/// A kind of request. An answer proves only that requests of this kind and of weaker ones work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// For the index: one stub.
    Index,
    /// For all nodes, with the details that are needed.
    List,
}

/// How Nomad fails, as events name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ContactFailure {
    Unreachable,
    NoLeader,
    Denied,
    Unusable,
}

/// The state at one moment, as events contain it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Contact {
    /// `None` if Nomad was not asked recently.
    pub(crate) up: Option<bool>,
    /// Time since the last answer.
    pub(crate) answered_ms: Option<u64>,
    /// Time since the first failure after it.
    pub(crate) failing_ms: Option<u64>,
    #[serde(rename = "trouble")]
    pub(crate) failure: Option<ContactFailure>,
    pub(crate) why: Option<String>,
}

impl NomadContact {
    /// Nomad has answered this process. Returns whether that ends a failure.
    pub(crate) fn answered(&self, question: Question, now: Instant) -> bool {
        let mut known = lock(&self.0);
        known.answered = Some(now);
        known.failing.take_if(|failing| question >= failing.question).is_some()
    }

    /// A list that was requested at `asked`, here or elsewhere, is cached: earlier failures of lists are
    /// over.
    pub(crate) fn listed(&self, asked: Instant) -> bool {
        let is_over = |it: &mut Failing| it.question == Question::List && it.asked < asked;
        lock(&self.0).failing.take_if(is_over).is_some()
    }

    /// A request that began at `asked` has failed. Returns whether that begins a failure.
    pub(crate) fn failed(
        &self,
        question: Question,
        asked: Instant,
        (failure, why): (ContactFailure, &str),
        now: Instant,
    ) -> bool {
        let mut known = lock(&self.0);
        // While a long poll was held, a later request was answered.
        if question == Question::Index && known.answered.is_some_and(|answered| answered > asked) {
            return false;
        }
        let before = known.failing.take();
        let begins = before.is_none();
        let (since, strongest) =
            before.map_or((now, question), |it| (it.since, it.question.max(question)));
        let why = sanitised(why).chars().take(WHY).collect();
        known.failing = Some(Failing { since, asked, question: strongest, failure, why });
        begins
    }

    /// A list has failed, and none has succeeded since.
    pub(crate) fn is_list_failing(&self) -> bool {
        lock(&self.0).failing.as_ref().is_some_and(|failing| failing.question == Question::List)
    }

    pub(crate) fn at(&self, now: Instant) -> Contact {
        let known = lock(&self.0);
        let ms = |at: Instant| millis(now.saturating_duration_since(at));
        let recent = known.answered.is_some_and(|at| now.saturating_duration_since(at) <= RECENT);
        let failing = known.failing.as_ref();
        Contact {
            up: failing.map(|_| false).or(recent.then_some(true)),
            answered_ms: known.answered.map(ms),
            failing_ms: failing.map(|failing| ms(failing.since)),
            failure: failing.map(|failing| failing.failure),
            why: failing.map(|failing| failing.why.clone()),
        }
    }
}

impl ContactFailure {
    pub(crate) fn of(error: &nomad::Error) -> Self {
        match error.kind {
            nomad::FailureKind::Denied | nomad::FailureKind::Unauthorized => Self::Denied,
            nomad::FailureKind::NotNomad => Self::Unusable,
            nomad::FailureKind::Outage
            | nomad::FailureKind::TimedOut
            | nomad::FailureKind::Config => Self::Unreachable,
        }
    }

    pub(crate) fn of_list(error: &discovery::Error) -> Self {
        match error {
            discovery::Error::Nomad(error) => Self::of(error),
            discovery::Error::Shared(FailureClass::Denied) => Self::Denied,
            discovery::Error::Shared(FailureClass::NotNomad)
            | discovery::Error::Details { .. }
            | discovery::Error::Unsettled(_) => Self::Unusable,
            discovery::Error::Shared(_) | discovery::Error::TimedOut(_) => Self::Unreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Contact, ContactFailure, NomadContact, Question, RECENT};
    use crate::clock;
    use std::time::Duration;

    const REFUSED: (ContactFailure, &str) = (ContactFailure::Unreachable, "connection refused");

    #[test]
    fn an_answer_counts_for_fifteen_seconds() {
        let (contact, now) = (NomadContact::default(), clock::now());
        assert_eq!(contact.at(now).up, None);
        assert!(!contact.answered(Question::Index, now));
        assert_eq!(contact.at(now + RECENT).up, Some(true));
        let later = contact.at(now + RECENT + Duration::from_millis(1));
        assert_eq!((later.up, later.answered_ms), (None, Some(15_001)));
    }

    #[test]
    fn a_failure_lasts_until_its_question_is_answered() {
        let (contact, now) = (NomadContact::default(), clock::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        contact.answered(Question::Index, now);
        assert!(contact.failed(Question::Index, at(1), REFUSED, at(2)));
        assert!(!contact.failed(
            Question::List,
            at(3),
            (ContactFailure::Denied, "no\u{1b}"),
            at(4)
        ));
        let failing = Contact {
            up: Some(false),
            answered_ms: Some(5000),
            failing_ms: Some(3000),
            failure: Some(ContactFailure::Denied),
            why: Some("no\\u{1b}".to_owned()),
        };
        assert_eq!(contact.at(at(5)), failing);
        assert!(!contact.answered(Question::Index, at(5)) && contact.is_list_failing());
        assert_eq!(contact.at(at(6)).up, Some(false), "a list was refused, not an index");
        assert!(contact.answered(Question::List, at(7)) && !contact.is_list_failing());
        assert_eq!(contact.at(at(7)).up, Some(true));
    }

    #[test]
    fn a_later_list_of_anybody_ends_the_failure_of_a_list_only() {
        let (contact, now) = (NomadContact::default(), clock::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        contact.failed(Question::List, at(1), REFUSED, at(2));
        assert!(!contact.listed(at(1)) && contact.listed(at(2)));
        contact.failed(Question::Index, at(3), REFUSED, at(3));
        assert!(!contact.listed(at(4)), "another may reach Nomad when this process can't");
    }

    #[test]
    fn a_held_question_that_ends_late_says_nothing() {
        let (contact, now) = (NomadContact::default(), clock::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        contact.answered(Question::Index, at(60));
        assert!(!contact.failed(Question::Index, now, REFUSED, at(61)));
        assert_eq!(contact.at(at(61)).up, Some(true));
        assert!(contact.failed(Question::List, now, REFUSED, at(62)), "a list did fail");
    }
}
