//! Coalesced calls: one run answers all that arrived before it began.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::error::AnswerError;
use super::workers::Workers;

/// One run at a time, on a thread of its own. Calls during a run are answered by the next.
pub(crate) struct Coalescer<Q, A>(mpsc::UnboundedSender<(Q, oneshot::Sender<A>)>);

impl<Q: Send + 'static, A: Clone + Send + 'static> Coalescer<Q, A> {
    /// `answer` gives one answer to all waiting calls; `name` is that of its thread.
    pub(crate) fn new(
        name: &'static str,
        answer: impl Fn(&[Q]) -> A + Send + Sync + 'static,
    ) -> Self {
        let (to, mut calls) = mpsc::unbounded_channel::<(Q, oneshot::Sender<A>)>();
        let (worker, answer) = (Workers::new(name, 1), Arc::new(answer));
        tokio::spawn(async move {
            let mut waiting = Vec::new();
            while calls.recv_many(&mut waiting, usize::MAX).await > 0 {
                let (questions, callers): (Vec<Q>, Vec<_>) = waiting.drain(..).unzip();
                let answer = Arc::clone(&answer);
                // After a panic the callers' channels are closed.
                if let Ok(answer) = worker.run(move || answer(&questions)).await {
                    callers.into_iter().for_each(|to| drop(to.send(answer.clone())));
                }
            }
        });
        Self(to)
    }

    /// The answer of a run that begins after this call.
    pub(crate) fn ask(
        &self,
        question: Q,
    ) -> impl Future<Output = Result<A, AnswerError>> + use<Q, A> {
        let (to, from) = oneshot::channel();
        let _ = self.0.send((question, to));
        async { from.await.map_err(|_| AnswerError::Internal) }
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
    fn calls_during_a_run_share_the_next() {
        let (go, wait) = channel::<()>();
        let (begun, began) = channel();
        let (wait, runs) = (Mutex::new(wait), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&runs);
        run(async {
            let all = Coalescer::new("test", move |questions: &[u32]| {
                seen.lock().unwrap().push(questions.to_vec());
                begun.send(()).unwrap();
                wait.lock().unwrap().recv().unwrap();
                questions.iter().sum::<u32>()
            });
            let first = all.ask(1);
            while began.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            let later: Vec<_> = (2..100).map(|question| all.ask(question)).collect();
            go.send(()).unwrap();
            go.send(()).unwrap();
            assert_eq!(first.await.unwrap(), 1);
            for one in later {
                assert_eq!(one.await.unwrap(), (2..100).sum::<u32>());
            }
        });
        assert_eq!(runs.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_run_that_panics_is_an_error_and_the_next_answers() {
        run(async {
            let all =
                Coalescer::new("test", |questions: &[bool]| assert!(questions[0], "on purpose"));
            assert!(all.ask(false).await.is_err());
            assert!(all.ask(true).await.is_ok());
        });
    }
}
