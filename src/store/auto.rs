//! Redis, and the files of this machine in a run in which Redis can't be used.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::node::NodeId;
use crate::model::remark::Tell;
use crate::model::snapshot::Snapshot;

use super::{
    Base, Class, Cleared, ClearedPlace, Enter, Entered, Error, Flight, Kept, Kind, Look, Present,
    Publication, Published, Sample, Stats, Store, Want,
};

/// The store of this machine.
pub trait Local: Store {
    /// Deletes what is kept here for this scope: Redis is used again. Best effort.
    fn forget(&self);
}

/// One run's way to the cache: whichever store it falls back to, it stays with that one, because
/// leases and revs of the one mean nothing in the other.
pub struct AutoStore {
    redis: Arc<dyn Store>,
    /// Somebody named this Redis: its absence is worth a warning.
    asked: bool,
    /// `Err`: why this machine can keep nothing.
    local: Result<Arc<dyn Local>, Error>,
    /// Whether the local store serves when Redis does not; it is cleared in any case.
    falls_back: bool,
    /// Redis could not be used in this run.
    given_up: AtomicBool,
    /// Redis broke off an answer: nothing is cached in this run, which is none of Redis' absence.
    broken_off: AtomicBool,
    /// Redis was used in this run.
    reached: AtomicBool,
    warned: AtomicBool,
    /// Tokens of the flights that the local store has given.
    local_flights: Mutex<HashSet<String>>,
    tell: Tell,
}

impl AutoStore {
    pub fn new(redis: Arc<dyn Store>, local: Result<Arc<dyn Local>, Error>, tell: Tell) -> Self {
        Self {
            redis,
            asked: true,
            local,
            falls_back: true,
            given_up: AtomicBool::new(false),
            broken_off: AtomicBool::new(false),
            reached: AtomicBool::new(false),
            warned: AtomicBool::new(false),
            local_flights: Mutex::default(),
            tell,
        }
    }

    /// Nobody named this Redis: if it is not there, nobody misses it.
    #[must_use]
    pub fn unasked(self) -> Self {
        Self { asked: false, ..self }
    }

    /// Redis or nothing: without it every run asks Nomad.
    #[must_use]
    pub fn without_fallback(self) -> Self {
        Self { falls_back: false, ..self }
    }

    /// Redis could not be used: who wants to try it again begins another run.
    pub(super) fn has_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// The store to ask, or `None` if there is none left.
    fn present_store(&self) -> Option<&dyn Store> {
        if self.given_up.load(Ordering::Relaxed) { self.fallback() } else { Some(&*self.redis) }
    }

    fn fallback(&self) -> Option<&dyn Store> {
        let falls_back = self.falls_back && !self.broken_off.load(Ordering::Relaxed);
        let local = self.local.as_ref().ok().filter(|_| falls_back)?;
        Some(&**local)
    }

    fn uses_redis(&self) -> bool {
        !self.given_up.load(Ordering::Relaxed)
    }

    /// Notes what Redis said at a step that stands between question and answer.
    fn note<T>(&self, answer: &Result<T, Error>) {
        match answer {
            Ok(_) if !self.reached.swap(true, Ordering::Relaxed) => {
                if let Ok(local) = &self.local {
                    local.forget();
                }
            }
            Ok(_) => {}
            Err(error) => self.give_up(error),
        }
    }

    fn give_up(&self, error: &Error) {
        if self.given_up.swap(true, Ordering::Relaxed) {
            return;
        }
        if *error == Error::Truncated {
            self.broken_off.store(true, Ordering::Relaxed);
            return self.tell.verbose(format!("redis unavailable ({error}): asking Nomad"));
        }
        let is_absent = error.kind() == Kind::Unavailable && !self.asked;
        let instead = match (&self.local, self.falls_back) {
            (Ok(_), true) => "using local cache".to_owned(),
            // Nobody misses the Redis, but without files every run asks for everything.
            (Err(why), true) if is_absent => {
                return self.tell_once(format!("no local cache: {why}"), false);
            }
            (Err(why), true) => format!("no local cache ({why}): asking Nomad"),
            (_, false) => "asking Nomad".to_owned(),
        };
        let text = match error.kind() {
            Kind::Unavailable => format!("redis unavailable ({error}): {instead}"),
            _ => format!("{error}: {instead}"),
        };
        self.tell_once(text, is_absent || matches!(error, Error::Busy(_)));
    }

    /// One warning a run; what nobody misses, or what passes by itself, only with `-v`.
    fn tell_once(&self, text: String, quietly: bool) {
        if quietly || self.warned.swap(true, Ordering::Relaxed) {
            self.tell.verbose(text);
        } else {
            self.tell.warning(text);
        }
    }

    /// Redis can be read and not be written: whoever asks fetches for himself.
    fn alone(&self, error: &Error) -> Entered {
        // A failover may be under way.
        let passes = *error == Error::Replica;
        self.tell_once(format!("{error}: nothing is cached"), passes);
        Entered::Alone
    }

