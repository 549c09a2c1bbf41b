//! Following Nomad: one held request tells when something has moved, a list tells what.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, sleep_until, timeout};

use crate::clock;
use crate::discovery::{Source, Want};
use crate::nomad::{self, LongPoll};
use crate::random;

use super::nomad_contact::Question;
use super::publication_cache::{IndexProbeError, LookResult};
use super::shared_requests::FetchOutcome;
use crate::serve::App;

/// A held request goes on at Nomad until its time is over, whatever becomes of us.
const LONGEST_HOLD: Duration = Duration::from_secs(55);
/// The right to follow lasts 5 s.
const ELECTION: Duration = Duration::from_millis(1500);
/// While lists find nothing, the next one waits longer and longer, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The first of those waits.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// After a failure, and after several.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// How the cache is kept fresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowIntervals {
    /// The shortest time between two lists while things change.
    pub(crate) interval: Duration,
    /// How long an answer is fresh.
    pub(crate) ttl: Duration,
}

impl FollowIntervals {
    /// After this the publication is renewed, before it ends.
    fn renewal(self) -> Duration {
        self.ttl * 11 / 12
    }

    /// The pause after a list: longer each time if it found no change. Reports of allocations move
    /// the index as well, and must not cost a list each.
    fn next_pause(self, pause: Duration, changed: bool) -> Duration {
        if changed {
            self.interval
        } else {
            (pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE.max(self.interval))
        }
    }
}

/// Takes part in the election as long as this runs; the channel says whether it is won.
pub(crate) async fn elect(app: Arc<App>, role: watch::Sender<bool>) {
    let name: Arc<str> = random::hex16().into();
    loop {
        let (keeper, own) = (Arc::clone(&app.keeper), Arc::clone(&name));
        let follows = spawn_blocking(move || keeper.stores.run().follow(&own));
        let follows = follows.await.is_ok_and(|follows| follows.unwrap_or(true));
        app.metrics.follows(follows);
        role.send_replace(follows);
        tokio::select! {
            () = sleep(ELECTION) => {}
            () = role.closed() => {
                let keeper = Arc::clone(&app.keeper);
                // So that another need not wait for its end.
                let _ = spawn_blocking(move || keeper.stores.run().unfollow(&name)).await;
                return;
            }
        }
    }
}

/// One follower's knowledge.
struct Follower {
    app: Arc<App>,
    rhythm: FollowIntervals,
    /// The index that the next held request names; `None` = ask at once.
    index: Option<u64>,
    pause: Duration,
    listed: Option<Instant>,
    failures: u32,
}

/// Follows Nomad whenever the election is won.
pub(crate) async fn follow(
    app: Arc<App>,
    rhythm: FollowIntervals,
    mut role: watch::Receiver<bool>,
) {
    let pause = rhythm.interval;
    let mut follower = Follower { app, rhythm, index: None, pause, listed: None, failures: 0 };
    while role.wait_for(|follows| *follows).await.is_ok() {
        let pulse = follower.pulse().await;
        // Another may have taken over while the request was held.
        if !*role.borrow() {
            follower.index = None;
            continue;
        }
        match pulse {
            Ok(index) => follower.moved(index).await,
            Err(why) => follower.failed(&why.to_string()).await,
        }
    }
}

impl Follower {
    /// One question at a time, held until something moves or the publication wants to be renewed.
    async fn pulse(&self) -> Result<u64, IndexProbeError> {
        let hold = match self.index {
            None => None,
            Some(index) => Some(LongPoll { index, wait: self.hold().await }),
        };
        self.app.metrics.probed();
        let keeper = Arc::clone(&self.app.keeper);
        let asked = spawn_blocking(move || keeper.pulse(hold, 2 * LONGEST_HOLD));
        tokio::select! {
            asked = asked => asked.unwrap_or_else(|_| Err(broken())),
            index = self.overtaken() => Ok(index),
        }
    }

    /// The index, when a later question has told a newer one than the held question names: that one
    /// is lost somewhere, and its answer would come when its time is over.
    async fn overtaken(&self) -> u64 {
        let mut index = self.app.index.subscribe();
        while index.changed().await.is_ok() {
            let now = *index.borrow_and_update();
            if self.index.is_some_and(|known| known < now) {
                return now;
            }
        }
        std::future::pending().await
    }

    async fn hold(&self) -> Duration {
        let left = match self.app.desk.look(Want::Records).await {
            LookResult::Hit { since, .. } => self.rhythm.renewal().saturating_sub(since),
            LookResult::Miss => self.rhythm.renewal(),
        };
        left.clamp(Duration::from_millis(200), LONGEST_HOLD)
    }

