//! Following Nomad: a long poll tells when something has changed, a list tells what.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, sleep_until, timeout};

use crate::clock;
use crate::discovery::{How, Source, Want};
use crate::nomad::{self, LongPoll};
use crate::random;

use super::LiveCluster;
use super::nomad_contact::Question;
use super::publication_cache::IndexProbeError;

/// Nomad holds a long poll until its time is over, even if the client has disconnected.
const LONGEST_HOLD: Duration = Duration::from_secs(55);
/// The right to follow is held for 5 s.
const ELECTION: Duration = Duration::from_millis(1500);
/// Lists that find no change are followed by longer and longer pauses, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The first of those pauses.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// After a failure, and after several.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowIntervals {
    /// The shortest time between two lists while nodes change.
    pub(crate) interval: Duration,
    /// How long a list is fresh.
    pub(crate) ttl: Duration,
}

impl FollowIntervals {
    /// The age at which a publication is renewed, before it expires.
    fn renewal(self) -> Duration {
        self.ttl * 11 / 12
    }

    /// The pause after a list: a longer one if it found no change. Allocations move the index too, and
    /// must not cost a list each.
    fn next_pause(self, pause: Duration, changed: bool) -> Duration {
        if changed {
            self.interval
        } else {
            (pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE.max(self.interval))
        }
    }
}

/// Takes part in the election until nobody needs `role`, which says whether it is won.
pub(crate) async fn elect(live: Arc<LiveCluster>, role: watch::Sender<bool>) {
    let name: Arc<str> = random::hex16().into();
    loop {
        let (cache, own) = (Arc::clone(&live.cache), Arc::clone(&name));
        let follows = spawn_blocking(move || cache.backend.stores.run().follow(&own));
        let follows = follows.await.is_ok_and(|follows| follows.unwrap_or(true));
        live.metrics.follower.set(i64::from(follows));
        role.send_replace(follows);
        tokio::select! {
            () = sleep(ELECTION) => {}
            () = role.closed() => {
                let cache = Arc::clone(&live.cache);
                // So that another process need not wait until it expires.
                let _ = spawn_blocking(move || cache.backend.stores.run().unfollow(&name)).await;
                return;
            }
        }
    }
}

struct Follower {
    live: Arc<LiveCluster>,
    intervals: FollowIntervals,
    /// The index that the next long poll waits to pass; `None` = return at once.
    index: Option<u64>,
    pause: Duration,
    listed: Option<Instant>,
    failures: u32,
}

/// Follows Nomad while the election is won.
pub(crate) async fn follow(
    live: Arc<LiveCluster>,
    intervals: FollowIntervals,
    mut role: watch::Receiver<bool>,
) {
    let pause = intervals.interval;
    let mut follower = Follower { live, intervals, index: None, pause, listed: None, failures: 0 };
    while role.wait_for(|follows| *follows).await.is_ok() {
        let probed = follower.probe().await;
        // Another process may have taken over meanwhile.
        if !*role.borrow() {
            follower.index = None;
            continue;
        }
        match probed {
            Ok(index) => follower.moved(index).await,
            Err(why) => follower.failed(&why.to_string()).await,
        }
    }
}

impl Follower {
    /// A long poll until the index moves or the publication has to be renewed.
    async fn probe(&self) -> Result<u64, IndexProbeError> {
        let hold = match self.index {
            None => None,
            Some(index) => Some(LongPoll { index, wait: self.hold().await }),
        };
        self.live.metrics.probes.inc();
        let cache = Arc::clone(&self.live.cache);
        let probe = spawn_blocking(move || cache.probe_index(hold, 2 * LONGEST_HOLD));
        tokio::select! {
            probed = probe => probed.unwrap_or_else(|_| Err(dropped())),
            index = self.newer_index() => Ok(index),
        }
    }

    /// The index, once another probe has found a newer one than the long poll waits to pass: that long
    /// poll is lost somewhere, and would be answered when its time is over.
    async fn newer_index(&self) -> u64 {
        let mut index = self.live.index.subscribe();
        while index.changed().await.is_ok() {
            let now = *index.borrow_and_update();
            if self.index.is_some_and(|known| known < now) {
                return now;
            }
        }
        std::future::pending().await
    }

    async fn hold(&self) -> Duration {
        let current = self.live.requests.look(Want::Records).await;
        let since = current.map_or(Duration::ZERO, |current| current.since);
        let left = self.intervals.renewal().saturating_sub(since);
        left.clamp(Duration::from_millis(200), LONGEST_HOLD)
    }

