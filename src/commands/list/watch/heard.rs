//! What was to be told while a watch goes on: said once, and on a screen not amid the table.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::commands::Run;
use crate::model::remark::{Level, Remark, Tell};

/// Remarks of any thread, until the one that writes has time for them.
#[derive(Default)]
pub(super) struct Heard {
    waiting: Arc<Mutex<Vec<Remark>>>,
    /// Warnings of this round, in the order in which they came.
    now: Vec<String>,
    /// Those of the round before.
    before: Vec<String>,
}

impl Heard {
    pub(super) fn tell(&self) -> Tell {
        let waiting = Arc::clone(&self.waiting);
        Tell::new(move |remark| locked(&waiting).push(remark))
    }

    /// Says what the round before has not said too.
    pub(super) fn say(&mut self, run: &Run<'_>) {
        for remark in self.take() {
            if !self.is_old(&remark) {
                run.console.remark(&remark);
            }
        }
    }

    /// Says only what was asked for with `-v`; the rest is for the line of trouble. Tells whether
    /// something was written.
    pub(super) fn say_details(&mut self, run: &Run<'_>) -> bool {
        let mut is_said = false;
        for remark in self.take() {
            if !is_warning(&remark) {
                run.console.remark(&remark);
                is_said |= run.config.level.is_some_and(|level| remark.level <= level);
            }
        }
        is_said
    }

    /// At the end of the watch nothing is held back.
    pub(super) fn say_all(&self, run: &Run<'_>) {
        locked(&self.waiting).drain(..).for_each(|remark| run.console.remark(&remark));
    }

    /// The warnings of the round that ends.
    pub(super) fn end_of_round(&mut self) -> Vec<String> {
        self.before = std::mem::take(&mut self.now);
        self.before.clone()
    }

    fn take(&mut self) -> Vec<Remark> {
        let remarks = std::mem::take(&mut *locked(&self.waiting));
        for remark in remarks.iter().filter(|remark| is_warning(remark)) {
            if !self.now.contains(&remark.text) {
                self.now.push(remark.text.clone());
            }
        }
        remarks
    }

    fn is_old(&self, remark: &Remark) -> bool {
        is_warning(remark) && self.before.contains(&remark.text)
    }
}

fn is_warning(remark: &Remark) -> bool {
    matches!(remark.level, Level::Warning | Level::Note)
}

fn locked(waiting: &Mutex<Vec<Remark>>) -> MutexGuard<'_, Vec<Remark>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
