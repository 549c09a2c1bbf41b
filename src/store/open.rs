//! Which store a run uses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::host::folder::Folder;
use crate::host::shown::ShownNote;
use crate::host::{FolderError, FolderFlaw};
use crate::model::notice::Notifier;
use crate::model::snapshot::Snapshot;
use crate::model::text::display_path;
use crate::net::sync::lock;

use super::fallback::FallbackStore;
use super::files::LocalStore;
use super::in_process::InProcessStore;
use super::monotonic::{self, MonotonicStore};
use super::redis::RedisStore;
use super::{BootClock, CacheMode, ClearedPlace, Error, Place, Store};

/// Opens the store that `place` names; connects to nothing yet. Fails if the Redis URL is not one.
pub fn open(place: &Place, tell: &Notifier) -> Result<Arc<dyn Store>, Error> {
    Stores::open(place, tell).map(|stores| stores.run())
}

/// The store for one run after another of the same process: connections are kept, and a Redis that
/// could not be used in one run is tried again in the next.
pub struct Stores(OpenedStore);

enum OpenedStore {
    /// The same for every run.
    Lasting(Arc<dyn Store>),
    Falling(Box<FallbackStores>),
}

/// What a run with a Redis begins with.
struct FallbackStores {
    redis: Arc<RedisStore>,
    local: Result<Arc<LocalStore>, Error>,
    shown: Arc<ShownNote>,
    place: Place,
    notifier: Notifier,
    /// The present run; another one begins when it could not use Redis.
    run: Mutex<Option<Arc<FallbackStore>>>,
    /// Runs that could not.
    failures: AtomicU64,
}

impl Stores {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// The Redis URL is not one.
    pub fn open(place: &Place, tell: &Notifier) -> Result<Self, Error> {
        let boot = || BootClock::of_this_boot(place.folder.as_deref());
        let kind = match place.choice {
            CacheMode::None => OpenedStore::Lasting(Arc::new(InProcessStore::new(place, None))),
            CacheMode::Local => OpenedStore::Lasting(match open_local(place, boot(), tell) {
                Ok(local) => Arc::new(MonotonicStore::new(local, place, boot(), tell.clone())),
                Err(error) => {
                    tell.warning(format!("no local cache: {error}"));
                    Arc::new(InProcessStore::new(place, uncleared(place, &error)))
                }
            }),
            CacheMode::Auto | CacheMode::Redis => OpenedStore::Falling(Box::new(FallbackStores {
                redis: Arc::new(RedisStore::new(place, tell.clone())?),
                local: open_local(place, boot(), tell),
                shown: monotonic::note(place, boot()),
                place: place.clone(),
                notifier: tell.clone(),
                run: Mutex::default(),
                failures: AtomicU64::new(0),
            })),
        };
        Ok(Self(kind))
    }

    /// How many runs could not use Redis.
    pub fn failures(&self) -> u64 {
        match &self.0 {
            OpenedStore::Lasting(_) => 0,
            OpenedStore::Falling(falling) => falling.failures.load(Ordering::Relaxed),
        }
    }

    /// Whether Redis could be used when it was last asked; `None` if there is none, it was not yet
    /// asked, or nobody named it and it is not there.
    pub fn redis_works(&self) -> Option<bool> {
        let OpenedStore::Falling(falling) = &self.0 else { return None };
        let run = lock(&falling.run);
        let works = run.as_ref().and_then(|run| run.redis_works());
        // Another run begins only after one that failed.
        let works = works.or_else(|| (self.failures() > 0).then_some(false));
        works.filter(|works| *works || falling.place.redis.is_configured)
    }

    /// Whether the cache that somebody asked for can be used.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Error> {
        match &self.0 {
            OpenedStore::Falling(falling) if falling.place.redis.is_configured => {
                falling.redis.check()
            }
            _ => self.run().present().map(drop),
        }
    }

    /// As [`Store::printed`].
    pub fn printed(&self, snapshot: &Snapshot) {
        match &self.0 {
            OpenedStore::Lasting(store) => store.printed(snapshot),
            OpenedStore::Falling(falling) => falling.shown.printed(snapshot),
        }
    }

    /// The store for one question and all that follows from it.
    pub fn run(&self) -> Arc<dyn Store> {
        match &self.0 {
            OpenedStore::Lasting(store) => Arc::clone(store),
            OpenedStore::Falling(falling) => falling.run(),
        }
    }
}

impl FallbackStores {
    fn run(&self) -> Arc<dyn Store> {
        let mut run = lock(&self.run);
        let before = run.take();
        let has_failed = before.as_ref().is_some_and(|run| run.has_failed());
        self.failures.fetch_add(u64::from(has_failed), Ordering::Relaxed);
        let before = before.filter(|_| !has_failed);
        let present = before.unwrap_or_else(|| Arc::new(self.begin()));
        *run = Some(Arc::clone(&present));
        let (shown, notifier) = (Arc::clone(&self.shown), self.notifier.clone());
        Arc::new(MonotonicStore::with_note(present, shown, notifier))
    }

    fn begin(&self) -> FallbackStore {
        let uncleared = self.local.as_ref().err().and_then(|why| uncleared(&self.place, why));
        let store =
            FallbackStore::new(Arc::clone(&self.redis), self.local.clone(), self.notifier.clone());
        let store = store.with_uncleared(uncleared);
        match self.place.choice {
            CacheMode::Redis => store.without_fallback(),
            _ if !self.place.redis.is_configured => store.unasked(),
            _ => store,
        }
    }
}

/// What a clear says of a cache directory that can't be used: whatever it holds is served when it
/// can be. `None` if there is none, or none that could ever be used.
fn uncleared(place: &Place, why: &Error) -> Option<ClearedPlace> {
    let path = place.folder.as_deref().filter(|path| Folder::may_exist(path))?;
    let why = match why {
        Error::Folder(FolderError { flaw: FolderFlaw::Remote, .. }) => return None,
        // The place stands beside it.
        Error::Folder(error) => error.flaw.to_string(),
        error => error.to_string(),
    };
    Some(ClearedPlace {
        is_redis: false,
        place: display_path(path),
        outcome: Err(Error::Files(why)),
    })
}

fn open_local(place: &Place, boot: BootClock, tell: &Notifier) -> Result<Arc<LocalStore>, Error> {
    LocalStore::open(place, boot, tell.clone()).map(Arc::new)
}
