//! A Nomad to test against.
