//! Runs the simulator from the command line.
fn main() {}
