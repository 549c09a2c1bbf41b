//! How the process ends: SIGINT and SIGTERM give the lease back, and a crash leaves no dump.

use std::process;
use std::sync::{Arc, mpsc};
use std::thread;

use rustix::process::{Resource, Rlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::discovery::Shutdown;
use crate::render::console::Console;

/// What a crash would leave holds tokens and passwords. Where that can't be forbidden, it is left.
pub(crate) fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
}

/// A file that may grow no further is an error like a full disk, not the end.
pub(crate) fn survive_limits() {
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// From now on a signal ends the process with 130 or 143, within the time that the release takes.
/// Whoever asked to be told instead is told of each signal, and ends by himself.
/// Where signals can't be caught they end the process the hard way, and the lease by itself.
pub(crate) fn watch(leaving: Arc<Shutdown>, console: Arc<Console>) {
    // Caught without a thread that acts on them, they would end nothing: so that comes first.
    let (tell, caught) = mpsc::channel();
    let thread = thread::Builder::new().spawn(move || {
        let signals = Signals::new([SIGINT, SIGTERM]);
        let _ = tell.send(());
        let Ok(mut signals) = signals else { return };
        if let Some(signal) = signals.forever().find(|_| !leaving.is_told()) {
            leaving.leave();
            console.clear();
            console.flush();
            end(128 + signal);
        }
    });
    if thread.is_ok() {
        let _ = caught.recv();
    }
}

#[expect(
    clippy::exit,
    reason = "the main thread may be deep in a request that nobody waits for any more"
)]
fn end(code: i32) -> ! {
    process::exit(code)
}
