//! Calls that may hang, in threads of their own as far as the system gives any.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::net::sync::lock;

/// What `call` gives, or `None` after `limit`: then its thread is left behind. Where there can be no
/// thread it is made here, however long it takes: most calls end, and there is no other way.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    within_if(limit, call, |work| thread::Builder::new().spawn(work).is_ok())
}

type BoundedCall = Box<dyn FnOnce() + Send>;

/// `spawned`: whether the work was given to a thread.
fn within_if<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
    spawned: impl FnOnce(BoundedCall) -> bool,
) -> Option<T> {
    // Work that no thread takes is lost, so both ways take it from here.
    let call = Arc::new(Mutex::new(Some(call)));
    let theirs = Arc::clone(&call);
    let (tell, told) = mpsc::sync_channel(1);
    let work = move || drop(taken(&theirs).map(|call| tell.send(call())));
    if spawned(Box::new(work)) {
        return told.recv_timeout(limit).ok();
    }
    taken(&call).map(|call| call())
}

fn taken<T>(of: &Mutex<Option<T>>) -> Option<T> {
    lock(of).take()
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