    /// Lists the nodes if the cached ones do not have this index.
    async fn moved(&mut self, index: u64) {
        self.failures = 0;
        let cache = Arc::clone(&self.live.cache);
        let current = self.live.requests.look(Want::Records).await;
        let current = current.filter(|current| current.since < self.intervals.renewal());
        if current.as_ref().is_some_and(|current| current.publication.index == index) {
            self.index = Some(index);
            cache.answered(Question::List);
            return cache.events.set_following(true);
        }
        // Without Redis a list would cost all details. It is asked for as soon as Redis answers.
        if current.is_some_and(|current| current.is_kept) {
            return sleep(RETRY[0]).await;
        }
        // An index that is not known yet has not moved.
        let moved = self.index.is_some_and(|known| known != index);
        if moved && let Some(at) = self.listed.map(|listed| listed + self.pause) {
            sleep_until(at.into()).await;
        }
        self.listed = Some(clock::now());
        match self.live.follow(moved).await {
            Ok(fetched) => {
                let tally = fetched.tally;
                let changed = tally.new + tally.changed + tally.gone > 0;
                self.index = Some(fetched.publication.index).filter(|index| *index > 0);
                if moved && matches!(fetched.source, Source::Nomad { .. }) {
                    self.pause = self.intervals.next_pause(self.pause, changed);
                    self.live.metrics.listed(changed, self.pause);
                }
                cache.events.set_following(true);
            }
            Err(_) => self.failed("the list failed").await,
        }
    }

    async fn failed(&mut self, why: &str) {
        self.index = None;
        self.failures += 1;
        self.live.metrics.failures.inc();
        self.live.cache.events.set_following(false);
        self.live.cache.backend.notifier.warning(format!("cannot follow Nomad: {why}"));
        // Or until another probe is answered.
        let mut answered = self.live.index.subscribe();
        let _ = timeout(RETRY[usize::from(self.failures > 3)], answered.changed()).await;
    }
}

fn dropped() -> IndexProbeError {
    let kind = nomad::FailureKind::Config;
    IndexProbeError::Nomad(nomad::Error::new(kind, "the request was dropped"))
}

/// While there are readers of events or this process follows: notices what other processes publish, and
/// fills a cold cache.
pub(crate) async fn watch(live: Arc<LiveCluster>, role: Option<watch::Receiver<bool>>) {
    /// With readers of events, and without.
    const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
    /// After a fill, and after one that could not be cached.
    const FILLS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
    let (events, mut not_before) = (&live.cache.events, clock::now());
    loop {
        let follows = role.as_ref().is_some_and(|role| *role.borrow());
        if follows || events.readers() > 0 {
            let is_cold = live.requests.look(Want::Records).await.is_none();
            if is_cold && clock::now() >= not_before {
                let filled = live.fetch(How::Get).await;
                let is_cached = filled.is_ok_and(|filled| !filled.publication.rev.is_empty());
                not_before = clock::now() + FILLS[usize::from(!is_cached)];
            }
        }
        let pause = PAUSES[usize::from(events.readers() == 0)];
        let _ = timeout(pause, events.joined.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{FollowIntervals, LONGEST_PAUSE, SHORTEST_PAUSE};
    use std::time::Duration;

    #[test]
    fn a_storm_without_changes_is_listed_less_and_less_until_something_changes() {
        let ms = Duration::from_millis;
        let intervals = FollowIntervals { interval: ms(500), ttl: Duration::from_secs(60) };
        let mut pause = intervals.interval;
        let pauses: Vec<_> = (0..5)
            .map(|_| {
                pause = intervals.next_pause(pause, false);
                pause
            })
            .collect();
        assert_eq!(pauses, [ms(1000), ms(2000), ms(4000), LONGEST_PAUSE, LONGEST_PAUSE]);
        assert_eq!(intervals.next_pause(pause, true), ms(500));
        let eager = FollowIntervals { interval: Duration::ZERO, ..intervals };
        assert_eq!(eager.next_pause(Duration::ZERO, false), SHORTEST_PAUSE);
        assert_eq!(eager.next_pause(SHORTEST_PAUSE, true), Duration::ZERO);
        let slow = FollowIntervals { interval: Duration::from_secs(20), ..intervals };
        assert_eq!(slow.next_pause(slow.interval, false), slow.interval);
        assert_eq!(intervals.renewal(), Duration::from_secs(55));
    }
}
