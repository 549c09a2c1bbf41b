//! The status and the hint of each failure.

use hyper::StatusCode;

use crate::discovery;
use crate::model::selection::node_arg::NodeArgError;
use crate::model::snapshot::Unreadable;
use crate::nomad::{self, FailureKind};
use crate::serve::http::problem::Problem;
use crate::serve::live::error::AnswerError;
use crate::store::FailureClass;

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        let problem = Self::new(status(&error), error.to_string());
        match error {
            AnswerError::Discovery(discovery::Error::Nomad(nomad::Error {
                hint: Some(hint),
                ..
            })) => problem.hinted(hint),
            AnswerError::WorkLimit(_) => {
                problem.hinted("request less, or use fewer and shorter patterns")
            }
            AnswerError::OutOfMemory => {
                problem.hinted("try again, or request less with limit, columns or filters")
            }
            AnswerError::Unreadable(_) => problem.hinted(Unreadable::HINT),
            AnswerError::Discovery(_) | AnswerError::Internal => problem,
        }
    }
}

impl From<NodeArgError> for Problem {
    fn from(error: NodeArgError) -> Self {
        let status = match error {
            NodeArgError::Ambiguous { .. } => StatusCode::CONFLICT,
            _ => StatusCode::NOT_FOUND,
        };
        let problem = Self::new(status, error.to_string());
        error.hint().into_iter().fold(problem, Self::hinted)
    }
}

/// As the documentation of the API lists them.
fn status(error: &AnswerError) -> StatusCode {
    match error {
        AnswerError::WorkLimit(_) => StatusCode::BAD_REQUEST,
        AnswerError::OutOfMemory => StatusCode::SERVICE_UNAVAILABLE,
        AnswerError::Unreadable(_) | AnswerError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        AnswerError::Discovery(error) => match error {
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
        },
    }
}
