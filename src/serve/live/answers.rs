//! Answers that were made of one publication: who asks the same shares the same bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use hyper::StatusCode;
use hyper::body::Bytes;

use super::memory_budget::BudgetedBytes;
use crate::net::sync::lock;
use crate::serve::api::problem::Problem;

/// Answers of so many bytes are kept for whoever asks the same next, as long as the publication is
/// shown; all others as long as they are on their way to somebody.
const KEPT: usize = 8 << 20;
/// Questions whose answers are gone are forgotten when there are so many.
const QUESTIONS: usize = 512;

/// The answers of one publication, by question.
#[derive(Default)]
pub(crate) struct Answers(Mutex<AnswerSlots>);

#[derive(Default)]
struct AnswerSlots {
    slots: HashMap<String, Arc<AnswerSlot>>,
    kept: VecDeque<Arc<BudgetedBytes>>,
    bytes: usize,
}

/// Whoever makes the answer holds the lock, and all who want it wait for that.
type AnswerSlot = tokio::sync::Mutex<RenderedAnswer>;

/// What is known of the answer to a question.
enum RenderedAnswer {
    /// Its bytes, as long as somebody holds them.
    Made(Weak<BudgetedBytes>),
    /// Whoever asks for it again is refused again, without any work.
    Refused(Problem),
}

impl Default for RenderedAnswer {
    fn default() -> Self {
        Self::Made(Weak::new())
    }
}

impl RenderedAnswer {
    fn is_held(&self) -> bool {
        matches!(self, Self::Made(made) if made.strong_count() > 0)
    }
}

impl Answers {
    fn state(&self) -> MutexGuard<'_, AnswerSlots> {
        lock(&self.0)
    }

    /// The answer to this question, by `make` if nobody has it.
    pub(crate) async fn of(
        &self,
        question: &str,
        make: impl Future<Output = Result<BudgetedBytes, Problem>>,
    ) -> Result<Bytes, Problem> {
        let slot = self.slot(question);
        let mut known = slot.lock().await;
        match &*known {
            RenderedAnswer::Made(made) => {
                if let Some(made) = made.upgrade() {
                    return Ok(BudgetedBytes::bytes(made));
                }
            }
            RenderedAnswer::Refused(why) => return Err(why.clone()),
        }
        let made = make.await.inspect_err(|why| {
            // Only this is a matter of the question; the rest may be better the next time.
            if why.status == StatusCode::BAD_REQUEST {
                *known = RenderedAnswer::Refused(why.clone());
            }
        });
        let made = Arc::new(made?);
        *known = RenderedAnswer::Made(Arc::downgrade(&made));
        self.state().keep(&made);
        Ok(BudgetedBytes::bytes(made))
    }

    fn slot(&self, question: &str) -> Arc<AnswerSlot> {
        let mut state = self.state();
        if let Some(slot) = state.slots.get(question) {
            return Arc::clone(slot);
        }
        if state.slots.len() >= QUESTIONS {
            let is_used = |slot: &Arc<AnswerSlot>| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|known| known.is_held())
            };
            state.slots.retain(|_, slot| is_used(slot));
        }
        Arc::clone(state.slots.entry(question.to_owned()).or_default())
    }
}

impl AnswerSlots {
    fn keep(&mut self, made: &Arc<BudgetedBytes>) {
        if made.len() > KEPT {
            return;
        }
        self.kept.push_back(Arc::clone(made));
        self.bytes += made.len();
        while self.bytes > KEPT || self.kept.len() >= QUESTIONS / 2 {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Answers, KEPT, QUESTIONS};
    use crate::model::work_limit::WorkLimitExceeded;
    use crate::serve::api::problem::Problem;
    use crate::serve::live::memory_budget::{BudgetedBytes, GrowingBytes, MemoryBudget};

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn made(budget: &MemoryBudget, bytes: usize) -> BudgetedBytes {
        let mut to = GrowingBytes::new(budget, 0);
        to.add(&vec![b'x'; bytes]).unwrap();
        to.done()
    }

    #[test]
    fn the_same_question_is_answered_once_for_all_who_ask_and_its_bytes_are_shared() {
        let (answers, budget, times) = (Answers::default(), MemoryBudget::default(), Cell::new(0));
        let ask = || {
            answers.of("limit=5", async {
                tokio::task::yield_now().await;
                times.set(times.get() + 1);
                Ok(made(&budget, KEPT + 1))
            })
        };
        let (first, second, third) = run(async { tokio::join!(ask(), ask(), ask()) });
        let all = [first.unwrap(), second.unwrap(), third.unwrap()];
        assert!(all.iter().all(|bytes| bytes.as_ptr() == all[0].as_ptr()) && times.get() == 1);
        assert_eq!(budget.used(), KEPT + 1, "they count once");
        drop(all);
        assert_eq!(budget.used(), 0, "what is large is kept as long as somebody reads it");
        assert!(run(ask()).is_ok() && times.get() == 2);
    }

    #[test]
    fn a_refusal_is_kept_and_gives_way() {
        let (answers, budget) = (Answers::default(), MemoryBudget::default());
        let why = Problem::from(WorkLimitExceeded);
        let refused = run(answers.of("x", async { Err(why.clone()) }));
        let again = run(answers.of("x", async { panic!("it is kept") }));
        assert_eq!((refused, again), (Err(why.clone()), Err(why.clone())));
        for at in 0..2 * QUESTIONS {
            let made = run(answers.of(&format!("{at}"), async { Err(why.clone()) }));
            assert!(made.is_err() && answers.state().slots.len() <= QUESTIONS);
        }
        assert!(run(answers.of("x", async { Ok(made(&budget, 5)) })).is_ok(), "it is forgotten");
    }

    #[test]
    fn what_is_kept_for_the_next_is_bounded_and_a_failure_is_not_kept() {
        let (answers, budget) = (Answers::default(), MemoryBudget::default());
        let failed = run(answers.of("x", async { Err(Problem::broken()) }));
        assert!(failed.is_err());
        for at in 0..3 * QUESTIONS {
            run(answers.of(&format!("{at}"), async { Ok(made(&budget, KEPT / 16)) })).unwrap();
            assert!(budget.used() <= KEPT && answers.state().slots.len() <= QUESTIONS);
        }
        let last = format!("{}", 3 * QUESTIONS - 1);
        let again = run(answers.of(&last, async { panic!("it is kept") }));
        assert_eq!(again.unwrap().len(), KEPT / 16);
    }
}
