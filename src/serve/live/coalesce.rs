//! Questions that wait together: one run answers all that came before it began.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

use crate::net::sync::lock;
use crate::serve::worker::{WorkerPanicked, Workers};

/// One run at a time, on a thread of its own. Who asks while one is under way is answered by the next.
pub(crate) struct Coalescer<Q, A> {
    waiting: Mutex<Waiting<Q, A>>,
    answer: Box<AnswerAll<Q, A>>,
    thread: Workers,
}

/// Gives one answer to several questions.
type AnswerAll<Q, A> = dyn Fn(&[Q]) -> A + Send + Sync;

struct Waiting<Q, A> {
    questions: Vec<Q>,
    askers: Vec<oneshot::Sender<A>>,
    under_way: bool,
}

impl<Q: Send + 'static, A: Clone + Send + 'static> Coalescer<Q, A> {
    /// `answer` gives one answer to all questions that wait; `name` is that of its thread.
    pub(crate) fn new(
        name: &'static str,
        answer: impl Fn(&[Q]) -> A + Send + Sync + 'static,
    ) -> Arc<Self> {
        let waiting = Waiting { questions: Vec::new(), askers: Vec::new(), under_way: false };
        let thread = Workers::new(name, 1);
        Arc::new(Self { waiting: Mutex::new(waiting), answer: Box::new(answer), thread })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<Q, A>> {
        lock(&self.waiting)
    }

    /// The answer of a run that begins after this question.
    pub(crate) async fn ask(self: &Arc<Self>, question: Q) -> Result<A, WorkerPanicked> {
        let (to, from) = oneshot::channel();
        if self.is_first(question, to) {
            self.begin();
        }
        from.await.map_err(|_| WorkerPanicked)
    }

    /// Waits with the others; whether none is under way who would take this question along.
    fn is_first(&self, question: Q, to: oneshot::Sender<A>) -> bool {
        let mut waiting = self.waiting();
        waiting.questions.push(question);
        waiting.askers.push(to);
        !std::mem::replace(&mut waiting.under_way, true)
    }

    fn goes_on(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.under_way = !waiting.askers.is_empty();
        waiting.under_way
    }

    /// Those who come until the thread has begun are answered by this run too.
    fn begin(self: &Arc<Self>) {
        let own = Arc::clone(self);
        let answered = self.thread.begin(move || {
            let mut waiting = own.waiting();
            let questions = std::mem::take(&mut waiting.questions);
            let askers = std::mem::take(&mut waiting.askers);
            drop(waiting);
            (askers, (own.answer)(&questions))
        });
        let own = Arc::clone(self);
        tokio::spawn(async move {
            // After a panic those who wait are told by the loss of their channel.
            if let Ok((askers, answer)) = answered.await {
                askers.into_iter().for_each(|to| drop(to.send(answer.clone())));
            }
            if own.goes_on() {
                own.begin();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};

    use super::Coalescer;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn who_comes_during_a_run_shares_the_next() {
        let (go, wait) = channel::<()>();
        let (begun, began) = channel();
        let (wait, runs) = (Mutex::new(wait), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&runs);
        let all = Coalescer::new("test", move |questions: &[u32]| {
            seen.lock().unwrap().push(questions.to_vec());
            begun.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
            questions.iter().sum::<u32>()
        });
        run(async {
            let ask = |question| {
                let all = Arc::clone(&all);
                tokio::spawn(async move { all.ask(question).await })
            };
            let first = ask(1);
            while began.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            let later: Vec<_> = (2..100).map(ask).collect();
            while all.waiting().questions.len() < later.len() {
                tokio::task::yield_now().await;
            }
            go.send(()).unwrap();
            go.send(()).unwrap();
            assert_eq!(first.await.unwrap().unwrap(), 1);
            for one in later {
                assert_eq!(one.await.unwrap().unwrap(), (2..100).sum::<u32>());
            }
        });
        assert_eq!(runs.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_run_that_panics_is_told_and_the_next_answers() {
        let all = Coalescer::new("test", |questions: &[bool]| assert!(questions[0], "on purpose"));
        run(async {
            assert!(all.ask(false).await.is_err());
            assert!(all.ask(true).await.is_ok());
        });
    }
}
