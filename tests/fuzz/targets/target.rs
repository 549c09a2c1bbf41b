//! The target of a request to `serve`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::target(bytes));
