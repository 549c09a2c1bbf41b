//! The async runtime, with the threads and descriptors that it needs to serve anything.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads for blocking calls: Redis, Nomad, files.
const MAX_THREADS: usize = 32;
/// One for the long poll; the others for short calls, and for workers that get no thread of their own.
const FEWEST: usize = 4;
/// Descriptors that must be available.
const SPARE: usize = 8;
/// For a thread to start, on a busy machine.
const BEGIN: Duration = Duration::from_secs(5);
/// Far longer than a process lives.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Its threads stay once they are started, so that blocking calls still run when the system refuses more.
///
/// # Errors
/// There are too few threads or descriptors.
pub(crate) fn runtime() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_THREADS)
        .thread_keep_alive(FOR_EVER)
        .build()?;
    // For a few connections, to Nomad and Redis too: closed at once.
    (0..SPARE / 2).map(|_| io::pipe()).collect::<io::Result<Vec<_>>>()?;
    // tokio panics if it cannot start any thread.
    let started = catch_unwind(AssertUnwindSafe(|| has_threads(&runtime, BEGIN)));
    started.unwrap_or(Err(StartupShortage::Refused)).map_err(io::Error::other)?;
    Ok(runtime)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum StartupShortage {
    #[error("fewer than {FEWEST} threads can be made")]
    Refused,
    #[error("the first {FEWEST} threads did not start in time: the machine is overloaded")]
    Late,
}

/// Starts the first threads: each is busy until all have started.
fn has_threads(runtime: &Runtime, limit: Duration) -> Result<(), StartupShortage> {
    let (start, started) = mpsc::channel();
    let busy: Vec<_> = (0..FEWEST)
        .map(|_| {
            let start = start.clone();
            let (done, until) = mpsc::channel::<()>();
            drop(runtime.spawn_blocking(move || {
                let _ = start.send(());
                until.recv().is_ok()
            }));
            done
        })
        .collect();
    let has_all = busy.iter().all(|_| started.recv_timeout(limit).is_ok());
    // tokio does not say whether the system has refused one.
    let can_more = has_all || thread::Builder::new().spawn(|| ()).is_ok();
    drop(busy);
    match (has_all, can_more) {
        (true, _) => Ok(()),
        (false, true) => Err(StartupShortage::Late),
        (false, false) => Err(StartupShortage::Refused),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::{BEGIN, FEWEST, StartupShortage, has_threads};

    #[test]
    fn threads_that_do_not_begin_are_distinguished_from_those_that_can_not_be_made() {
        let with = |most: usize, limit| {
            let runtime = Builder::new_current_thread().max_blocking_threads(most).build().unwrap();
            has_threads(&runtime, limit)
        };
        assert_eq!(with(FEWEST, 12 * BEGIN), Ok(()));
        // The last of them waits for a thread for ever, though the system would give one.
        assert_eq!(with(FEWEST - 1, Duration::from_millis(200)), Err(StartupShortage::Late));
    }
}