    /// The local store, if it has given this flight.
    fn local_of(&self, flight: &Flight) -> Option<&dyn Store> {
        let flights = self.local_flights.lock().unwrap_or_else(PoisonError::into_inner);
        self.fallback().filter(|_| flights.contains(&flight.token))
    }

    /// The store that has given this flight.
    fn of(&self, flight: &Flight) -> &dyn Store {
        self.local_of(flight).unwrap_or(&*self.redis)
    }

    fn enter_local(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let Some(local) = self.fallback() else { return Ok(Entered::Alone) };
        let entered = local.enter(enter)?;
        if let Entered::Own(flight) = &entered {
            let mut flights = self.local_flights.lock().unwrap_or_else(PoisonError::into_inner);
            flights.insert(flight.token.clone());
        }
        Ok(entered)
    }

    /// What can't be published is printed all the same. The lease is given back, so that those who
    /// wait need not wait for its end.
    fn unpublished(&self, flight: &Flight, error: &Error) -> Published {
        let passes = error.kind() == Kind::Unavailable && !error.is_timeout();
        let is_absent = error.kind() == Kind::Unavailable && !self.asked;
        self.tell_once(format!("cannot write the cache in redis: {error}"), passes || is_absent);
        if error.kind() != Kind::Unavailable {
            self.redis.release(flight);
        }
        Published::Fenced
    }

    /// A Redis that nobody asked for and that refuses the connection was no cache.
    fn was_no_cache(&self, place: &ClearedPlace) -> bool {
        !self.asked && place.outcome == Err(Error::Refused)
    }
}

impl Store for AutoStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        if self.uses_redis() {
            let look = self.redis.look(want);
            self.note(&look);
            if let Ok(look) = look {
                return Ok(look);
            }
        }
        self.fallback().map_or(Ok(Look::Miss { refuse: None }), |local| local.look(want))
    }

    fn present(&self) -> Result<Option<Present>, Error> {
        if self.uses_redis() {
            let present = self.redis.present();
            self.note(&present);
            if present.is_ok() {
                return present;
            }
        }
        self.fallback().map_or(Ok(None), Store::present)
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        if self.uses_redis() {
            match self.redis.enter(enter) {
                Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::ReadOnly) => {
                    return Ok(self.alone(&error));
                }
                entered => {
                    self.note(&entered);
                    if let Ok(entered) = entered {
                        return Ok(entered);
                    }
                }
            }
        }
        self.enter_local(enter)
    }

    fn base(&self, flight: &Flight) -> Option<Base> {
        self.of(flight).base(flight)
    }

    fn kept(&self, flight: &Flight, first: &NodeId) -> Option<Kept> {
        self.of(flight).kept(flight, first)
    }

    fn publish(&self, flight: &Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        if let Some(local) = self.local_of(flight) {
            return local.publish(flight, publication);
        }
        let published = self.redis.publish(flight, publication);
        Ok(published.unwrap_or_else(|error| self.unpublished(flight, &error)))
    }

    fn renew(&self, flight: &Flight) -> Result<bool, Error> {
        self.of(flight).renew(flight)
    }

    fn release(&self, flight: &Flight) {
        self.of(flight).release(flight);
    }

    fn fail(&self, flight: &Flight, class: Class) {
        self.of(flight).fail(flight, class);
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        self.present_store().map_or(Ok(None), |store| store.partial(waited))
    }

    fn last(&self) -> Option<Snapshot> {
        self.present_store().and_then(Store::last)
    }

    fn clear(&self) -> Cleared {
        let mut cleared = self.redis.clear();
        cleared.places.retain(|place| !self.was_no_cache(place));
        match &self.local {
            Ok(local) => cleared.places.extend(local.clear().places),
            Err(why) if cleared.places.is_empty() => {
                self.tell_once(format!("nothing to clear: no local cache: {why}"), false);
            }
            Err(_) => {}
        }
        cleared
    }

    /// Where the right can't be written, whoever asks has it: then nothing is shared.
    fn follow(&self, name: &str) -> Result<bool, Error> {
        if self.uses_redis() {
            match self.redis.follow(name) {
                Ok(follows) => return Ok(follows),
                Err(error) if error.kind() == Kind::Unavailable => self.give_up(&error),
                Err(_) => return Ok(true),
            }
        }
        self.fallback().map_or(Ok(true), |local| Ok(local.follow(name).unwrap_or(true)))
    }

    fn unfollow(&self, name: &str) {
        if let Some(store) = self.present_store() {
            store.unfollow(name);
        }
    }

    fn count(&self, sample: &Sample) {
        if let Some(store) = self.present_store() {
            store.count(sample);
        }
    }

    fn stats(&self) -> Result<Stats, Error> {
        if self.uses_redis() {
            let stats = self.redis.stats();
            self.note(&stats);
            if stats.is_ok() || !self.falls_back {
                return stats;
            }
        }
        match (self.fallback(), &self.local) {
            (Some(local), _) => local.stats(),
            (None, Err(error)) => Err(error.clone()),
            (None, Ok(_)) => self.redis.stats(),
        }
    }
}
