//! The meta line of the cache.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::meta(bytes));
