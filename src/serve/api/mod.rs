//! The routes: what a request is for, and the response to it.

pub(crate) mod assets;
pub(crate) mod lists;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod parameters;
pub(crate) mod problems;
pub(crate) mod ready;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod service;

use std::sync::Arc;

use super::http::auth::Guard;
use super::http::base_path::BasePath;
use super::live::LiveCluster;
use super::live::workers::ResponseWorkers;
use ready::LastReadiness;

/// Everything that a response may need.
pub(crate) struct App {
    pub(crate) live: Arc<LiveCluster>,
    pub(crate) workers: ResponseWorkers,
    pub(crate) guard: Guard,
    pub(crate) base: BasePath,
    /// Each request is a notice.
    pub(crate) log_requests: bool,
    /// The result of the last readiness check.
    pub(crate) readiness: LastReadiness,
}
