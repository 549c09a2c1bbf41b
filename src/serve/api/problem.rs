//! Why a request was not answered: a status, and words for people and programs.

use hyper::StatusCode;
use serde::Serialize;

use crate::discovery;
use crate::model::json;
use crate::model::selection::node_arg::NodeArgError;
use crate::model::snapshot::Unreadable;
use crate::model::text::told;
use crate::model::work_limit::WorkLimitExceeded;
use crate::nomad::{self, FailureKind};
use crate::store::FailureClass;

use crate::serve::live::memory_budget::Exhausted;
use crate::serve::live::shared_requests::FetchFailure;
use crate::serve::worker::WorkerPanicked;

/// RFC 9457, with the members of the older API beside its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    what: String,
    hint: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    success: bool,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// A query or a body that can't be.
    pub(crate) fn bad(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    pub(crate) fn broken() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "this is a bug in nomad-clients")
    }

    /// The body, `application/problem+json`.
    pub(crate) fn json(&self) -> Vec<u8> {
        let (what, hint) = (told(&self.what), self.hint.as_deref().map(told));
        json::bytes(&Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &what,
            success: false,
            error: &what,
            hint: hint.as_deref(),
        })
    }
}

impl From<FetchFailure> for Problem {
    fn from(failure: FetchFailure) -> Self {
        let FetchFailure::Discovery(error) = failure else { return Self::broken() };
        let problem = Self::new(status(&error), error.to_string());
        match error {
            discovery::Error::Nomad(nomad::Error { hint: Some(hint), .. }) => problem.hinted(hint),
            _ => problem,
        }
    }
}

impl From<NodeArgError> for Problem {
    fn from(error: NodeArgError) -> Self {
        let status = match error {
            NodeArgError::Ambiguous { .. } => StatusCode::CONFLICT,
            _ => StatusCode::NOT_FOUND,
        };
        Self { hint: error.hint(), ..Self::new(status, error.to_string()) }
    }
}

impl From<Exhausted> for Problem {
    fn from(_: Exhausted) -> Self {
        let what = "the answers that are being sent take all the memory that they may";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, what)
            .hinted("try again, or ask for less with limit, columns or filters")
    }
}

impl From<WorkerPanicked> for Problem {
    fn from(_: WorkerPanicked) -> Self {
        Self::broken()
    }
}

impl From<WorkLimitExceeded> for Problem {
    fn from(error: WorkLimitExceeded) -> Self {
        Self::bad(error.to_string()).hinted("ask for less, or use fewer and shorter patterns")
    }
}

impl From<Unreadable> for Problem {
    fn from(error: Unreadable) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).hinted(Unreadable::HINT)
    }
}

/// The table of the README.
fn status(error: &discovery::Error) -> StatusCode {
    match error {
        discovery::Error::Nomad(error) => match error.kind {
            FailureKind::Denied | FailureKind::Unauthorized => StatusCode::FORBIDDEN,
            FailureKind::Outage => StatusCode::SERVICE_UNAVAILABLE,
            FailureKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            FailureKind::NotNomad => StatusCode::BAD_GATEWAY,
            FailureKind::Config => StatusCode::INTERNAL_SERVER_ERROR,
        },
        discovery::Error::Shared(FailureClass::Denied) => StatusCode::FORBIDDEN,
        discovery::Error::Shared(FailureClass::NotNomad) => StatusCode::BAD_GATEWAY,
        discovery::Error::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
        discovery::Error::Shared(_)
        | discovery::Error::Details { .. }
        | discovery::Error::Unsettled(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
