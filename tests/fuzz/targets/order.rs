//! Values of metadata in their order.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::order(bytes));
