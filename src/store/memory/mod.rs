//! The cache in the memory of this process: `--cache none`, and tests.

mod script;
mod space;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::node::Fulls;
use crate::model::remark::Notifier;
use crate::random;

use super::auto::{LocalCache, ShownList};
use super::judge::{Hit, StoredEntry, StoredFamily, Verdict, judge};
use super::keys::{self, Keys};
use super::meta::Meta;
use super::records::{recorded, verified};
use super::scope::Scope;
use super::{
    Base, CacheState, Cleared, ClearedPlace, Enter, Entered, Error, FailureClass, Flight, Kept,
    KeyStats, Look, Minute, NodeId, Place, Publication, Published, Sample, Snapshot, Stats, Store,
    Want,
};
use crate::host::cleared_epochs::ClearedEpochs;
use crate::host::notes::Notes;

use script::Script;

pub use space::{Fields, Space};

/// What tells the time; tests hand in one that they can move.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// A space of keys that several stores share, as several processes share a Redis.
#[derive(Clone)]
pub struct SharedSpace {
    space: Arc<Mutex<Space>>,
    minutes: Arc<Mutex<BTreeMap<u64, Minute>>>,
    clock: Clock,
    origin: Instant,
}

impl Default for SharedSpace {
    fn default() -> Self {
        Self::new(Arc::new(clock::now))
    }
}

impl SharedSpace {
    pub fn new(clock: Clock) -> Self {
        let origin = clock();
        Self { space: Arc::default(), minutes: Arc::default(), clock, origin }
    }

    /// The space itself, to look into and to spoil.
    pub fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its clock says.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    fn minutes(&self) -> MutexGuard<'_, BTreeMap<u64, Minute>> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One process's view of a [`SharedSpace`].
pub struct MemoryStore {
    memory: SharedSpace,
    keys: Keys,
    scope: Scope,
    ttl: Duration,
    detail_ttl: Duration,
    dead: ClearedEpochs,
    /// The files that this stands in for, where they can't be used now and may be later: a clear
    /// could not reach them, and why.
    uncleared: Option<ClearedPlace>,
    tell: Notifier,
}

impl MemoryStore {
    pub fn new(memory: SharedSpace, place: &Place, tell: Notifier) -> Self {
        Self {
            memory,
            keys: Keys::new(&place.prefix, &place.scope),
            scope: place.scope.clone(),
            ttl: place.ttl,
            detail_ttl: place.detail_ttl.max(place.ttl),
            dead: ClearedEpochs::new(Notes::new(None), String::new()),
            uncleared: None,
            tell,
        }
    }

    /// It stands in for files that can't be used now.
    #[must_use]
    pub(super) fn with_uncleared(self, uncleared: Option<ClearedPlace>) -> Self {
        Self { uncleared, ..self }
    }

