//! Threads for work that takes its time, which would hold up the async thread.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::AnswerError;
use crate::net::sync::lock;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads with one queue; each is started when it is first needed, and stays. Few, because
/// memory that one thread has freed is of little use to the others: large work on ever other threads
/// takes many times the memory that it needs.
pub(crate) struct Workers {
    queue: Arc<JobQueue>,
    name: &'static str,
    most: usize,
}

/// Threads for what keeps a processor busy: one long response does not hold up the others.
pub(crate) struct ResponseWorkers {
    /// For reading and writing many nodes.
    pub(crate) lists: Workers,
    /// For single nodes and the metrics, which are always short: they never wait for lists.
    pub(crate) lookups: Workers,
}

impl Default for ResponseWorkers {
    fn default() -> Self {
        Self { lists: Workers::new("lists", 2), lookups: Workers::new("lookups", 1) }
    }
}

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
    pub(crate) fn new(name: &'static str, most: usize) -> Self {
        Self { queue: Arc::default(), name, most }
    }

    /// The result of `work`, which is skipped if nobody waits for it any more when its turn comes.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AnswerError> {
        self.start(work).await.map_err(|_| AnswerError::Internal)
    }

    /// If `work` panics, the channel is closed.
    fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (to, from) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !to.is_closed() {
                let _ = to.send(work());
            }
        });
        if let Some(job) = self.enqueue(job) {
            // The runtime keeps a few threads from its beginning on.
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(|| execute(job))),
                Err(_) => execute(job),
            }
        }
        from
    }

    /// Returns the job if there is no thread for it, and none can be started.
    fn enqueue(&self, job: Job) -> Option<Job> {
        let mut state = lock(&self.queue.state);
        if state.idle <= state.jobs.len() && state.threads < self.most {
            match self.start_thread() {
                Ok(()) => state.threads += 1,
                Err(_) if state.threads == 0 => return Some(job),
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        self.queue.added.notify_one();
        None
    }

    fn start_thread(&self) -> io::Result<()> {
        let queue = Arc::clone(&self.queue);
        let thread = thread::Builder::new().name(self.name.to_owned());
        thread.spawn(move || while queue.next().map(execute).is_some() {}).map(drop)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        lock(&self.queue.state).closed = true;
        self.queue.added.notify_all();
    }
}

impl JobQueue {
    fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        state.idle += 1;
        let waits = |state: &mut PoolState| state.jobs.is_empty() && !state.closed;
        let waited = self.added.wait_while(state, waits);
        state = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.jobs.pop_front()
    }
}

fn execute(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex, mpsc};
    use std::thread;

    use super::{ResponseWorkers, Workers};

    #[test]
    fn all_work_is_done_by_the_same_few_threads_also_after_a_panic() {
        let workers = Workers::new("test", 2);
        let panicked = workers.start(|| panic!("on purpose"));
        assert!(panicked.blocking_recv().is_err());
        let jobs: Vec<_> =
            (0..100).map(|at| workers.start(move || (at, thread::current().id()))).collect();
        let done: Vec<_> = jobs.into_iter().map(|job| job.blocking_recv().unwrap()).collect();
        assert!(done.iter().map(|(at, _)| *at).eq(0..100));
        let threads: HashSet<_> = done.into_iter().map(|(_, thread)| thread).collect();
        assert!(threads.len() <= 2, "{threads:?}");
    }

    #[test]
    fn a_long_job_holds_nobody_up_while_there_is_another_thread() {
        let workers = Workers::new("test", 2);
        let (end, wait) = mpsc::channel::<()>();
        let long = workers.start(move || wait.recv());
        assert_eq!(workers.start(|| 5).blocking_recv(), Ok(5));
        drop(end);
        assert!(long.blocking_recv().is_ok());
    }

    #[test]
    fn a_lookup_does_not_wait_for_lists() {
        let workers = ResponseWorkers::default();
        let (end, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let list = || {
            let wait = Arc::clone(&wait);
            workers.lists.start(move || wait.lock().is_ok_and(|wait| wait.recv().is_ok()))
        };
        let lists: Vec<_> = (0..10).map(|_| list()).collect();
        assert_eq!(workers.lookups.start(|| 5).blocking_recv(), Ok(5));
        drop(end);
        assert!(lists.into_iter().all(|list| list.blocking_recv() == Ok(false)));
    }

    #[test]
    fn what_nobody_waits_for_is_left_out() {
        let workers = Workers::new("test", 1);
        let (end, wait) = mpsc::channel::<()>();
        let first = workers.start(move || wait.recv());
        let (did, done) = mpsc::channel();
        drop(workers.start(move || did.send(())));
        drop(end);
        assert!(first.blocking_recv().is_ok());
        workers.start(|| ()).blocking_recv().unwrap();
        assert!(done.recv().is_err());
    }
}
