//! The parts and the program from outside, in one test binary.
#![allow(clippy::unwrap_used)]

mod cache;
mod choosing;
mod cli;
mod copied;
mod discovery;
mod disk_rows;
mod doctor;
mod documented;
mod generated;
mod histories;
mod interrupted;
mod list;
mod load;
mod local_store;
mod monotonic;
mod nomad_http;
mod nomad_rows;
mod oracle;
mod outage;
mod packaging;
mod probing;
mod process_rows;
mod protocol;
mod redis_rows;
mod refused;
mod safety;
mod schedules;
mod serve;
mod stores;
mod supply;
mod support;
mod tidy;
mod together;
mod waiting;
