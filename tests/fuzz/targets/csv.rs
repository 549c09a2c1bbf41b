//! Cells on their way into CSV, TSV and YAML.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::csv(bytes));
