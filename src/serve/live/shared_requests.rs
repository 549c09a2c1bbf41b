//! Where requests wait together: one look at the store, or one fetch, answers all who came before it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

use crate::clock;
use crate::discovery::{self, How, Source, Want};
use crate::net::sync::lock;
use crate::store::{self, Cleared, Stats};

use super::coalesce::Coalescer;
use super::publication_cache::{Fetched, LookResult, PublicationCache};
use crate::serve::worker::{WorkerPanicked, Workers};

/// At most one list in this time for all who ask, whatever they ask.
const PACE: Duration = Duration::from_secs(1);

/// What came of a fetch, shared by all whom it answers.
pub(crate) type FetchOutcome = Result<Arc<Fetched>, FetchFailure>;

/// Why there are no nodes.
#[derive(Debug, Clone)]
pub(crate) enum FetchFailure {
    Discovery(discovery::Error),
    /// A mistake of this program.
    Broken,
}

/// One answer of a fetch.
pub(crate) struct FetchAnswer {
    pub(crate) outcome: FetchOutcome,
    /// The calls of the fetch, for one of those who share it; 0 for the others.
    pub(crate) nomad_calls: u64,
}

/// The queues. Each has a thread of its own, so that one that is held up holds up no other.
pub(crate) struct SharedRequests {
    keeper: Arc<PublicationCache>,
    looks: Arc<Coalescer<Want, LookResult>>,
    clears: Arc<Coalescer<(), Arc<Cleared>>>,
    stats: Arc<Coalescer<(), Result<Arc<Stats>, store::Error>>>,
    fetches: Mutex<Vec<PendingFetch>>,
    wished: Notify,
    fetcher: Workers,
}

/// One who waits for a fetch.
struct PendingFetch {
    how: How,
    want: Want,
    /// `false`: not held back for [`PACE`], as whoever asks keeps a pace of his own.
    paced: bool,
    came: Instant,
    /// Something has changed for sure.
    moved: bool,
    to: oneshot::Sender<FetchAnswer>,
}

/// When the last lists began.
#[derive(Default, Clone, Copy)]
struct RateLimit {
    /// One that somebody waited for who keeps no pace of his own.
    paced: Option<Instant>,
    any: Option<Instant>,
}

