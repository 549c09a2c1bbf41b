//! What was to be told while a watch goes on: said once, and on a screen not amid the table.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::commands::CommandContext;
use crate::model::notice::{Level, Notice, Notifier};
use crate::net::sync::lock;

/// Remarks of any thread, until the one that writes has time for them.
#[derive(Default)]
pub(super) struct NoticeBuffer {
    waiting: Arc<Mutex<Vec<Notice>>>,
    /// Warnings of this round, in the order in which they came.
    now: Vec<String>,
    /// Those of the round before.
    before: Vec<String>,
}

impl NoticeBuffer {
    pub(super) fn tell(&self) -> Notifier {
        let waiting = Arc::clone(&self.waiting);
        Notifier::new(move |remark| locked(&waiting).push(remark))
    }

    /// Says what the round before has not said too.
    pub(super) fn say(&mut self, run: &CommandContext<'_>) {
        for remark in self.take() {
            if !self.is_old(&remark) {
                run.console.remark(&remark);
            }
        }
    }

    /// Says only what was asked for with `-v`; the rest is for the line of trouble. Tells whether
    /// something was written.
    pub(super) fn say_details(&mut self, run: &CommandContext<'_>) -> bool {
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
    pub(super) fn say_all(&self, run: &CommandContext<'_>) {
        locked(&self.waiting).drain(..).for_each(|remark| run.console.remark(&remark));
    }

    /// The warnings of the round that ends.
    pub(super) fn end_of_round(&mut self) -> Vec<String> {
        self.before = std::mem::take(&mut self.now);
        self.before.clone()
    }

    fn take(&mut self) -> Vec<Notice> {
        let remarks = std::mem::take(&mut *locked(&self.waiting));
        for remark in remarks.iter().filter(|remark| is_warning(remark)) {
            if !self.now.contains(&remark.text) {
                self.now.push(remark.text.clone());
            }
        }
        remarks
    }

    fn is_old(&self, remark: &Notice) -> bool {
        is_warning(remark) && self.before.contains(&remark.text)
    }
}

fn is_warning(remark: &Notice) -> bool {
    matches!(remark.level, Level::Warning | Level::Note)
}

fn locked(waiting: &Mutex<Vec<Notice>>) -> MutexGuard<'_, Vec<Notice>> {
    lock(waiting)
}
