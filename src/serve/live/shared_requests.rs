//! Requests share their work: one look at the store, or one fetch, answers all that arrived before it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use crate::clock;
use crate::discovery::{How, Source, Want};
use crate::model::node::FullJson;
use crate::store::{self, Cleared, Stats};

use super::coalesce::Coalescer;
use super::error::AnswerError;
use super::publication_cache::{CurrentPublication, Fetched, PublicationCache};
use super::workers::Workers;

/// At most one list in this time for all requests, whatever they are for.
const PACE: Duration = Duration::from_secs(1);

/// The result of a fetch, shared by all requests that it answers.
pub(crate) type FetchOutcome = Result<Arc<Fetched>, AnswerError>;

/// The queues. Each has a thread of its own, so that none holds up another.
pub(crate) struct SharedRequests {
    looks: Arc<Looks>,
    clears: Coalescer<(), Arc<Cleared>>,
    stats: Coalescer<(), Result<Arc<Stats>, store::Error>>,
    fetches: mpsc::UnboundedSender<PendingFetch>,
    fulls: Workers,
    cache: Arc<PublicationCache>,
}

type Looks = Coalescer<Want, Option<CurrentPublication>>;

/// A request that waits for a fetch.
struct PendingFetch {
    how: How,
    want: Want,
    /// `false`: not held back for [`PACE`], since the follower has its own pace.
    paced: bool,
    arrived: Instant,
    /// Something has changed for sure.
    moved: bool,
    to: oneshot::Sender<(FetchOutcome, u64)>,
}

/// When the last lists began.
#[derive(Default, Clone, Copy)]
struct RateLimit {
    /// One that only paced requests waited for.
    paced: Option<Instant>,
    any: Option<Instant>,
}

impl RateLimit {
    /// When a fetch may begin that may lead to a list; `None` = at once. The lists of the follower
    /// serve most requests as well; but no request waits longer because of them.
    fn allowed_at(self, arrived: Instant) -> Option<Instant> {
        let after_any = self.any.map(|began| (began + PACE).min(arrived + PACE));
        self.paced.map(|began| began + PACE).max(after_any)
    }

    fn listed(&mut self, began: Instant, paced: bool) {
        self.any = Some(began);
        if paced {
            self.paced = Some(began);
        }
    }
}

impl SharedRequests {
    pub(crate) fn new(cache: &Arc<PublicationCache>) -> Self {
        let (looking, clearing, counting) =
            (Arc::clone(cache), Arc::clone(cache), Arc::clone(cache));
        let looks = Coalescer::new("looks", move |wants: &[Want]| looking.look(widest(wants)));
        let looks = Arc::new(looks);
        let (fetches, incoming) = mpsc::unbounded_channel();
        tokio::spawn(run_fetches(Arc::clone(cache), Arc::clone(&looks), incoming));
        Self {
            looks,
            clears: Coalescer::new("clears", move |_: &[()]| {
                let cleared = clearing.backend.stores.run().clear();
                clearing.forget();
                Arc::new(cleared)
            }),
            stats: Coalescer::new("stats", move |_: &[()]| {
                counting.flush();
                counting.backend.stores.run().stats().map(Arc::new)
            }),
            fetches,
            fulls: Workers::new("fulls", 1),
            cache: Arc::clone(cache),
        }
    }

    /// What the store has now: the look begins after this call.
    pub(crate) async fn look(&self, want: Want) -> Option<CurrentPublication> {
        self.looks.ask(want).await.ok().flatten()
    }

    /// The full record that begins with this record of the current publication; `None` if it cannot be
    /// read alone.
    pub(crate) async fn full(&self, record: Bytes) -> Result<Option<FullJson>, AnswerError> {
        let cache = Arc::clone(&self.cache);
        self.fulls.run(move || cache.backend.stores.run().full(&record)).await
    }

    /// Removes everything from before this call.
    pub(crate) async fn clear(&self) -> Result<Arc<Cleared>, AnswerError> {
        self.clears.ask(()).await
    }

    pub(crate) async fn stats(&self) -> Result<Result<Arc<Stats>, store::Error>, AnswerError> {
        self.stats.ask(()).await
    }

    /// A fetch that begins after this call; for `How::Get` only if the cache is still not fresh then.
    /// The number of calls to Nomad goes to one of the requests that share it, and is 0 for the others.
    pub(crate) async fn fetch(&self, how: How, want: Want) -> (FetchOutcome, u64) {
        self.enqueue(how, want, (true, false)).await
    }

    /// The same for the follower, which has its own pace and knows whether the index has moved.
    pub(crate) async fn follow(&self, moved: bool) -> FetchOutcome {
        self.enqueue(How::Refresh, Want::Records, (false, moved)).await.0
    }

    async fn enqueue(
        &self,
        how: How,
        want: Want,
        (paced, moved): (bool, bool),
    ) -> (FetchOutcome, u64) {
        let (to, from) = oneshot::channel();
        let arrived = clock::now();
        let _ = self.fetches.send(PendingFetch { how, want, paced, arrived, moved, to });
        from.await.unwrap_or((Err(AnswerError::Internal), 0))
    }
}

