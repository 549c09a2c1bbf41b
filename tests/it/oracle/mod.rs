//! The protocol in its simplest form, on a space of keys in memory: what the shipped stores are
//! compared with, and a cache for tests that move its clock or spoil it.

mod keys;
mod script;
mod space;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nomad_clients::model::node::{AllJson, FullJson, Fulls, NodeId};
use nomad_clients::model::rows;
use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::store::meta::{self, Meta};
use nomad_clients::store::scope::Scope;
use nomad_clients::store::{
    Base, Cleared, ClearedPlace, Enter, Entered, Error, FailureClass, Flight, Lease, Look, Place,
    Publication, Published, Sample, Stats, Store, Want,
};

use crate::support::redis_server::random;
use crate::support::sealed::unsealed;

use keys::{Family, Keys};
use script::Script;
pub(crate) use space::Space;

/// What tells the time; tests hand in one that they can move.
type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// A space of keys that several stores share, as several processes share a Redis.
#[derive(Clone)]
pub(crate) struct SharedSpace {
    space: Arc<Mutex<Space>>,
    clock: Clock,
    origin: Instant,
}

impl Default for SharedSpace {
    fn default() -> Self {
        Self::new(Arc::new(Instant::now))
    }
}

impl SharedSpace {
    pub(crate) fn new(clock: Clock) -> Self {
        let origin = clock();
        Self { space: Arc::default(), clock, origin }
    }

    /// The space itself, to look into and to spoil.
    pub(crate) fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap()
    }

    /// What its clock says.
    pub(crate) fn now(&self) -> Instant {
        (self.clock)()
    }
}

/// One process's view of a [`SharedSpace`].
pub(crate) struct OracleStore {
    memory: SharedSpace,
    keys: Keys,
    scope: Scope,
    ttl: Duration,
    detail_ttl: Duration,
    /// Epochs that were cleared here.
    dead: Mutex<HashSet<Vec<u8>>>,
}

impl OracleStore {
    pub(crate) fn new(memory: SharedSpace, place: &Place) -> Self {
        Self {
            memory,
            keys: Keys::new(&place.prefix, &place.scope),
            scope: place.scope.clone(),
            ttl: place.ttl,
            detail_ttl: place.detail_ttl,
            dead: Mutex::default(),
        }
    }

    fn script<T>(&self, run: impl FnOnce(&mut Script<'_>) -> T) -> T {
        let now = self.memory.now();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        run(&mut Script {
            space: &mut self.memory.space(),
            keys: &self.keys,
            scope: self.scope.as_str(),
            now,
            ttl_ms: [ms(self.ttl), ms(self.detail_ttl)],
        })
    }

    fn is_dead(&self, epoch: &[u8]) -> bool {
        self.dead.lock().unwrap().contains(epoch)
    }

    /// The meta of this scope, valid or not, where it stands, and the epoch.
    fn described<'a>(&'a self, space: &'a Space, now: Instant) -> Option<Described<'a>> {
        let (epoch, of) = (space.text(&self.keys.epoch, now)?, self.scope.as_str());
        let families = [&self.keys.literal, &self.keys.own].into_iter();
        let mut mine = families.filter_map(|keys| {
            let meta = Meta::parse(space.text(&keys.meta, now)?)?;
            (meta.scope == of).then_some(Described { meta, keys, epoch })
        });
        mine.next()
    }

    /// The same if it is of the present epoch, which was not cleared.
    fn valid<'a>(&'a self, space: &'a Space, now: Instant) -> Option<Described<'a>> {
        self.described(space, now)
            .filter(|of| of.meta.epoch.as_bytes() == of.epoch && !self.is_dead(of.epoch))
    }

    fn looked(&self, want: Want, space: &Space, now: Instant) -> Look {
        let Some(Described { meta, keys, .. }) = self.valid(space, now) else {
            return Look::Miss { refuse: None };
        };
        let Some(all) = space.text(&keys.all, now).filter(|_| meta.len > 0) else {
            return Look::Miss { refuse: None };
        };
        let refuse = Look::Miss { refuse: Some(meta.rev.clone()) };
        let left = u64::try_from(space.ttl_left(&keys.all, now)).ok();
        let Some(since) = left.and_then(|left| meta.ttl_ms.checked_sub(left)) else {
            return refuse;
        };
        let since = Duration::from_millis(since);
        let fulls = fulls(space, &meta, keys, now).filter(|fulls| belong(fulls, all));
        if !describes(&meta, all) || since > self.ttl || (want == Want::Full && fulls.is_none()) {
            return refuse;
        }
        let fulls = fulls.filter(|_| want == Want::Full);
        Look::Hit(Snapshot {
            all: all.to_vec().into(),
            fulls,
            ..recorded(&meta, Vec::new(), since)
        })
    }
}

struct Described<'a> {
    meta: Meta,
    keys: &'a Family,
    epoch: &'a [u8],
}

fn describes(meta: &Meta, all: &[u8]) -> bool {
    all.len() as u64 == meta.len && meta::sum(all) == meta.sum
}

