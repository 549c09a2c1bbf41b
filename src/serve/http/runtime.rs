//! The threads that do what waits, and room for connections, before anybody is served.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads for what waits: Redis, Nomad, files.
const MOST: usize = 32;
/// One that waits for Nomad's news; the others do what is short, and the work of those that find no
/// thread of their own later.
const FEWEST: usize = 4;
/// Descriptors without which nobody could be served.
const SPARE: usize = 8;
/// For a thread to begin, on the busiest machine.
const BEGIN: Duration = Duration::from_secs(5);
/// Far longer than a process lives.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// What runs everything. Its threads stay once they are made: work that waits for a thread when the
/// system gives no more is done by one that is there.
///
/// # Errors
/// The system refuses what it takes, or gives too few threads.
pub(crate) fn runtime() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MOST)
        .thread_keep_alive(FOR_EVER)
        .build()?;
    // For a few connections, to Nomad and Redis too: dropped at once.
    (0..SPARE / 2).map(|_| io::pipe()).collect::<io::Result<Vec<_>>>()?;
    // Where there can be none at all the library panics.
    let first = catch_unwind(AssertUnwindSafe(|| has_threads(&runtime, BEGIN)));
    first.unwrap_or(Err(StartupShortage::Refused)).map_err(io::Error::other)?;
    Ok(runtime)
}

/// Why the first threads are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum StartupShortage {
    #[error("fewer than {FEWEST} threads can be made")]
    Refused,
    #[error("the first {FEWEST} threads did not start in time: the machine is overloaded")]
    Late,
}

/// Makes the first threads: each is busy until all have begun.
fn has_threads(runtime: &Runtime, limit: Duration) -> Result<(), StartupShortage> {
    let (begin, begun) = mpsc::channel();
    let busy: Vec<_> = (0..FEWEST)
        .map(|_| {
            let begin = begin.clone();
            let (done, until) = mpsc::channel::<()>();
            drop(runtime.spawn_blocking(move || {
                let _ = begin.send(());
                until.recv().is_ok()
            }));
            done
        })
        .collect();
    let has = busy.iter().all(|_| begun.recv_timeout(limit).is_ok());
    // The library does not say whether the system has refused one.
    let can_more = has || thread::Builder::new().spawn(|| ()).is_ok();
    drop(busy);
    match (has, can_more) {
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
    fn threads_that_do_not_begin_are_told_apart_from_those_that_can_not_be_made() {
        let with = |most: usize, limit| {
            let runtime = Builder::new_current_thread().max_blocking_threads(most).build().unwrap();
            has_threads(&runtime, limit)
        };
        assert_eq!(with(FEWEST, 12 * BEGIN), Ok(()));
        // The last of them waits for a thread for ever, though the system would give one.
        assert_eq!(with(FEWEST - 1, Duration::from_millis(200)), Err(StartupShortage::Late));
    }
}
