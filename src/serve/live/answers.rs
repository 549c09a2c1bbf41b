//! The rendered answers of one publication: equal queries share their bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};

use hyper::body::Bytes;

use super::error::AnswerError;
use super::memory_budget::BudgetedBytes;
use crate::model::work_limit::WorkLimitExceeded;
use crate::net::sync::lock;

/// This many bytes of answers are kept for the next equal query, as long as the publication is
/// current; all others only while they are being sent.
const KEPT: usize = 8 << 20;
/// At this many queries, those whose answers are gone are forgotten.
const QUERIES: usize = 512;

#[derive(Default)]
pub(crate) struct Answers(Mutex<AnswerSlots>);

#[derive(Default)]
struct AnswerSlots {
    by_query: HashMap<String, Arc<AnswerSlot>>,
    kept: VecDeque<Arc<BudgetedBytes>>,
    bytes: usize,
}

/// The bytes while anybody holds them, or that the query takes too long. Locked while it is answered:
/// others with the same query wait.
type AnswerSlot = tokio::sync::Mutex<Result<Weak<BudgetedBytes>, WorkLimitExceeded>>;

impl Answers {
    /// The answer to this query, rendered if it is not in memory.
    pub(crate) async fn get(
        &self,
        query: &str,
        render: impl Future<Output = Result<BudgetedBytes, AnswerError>>,
    ) -> Result<Bytes, AnswerError> {
        let slot = self.slot(query);
        let mut known = slot.lock().await;
        if let Some(bytes) = known.clone()?.upgrade() {
            return Ok(BudgetedBytes::bytes(bytes));
        }
        let rendered = render.await.inspect_err(|error| {
            // Only this depends on the query; other failures may pass.
            if let AnswerError::WorkLimit(error) = error {
                *known = Err(*error);
            }
        });
        let rendered = Arc::new(rendered?);
        *known = Ok(Arc::downgrade(&rendered));
        lock(&self.0).keep(&rendered);
        Ok(BudgetedBytes::bytes(rendered))
    }

    fn slot(&self, query: &str) -> Arc<AnswerSlot> {
        let mut slots = lock(&self.0);
        if let Some(slot) = slots.by_query.get(query) {
            return Arc::clone(slot);
        }
        if slots.by_query.len() >= QUERIES {
            let has_bytes = |slot: &Arc<AnswerSlot>| {
                slot.try_lock()
                    .is_ok_and(|known| known.as_ref().is_ok_and(|it| it.strong_count() > 0))
            };
            slots.by_query.retain(|_, slot| Arc::strong_count(slot) > 1 || has_bytes(slot));
        }
        let slot = Arc::new(AnswerSlot::new(Ok(Weak::new())));
        slots.by_query.insert(query.to_owned(), Arc::clone(&slot));
        slot
    }
}

impl AnswerSlots {
    fn keep(&mut self, rendered: &Arc<BudgetedBytes>) {
        if rendered.len() > KEPT {
            return;
        }
        self.kept.push_back(Arc::clone(rendered));
        self.bytes += rendered.len();
        while self.bytes > KEPT || self.kept.len() >= QUERIES / 2 {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{AnswerError, Answers, KEPT, QUERIES};
    use crate::model::work_limit::WorkLimitExceeded;
    use crate::net::sync::lock;
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
            answers.get("limit=5", async {
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
        let why = AnswerError::from(WorkLimitExceeded);
        let refused = run(answers.get("x", async { Err(why.clone()) }));
        let again = run(answers.get("x", async { panic!("it is kept") }));
        for refused in [refused, again] {
            assert!(matches!(refused, Err(AnswerError::WorkLimit(_))));
        }
        for at in 0..2 * QUERIES {
            let made = run(answers.get(&format!("{at}"), async { Err(why.clone()) }));
            assert!(made.is_err() && lock(&answers.0).by_query.len() <= QUERIES);
        }
        assert!(run(answers.get("x", async { Ok(made(&budget, 5)) })).is_ok(), "it is forgotten");
    }

    #[test]
    fn what_is_kept_for_the_next_is_bounded_and_a_failure_is_not_kept() {
        let (answers, budget) = (Answers::default(), MemoryBudget::default());
        let failed = run(answers.get("x", async { Err(AnswerError::Internal) }));
        assert!(failed.is_err());
        for at in 0..3 * QUERIES {
            run(answers.get(&format!("{at}"), async { Ok(made(&budget, KEPT / 16)) })).unwrap();
            assert!(budget.used() <= KEPT && lock(&answers.0).by_query.len() <= QUERIES);
        }
        let last = format!("{}", 3 * QUERIES - 1);
        let again = run(answers.get(&last, async { panic!("it is kept") }));
        assert_eq!(again.unwrap().len(), KEPT / 16);
    }
}
