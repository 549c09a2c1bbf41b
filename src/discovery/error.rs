//! Why there is no answer.

use std::time::Duration;

use crate::nomad;
use crate::store::FailureClass;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// The flight that was waited for failed.
    #[error("{} (from a concurrent refresh)", words(*.0))]
    Shared(FailureClass),
    /// More than 3 and more than 10 % of the details failed; the first reason.
    #[error("cannot get the details of {failed} of {total} nodes: {why}")]
    Details { failed: usize, total: usize, why: String },
    /// The deadline passed while another's fetch was waited for.
    #[error("cannot get the nodes: timed out after {}s while waiting for a concurrent refresh", .0.as_secs_f32())]
    TimedOut(Duration),
    /// No list agreed with its details and with what is known to be newer.
    #[error(
        "cannot get the nodes: {0} lists of Nomad in a row were older than their details or the cache"
    )]
    Unsettled(u32),
}

impl Error {
    /// Something that only this run was told can't be used, like a file of certificates.
    pub(super) fn is_of_settings(&self) -> bool {
        matches!(self, Self::Nomad(error) if error.kind == nomad::FailureKind::Config)
    }

    /// What those who wait for this fetch are told.
    pub(super) fn class(&self) -> FailureClass {
        match self {
            Self::Nomad(error) => match error.kind {
                nomad::FailureKind::Denied | nomad::FailureKind::Unauthorized => {
                    FailureClass::Denied
                }
                nomad::FailureKind::Outage
                | nomad::FailureKind::TimedOut
                | nomad::FailureKind::Config => FailureClass::Outage,
                nomad::FailureKind::NotNomad => FailureClass::NotNomad,
            },
            Self::Shared(class) => *class,
            Self::Details { .. } | Self::TimedOut(_) | Self::Unsettled(_) => FailureClass::Outage,
        }
    }
}

fn words(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Denied => "permission denied: token needs node:read",
        FailureClass::NotNomad => "not a Nomad API answer",
        FailureClass::NotCacheable | FailureClass::Outage | FailureClass::Partial => {
            "cannot get the nodes from Nomad"
        }
    }
}
