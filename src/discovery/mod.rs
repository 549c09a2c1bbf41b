//! The one decision: answer from the cache, wait for another's fetch, or fetch, diff and publish.

mod answer;
mod assemble;
mod details;
mod fetch;
mod index_probe;
mod lease;
mod wait;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::node::AllJson;
use crate::model::notice::Notifier;
use crate::nomad::{self, Nomad};
use crate::random;
use crate::store::{Enter, Entered, FailureClass, Flight, Lease, Look, RefusedRevs, Store};

pub use crate::store::{How, Want};
pub use answer::{Answer, Error, Source, Tally};
pub use index_probe::PROBE_FROM;
pub use lease::Shutdown;

use wait::Wait;

/// Answers "which nodes are there?" from one cache and one Nomad.
pub struct Discovery {
    pub nomad: Arc<dyn Nomad>,
    pub store: Arc<dyn Store>,
    pub policy: Policy,
    pub notifier: Notifier,
    pub progress: Arc<dyn Progress>,
    /// Told of each lease, so that a signal can release it.
    pub shutdown: Arc<Shutdown>,
    pub sleep: Sleep,
}

/// The limits of one run.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Detail requests in flight.
    pub concurrency: usize,
    /// The time that the whole command has.
    pub timeout: Duration,
    /// When that time is over.
    pub deadline: Instant,
    /// All tokens of a cluster share the cache: then a refused token is nobody else's failure.
    pub shared: bool,
    /// A cache of this many nodes or more asks whether anything has changed before it asks for the list.
    pub probe_from: u64,
}

/// What the caller wants.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    pub how: How,
    pub want: Want,
    /// In an outage of Nomad, answer with a list of up to this age.
    pub stale_if_error: Option<Duration>,
    /// Skip the index probe: something has changed for sure.
    pub skip_probe: bool,
}

impl Request {
    pub fn new(how: How, want: Want) -> Self {
        Self { how, want, stale_if_error: None, skip_probe: false }
    }
}

/// How to wait: `clock::sleep`, except in tests.
pub type Sleep = Arc<dyn Fn(Duration) + Send + Sync>;

/// Receives the progress of the details: a bar on a terminal, or nothing.
pub trait Progress: Send + Sync {
    /// `total` details will be requested.
    fn begin(&self, total: usize);
    /// One more detail has arrived.
    fn advance(&self);
    fn end(&self);
}

/// Shows no progress.
#[derive(Debug)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: usize) {}

    fn advance(&self) {}

    fn end(&self) {}
}

/// The outcome of ENTER.
enum EnterOutcome {
    Answer(Box<Answer>),
    /// Fetch; with a flight the result may be published.
    Fetch(Option<Flight>),
}

impl Discovery {
    /// The nodes, as fresh as `how` of the request demands.
    ///
    /// # Errors
    /// Nomad's failure (own, or of the fetch that was waited for), or the deadline. A cache that
    /// can't be used is never one.
    pub fn nodes(&self, request: Request) -> Result<Answer, Error> {
        let began = clock::now();
        let answered = self.turn(request).and_then(|turn| match turn {
            EnterOutcome::Answer(answer) => Ok(*answer),
            EnterOutcome::Fetch(flight) => self.fetch(request, flight),
        });
        let mut answer = answered.or_else(|error| self.stale(error, request))?;
        answer.tally.took = clock::since(began);
        answer.tally.nomad_calls = self.nomad.calls();
        Ok(answer)
    }

    /// The loop of the protocol, up to the point where this run must fetch.
    fn turn(&self, Request { how, want, .. }: Request) -> Result<EnterOutcome, Error> {
        let mut wait = Wait::new(how);
        if how == How::Get {
            match self.store.look(want) {
                Ok(Look::Hit(snapshot)) => return Ok(EnterOutcome::answer(answer::hit(snapshot))),
                Ok(Look::File(snapshot, file)) => {
                    let answer = Answer { file: Some(file), ..answer::hit(snapshot) };
                    return Ok(EnterOutcome::answer(answer));
                }
                Ok(Look::Miss { refuse }) => wait.refuse(refuse),
                Err(error) => return Ok(self.uncached(&error)),
            }
        }
        self.shutdown.watch();
        let token = token(how);
        while clock::now() < self.policy.deadline {
            let enter =
                Enter { token: &token, how, refuse: &wait.refuse, waited: wait.waited.as_deref() };
            let entered = match self.store.enter(&enter) {
                Ok(entered) => entered,
                Err(error) => return Ok(self.uncached(&error)),
            };
            if let Some(turn) = self.step(entered, want, &mut wait)? {
                return Ok(turn);
            }
        }
        Err(Error::TimedOut(self.policy.timeout))
    }

