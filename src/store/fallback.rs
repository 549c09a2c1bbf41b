//! Redis, and the files of this machine in a run in which Redis can't be used.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::clock;
use crate::model::node::NodeId;
use crate::model::notice::Notifier;
use crate::model::snapshot::Snapshot;
use crate::net::sync::lock;

use super::files::LocalStore;
use super::redis::RedisStore;
use super::{
    Base, CLEAR_TIMEOUT, Cleared, ClearedPlace, Enter, Entered, Error, ErrorKind, FailureClass,
    Flight, Kept, Lease, Look, Present, Publication, Published, Sample, ShownList, Stats, Store,
    Want,
};

/// The cache of one run: Redis, or the local files once Redis has failed. A run never goes back,
/// because leases and revs of one store mean nothing in the other.
pub struct FallbackStore {
    redis: Arc<RedisStore>,
    /// The user configured this Redis, so its absence is worth a warning.
    is_configured: bool,
    /// `Err`: why nothing can be cached on this machine.
    local: Result<Arc<LocalStore>, Error>,
    /// Local files that cannot be cleared now and may be used later, and why.
    uncleared: Option<ClearedPlace>,
    /// Whether the local store serves when Redis does not; it is cleared in any case.
    falls_back: bool,
    /// Redis could not be used in this run.
    redis_failed: AtomicBool,
    /// Redis has answered in this run.
    answered: AtomicBool,
    /// Redis cut off a reply: it is up, so the local store is not used, and nothing is cached in this
    /// run.
    truncated: AtomicBool,
    /// What Redis has shown in this run, as far as the local store knows: its index, or that there
    /// was nothing.
    forgotten: Mutex<Option<Option<u64>>>,
    warned: AtomicBool,
    /// Tokens of the flights that the local store has given.
    local_flights: Mutex<HashSet<String>>,
    notifier: Notifier,
}

impl FallbackStore {
    pub fn new(
        redis: Arc<RedisStore>,
        local: Result<Arc<LocalStore>, Error>,
        tell: Notifier,
    ) -> Self {
        Self {
            redis,
            is_configured: true,
            local,
            uncleared: None,
            falls_back: true,
            redis_failed: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            truncated: AtomicBool::new(false),
            forgotten: Mutex::default(),
            warned: AtomicBool::new(false),
            local_flights: Mutex::default(),
            notifier: tell,
        }
    }

    /// The default Redis: no warning if it is not there.
    #[must_use]
    pub fn unasked(self) -> Self {
        Self { is_configured: false, ..self }
    }

    /// Local files exist that cannot be used now.
    #[must_use]
    pub fn with_uncleared(self, uncleared: Option<ClearedPlace>) -> Self {
        Self { uncleared, ..self }
    }

    /// `--cache redis`: without Redis every run asks Nomad.
    #[must_use]
    pub fn without_fallback(self) -> Self {
        Self { falls_back: false, ..self }
    }

    /// Whether Redis has failed in this run; only another run tries it again.
    pub(super) fn has_failed(&self) -> bool {
        self.redis_failed.load(Ordering::Relaxed)
    }

    /// Whether Redis could be used when it was last asked in this run; `None` before.
    pub(super) fn redis_works(&self) -> Option<bool> {
        let answered = self.answered.load(Ordering::Relaxed).then_some(true);
        if self.has_failed() { Some(false) } else { answered }
    }

    /// The store to ask, or `None` if there is none left.
    fn current(&self) -> Option<&dyn Store> {
        if self.has_failed() { self.fallback() } else { Some(&*self.redis) }
    }

    fn fallback(&self) -> Option<&dyn Store> {
        let falls_back = self.falls_back && !self.truncated.load(Ordering::Relaxed);
        let local = self.local.as_ref().ok().filter(|_| falls_back)?;
        Some(&**local)
    }

    /// Asks Redis at a step that an answer waits for; `None` if it can't be used in this run.
    fn ask_redis<T>(&self, ask: impl FnOnce(&RedisStore) -> Result<T, Error>) -> Option<T> {
        if self.has_failed() {
            return None;
        }
        self.noted(ask(&self.redis))
    }

