//! Why there are no nodes to respond with.

use crate::discovery;
use crate::model::snapshot::Unreadable;
use crate::model::work_limit::WorkLimitExceeded;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error(transparent)]
    Discovery(#[from] discovery::Error),
    #[error(transparent)]
    WorkLimit(#[from] WorkLimitExceeded),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("responses in progress use all the memory that is reserved for them")]
    OutOfMemory,
    #[error("this is a bug in nomad-clients")]
    Internal,
}
