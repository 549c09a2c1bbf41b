//! The threads that do what waits, and room for connections, before anybody is served.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads for what waits: Redis, Nomad, files.
const MOST: usize = 32;
/// One that waits for Nomad's news, one for a fetch, one for a look at the cache, and one more.
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
pub(super) fn runtime() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MOST)
        .thread_keep_alive(FOR_EVER)
        .build()?;
    // For a few connections, to Nomad and Redis too: dropped at once.
    (0..SPARE / 2).map(|_| io::pipe()).collect::<io::Result<Vec<_>>>()?;
    let few = || io::Error::other(format!("fewer than {FEWEST} threads can be made"));
    // Where there can be none at all the library panics.
    let first = catch_unwind(AssertUnwindSafe(|| has_threads(&runtime)));
    if first.unwrap_or(false) { Ok(runtime) } else { Err(few()) }
}

/// Makes the first threads: each is busy until all have begun.
fn has_threads(runtime: &Runtime) -> bool {
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
    let has = busy.iter().all(|_| begun.recv_timeout(BEGIN).is_ok());
    drop(busy);
    has
}
