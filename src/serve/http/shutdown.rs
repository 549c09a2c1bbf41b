//! Shutdown: by signals, with a limit for requests in progress.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    No,
    /// After the first signal: requests in progress are completed.
    Finish,
    /// After the second: they are not.
    Now,
}

impl Stop {
    /// The state after one more signal.
    pub(crate) fn next(self) -> Self {
        if self == Self::No { Self::Finish } else { Self::Now }
    }
}

/// Waits until all connections are `closed`, but not longer than `limit` or the second signal; returns
/// `false` at the limit.
pub(crate) async fn finished(
    closed: impl Future<Output = ()>,
    mut stop: watch::Receiver<Stop>,
    limit: Duration,
) -> bool {
    tokio::select! {
        biased;
        () = closed => true,
        _ = stop.wait_for(|stop| *stop == Stop::Now) => true,
        () = sleep(limit) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio::sync::watch;

    use super::{Stop, finished};

    #[test]
    fn who_has_an_answer_the_second_signal_and_the_limit_end_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let long = Duration::from_secs(3600);
        let (told, stop) = watch::channel(Stop::No);
        told.send_modify(|stop| *stop = stop.next());
        assert_eq!(*stop.borrow(), Stop::Finish);
        let ends = |gone: bool, limit: Duration| {
            let gone = async move { if gone { ready(()).await } else { pending().await } };
            runtime.block_on(finished(gone, stop.clone(), limit))
        };
        assert!(ends(true, long));
        assert!(!ends(false, Duration::ZERO), "the limit");
        told.send_modify(|stop| *stop = stop.next());
        assert_eq!(*stop.borrow(), Stop::Now);
        assert!(ends(false, long));
    }
}
