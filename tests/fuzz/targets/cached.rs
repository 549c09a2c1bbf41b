//! The cached nodes as anybody may have written them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::cached(bytes));
