//! Details of many nodes at once, each tried a few times.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::model::node::{Detail, Full, Stub};
use crate::model::rows::NodeRow;
use crate::net::sync::lock;
use crate::nomad::{self, FailureKind};

use super::{Discovery, Error};

/// Two retries, as faults of a single node are mostly those of a moment.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// What became of one detail.
pub(super) enum DetailOutcome {
    /// What the node is, and its modify index by then. As bytes at once: a tenth of the memory, and
    /// every worker does its part.
    Row(NodeRow<'static>, u64),
    /// 404: gone since the list.
    Gone,
    /// The detail is older than its stub: the source went back in between.
    Torn,
    Failed(nomad::Error),
}

/// What the workers share.
struct DetailQueue<'a> {
    stubs: &'a [&'a Stub],
    next: AtomicUsize,
    outcomes: Mutex<Vec<Option<DetailOutcome>>>,
    failed: AtomicUsize,
    fatal: Mutex<Option<Error>>,
}

impl Discovery {
    /// One outcome per stub, in their order, with at most `policy.concurrency` requests in flight.
    ///
    /// # Errors
    /// Stops early when more than 3 and more than 10 % failed, when the credentials were refused,
    /// or when an answer was of another node.
    pub(super) fn details(&self, stubs: &[&Stub]) -> Result<Vec<DetailOutcome>, Error> {
        if stubs.is_empty() {
            return Ok(Vec::new());
        }
        let work = DetailQueue::new(stubs);
        self.progress.begin(stubs.len());
        thread::scope(|scope| {
            for _ in 1..self.policy.concurrency.min(stubs.len()) {
                // Fewer threads take longer, and this one can do without any.
                if thread::Builder::new().spawn_scoped(scope, || self.work(&work)).is_err() {
                    break;
                }
            }
            self.work(&work);
        });
        self.progress.end();
        work.outcomes()
    }

    fn work(&self, work: &DetailQueue<'_>) {
        while let Some((at, stub)) = work.take() {
            let outcome = self.outcome(stub);
            work.put(at, outcome);
            self.progress.advance();
        }
    }

    fn outcome(&self, stub: &Stub) -> Result<DetailOutcome, Error> {
        let mut tries = 1;
        loop {
            match self.nomad.node(&stub.id) {
                Ok(None) => return Ok(DetailOutcome::Gone),
                Ok(Some(detail)) => return judged(detail, stub),
                Err(error)
                    if matches!(error.kind, FailureKind::Denied | FailureKind::Unauthorized) =>
                {
                    return Err(error.into());
                }
                Err(error) if tries == TRIES || self.time_left().is_zero() => {
                    return Ok(DetailOutcome::Failed(error));
                }
                Err(error) => self.notifier.verbose(format!("asking again: {error}")),
            }
            (self.sleep)(PAUSE * tries);
            tries += 1;
        }
    }
}

/// A detail must be of the node that was asked for, and not older than the list.
fn judged(detail: Detail, stub: &Stub) -> Result<DetailOutcome, Error> {
    if detail.id != stub.id {
        let what =
            format!("not an answer of Nomad's: asked for node {}, got {}", stub.id, detail.id);
        return Err(Error::Nomad(nomad::Error::new(FailureKind::NotNomad, what)));
    }
    if detail.modify_index < stub.modify_index {
        return Ok(DetailOutcome::Torn);
    }
    Ok(DetailOutcome::Row(NodeRow::of(Full::new(stub, Some(detail.facts))), detail.modify_index))
}

impl<'a> DetailQueue<'a> {
    fn new(stubs: &'a [&'a Stub]) -> Self {
        Self {
            stubs,
            next: AtomicUsize::new(0),
            outcomes: Mutex::new(stubs.iter().map(|_| None).collect()),
            failed: AtomicUsize::new(0),
            fatal: Mutex::new(None),
        }
    }

    fn take(&self) -> Option<(usize, &'a Stub)> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.stubs.get(at).map(|stub| (at, *stub))
    }

    fn put(&self, at: usize, outcome: Result<DetailOutcome, Error>) {
        match outcome {
            Err(fatal) => self.stop(fatal),
            Ok(DetailOutcome::Failed(error)) => {
                let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
                if failed > 3 && failed * 10 > self.stubs.len() {
                    self.stop(Error::Details {
                        failed,
                        total: self.stubs.len(),
                        why: error.to_string(),
                    });
                }
                self.keep(at, DetailOutcome::Failed(error));
            }
            Ok(outcome) => self.keep(at, outcome),
        }
    }

    fn keep(&self, at: usize, outcome: DetailOutcome) {
        lock(&self.outcomes)[at] = Some(outcome);
    }

    /// Nobody takes another stub.
    fn stop(&self, fatal: Error) {
        self.next.store(self.stubs.len(), Ordering::Relaxed);
        lock(&self.fatal).get_or_insert(fatal);
    }

    fn outcomes(self) -> Result<Vec<DetailOutcome>, Error> {
        if let Some(fatal) = self.fatal.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(fatal);
        }
        Ok(self
            .outcomes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_iter()
            .flatten()
            .collect())
    }
}
