//! The live state: the publication in memory, coalesced requests, following Nomad, events.

pub(crate) mod answers;
pub(crate) mod ask_nomad;
pub(crate) mod changes;
pub(crate) mod coalesce;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod follow;
pub(crate) mod memory_budget;
pub(crate) mod nomad_contact;
pub(crate) mod publication_cache;
pub(crate) mod published;
pub(crate) mod replay;
pub(crate) mod shared_requests;
pub(crate) mod workers;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{interval, timeout};

use super::metrics::Metrics;
use crate::discovery::{How, Want};
use crate::store::Sample;

use follow::FollowIntervals;
use publication_cache::{Backend, PublicationCache};
use shared_requests::{FetchOutcome, SharedRequests};

/// How often readers of events get a sign of life.
const BEAT: Duration = Duration::from_secs(10);
/// How often the counters are written to the store.
const FLUSH: Duration = Duration::from_secs(5);

/// The cached nodes, and the ways to keep them fresh.
pub(crate) struct LiveCluster {
    pub(crate) cache: Arc<PublicationCache>,
    pub(crate) requests: SharedRequests,
    pub(crate) metrics: Metrics,
    /// Nomad's index, as the probes of [`ask_nomad`] return it.
    index: watch::Sender<u64>,
}

/// The background tasks that end before the process does.
pub(crate) struct Election {
    acting: JoinSet<()>,
    elect: JoinHandle<()>,
}

impl Election {
    /// Gives up the right to follow.
    async fn end(mut self) {
        self.acting.shutdown().await;
        let _ = timeout(Duration::from_secs(1), self.elect).await;
    }
}

impl LiveCluster {
    /// Must be called in the runtime, where the shared requests are worked on.
    pub(crate) fn new(backend: Backend) -> Self {
        let cache = Arc::new(PublicationCache::new(backend));
        let (metrics, index) = (Metrics::default(), watch::Sender::new(0));
        Self { requests: SharedRequests::new(&cache), cache, metrics, index }
    }

    /// Starts the background tasks. With `follow`, the shortest time between two lists, Nomad is
    /// followed.
    pub(crate) fn start(self: &Arc<Self>, follow: Option<Duration>) -> Option<Election> {
        drop(tokio::spawn(housekeeping(Arc::clone(self))));
        drop(tokio::spawn(ask_nomad::watch(Arc::clone(self))));
        let ttl = self.cache.backend.ttl;
        let Some(interval) = follow.filter(|_| !ttl.is_zero()) else {
            drop(tokio::spawn(follow::watch(Arc::clone(self), None)));
            return None;
        };
        let (won, role) = watch::channel(false);
        let mut acting = JoinSet::new();
        acting.spawn(follow::watch(Arc::clone(self), Some(role.clone())));
        acting.spawn(follow::follow(Arc::clone(self), FollowIntervals { interval, ttl }, role));
        Some(Election { acting, elect: tokio::spawn(follow::elect(Arc::clone(self), won)) })
    }

    /// Ends following, and writes the counters.
    pub(crate) async fn end(&self, election: Option<Election>) {
        if let Some(election) = election {
            election.end().await;
        }
        self.flush().await;
    }

    /// Best effort, as the counters are.
    async fn flush(&self) {
        let cache = Arc::clone(&self.cache);
        let _ = spawn_blocking(move || cache.flush()).await;
    }

    /// A list for the follower.
    async fn follow(&self, moved: bool) -> FetchOutcome {
        self.counted(self.requests.follow(moved).await)
    }

    /// The nodes, without any request for them.
    async fn fetch(&self, how: How) -> FetchOutcome {
        self.counted(self.requests.fetch(how, Want::Records).await.0)
    }

    fn counted(&self, outcome: FetchOutcome) -> FetchOutcome {
        let nomad_calls = outcome.as_ref().map_or(0, |fetched| fetched.tally.nomad_calls);
        self.metrics.nomad_calls.inc_by(nomad_calls);
        self.cache.count(&Sample { follow_calls: nomad_calls, ..Sample::default() });
        outcome
    }
}

async fn housekeeping(live: Arc<LiveCluster>) {
    let (mut beat, mut flush) = (interval(BEAT), interval(FLUSH));
    loop {
        tokio::select! {
            _ = beat.tick() => live.cache.events.beat(),
            _ = flush.tick() => live.flush().await,
        }
    }
}
