//! `--cache none`: the last snapshot in the memory of this process, gone when the process ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::node::{AllJson, Fulls};
use crate::model::snapshot::Snapshot;

use super::meta::{self, Meta};
use super::records::{merged, records_of};
use super::{
    Base, CacheState, Cleared, ClearedPlace, Enter, Entered, Error, FailureClass, Flight, How,
    Lease, Look, Place, Publication, Published, RefusedRevs, Sample, Stats, Store, Want,
};

const LEASE: Duration = Duration::from_secs(3);
/// How long those who wait for a flight can learn that it has failed.
const FAILURE: Duration = Duration::from_secs(2);

/// One snapshot, and the lease of the flight that fetches the next one.
pub struct InProcessStore {
    scope: String,
    ttl: Duration,
    detail_ttl: Duration,
    /// The cache directory that this replaces while it can't be used: a clear does not reach it.
    uncleared: Option<ClearedPlace>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    lease: Option<LeaseState>,
    last: Option<Last>,
    minutes: BTreeMap<u64, Sample>,
}

struct LeaseState {
    token: String,
    ends: Instant,
    /// The flight is over, and why; nobody holds the lease.
    failure: Option<FailureClass>,
}

/// The last publication.
struct Last {
    /// With an empty `all` nothing is served, but no later publication may have a lower index.
    snapshot: Snapshot,
    list_sent: Instant,
    published: Instant,
    /// When the last list was published; later publications found it unchanged.
    listed: Instant,
    ends: Instant,
}

impl InProcessStore {
    pub fn new(place: &Place, uncleared: Option<ClearedPlace>) -> Self {
        Self {
            scope: place.scope.to_string(),
            ttl: place.ttl,
            detail_ttl: place.detail_ttl.max(place.ttl),
            uncleared,
            held: Mutex::default(),
        }
    }

    /// What has not ended yet.
    fn held(&self, now: Instant) -> MutexGuard<'_, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.lease.take_if(|lease| lease.ends <= now);
        held.last.take_if(|last| last.ends <= now);
        held
    }

    fn fresh<'a>(&self, held: &'a Held, now: Instant) -> Option<&'a Last> {
        let is_fresh = |last: &&Last| now.duration_since(last.published) <= self.ttl;
        held.last.as_ref().filter(|last| last.is_complete() && !self.ttl.is_zero()).filter(is_fresh)
    }

    /// The publication `rev`, if its details are there and not too old.
    fn detailed<'a>(&self, held: &'a Held, rev: &str, now: Instant) -> Option<&'a Last> {
        held.last.as_ref().filter(|last| {
            last.snapshot.rev == rev && now.duration_since(last.published) < self.detail_ttl
        })
    }

    fn meta(&self, last: &Last) -> Meta {
        let Snapshot { rev, index, count, all, .. } = &last.snapshot;
        Meta {
            scope: self.scope.clone(),
            epoch: String::new(),
            rev: rev.clone(),
            index: *index,
            count: *count,
            len: all.len() as u64,
            sum: meta::sum(all),
            ttl_ms: 0,
            lag_ms: 0,
        }
    }

    /// What the flight found is shown, and may not be published: nothing older is served any more.
    fn fence(&self, held: &mut Held, flight: &Flight, new: &Publication<'_>, now: Instant) {
        let rev = format!("t{}", flight.lease.token);
        match &mut held.last {
            Some(last) if last.snapshot.index == new.eff => {}
            _ if new.reset.is_some() => (held.lease, held.last) = (None, None),
            Some(last) => {
                last.snapshot.all = AllJson::default();
                if last.snapshot.index < new.eff {
                    (last.snapshot.rev, last.snapshot.index) = (rev, new.eff);
                    last.ends = now + self.detail_ttl;
                }
            }
            None => {
                held.last =
                    Some(self.publication((rev, new.eff), AllJson::default(), Fulls::new(), now));
            }
        }
    }

    /// The full records of a publication; `None` if its base is not (any more) there, or if the list
    /// of that is too old to be published unasked.
    fn full_records(&self, held: &Held, new: &Publication<'_>, now: Instant) -> Option<Fulls> {
        let Some(base) = new.base else { return Some(new.fulls.clone()) };
        let base = self.detailed(held, &base.rev, now)?;
        let proves = !new.probed || now.duration_since(base.listed) < self.detail_ttl;
        let old = base.snapshot.fulls.clone().filter(|_| proves)?;
        Some(merged(old, new.gone, new.fulls))
    }

    fn publication(
        &self,
        (rev, index): (String, u64),
        all: AllJson,
        fulls: Fulls,
        now: Instant,
    ) -> Last {
        let (count, age) = (fulls.len() as u64, Duration::ZERO);
        let fulls = Some(fulls);
        let snapshot = Snapshot { rev, index, newest: index, count, all, fulls, age, since: age };
        let ends = now + self.detail_ttl;
        Last { snapshot, list_sent: now, published: now, listed: now, ends }
    }
}

