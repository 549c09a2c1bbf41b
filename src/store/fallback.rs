//! Redis, and the files of this machine in a run in which Redis can't be used.

mod kept;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::clock;
use crate::model::node::FullJson;
use crate::model::notice::Notifier;
use crate::model::snapshot::Snapshot;
use crate::net::sync::lock;

use super::files::LocalStore;
use super::redis::RedisStore;
use super::{
    Base, CLEAR_TIMEOUT, Cleared, ClearedPlace, Enter, Entered, Error, ErrorKind, FailureClass,
    Flight, Lease, Look, Present, Publication, Published, Sample, ShownList, Stats, Store, Want,
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
    /// What Redis has shown in this run, as far as the local store knows: its index, or that there
    /// was nothing.
    forgotten: Mutex<Option<Option<u64>>>,
    warned: AtomicBool,
    /// ENTER has found an answer that is kept here beside Redis.
    found_here: AtomicBool,
    /// Tokens of the flights that the local store has given, and why Redis can't be written if it can
    /// be read.
    local_flights: Mutex<HashMap<String, Option<Error>>>,
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
            forgotten: Mutex::default(),
            warned: AtomicBool::new(false),
            found_here: AtomicBool::new(false),
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
        let local = self.local.as_ref().ok().filter(|_| self.falls_back)?;
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
                if let Ok(local) = &self.local
                    && self.redis.take_is_back()
                {
                    local.drop_snapshot();
                }
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
        let failed = self.failed(verb, error);
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

    /// What could not be done with Redis, and why.
    fn failed(&self, verb: &str, error: &Error) -> String {
        match error.kind() {
            ErrorKind::Unavailable => {
                format!("cannot {verb} Redis at {} ({error})", self.redis.address())
            }
            _ => error.to_string(),
        }
    }

    /// At most one warning a run; `quietly`: only with `-v`.
    fn tell_once(&self, text: String, quietly: bool) {
        if quietly || self.warned.swap(true, Ordering::Relaxed) {
            self.notifier.verbose(text);
        } else {
            self.notifier.warning(text);
        }
    }

    /// A flight of the local store. `error`: why it is not one of Redis, if that can be read.
    fn own(&self, flight: Flight, error: Option<Error>) -> Entered {
        lock(&self.local_flights).insert(flight.lease.token.clone(), error);
        Entered::Own(flight)
    }

    /// The local store, if it has given this flight.
    fn local_of(&self, lease: &Lease) -> Option<&dyn Store> {
        let flights = lock(&self.local_flights);
        let local: &dyn Store = &**self.local.as_ref().ok()?;
        flights.contains_key(lease.token()).then_some(local)
    }

    /// The store that has given this flight.
    fn of(&self, lease: &Lease) -> &dyn Store {
        self.local_of(lease).unwrap_or(&*self.redis)
    }

    fn enter_local(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let Some(local) = self.fallback() else { return Ok(Entered::Alone) };
        Ok(match local.enter(enter)? {
            Entered::Own(flight) => self.own(flight, None),
            entered => entered,
        })
    }

    /// A default Redis that refuses the connection never held a cache.
    fn was_no_cache(&self, place: &ClearedPlace) -> bool {
        !self.is_configured && place.outcome == Err(Error::Refused)
    }
}

impl Store for FallbackStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        let found_here = self.found_here.swap(false, Ordering::Relaxed);
        if let Some(kept) = found_here.then(|| self.kept(want)).flatten() {
            return Ok(Look::Hit(kept));
        }
        if let Some(look) = self.ask_redis(|redis| redis.look(want)) {
            // That nothing is there shows only in ENTER whether something ever can be.
            if let Look::Hit(hit) | Look::File(hit, _) = &look {
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
                return Ok(self.enter_beside(enter, error));
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

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        self.of(&flight.lease).base(flight, want)
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        if let Some(local) = self.local_of(&flight.lease) {
            let unwritable = lock(&self.local_flights).get(flight.lease.token()).cloned().flatten();
            unwritable.inspect(|error| self.tell_uncached(error));
            return local.publish(flight, publication);
        }
        let (lease, epoch) = (flight.lease.clone(), flight.epoch.clone());
        let published = self.redis.publish(flight, publication);
        // It will be printed, whatever came of it here.
        if !matches!(published, Ok(Published::Older { .. } | Published::Rebase(_))) {
            let age = clock::now().saturating_duration_since(publication.list_sent);
            self.forget_older(Some(ShownList { index: publication.eff, age }));
        }
        Ok(published.unwrap_or_else(|error| self.unpublished((&lease, epoch), publication, &error)))
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

    fn kept_here(&self, want: Want) -> Option<Snapshot> {
        self.kept(want)
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        let partial = self.current().map_or(Ok(None), |store| store.partial(waited))?;
        // Those who can't write Redis wait for flights of this host.
        Ok(partial.or_else(|| self.files()?.partial(waited).ok()?))
    }

    /// What fails here fails again, and with consequences, when everything is read.
    fn full(&self, record: &[u8]) -> Option<FullJson> {
        if self.has_failed() { None } else { self.redis.full(record) }
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        self.current().and_then(|store| store.last(want))
    }

    fn has_lost_redis(&self) -> bool {
        self.has_failed()
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
