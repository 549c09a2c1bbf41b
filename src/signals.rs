//! Ends of the process: SIGINT and SIGTERM release the lease, and a crash leaves no core dump.

use std::process;
use std::sync::{Arc, mpsc};
use std::thread;

use rustix::process::{Resource, Rlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::discovery::Shutdown;
use crate::render::console::Console;

/// A core dump would contain tokens and passwords. Where it can't be forbidden, nothing is done.
pub(crate) fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
}

/// A file beyond the size limit is an error like a full disk, not the end of the process.
pub(crate) fn survive_limits() {
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// From now on a signal releases the lease and ends the process with 130 or 143, or is passed on to
/// the handler that `serve` has set. Where signals can't be caught, the lease expires by itself.
pub(crate) fn watch(shutdown: Arc<Shutdown>, console: Arc<Console>) {
    // The thread comes first: signals that are caught without it would do nothing.
    let (ready, is_ready) = mpsc::channel();
    let thread = thread::Builder::new().spawn(move || {
        let signals = Signals::new([SIGINT, SIGTERM]);
        let _ = ready.send(());
        let Ok(mut signals) = signals else { return };
        if let Some(signal) = signals.forever().find(|_| !shutdown.run_handler()) {
            shutdown.release_lease();
            console.clear();
            console.flush();
            end(128 + signal);
        }
    });
    if thread.is_ok() {
        let _ = is_ready.recv();
    }
}

#[expect(clippy::exit, reason = "the main thread may be blocked in a request")]
fn end(code: i32) -> ! {
    process::exit(code)
}
