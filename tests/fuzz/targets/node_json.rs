//! Nomad's detail of a node.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nomad_clients::properties::node_json(bytes));