/// The full records, if they are the very ones that `meta` was published with.
fn fulls(space: &Space, meta: &Meta, keys: &Family, now: Instant) -> Option<Fulls> {
    let fields = space.hash(&keys.hash, now).cloned().unwrap_or_default();
    let is_whole = fields.len() as u64 == meta.count;
    let named = |(id, stored): (Vec<u8>, Vec<u8>)| {
        let (id, full) = (String::from_utf8(id).ok()?, unsealed(&stored)?);
        let is_named = full.starts_with(format!(r#"{{"id":"{id}""#).as_bytes());
        Some((NodeId::parse(&id).filter(|_| is_named)?, FullJson::from(full)))
    };
    is_whole.then(|| fields.into_iter().map(named).collect())?
}

/// Whether each begins with its record in `all`.
fn belong(fulls: &Fulls, all: &[u8]) -> bool {
    let records = rows::split(all).unwrap_or_default();
    records.len() == fulls.len()
        && records.iter().all(|(id, record)| {
            let full = fulls.iter().find(|(of, _)| of.as_str() == *id).map(|(_, full)| full);
            full.is_some_and(|full| full.starts_with(&record[..record.len() - 1]))
        })
}

/// What `meta` describes, without `all`.
fn recorded(meta: &Meta, fulls: Fulls, since: Duration) -> Snapshot {
    Snapshot {
        rev: meta.rev.clone(),
        index: meta.index,
        newest: meta.index,
        count: meta.count,
        all: AllJson::default(),
        fulls: Some(fulls),
        age: Duration::from_millis(meta.lag_ms) + since,
        since,
    }
}

impl Store for OracleStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        let now = self.memory.now();
        let space = self.memory.space();
        if space.text(&self.keys.epoch, now).is_some_and(|epoch| self.is_dead(epoch)) {
            drop(space);
            self.clear();
            return Ok(Look::Miss { refuse: None });
        }
        Ok(self.looked(want, &space, now))
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let nonce = format!("{:016x}", random());
        let now_ms = self.memory.now().duration_since(self.memory.origin).as_millis();
        let now_ms = u64::try_from(now_ms).unwrap();
        let once = || self.script(|script| script.enter(enter, &nonce, now_ms));
        let entered = once();
        if matches!(&entered, Entered::Own(flight) if self.is_dead(flight.epoch().as_bytes())) {
            self.clear();
            return Ok(once());
        }
        Ok(entered)
    }

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        let (meta, now) = (flight.meta()?, self.memory.now());
        let keys = self.keys.family(flight.is_literal());
        let (space, rev) = (self.memory.space(), meta.rev.clone());
        let kept = space.text(&keys.kept, now).filter(|all| meta.len > 0 && describes(meta, all));
        let hash = fulls(&space, meta, keys, now);
        if let Some(all) = kept.filter(|_| flight.has_whole_hash()) {
            let fulls = hash.filter(|fulls| belong(fulls, all));
            let is_there = want != Want::Full || fulls.is_some();
            let fulls = fulls.filter(|_| want == Want::Full);
            return is_there.then(|| Base { rev, all: all.to_vec().into(), fulls, is_kept: true });
        }
        // The meta that is read with the hash must be the one of the flight.
        let fulls = hash.filter(|_| self.valid(&space, now).is_some_and(|of| of.meta == *meta))?;
        let records: Vec<_> = fulls.iter().map(|(_, full)| rows::record_of(full)).collect();
        let all = [b"[", &records.join(&b","[..])[..], b"]"].concat().into();
        Some(Base { rev, all, fulls: Some(fulls), is_kept: false })
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        Ok(self.script(|script| script.publish(flight, publication)))
    }

    fn renew(&self, lease: &Lease) -> Result<bool, Error> {
        Ok(lease.is_solo() || self.script(|script| script.renew(lease.token())))
    }

    fn release(&self, lease: &Lease) {
        self.script(|script| script.release(lease.token()));
    }

    fn fail(&self, lease: &Lease, class: FailureClass) {
        self.script(|script| script.fail(lease.token(), class));
    }

    fn void(&self, own: Option<&Lease>) -> Result<(), Error> {
        self.script(|script| script.void(own.map(Lease::token)));
        Ok(())
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        let (now, space) = (self.memory.now(), self.memory.space());
        let announced = self.valid(&space, now);
        let announced = announced.filter(|of| of.meta.rev.strip_prefix('p') == Some(waited));
        Ok(announced.and_then(|Described { meta, keys, .. }| {
            // It is announced for so long: it can't be older.
            let since = Duration::from_millis(script::FAILURE_MS);
            Some(recorded(&meta, fulls(&space, &meta, keys, now)?, since))
        }))
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        let (now, space) = (self.memory.now(), self.memory.space());
        let Described { meta, keys, .. } = self.valid(&space, now).filter(|of| of.meta.len > 0)?;
        let left = u64::try_from(space.ttl_left(&keys.meta, now)).ok()?;
        let since = self.detail_ttl.saturating_sub(Duration::from_millis(left));
        let all = space.text(&keys.kept, now).filter(|all| describes(&meta, all))?;
        let fulls = fulls(&space, &meta, keys, now).filter(|fulls| belong(fulls, all));
        let last = recorded(&meta, fulls.clone().unwrap_or_default(), since);
        let is_there = want != Want::Full || fulls.is_some();
        is_there.then(|| Snapshot { all: all.to_vec().into(), ..last })
    }

    fn clear(&self) -> Cleared {
        let now = self.memory.now();
        let mut space = self.memory.space();
        self.dead.lock().unwrap().extend(space.text(&self.keys.epoch, now).map(<[u8]>::to_vec));
        space.delete(&[&self.keys.epoch, &self.keys.lease]);
        space.delete(&self.keys.literal.names());
        space.delete(&self.keys.own.names());
        let place = "memory".to_owned();
        Cleared { places: vec![ClearedPlace { is_redis: false, place, outcome: Ok(()) }] }
    }

    fn count(&self, _: &Sample) {}

    fn stats(&self) -> Result<Stats, Error> {
        unreachable!("no test asks the oracle for statistics")
    }
}