    /// Acts on one reply of ENTER; `None` = enter again.
    fn step(
        &self,
        entered: Entered,
        want: Want,
        wait: &mut Wait,
    ) -> Result<Option<EnterOutcome>, Error> {
        match entered {
            Entered::Own(flight) => Ok(Some(EnterOutcome::Fetch(Some(flight)))),
            Entered::Alone | Entered::Failed(FailureClass::NotCacheable) => {
                Ok(Some(EnterOutcome::Fetch(None)))
            }
            Entered::Hit { rev } => Ok(self.served(&rev, want, wait)),
            Entered::Failed(FailureClass::Partial) => Ok(self.partial(wait)),
            Entered::Failed(class) => Err(Error::Shared(class)),
            Entered::Wait { lease, rev } => {
                if wait.how == How::Refresh && wait.first.is_none() {
                    wait.seen = self.seen();
                }
                wait.on(lease, rev);
                (self.sleep)(wait.pause().min(self.time_left()));
                Ok(None)
            }
        }
    }

    /// Reads what ENTER said is fresh. A publication that cannot be used is refused from now on.
    fn served(&self, rev: &str, want: Want, wait: &mut Wait) -> Option<EnterOutcome> {
        // What another's fetch has changed is counted by its records.
        let want = if wait.how == How::Refresh { want.in_memory() } else { want };
        let (snapshot, file) = match self.store.look(want) {
            Ok(Look::Hit(snapshot)) => (snapshot, None),
            Ok(Look::File(snapshot, file)) => (snapshot, Some(file)),
            Ok(Look::Miss { refuse }) => {
                wait.refuse(Some(refuse.unwrap_or_else(|| rev.to_owned())));
                return None;
            }
            Err(error) => return Some(self.uncached(&error)),
        };
        // A third publication came in between, and it is one that must not serve: ask again.
        let is_refused = wait.refuses(&snapshot.rev);
        (!is_refused)
            .then(|| EnterOutcome::answer(Answer { file, ..answer::served(snapshot, wait) }))
    }

    /// The flight that was waited for could not get all details: its rows serve those who waited,
    /// but a refresh takes only what began after it.
    fn partial(&self, wait: &mut Wait) -> Option<EnterOutcome> {
        let waited = wait.waited.take()?;
        if wait.first.as_ref() == Some(&waited) {
            return None;
        }
        let snapshot = self.store.partial(&waited).ok()??;
        answer::partial(snapshot, wait).map(EnterOutcome::answer)
    }

    /// The cached records, to count what the fetch of another process changed.
    fn seen(&self) -> Option<AllJson> {
        match self.store.look(Want::Records) {
            Ok(Look::Hit(snapshot)) => Some(snapshot.all),
            _ => None,
        }
    }

    /// Nomad may have refused the token of this run: whoever has it is shown nothing from the cache
    /// any more. Where all tokens share the cache it is the others' as well.
    pub fn void_if_refused(&self, error: &nomad::Error, own: Option<&Lease>) {
        void_if_refused((&*self.store, &self.policy), error, own, &self.notifier);
    }

    /// A failing cache never changes the answer of a list.
    fn uncached(&self, error: &crate::store::Error) -> EnterOutcome {
        self.notifier.warning(format!("cache not used: {error}"));
        EnterOutcome::Fetch(None)
    }

    /// With `--stale-if-error`, in an outage: the last list, marked as stale. Never if Nomad refused
    /// the token (its rights may have been revoked) or if a setting is unusable (it would go
    /// unnoticed).
    fn stale(&self, error: Error, request: Request) -> Result<Answer, Error> {
        let is_outage = error.class() == FailureClass::Outage && !error.is_of_settings();
        let Some(oldest) = request.stale_if_error.filter(|_| is_outage) else {
            return Err(error);
        };
        let last = self.store.last(request.want).filter(|last| last.age <= oldest);
        last.map(|last| answer::stale(last, &error)).ok_or(error)
    }

    fn time_left(&self) -> Duration {
        self.policy.deadline.saturating_duration_since(clock::now())
    }
}

/// The same for those who ask Nomad without a fetch.
pub fn void_if_refused(
    (store, policy): (&dyn Store, &Policy),
    error: &nomad::Error,
    own: Option<&Lease>,
    tell: &Notifier,
) {
    if policy.shared || error.kind != nomad::FailureKind::Denied {
        return;
    }
    if let Err(error) = store.void(own) {
        tell.warning(format!("cannot drop what is cached for this token: {error}"));
    }
}

impl EnterOutcome {
    fn answer(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// A random token for a flight; `F` marks those of `--force`, for which nobody waits.
fn token(how: How) -> String {
    let kind = if how == How::Force { 'F' } else { 'N' };
    format!("{kind}{}", random::hex16())
}

/// At the start nothing is refused, except that a refresh accepts nothing that is cached already.
fn refuse_at_first(how: How) -> RefusedRevs {
    if how == How::Refresh { RefusedRevs::Everything } else { RefusedRevs::Revs(Vec::new()) }
}