    fn script<T>(&self, run: impl FnOnce(&mut Script<'_>) -> T) -> T {
        let now = self.memory.now();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        run(&mut Script {
            space: &mut self.memory.space(),
            keys: &self.keys,
            scope: self.scope.as_str(),
            now,
            ttl_ms: [ms(self.ttl), ms(self.detail_ttl)],
        })
    }

    fn seen(&self, now: Instant) -> StoredEntry {
        let space = self.memory.space();
        let text = |key: &str| space.text(key, now).map(<[u8]>::to_vec);
        let family = |literal| {
            let keys = self.keys.family(literal);
            let ttl_left = space.ttl_left(&keys.all, now);
            StoredFamily { meta: text(&keys.meta), all: text(&keys.all), ttl_left }
        };
        StoredEntry { epoch: text(&self.keys.epoch), literal: family(true), own: family(false) }
    }

    fn fulls(&self, meta: &Meta, literal: bool) -> Option<Fulls> {
        let (now, space) = (self.memory.now(), self.memory.space());
        let fields = space.hash(&self.keys.family(literal).hash, now).cloned().unwrap_or_default();
        drop(space);
        verified(meta, fields.into_iter().collect())
    }

    fn ignored(&self, why: &str) {
        self.tell.verbose(format!("cache entry ignored: {why}"));
    }

    /// What is there and who it belongs to, as LOOK would find it.
    fn verdict(&self, seen: StoredEntry) -> Verdict {
        judge(seen, &self.scope, self.ttl, Duration::ZERO)
    }

    fn key_stats(&self, seen: &StoredEntry, now: Instant) -> Vec<KeyStats> {
        let keys = self.keys.family(mine(seen, &self.scope).is_none_or(|(_, literal)| literal));
        let space = self.memory.space();
        [
            (&keys.all, "string"),
            (&keys.hash, "hash"),
            (&keys.kept, "string"),
            (&keys.meta, "string"),
            (&self.keys.epoch, "string"),
        ]
        .into_iter()
        .filter(|(key, _)| space.ttl_left(key, now) != -2)
        .map(|(key, kind)| KeyStats {
            key: key.clone(),
            kind,
            bytes: Some(space.bytes(key, now) as u64),
            ttl: u64::try_from(space.ttl_left(key, now)).ok().map(Duration::from_millis),
        })
        .collect()
    }
}

impl Store for MemoryStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        let seen = self.seen(self.memory.now());
        if seen.epoch.as_deref().is_some_and(|epoch| self.dead.holds(epoch)) {
            self.ignored("it was cleared before");
            self.clear();
            return Ok(Look::Miss { refuse: None });
        }
        let Hit { mut snapshot, meta, literal } = match self.verdict(seen) {
            Verdict::Hit(hit) => *hit,
            Verdict::Miss(miss) => {
                miss.why.inspect(|why| self.ignored(why.text()));
                return Ok(Look::Miss { refuse: miss.refuse });
            }
        };
        if want == Want::Full {
            snapshot.fulls = self.fulls(&meta, literal);
            if snapshot.fulls.is_none() {
                self.ignored("its full records are of another publication");
                return Ok(Look::Miss { refuse: Some(meta.rev) });
            }
        }
        Ok(Look::Hit(snapshot))
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let nonce = random::hex16();
        let now_ms = self.memory.now().duration_since(self.memory.origin).as_millis();
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        let once = || self.script(|script| script.enter(enter, &nonce, now_ms));
        let entered = once();
        if matches!(&entered, Entered::Own(flight) if self.dead.holds(flight.epoch.as_bytes())) {
            self.clear();
            return Ok(once());
        }
        Ok(entered)
    }

    fn base(&self, flight: &Flight) -> Option<Base> {
        let meta = flight.meta.as_ref()?;
        let fulls = self.fulls(meta, flight.literal)?;
        Some(Base { rev: meta.rev.clone(), fulls: fulls.into_iter().collect() })
    }

    fn kept(&self, flight: &Flight, first: &NodeId) -> Option<Kept> {
        let (meta, now) = (flight.meta.as_ref()?, self.memory.now());
        let keys::Family { kept, hash, .. } = self.keys.family(flight.literal);
        let space = self.memory.space();
        let first = space.hash(hash, now)?.get(first.as_str().as_bytes())?.clone();
        let all = space.text(kept, now).filter(|all| meta.describes(all))?.to_vec();
        Some(Kept { all, first: first.into() })
    }

    fn publish(&self, flight: &Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        Ok(self.script(|script| script.publish(flight, publication)))
    }

    fn renew(&self, flight: &Flight) -> Result<bool, Error> {
        Ok(flight.solo || self.script(|script| script.renew(&flight.token)))
    }

    fn release(&self, flight: &Flight) {
        self.script(|script| script.release(&flight.token));
    }

    fn fail(&self, flight: &Flight, class: FailureClass) {
        self.script(|script| script.fail(&flight.token, class));
    }

    fn void(&self, own: Option<&Flight>) -> Result<(), Error> {
        self.script(|script| script.void(own.map(|own| own.token.as_str())));
        Ok(())
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        let seen = self.seen(self.memory.now());
        let Some(epoch) = seen.epoch.clone().filter(|epoch| !self.dead.holds(epoch)) else {
            return Ok(None);
        };
        let announced = mine(&seen, &self.scope).filter(|(meta, _)| {
            meta.epoch.as_bytes() == epoch && meta.rev.strip_prefix('p') == Some(waited)
        });
        Ok(announced.and_then(|(meta, literal)| {
            // It is announced for so long: it can't be older.
            let since = Duration::from_millis(script::FAILURE_MS);
            Some(recorded(&meta, self.fulls(&meta, literal)?, since))
        }))
    }

