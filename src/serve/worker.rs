//! Threads for work that takes its time, which the async thread never may.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::net::sync::lock;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads with one queue; each is started when it is needed first, and stays. Few, because
/// memory that a thread has freed is of little use to the others: large work on ever other threads
/// takes many times the memory that it needs.
pub(super) struct Workers {
    queue: Arc<JobQueue>,
    name: &'static str,
    most: usize,
}

/// Threads for what takes more than a moment of a processor: one long answer does not hold up the
/// others.
pub(super) struct AnswerWorkers {
    /// For reading and writing many nodes.
    pub(super) lists: Workers,
    /// For single nodes and the metrics, which are short whatever was asked: they never wait for lists.
    pub(super) lookups: Workers,
}

impl Default for AnswerWorkers {
    fn default() -> Self {
        Self { lists: Workers::new("answers", 2), lookups: Workers::new("lookups", 1) }
    }
}

/// The work panicked.
#[derive(Debug)]
pub(super) struct WorkerPanicked;

#[derive(Default)]
struct JobQueue {
    state: Mutex<PoolState>,
    added: Condvar,
}

#[derive(Default)]
struct PoolState {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Workers {
    pub(super) fn new(name: &'static str, most: usize) -> Self {
        Self { queue: Arc::default(), name, most }
    }

    /// What `work` gives; it is left out if nobody waits for it any more when its turn comes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkerPanicked> {
        self.begin(work).await.map_err(|_| WorkerPanicked)
    }

    /// The same for one who waits later.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (to, from) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !to.is_closed() {
                let _ = to.send(work());
            }
        });
        if let Some(job) = self.queued(job) {
            // The runtime keeps a few threads from its beginning on.
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(|| done(job))),
                Err(_) => done(job),
            }
        }
        from
    }

    /// Gives the job back if there is no thread for it, nor can one be made.
    fn queued(&self, job: Job) -> Option<Job> {
        let mut state = self.queue.state();
        if state.idle <= state.jobs.len() && state.threads < self.most {
            match self.start() {
                Ok(()) => state.threads += 1,
                Err(_) if state.threads == 0 => return Some(job),
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        self.queue.added.notify_one();
        None
    }

    fn start(&self) -> io::Result<()> {
        let queue = Arc::clone(&self.queue);
        let named = thread::Builder::new().name(self.name.to_owned());
        named.spawn(move || queue.work()).map(drop)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.added.notify_all();
    }
}

impl JobQueue {
    fn state(&self) -> MutexGuard<'_, PoolState> {
        lock(&self.state)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            done(job);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        state.idle += 1;
        let waits = |state: &mut PoolState| state.jobs.is_empty() && !state.closed;
        let waited = self.added.wait_while(state, waits);
        state = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.jobs.pop_front()
    }
}

/// Whoever waits for a job that panics is told by the loss of its channel.
fn done(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex, mpsc};
    use std::thread;

    use super::{AnswerWorkers, Workers};

    #[test]
    fn all_work_is_done_by_the_same_few_threads_also_after_a_panic() {
        let workers = Workers::new("test", 2);
        let panicked = workers.begin(|| panic!("on purpose"));
        assert!(panicked.blocking_recv().is_err());
        let jobs: Vec<_> =
            (0..100).map(|at| workers.begin(move || (at, thread::current().id()))).collect();
        let done: Vec<_> = jobs.into_iter().map(|job| job.blocking_recv().unwrap()).collect();
        assert!(done.iter().map(|(at, _)| *at).eq(0..100));
        let threads: HashSet<_> = done.into_iter().map(|(_, thread)| thread).collect();
        assert!(threads.len() <= 2, "{threads:?}");
    }

    #[test]
    fn a_long_job_holds_nobody_up_while_there_is_another_thread() {
        let workers = Workers::new("test", 2);
        let (end, wait) = mpsc::channel::<()>();
        let long = workers.begin(move || wait.recv());
        assert_eq!(workers.begin(|| 5).blocking_recv(), Ok(5));
        drop(end);
        assert!(long.blocking_recv().is_ok());
    }

    #[test]
    fn a_lookup_does_not_wait_for_lists() {
        let makers = AnswerWorkers::default();
        let (end, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let list = || {
            let wait = Arc::clone(&wait);
            makers.lists.begin(move || wait.lock().is_ok_and(|wait| wait.recv().is_ok()))
        };
        let lists: Vec<_> = (0..10).map(|_| list()).collect();
        assert_eq!(makers.lookups.begin(|| 5).blocking_recv(), Ok(5));
        drop(end);
        assert!(lists.into_iter().all(|list| list.blocking_recv() == Ok(false)));
    }

    #[test]
    fn what_nobody_waits_for_is_left_out() {
        let workers = Workers::new("test", 1);
        let (end, wait) = mpsc::channel::<()>();
        let first = workers.begin(move || wait.recv());
        let (did, done) = mpsc::channel();
        drop(workers.begin(move || did.send(())));
        drop(end);
        assert!(first.blocking_recv().is_ok());
        workers.begin(|| ()).blocking_recv().unwrap();
        assert!(done.recv().is_err());
    }
}
