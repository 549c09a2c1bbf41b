//! Text on its way to a terminal or into JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::sanitiser(bytes));
