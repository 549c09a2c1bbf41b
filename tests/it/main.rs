//! The parts and the program from outside, in one test binary.
#![allow(clippy::unwrap_used)]

mod cache;
mod cli;
mod discovery;
mod disk_rows;
mod ends;
mod generated;
mod histories;
mod list;
mod local_store;
mod nomad_http;
mod outage;
mod redis_rows;
mod schedules;
mod stores;
mod support;
mod tidy;
mod together;
mod waiting;