    fn last(&self) -> Option<Snapshot> {
        let now = self.memory.now();
        let seen = self.seen(now);
        let epoch = seen.epoch.clone()?;
        let (meta, literal) = mine(&seen, &self.scope)?;
        let valid = meta.epoch.as_bytes() == epoch && meta.len > 0 && !self.dead.holds(&epoch);
        let fulls = self.fulls(&meta, literal).filter(|_| valid)?;
        let left = self.memory.space().ttl_left(&self.keys.family(literal).meta, now);
        let since =
            self.detail_ttl.saturating_sub(Duration::from_millis(u64::try_from(left).ok()?));
        Some(recorded(&meta, fulls, since))
    }

    fn clear(&self) -> Cleared {
        let now = self.memory.now();
        let mut space = self.memory.space();
        // Only in memory, where nothing can go wrong.
        let before = self.dead.seen_before();
        let _ = self.dead.cleared(&before, space.text(&self.keys.epoch, now), Duration::ZERO);
        space.delete(&self.keys.ten());
        let place = "memory".to_owned();
        let memory = ClearedPlace { is_redis: false, place, outcome: Ok(()) };
        Cleared { places: vec![self.uncleared.clone().unwrap_or(memory)] }
    }

    fn count(&self, sample: &Sample) {
        let minute = clock::unix_seconds() / 60;
        let mut minutes = self.memory.minutes();
        minutes.retain(|at, _| at + 60 > minute);
        minutes.entry(minute).or_insert(Minute { minute, ..Minute::default() }).add(sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        let now = self.memory.now();
        let seen = self.seen(now);
        let keys = self.key_stats(&seen, now);
        let valid = mine(&seen, &self.scope)
            .filter(|(meta, _)| seen.epoch.as_deref() == Some(meta.epoch.as_bytes()));
        let nodes = valid.as_ref().map(|(meta, _)| meta.count);
        let (state, snapshot) = match self.verdict(seen) {
            Verdict::Hit(hit) => (CacheState::Hot, Some(hit.snapshot)),
            Verdict::Miss(_) if nodes.is_some() => (CacheState::Stale, None),
            Verdict::Miss(_) => (CacheState::Cold, None),
        };
        Ok(Stats {
            kind: "none",
            place: "memory".to_owned(),
            state,
            age: snapshot.as_ref().map(|snapshot| snapshot.age),
            fresh_for: snapshot.map(|snapshot| self.ttl.saturating_sub(snapshot.since)),
            nodes,
            keys,
            memory: None,
            minutes: self.memory.minutes().values().copied().collect(),
        })
    }
}

impl LocalCache for MemoryStore {
    fn forget_older(&self, than: Option<ShownList>) {
        let now = self.memory.now();
        let found = mine(&self.seen(now), &self.scope).map(|(meta, _)| meta.index);
        let is_newer = found.zip(than).is_some_and(|(found, than)| found >= than.index);
        let mut space = self.memory.space();
        let lease = space.text(&self.keys.lease, now);
        let is_held = lease.is_some_and(|lease| !lease.starts_with(b"!"));
        if !is_newer && !is_held {
            space.delete(&self.keys.ten());
        }
    }

    fn clear_until(&self, _: Instant) -> Cleared {
        self.clear()
    }
}

/// The meta of `scope`, and whether it stands under the literal names.
fn mine(seen: &StoredEntry, scope: &Scope) -> Option<(Meta, bool)> {
    let of = |family: &StoredFamily| {
        family.meta.as_deref().and_then(Meta::parse).filter(|meta| meta.scope == scope.as_str())
    };
    of(&seen.literal).map(|meta| (meta, true)).or_else(|| of(&seen.own).map(|meta| (meta, false)))
}
