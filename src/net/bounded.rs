//! Calls that may hang, with a time limit.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::net::sync::lock;

/// Runs `call` in a thread; `None` after `limit`: the thread is then abandoned. If no thread can be
/// started, `call` runs here, however long it takes.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    within_if(limit, call, |work| thread::Builder::new().spawn(work).is_ok())
}

type BoundedCall = Box<dyn FnOnce() + Send>;

/// `spawn` returns whether a thread took the work.
fn within_if<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
    spawn: impl FnOnce(BoundedCall) -> bool,
) -> Option<T> {
    // Work that no thread takes is dropped, so both ways take the call from here.
    let call = Arc::new(Mutex::new(Some(call)));
    let shared = Arc::clone(&call);
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = move || drop(take(&shared).map(|call| sender.send(call())));
    if spawn(Box::new(work)) {
        return receiver.recv_timeout(limit).ok();
    }
    take(&call).map(|call| call())
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    lock(slot).take()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{within, within_if};

    #[test]
    fn a_call_that_hangs_is_left_behind() {
        let (hold, held) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(10), move || held.recv().is_ok()), None);
        drop(hold);
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
    }

    #[test]
    fn a_call_is_made_here_where_no_thread_can_be_made() {
        assert_eq!(within_if(Duration::ZERO, || 7, |_| false), Some(7));
    }
}
