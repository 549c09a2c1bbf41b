//! `NOMAD_ADDR`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::address(bytes));