/// Fetches for all that wait, again and again.
async fn run_fetches(
    cache: Arc<PublicationCache>,
    looks: Arc<Looks>,
    mut incoming: mpsc::UnboundedReceiver<PendingFetch>,
) {
    let worker = Workers::new("fetches", 1);
    let (mut waiting, mut limit) = (Vec::new(), RateLimit::default());
    loop {
        while let Ok(fetch) = incoming.try_recv() {
            waiting.push(fetch);
        }
        let Some((how, at)) = next(&waiting, limit) else {
            let Some(fetch) = incoming.recv().await else { return };
            waiting.push(fetch);
            continue;
        };
        if let Some(at) = at.filter(|at| *at > clock::now()) {
            // One that may begin earlier can arrive meanwhile.
            if let Ok(Some(fetch)) = timeout_at(at.into(), incoming.recv()).await {
                waiting.push(fetch);
            }
            continue;
        }
        // A refresh also serves those that only want what is cached, even if they arrived first.
        let fits = |fetch: &mut PendingFetch| {
            fetch.how == how || (how == How::Refresh && fetch.how == How::Get)
        };
        let batch: Vec<PendingFetch> = waiting.extract_if(.., fits).collect();
        let want = widest(&batch.iter().map(|fetch| fetch.want).collect::<Vec<_>>());
        let moved = batch.iter().any(|fetch| fetch.moved);
        let (began, own) = (clock::now(), Arc::clone(&cache));
        let outcome = worker.run(move || own.fetch(how, want, moved)).await;
        let outcome = outcome.and_then(|fetched| Ok(Arc::new(fetched?)));
        if has_listed(&outcome) {
            limit.listed(began, batch.iter().all(|fetch| fetch.paced));
        }
        answer(batch, &outcome);
        // So that readers of events learn of it at once. Nothing waits for that.
        if cache.events.readers() > 0 {
            drop(tokio::spawn(looks.ask(Want::Records)));
        }
    }
}

/// What serves all of them.
fn widest(wants: &[Want]) -> Want {
    if wants.contains(&Want::Full) { Want::Full } else { Want::Records }
}

/// Whether a list was requested from Nomad, or may have been.
fn has_listed(outcome: &FetchOutcome) -> bool {
    let source = outcome.as_ref().map(|fetched| fetched.source);
    !matches!(source, Ok(Source::Cache | Source::Served))
}

/// The kind of fetch that may begin first (of several the one that was requested first), and when;
/// `None` = at once.
fn next(waiting: &[PendingFetch], limit: RateLimit) -> Option<(How, Option<Instant>)> {
    let at = |fetch: &PendingFetch| fetch.paced.then(|| limit.allowed_at(fetch.arrived)).flatten();
    let first = waiting.iter().min_by_key(|fetch| at(fetch))?;
    Some((first.how, at(first)))
}

fn answer(batch: Vec<PendingFetch>, outcome: &FetchOutcome) {
    let mut nomad_calls = outcome.as_ref().map_or(0, |fetched| fetched.tally.nomad_calls);
    for fetch in batch {
        if fetch.to.send((outcome.clone(), nomad_calls)).is_ok() {
            nomad_calls = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::sync::oneshot;

    use super::{How, PACE, PendingFetch, RateLimit, Want, next};
    use crate::clock;

    const HALF: Duration = Duration::from_millis(500);

    fn pending(how: How, paced: bool, arrived: Instant) -> PendingFetch {
        PendingFetch {
            how,
            want: Want::Records,
            paced,
            arrived,
            moved: false,
            to: oneshot::channel().0,
        }
    }

    #[test]
    fn all_that_leads_to_a_list_has_one_pace() {
        let began = clock::now();
        let mut limit = RateLimit::default();
        for how in [How::Get, How::Refresh, How::Force] {
            assert_eq!(next(&[pending(how, true, began)], limit), Some((how, None)));
        }
        limit.listed(began, true);
        for how in [How::Get, How::Refresh, How::Force] {
            for arrived in [began, began + HALF] {
                assert_eq!(
                    next(&[pending(how, true, arrived)], limit),
                    Some((how, Some(began + PACE)))
                );
            }
        }
        let follower = pending(How::Refresh, false, began);
        let all = [pending(How::Force, true, began), follower];
        assert_eq!(next(&all, limit), Some((How::Refresh, None)));
    }

    #[test]
    fn one_who_follows_closely_keeps_nobody_waiting_for_ever() {
        let began = clock::now();
        let mut limit = RateLimit::default();
        let forced = pending(How::Force, true, began + HALF);
        for turn in 0..20 {
            limit.listed(began + HALF * turn, false);
        }
        assert_eq!(limit.allowed_at(forced.arrived), Some(began + HALF + PACE));
    }
}