impl Store for InProcessStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        let now = clock::now();
        let fresh = self.fresh(&self.held(now), now).map(|last| last.shown(want, now));
        Ok(fresh.map_or(Look::Miss { refuse: None }, Look::Hit))
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let now = clock::now();
        let mut held = self.held(now);
        let meta = held.last.as_ref().map(|last| self.meta(last));
        let rev = self.fresh(&held, now).map(|last| last.snapshot.rev.clone());
        let accepts = |rev: &String| match enter.refuse {
            RefusedRevs::Everything => false,
            RefusedRevs::Revs(revs) => enter.how != How::Force && !revs.contains(rev),
        };
        if let Some(rev) = rev.filter(accepts) {
            return Ok(Entered::Hit { rev });
        }
        let mut watch = None;
        match &held.lease {
            Some(LeaseState { token, failure: Some(class), .. })
                if Some(&**token) == enter.waited =>
            {
                return Ok(Entered::Failed(*class));
            }
            Some(LeaseState { token, failure: None, .. }) if token != enter.token => {
                match enter.how {
                    // Publish under the lease of the other --force.
                    How::Force => {
                        watch = Some(token.clone()).filter(|token| token.starts_with('F'));
                    }
                    How::Get | How::Refresh => {
                        let rev = meta.map(|meta| meta.rev);
                        return Ok(Entered::Wait { lease: token.clone(), rev });
                    }
                }
            }
            _ => {}
        }
        if watch.is_none() {
            let token = enter.token.to_owned();
            held.lease = Some(LeaseState { token, ends: now + LEASE, failure: None });
        }
        Ok(Entered::Own(Flight::new(enter.token, watch, String::new(), meta)))
    }

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        let (now, rev) = (clock::now(), &flight.meta()?.rev);
        let held = self.held(now);
        let Snapshot { all, fulls, .. } = &self.detailed(&held, rev, now)?.snapshot;
        // A partial publication is told by its full records alone.
        let is_partial = all.is_empty();
        let all = if is_partial { records_of(fulls.as_ref()?) } else { all.clone() };
        let fulls = fulls.clone().filter(|_| is_partial || want == Want::Full);
        Some(Base { rev: rev.clone(), all, fulls, is_kept: !is_partial })
    }

    fn publish(&self, flight: Flight, new: &Publication<'_>) -> Result<Published, Error> {
        let now = clock::now();
        let mut held = self.held(now);
        if held.lease_of(&flight.watch).is_none() {
            self.fence(&mut held, &flight, new, now);
            return Ok(Published::Fenced);
        }
        if let Some(Last { snapshot: Snapshot { rev, index, .. }, .. }) = &held.last
            && new.index < *index
            && new.reset != Some(rev)
        {
            let (index, rev) = (*index, rev.clone());
            return Ok(Published::Older { flight, index, rev });
        }
        let Some(fulls) = self.full_records(&held, new, now) else {
            return Ok(Published::Rebase(flight));
        };
        let listed = held.last.as_ref().filter(|_| new.probed).map_or(now, |last| last.listed);
        let rev = if new.partial { format!("p{}", flight.watch) } else { flight.watch.clone() };
        let all = if new.partial { AllJson::default() } else { new.all.clone() };
        let last = self.publication((rev, new.index), all, fulls, now);
        held.last = Some(Last { list_sent: new.list_sent, listed, ..last });
        held.lease =
            new.partial.then(|| LeaseState::failed(&flight.watch, FailureClass::Partial, now));
        Ok(Published::Done)
    }

    fn renew(&self, lease: &Lease) -> Result<bool, Error> {
        let now = clock::now();
        let mut held = self.held(now);
        let renewed = held.lease_of(&lease.token).map(|lease| lease.ends = now + LEASE);
        Ok(lease.solo || renewed.is_some())
    }

    fn release(&self, lease: &Lease) {
        let mut held = self.held(clock::now());
        if held.lease_of(&lease.token).is_some() {
            held.lease = None;
        }
    }

    fn fail(&self, own: &Lease, class: FailureClass) {
        let now = clock::now();
        if let Some(lease) = self.held(now).lease_of(&own.token) {
            *lease = LeaseState::failed(&own.token, class, now);
        }
    }

    fn void(&self, own: Option<&Lease>) -> Result<(), Error> {
        let mut held = self.held(clock::now());
        let is_own = |lease: &LeaseState| own.is_some_and(|own| own.token == lease.token);
        held.lease.take_if(|lease| lease.failure.is_none() && !is_own(lease));
        held.last = None;
        Ok(())
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        let now = clock::now();
        let held = self.held(now);
        let last = self.detailed(&held, &format!("p{waited}"), now);
        Ok(last.map(|last| Snapshot { all: AllJson::default(), ..last.shown(Want::Full, now) }))
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        let now = clock::now();
        let held = self.held(now);
        let last = held.last.as_ref().filter(|last| last.is_complete())?;
        Some(last.shown(want, now))
    }

    fn clear(&self) -> Cleared {
        let mut held = self.held(clock::now());
        (held.lease, held.last) = (None, None);
        let memory = || ClearedPlace { is_redis: false, place: "memory".into(), outcome: Ok(()) };
        Cleared { places: vec![self.uncleared.clone().unwrap_or_else(memory)] }
    }

    fn count(&self, sample: &Sample) {
        let minute = clock::unix_seconds() / 60;
        let minutes = &mut self.held(clock::now()).minutes;
        minutes.retain(|at, _| at + 60 > minute);
        minutes.entry(minute).or_default().add(sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        let now = clock::now();
        let held = self.held(now);
        let fresh = self.fresh(&held, now);
        Ok(Stats {
            kind: "none",
            place: "memory".to_owned(),
            state: match (fresh, &held.last) {
                (Some(_), _) => CacheState::Hot,
                (None, Some(_)) => CacheState::Stale,
                (None, None) => CacheState::Cold,
            },
            age: fresh.map(|last| now.duration_since(last.list_sent)),
            fresh_for: fresh
                .map(|last| self.ttl.saturating_sub(now.duration_since(last.published))),
            nodes: held.last.as_ref().map(|last| last.snapshot.count),
            keys: Vec::new(),
            memory: None,
            minutes: held.minutes.iter().map(|(at, counts)| (*at, *counts)).collect(),
        })
    }
}

impl Held {
    /// The lease, if a flight holds it under this token.
    fn lease_of(&mut self, token: &str) -> Option<&mut LeaseState> {
        self.lease.as_mut().filter(|lease| lease.failure.is_none() && lease.token == token)
    }
}

impl LeaseState {
    fn failed(token: &str, class: FailureClass, now: Instant) -> Self {
        Self { token: token.to_owned(), ends: now + FAILURE, failure: Some(class) }
    }
}

impl Last {
    fn is_complete(&self) -> bool {
        !self.snapshot.all.is_empty()
    }

    fn shown(&self, want: Want, now: Instant) -> Snapshot {
        let Snapshot { rev, index, count, all, fulls, .. } = &self.snapshot;
        Snapshot {
            rev: rev.clone(),
            index: *index,
            newest: *index,
            count: *count,
            all: all.clone(),
            fulls: fulls.as_ref().filter(|_| want == Want::Full).cloned(),
            age: now.duration_since(self.list_sent),
            since: now.duration_since(self.published),
        }
    }
}
