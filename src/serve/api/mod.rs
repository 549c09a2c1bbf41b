//! The routes: what a request asks for, and the response to it.

pub(crate) mod assets;
pub(crate) mod nodes;
pub(crate) mod parameters;
pub(crate) mod problem;
pub(crate) mod ready;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod service;
