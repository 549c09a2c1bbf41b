//! Where requests wait together: one look at the store, or one fetch, answers all who came before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use crate::clock;
use crate::discovery::{self, How, Want};

use super::keeper::{Fetched, Keeper, Seen};

/// People's wishes for news are gathered: at most one list in this time.
const PACE: Duration = Duration::from_secs(1);

/// What came of a fetch, shared by all whom it answers.
pub(super) type Outcome = Result<Arc<Fetched>, Failure>;

/// Why there are no nodes.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    Discovery(discovery::Error),
    /// A mistake of this program.
    Broken,
}

/// One answer of a fetch.
pub(super) struct Answered {
    pub(super) outcome: Outcome,
    /// The calls of the fetch, for one of those who share it; 0 for the others.
    pub(super) nomad_calls: u64,
}

/// The two queues.
pub(super) struct Desk {
    keeper: Arc<Keeper>,
    looks: Mutex<Looks>,
    fetches: Mutex<Vec<Wish>>,
    wished: Notify,
}

/// Those who wait for a look.
#[derive(Default)]
struct Looks {
    waiting: Vec<(Want, oneshot::Sender<Seen>)>,
    under_way: bool,
}

/// One who waits for a fetch.
struct Wish {
    how: How,
    want: Want,
    /// Not held back for [`PACE`]: whoever asks keeps his own.
    paced: bool,
    /// Something has changed for sure.
    moved: bool,
    to: oneshot::Sender<Answered>,
}

/// When fetches may begin again.
#[derive(Default, Clone, Copy)]
struct Pace {
    /// Those that somebody wished for.
    wished: Option<Instant>,
    /// Those that only want what is cached: held back while nothing can be cached.
    needed: Option<Instant>,
}

impl Desk {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper, looks: Mutex::default(), fetches: Mutex::default(), wished: Notify::new() }
    }

    /// What the store holds now: the look begins after this question.
    pub(super) async fn look(self: &Arc<Self>, want: Want) -> Seen {
        let (to, from) = oneshot::channel();
        locked(&self.looks).waiting.push((want, to));
        self.begin_look();
        from.await.unwrap_or(Seen::Miss)
    }

    /// Begins a look at once unless one is under way. Those who come until its thread has begun are
    /// answered by it too: while it lasts, the requests of the others are read.
    fn begin_look(self: &Arc<Self>) {
        if std::mem::replace(&mut locked(&self.looks).under_way, true) {
            return;
        }
        let desk = Arc::clone(self);
        let looked = spawn_blocking(move || {
            let waiting = std::mem::take(&mut locked(&desk.looks).waiting);
            let full = waiting.iter().any(|(want, _)| *want == Want::Full);
            let seen = desk.keeper.look(if full { Want::Full } else { Want::Records });
            (waiting, seen)
        });
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            // After a panic those who wait are told by the loss of their channel.
            if let Ok((waiting, seen)) = looked.await {
                waiting.into_iter().for_each(|(_, to)| drop(to.send(seen.clone())));
            }
            let mut looks = locked(&desk.looks);
            looks.under_way = false;
            if !looks.waiting.is_empty() {
                drop(looks);
                desk.begin_look();
            }
        });
    }

    /// The nodes by a fetch that begins after this question; for `How::Get` only if the cache is
    /// still not fresh then.
    pub(super) async fn fetch(&self, how: How, want: Want) -> Answered {
        self.wish(how, want, (true, false)).await
    }

    /// The same for the one who follows Nomad: he keeps his own pace, and knows whether it has moved.
    pub(super) async fn follow(&self, moved: bool) -> Outcome {
        self.wish(How::Refresh, Want::Records, (false, moved)).await.outcome
    }

    async fn wish(&self, how: How, want: Want, (paced, moved): (bool, bool)) -> Answered {
        let (to, from) = oneshot::channel();
        locked(&self.fetches).push(Wish { how, want, paced, moved, to });
        self.wished.notify_one();
        let broken = |_| Answered { outcome: Err(Failure::Broken), nomad_calls: 0 };
        from.await.unwrap_or_else(broken)
    }

    /// Fetches for all who wait, again and again.
    pub(super) async fn run_fetches(&self) {
        let mut pace = Pace::default();
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
            pace.wished = Some(began + PACE);
            let cached = outcome.as_ref().is_ok_and(|fetched| !fetched.held.rev.is_empty());
            pace.needed = (!cached).then_some(began + PACE);
            answer(wishes, &outcome);
        }
    }

    async fn fetched(&self, how: How, wishes: &[Wish]) -> Outcome {
        let full = wishes.iter().any(|wish| wish.want == Want::Full);
        let want = if full { Want::Full } else { Want::Records };
        let moved = wishes.iter().any(|wish| wish.moved);
        let keeper = Arc::clone(&self.keeper);
        match spawn_blocking(move || keeper.fetch(how, want, moved)).await {
            Ok(Ok(fetched)) => Ok(Arc::new(fetched)),
            Ok(Err(error)) => Err(Failure::Discovery(error)),
            Err(_) => Err(Failure::Broken),
        }
    }

    /// All whom a fetch of this kind answers: a refresh is good enough for those who only want what
    /// is cached, also when those came first.
    fn take(&self, how: How) -> Vec<Wish> {
        let mut waiting = locked(&self.fetches);
        let fits =
            |wish: &mut Wish| wish.how == how || (how == How::Refresh && wish.how == How::Get);
        waiting.extract_if(.., fits).collect()
    }
}

/// The kind of fetch that may begin first (of several the one that was wished for first), and when;
/// `None` = at once.
fn next(wishes: &[Wish], pace: Pace) -> Option<(How, Option<Instant>)> {
    let at = |wish: &Wish| match wish.how {
        _ if !wish.paced => None,
        How::Get => pace.needed,
        How::Refresh | How::Force => pace.wished,
    };
    let first = wishes.iter().min_by_key(|wish| at(wish))?;
    Some((first.how, at(first)))
}

fn answer(wishes: Vec<Wish>, outcome: &Outcome) {
    let mut nomad_calls = outcome.as_ref().map_or(0, |fetched| fetched.tally.nomad_calls);
    for wish in wishes {
        let answered = Answered { outcome: outcome.clone(), nomad_calls };
        if wish.to.send(answered).is_ok() {
            nomad_calls = 0;
        }
    }
}

fn locked<T>(queue: &Mutex<T>) -> MutexGuard<'_, T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
