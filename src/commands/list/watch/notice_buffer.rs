//! Holds back the notices of a watch, so that none is printed into the table or in every round.

use std::sync::{Arc, Mutex};

use crate::commands::CommandContext;
use crate::model::notice::{Notice, Notifier};
use crate::net::sync::lock;

/// Notices of all threads, until the main thread shows them.
#[derive(Default)]
pub(super) struct NoticeBuffer {
    waiting: Arc<Mutex<Vec<Notice>>>,
    /// The warnings of this round, in the order in which they came.
    warnings: Vec<String>,
    /// Those of the round before, which are not shown again.
    previous: Vec<String>,
}

impl NoticeBuffer {
    pub(super) fn notifier(&self) -> Notifier {
        let waiting = Arc::clone(&self.waiting);
        Notifier::new(move |notice| lock(&waiting).push(notice))
    }

    /// Shows what has come, warnings only if they are wanted here. Tells whether anything was printed.
    pub(super) fn show(&mut self, context: &CommandContext<'_>, with_warnings: bool) -> bool {
        let mut is_printed = false;
        for notice in std::mem::take(&mut *lock(&self.waiting)) {
            if notice.level.is_warning() {
                if !self.warnings.contains(&notice.text) {
                    self.warnings.push(notice.text.clone());
                }
                if !with_warnings || self.previous.contains(&notice.text) {
                    continue;
                }
            }
            context.console.show(&notice);
            is_printed |= context.config.level.is_some_and(|level| notice.level <= level);
        }
        is_printed
    }

    /// At the end of the watch nothing is held back.
    pub(super) fn show_all(&self, context: &CommandContext<'_>) {
        lock(&self.waiting).drain(..).for_each(|notice| context.console.show(&notice));
    }

    /// The warnings of the round that ends.
    pub(super) fn end_round(&mut self) -> Vec<String> {
        self.previous = std::mem::take(&mut self.warnings);
        self.previous.clone()
    }
}