impl RateLimit {
    /// When a fetch may begin that may lead to a list; `None` = at once. Whoever follows Nomad lists
    /// by himself, and most find that good enough; but nobody waits for longer because of that.
    fn free(self, came: Instant) -> Option<Instant> {
        let after_any = self.any.map(|began| (began + PACE).min(came + PACE));
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
    pub(crate) fn new(keeper: Arc<PublicationCache>) -> Self {
        let own = || Arc::clone(&keeper);
        let (looking, clearing, counting) = (own(), own(), own());
        Self {
            looks: Coalescer::new("looks", move |wants: &[Want]| {
                let full = wants.contains(&Want::Full);
                looking.look(if full { Want::Full } else { Want::Records })
            }),
            clears: Coalescer::new("clears", move |_: &[()]| {
                Arc::new(clearing.stores.run().clear())
            }),
            stats: Coalescer::new("stats", move |_: &[()]| {
                counting.flush();
                counting.stores.run().stats().map(Arc::new)
            }),
            fetcher: Workers::new("fetches", 1),
            fetches: Mutex::default(),
            wished: Notify::new(),
            keeper,
        }
    }

    /// What the store holds now: the look begins after this question.
    pub(crate) async fn look(&self, want: Want) -> LookResult {
        self.looks.ask(want).await.unwrap_or(LookResult::Miss)
    }

    /// Forgets everything of before this question.
    pub(crate) async fn clear(&self) -> Result<Arc<Cleared>, WorkerPanicked> {
        self.clears.ask(()).await
    }

    pub(crate) async fn stats(&self) -> Result<Result<Arc<Stats>, store::Error>, WorkerPanicked> {
        self.stats.ask(()).await
    }

    /// The nodes by a fetch that begins after this question; for `How::Get` only if the cache is
    /// still not fresh then.
    pub(crate) async fn fetch(&self, how: How, want: Want) -> FetchAnswer {
        self.wish(how, want, (true, false)).await
    }

    /// The same for the one who follows Nomad: he keeps his own pace, and knows whether it has moved.
    pub(crate) async fn follow(&self, moved: bool) -> FetchOutcome {
        self.wish(How::Refresh, Want::Records, (false, moved)).await.outcome
    }

    async fn wish(&self, how: How, want: Want, (paced, moved): (bool, bool)) -> FetchAnswer {
        let (to, from) = oneshot::channel();
        locked(&self.fetches).push(PendingFetch {
            how,
            want,
            paced,
            came: clock::now(),
            moved,
            to,
        });
        self.wished.notify_one();
        let broken = |_| FetchAnswer { outcome: Err(FetchFailure::Broken), nomad_calls: 0 };
        from.await.unwrap_or_else(broken)
    }

    /// Fetches for all who wait, again and again.
    pub(crate) async fn run_fetches(&self) {
        let mut pace = RateLimit::default();
        loop {
            let Some((how, at)) = next(&locked(&self.fetches), pace) else {
                self.wished.notified().await;
                continue;
            };
            if let Some(at) = at.filter(|at| *at > clock::now()) {
                // Somebody may come who need not wait so long.
                let _ = timeout_at(at.into(), self.wished.notified()).await;
                continue;
            }
            let wishes = self.take(how);
            let began = clock::now();
            let outcome = self.fetched(how, &wishes).await;
            if has_listed(&outcome) {
                pace.listed(began, wishes.iter().all(|wish| wish.paced));
            }
            answer(wishes, &outcome);
            // So that those who read events hear of it at once. Nobody waits for that.
            if self.keeper.hub.readers() > 0 {
                let looks = Arc::clone(&self.looks);
                drop(tokio::spawn(async move { looks.ask(Want::Records).await }));
            }
        }
    }

    async fn fetched(&self, how: How, wishes: &[PendingFetch]) -> FetchOutcome {
        let full = wishes.iter().any(|wish| wish.want == Want::Full);
        let want = if full { Want::Full } else { Want::Records };
        let moved = wishes.iter().any(|wish| wish.moved);
        let keeper = Arc::clone(&self.keeper);
        match self.fetcher.run(move || keeper.fetch(how, want, moved)).await {
            Ok(Ok(fetched)) => Ok(Arc::new(fetched)),
            Ok(Err(error)) => Err(FetchFailure::Discovery(error)),
            Err(_) => Err(FetchFailure::Broken),
        }
    }

    /// All whom a fetch of this kind answers: a refresh is good enough for those who only want what
    /// is cached, also when those came first.
    fn take(&self, how: How) -> Vec<PendingFetch> {
        let mut waiting = locked(&self.fetches);
        let fits = |wish: &mut PendingFetch| {
            wish.how == how || (how == How::Refresh && wish.how == How::Get)
        };
        waiting.extract_if(.., fits).collect()
    }
}

/// Whether Nomad was asked for a list, or may have been.
fn has_listed(outcome: &FetchOutcome) -> bool {
    let source = outcome.as_ref().map(|fetched| fetched.source);
    !matches!(source, Ok(Source::Cache | Source::Served))
}

/// The kind of fetch that may begin first (of several the one that was wished for first), and when;
/// `None` = at once.
fn next(wishes: &[PendingFetch], pace: RateLimit) -> Option<(How, Option<Instant>)> {
    let at = |wish: &PendingFetch| if wish.paced { pace.free(wish.came) } else { None };
    let first = wishes.iter().min_by_key(|wish| at(wish))?;
    Some((first.how, at(first)))
}

fn answer(wishes: Vec<PendingFetch>, outcome: &FetchOutcome) {
    let mut nomad_calls = outcome.as_ref().map_or(0, |fetched| fetched.tally.nomad_calls);
    for wish in wishes {
        let answered = FetchAnswer { outcome: outcome.clone(), nomad_calls };
        if wish.to.send(answered).is_ok() {
            nomad_calls = 0;
        }
    }
}

fn locked<T>(queue: &Mutex<T>) -> MutexGuard<'_, T> {
    lock(queue)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::sync::oneshot;

    use super::{How, PACE, PendingFetch, RateLimit, Want, next};
    use crate::clock;

    const HALF: Duration = Duration::from_millis(500);

    fn wish(how: How, paced: bool, came: Instant) -> PendingFetch {
        PendingFetch {
            how,
            want: Want::Records,
            paced,
            came,
            moved: false,
            to: oneshot::channel().0,
        }
    }

    #[test]
    fn all_that_leads_to_a_list_has_one_pace() {
        let began = clock::now();
        let mut pace = RateLimit::default();
        for how in [How::Get, How::Refresh, How::Force] {
            assert_eq!(next(&[wish(how, true, began)], pace), Some((how, None)));
        }
        pace.listed(began, true);
        for how in [How::Get, How::Refresh, How::Force] {
            for came in [began, began + HALF] {
                assert_eq!(next(&[wish(how, true, came)], pace), Some((how, Some(began + PACE))));
            }
        }
        let follower = wish(How::Refresh, false, began);
        let all = [wish(How::Force, true, began), follower];
        assert_eq!(next(&all, pace), Some((How::Refresh, None)));
    }

    #[test]
    fn one_who_follows_closely_keeps_nobody_waiting_for_ever() {
        let began = clock::now();
        let mut pace = RateLimit::default();
        let forced = wish(How::Force, true, began + HALF);
        for turn in 0..20 {
            pace.listed(began + HALF * turn, false);
        }
        assert_eq!(pace.free(forced.came), Some(began + HALF + PACE));
    }
}