    fn noted<T>(&self, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.answered.store(true, Ordering::Relaxed);
                Some(answer)
            }
            Err(error) => {
                self.fall_back(&error);
                None
            }
        }
    }

    /// Redis has shown this list, or has none: from now on the files serve nothing older.
    fn forget_older(&self, than: Option<ShownList>) {
        let Ok(local) = &self.local else { return };
        let index = than.map(|shown| shown.index);
        let mut forgotten = lock(&self.forgotten);
        let is_known = *forgotten == Some(index) || (index.is_none() && forgotten.is_some());
        if !is_known {
            *forgotten = Some(index);
            local.forget(than);
        }
    }

    /// Stops using Redis in this run.
    fn fall_back(&self, error: &Error) {
        if self.redis_failed.swap(true, Ordering::Relaxed) {
            return;
        }
        let verb = if error.is_unreachable() { "reach" } else { "use" };
        let failed = match error.kind() {
            ErrorKind::Unavailable => {
                format!("cannot {verb} Redis at {} ({error})", self.redis.address())
            }
            _ => error.to_string(),
        };
        if *error == Error::Truncated {
            self.truncated.store(true, Ordering::Relaxed);
            return self.notifier.verbose(format!("{failed}; asking Nomad"));
        }
        let is_absent = error.kind() == ErrorKind::Unavailable && !self.is_configured;
        let instead = match (&self.local, self.falls_back) {
            (Ok(_), true) => "using the local cache".to_owned(),
            // Nobody misses the Redis, but without files every run asks for everything.
            (Err(why), true) if is_absent => {
                return self.tell_once(format!("no local cache: {why}"), false);
            }
            (Err(why), true) => format!("no local cache ({why}); asking Nomad"),
            (_, false) => "asking Nomad".to_owned(),
        };
        let quietly = is_absent || matches!(error, Error::Busy(_));
        self.tell_once(format!("{failed}; {instead}"), quietly);
    }

    /// At most one warning a run; `quietly`: only with `-v`.
    fn tell_once(&self, text: String, quietly: bool) {
        if quietly || self.warned.swap(true, Ordering::Relaxed) {
            self.notifier.verbose(text);
        } else {
            self.notifier.warning(text);
        }
    }

    /// Redis can be read but not written: the run fetches, and nothing is cached.
    fn uncached(&self, error: &Error) -> Entered {
        // What will be printed is newer than all that is here, and goes nowhere.
        if let Ok(local) = &self.local {
            local.forget(None);
        }
        // A failover may be under way.
        let passes = *error == Error::Replica;
        self.tell_once(format!("{error}; nothing is cached"), passes);
        Entered::Alone
    }

    /// The local store, if it has given this flight.
    fn local_of(&self, lease: &Lease) -> Option<&dyn Store> {
        let flights = lock(&self.local_flights);
        self.fallback().filter(|_| flights.contains(lease.token()))
    }

    /// The store that has given this flight.
    fn of(&self, lease: &Lease) -> &dyn Store {
        self.local_of(lease).unwrap_or(&*self.redis)
    }

    fn enter_local(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let Some(local) = self.fallback() else { return Ok(Entered::Alone) };
        let entered = local.enter(enter)?;
        if let Entered::Own(flight) = &entered {
            let mut flights = lock(&self.local_flights);
            flights.insert(flight.lease.token.clone());
        }
        Ok(entered)
    }

    /// A list that cannot be published is printed all the same. The lease is released, so that
    /// waiting processes need not wait for its expiry.
    fn unpublished(&self, lease: &Lease, error: &Error) -> Published {
        let lasts = error.is_timeout() || matches!(error, Error::NoCommand(_));
        let passes = error.kind() == ErrorKind::Unavailable && !lasts;
        let is_absent = error.kind() == ErrorKind::Unavailable && !self.is_configured;
        self.tell_once(format!("cannot write the cache in Redis: {error}"), passes || is_absent);
        if error.is_answer() {
            self.redis.release(lease);
        }
        Published::Fenced
    }

    /// A default Redis that refuses the connection never held a cache.
    fn was_no_cache(&self, place: &ClearedPlace) -> bool {
        !self.is_configured && place.outcome == Err(Error::Refused)
    }
}

