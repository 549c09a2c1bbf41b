//! A pattern and what it is compared with.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::pattern(bytes));
