//! `REDIS_URL`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::redis_url(bytes));