impl Store for FallbackStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        if let Some(look) = self.ask_redis(|redis| redis.look(want)) {
            // That nothing is there shows only in ENTER whether something ever can be.
            if let Look::Hit(hit) = &look {
                self.forget_older(Some(ShownList { index: hit.index, age: hit.age }));
            }
            return Ok(look);
        }
        self.fallback().map_or(Ok(Look::Miss { refuse: None }), |local| local.look(want))
    }

    fn present(&self) -> Result<Option<Present>, Error> {
        if let Some(present) = self.ask_redis(RedisStore::present) {
            if let Some(shown) = &present {
                self.forget_older(Some(ShownList { index: shown.index, age: shown.age }));
            }
            return Ok(present);
        }
        self.fallback().map_or(Ok(None), Store::present)
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        if self.has_failed() {
            return self.enter_local(enter);
        }
        let entered = match self.redis.enter(enter) {
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::ReadOnly) => {
                return Ok(self.uncached(&error));
            }
            entered => self.noted(entered),
        };
        let Some(entered) = entered else { return self.enter_local(enter) };
        // What there is to hit is told by the look that follows.
        if !matches!(entered, Entered::Hit { .. }) {
            self.forget_older(None);
        }
        Ok(entered)
    }

    fn base(&self, flight: &Flight) -> Option<Base> {
        self.of(&flight.lease).base(flight)
    }

    fn kept(&self, flight: &Flight, first: &NodeId) -> Option<Kept> {
        self.of(&flight.lease).kept(flight, first)
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        if let Some(local) = self.local_of(&flight.lease) {
            return local.publish(flight, publication);
        }
        let lease = flight.lease.clone();
        let published = self.redis.publish(flight, publication);
        // It will be printed, whatever came of it here.
        if !matches!(published, Ok(Published::Older { .. } | Published::Rebase(_))) {
            let age = clock::now().saturating_duration_since(publication.list_sent);
            self.forget_older(Some(ShownList { index: publication.eff, age }));
        }
        Ok(published.unwrap_or_else(|error| self.unpublished(&lease, &error)))
    }

    fn renew(&self, lease: &Lease) -> Result<bool, Error> {
        self.of(lease).renew(lease)
    }

    fn release(&self, lease: &Lease) {
        self.of(lease).release(lease);
    }

    fn fail(&self, lease: &Lease, class: FailureClass) {
        self.of(lease).fail(lease, class);
    }

    /// Clears every store, whichever is in use.
    fn void(&self, own: Option<&Lease>) -> Result<(), Error> {
        let here = self.local.as_ref().map_or(Ok(()), |local| local.void(own));
        let there = self.redis.void(own);
        // A Redis that nobody asked for and that is not there holds nothing.
        let is_absent = |error: &Error| {
            !self.is_configured && self.has_failed() && error.kind() == ErrorKind::Unavailable
        };
        let there = there.or_else(|error| if is_absent(&error) { Ok(()) } else { Err(error) });
        there.and(here)
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        self.current().map_or(Ok(None), |store| store.partial(waited))
    }

    fn last(&self) -> Option<Snapshot> {
        self.current().and_then(Store::last)
    }

    fn clear(&self) -> Cleared {
        let until = clock::now() + CLEAR_TIMEOUT;
        let mut cleared = self.redis.clear();
        cleared.places.retain(|place| !self.was_no_cache(place));
        match &self.local {
            Ok(local) => cleared.places.extend(local.clear_until(until).places),
            Err(_) if self.uncleared.is_some() => cleared.places.extend(self.uncleared.clone()),
            Err(why) if cleared.places.is_empty() => {
                self.tell_once(format!("nothing to clear: no local cache: {why}"), false);
            }
            Err(_) => {}
        }
        cleared
    }

    /// If the election cannot be written, every process follows by itself.
    fn follow(&self, name: &str) -> Result<bool, Error> {
        if !self.has_failed() {
            match self.redis.follow(name) {
                Ok(follows) => return Ok(follows),
                Err(error) if error.kind() == ErrorKind::Unavailable => self.fall_back(&error),
                Err(_) => return Ok(true),
            }
        }
        self.fallback().map_or(Ok(true), |local| Ok(local.follow(name).unwrap_or(true)))
    }

    fn unfollow(&self, name: &str) {
        if let Some(store) = self.current() {
            store.unfollow(name);
        }
    }

    fn count(&self, sample: &Sample) {
        if let Some(store) = self.current() {
            store.count(sample);
        }
    }

    fn stats(&self) -> Result<Stats, Error> {
        if !self.has_failed() {
            match self.redis.stats() {
                Err(error) if !self.falls_back => {
                    self.fall_back(&error);
                    return Err(error);
                }
                stats => {
                    if let Some(stats) = self.noted(stats) {
                        return Ok(stats);
                    }
                }
            }
        }
        match (self.fallback(), &self.local) {
            (Some(local), _) => local.stats(),
            (None, Err(error)) => Err(error.clone()),
            (None, Ok(_)) => self.redis.stats(),
        }
    }
}