    /// The index of Nomad is known: is there anything to list?
    async fn moved(&mut self, index: u64) {
        self.failures = 0;
        let seen = self.app.desk.look(Want::Records).await;
        let fresh = match &seen {
            LookResult::Hit { held, since, .. } => {
                held.index == index && *since < self.rhythm.renewal()
            }
            LookResult::Miss => false,
        };
        if fresh {
            self.index = Some(index);
            self.app.keeper.answered(Question::List);
            return self.app.keeper.hub.follows(true);
        }
        // What is not known yet has not moved.
        let moved = self.index.is_some_and(|known| known != index);
        if moved && let Some(at) = self.listed.map(|listed| listed + self.pause) {
            sleep_until(at.into()).await;
        }
        self.listed = Some(clock::now());
        match self.app.follow(moved).await {
            Ok(fetched) => {
                let tally = fetched.tally;
                let changed = tally.new + tally.changed + tally.gone > 0;
                self.index = Some(fetched.held.index).filter(|index| *index > 0);
                if moved && matches!(fetched.source, Source::Nomad { .. }) {
                    self.pause = self.rhythm.next_pause(self.pause, changed);
                    self.app.metrics.listed(changed, self.pause);
                }
                self.app.keeper.hub.follows(true);
            }
            Err(_) => self.failed("the list failed").await,
        }
    }

    async fn failed(&mut self, why: &str) {
        self.index = None;
        self.failures += 1;
        self.app.metrics.failed();
        self.app.keeper.hub.follows(false);
        self.app.keeper.tell.warning(format!("cannot follow Nomad: {why}"));
        // Or until somebody else has an answer.
        let mut answered = self.app.index.subscribe();
        let _ = timeout(RETRY[usize::from(self.failures > 3)], answered.changed()).await;
    }
}

fn broken() -> IndexProbeError {
    IndexProbeError::Nomad(nomad::Error {
        kind: nomad::FailureKind::Config,
        what: "the request was dropped".to_owned(),
        hint: None,
    })
}

/// While somebody reads events or this process follows: notices what others publish, and fills a
/// cache that is cold.
pub(crate) async fn watch(app: Arc<App>, role: Option<watch::Receiver<bool>>) {
    /// With readers, and without.
    const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
    /// After a fill, and after one that could not be cached.
    const FILLS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
    let mut not_before = clock::now();
    loop {
        let readers = app.keeper.hub.readers() > 0;
        let follows = role.as_ref().is_some_and(|role| *role.borrow());
        if readers || follows {
            let miss = matches!(app.desk.look(Want::Records).await, LookResult::Miss);
            if miss && clock::now() >= not_before {
                let filled = is_cached(&app.fill().await);
                not_before = clock::now() + FILLS[usize::from(!filled)];
            }
        }
        let _ = timeout(PAUSES[usize::from(!readers)], app.joined.notified()).await;
    }
}

fn is_cached(outcome: &FetchOutcome) -> bool {
    outcome.as_ref().is_ok_and(|fetched| !fetched.held.rev.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{FollowIntervals, LONGEST_PAUSE, SHORTEST_PAUSE};
    use std::time::Duration;

    #[test]
    fn a_storm_without_changes_is_listed_less_and_less_until_something_changes() {
        let ms = Duration::from_millis;
        let rhythm = FollowIntervals { interval: ms(500), ttl: Duration::from_secs(60) };
        let mut pause = rhythm.interval;
        let pauses: Vec<_> = (0..5)
            .map(|_| {
                pause = rhythm.next_pause(pause, false);
                pause
            })
            .collect();
        assert_eq!(pauses, [ms(1000), ms(2000), ms(4000), LONGEST_PAUSE, LONGEST_PAUSE]);
        assert_eq!(rhythm.next_pause(pause, true), ms(500));
        let eager = FollowIntervals { interval: Duration::ZERO, ..rhythm };
        assert_eq!(eager.next_pause(Duration::ZERO, false), SHORTEST_PAUSE);
        assert_eq!(eager.next_pause(SHORTEST_PAUSE, true), Duration::ZERO);
        let slow = FollowIntervals { interval: Duration::from_secs(20), ..rhythm };
        assert_eq!(slow.next_pause(slow.interval, false), slow.interval);
        assert_eq!(rhythm.renewal(), Duration::from_secs(55));
    }
}
