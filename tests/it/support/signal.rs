//! Signals to processes that a test has started.

use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// False if the process has ended and its exit was seen.
pub(crate) fn signal(id: u32, signal: Signal) -> bool {
    kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), signal).is_ok()
}

/// Stops the process for so long.
pub(crate) fn stop_for(id: u32, time: Duration) {
    signal(id, Signal::STOP);
    thread::sleep(time);
    signal(id, Signal::CONT);
}
