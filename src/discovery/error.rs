//! Why there is no answer.

use std::time::Duration;

use crate::nomad;
use crate::store::Class;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Nomad(#[from] nomad::Error),
    /// The flight that was waited for failed.
    #[error("{} (from a concurrent refresh)", words(*.0))]
    Shared(Class),
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
        matches!(self, Self::Nomad(error) if error.kind == nomad::Kind::Config)
    }

    /// What those who wait for this fetch are told.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Nomad(error) => match error.kind {
                nomad::Kind::Denied | nomad::Kind::Unauthorized => Class::Denied,
                nomad::Kind::Outage | nomad::Kind::TimedOut | nomad::Kind::Config => Class::Outage,
                nomad::Kind::NotNomad => Class::NotNomad,
            },
            Self::Shared(class) => *class,
            Self::Details { .. } | Self::TimedOut(_) | Self::Unsettled(_) => Class::Outage,
        }
    }
}

fn words(class: Class) -> &'static str {
    match class {
        Class::Denied => "permission denied: token needs node:read",
        Class::NotNomad => "not a Nomad API answer",
        Class::NotCacheable | Class::Outage | Class::Partial => "cannot get the nodes from Nomad",
    }
}
