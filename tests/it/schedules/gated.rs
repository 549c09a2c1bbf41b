//! A Nomad and a store that stand behind the gate, and that tell the world what passed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nomad_clients::model::node::{Detail, NodeId};
use nomad_clients::model::rows::{self, NodeRow};
use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::nomad::{self, IndexReply, Listing, Nomad};
use nomad_clients::store::{
    Base, Cleared, Enter, Entered, Error, FailureClass, Flight, How, Lease, Look, Present,
    Publication, Published, Sample, Stats, Store, Want,
};

use crate::support::fake_nomad::{id, outage};

use super::actor::{Actor, Ending, Kind, Pair};
use super::cluster::NAMES;
use super::gate::NO_ACCIDENT;
use super::ground::Ground;
use super::oracles;
use super::world::Listed;

/// The cluster as one process sees it.
pub(super) struct GatedNomad(pub(super) Arc<Actor>);

impl GatedNomad {
    fn listing(&self, luck: u64) -> Result<Listing, nomad::Error> {
        if luck != NO_ACCIDENT && luck % 100 < 3 {
            return Err(outage("no route"));
        }
        let actor = &self.0;
        let world = actor.world();
        let cluster = &world.clusters[actor.scope];
        let listing = Listing {
            stubs: cluster.stubs(world.clears),
            index: Some(cluster.index),
            known_leader: luck == NO_ACCIDENT || luck % 100 >= 5,
            last_contact_ms: 0,
        };
        let listed = Listed {
            time: cluster.time,
            clears: world.clears,
            step: world.step,
            at: Instant::now(),
            truths: cluster.truths(),
        };
        drop(world);
        actor.notes().listed = Some(listed);
        Ok(listing)
    }
}

impl Nomad for GatedNomad {
    fn probe(&self) -> Result<Option<IndexReply>, nomad::Error> {
        if !self.0.temper.probes {
            return Ok(None);
        }
        let luck = self.0.gate.must_pass("PROBE");
        let pulse = self.listing(luck).map(|listing| {
            let Listing { stubs, index, known_leader: leader, .. } = listing;
            let first = stubs.into_iter().min_by(|a, b| a.id.cmp(&b.id));
            IndexReply { index, leader, first }
        });
        let known = self.0.notes().known.as_ref().map(|meta| meta.index);
        let moved =
            |pulse: &IndexReply| !pulse.leader || pulse.index != known || pulse.first.is_none();
        if pulse.as_ref().is_ok_and(moved) {
            self.0.fork();
        }
        self.0.notes().first = pulse.as_ref().ok().and_then(|pulse| pulse.first.clone());
        pulse.map(Some)
    }

    fn stubs(&self) -> Result<Listing, nomad::Error> {
        let luck = self.0.gate.must_pass("LIST");
        let listing = self.listing(luck);
        self.0.wait_for_base();
        listing
    }

    fn node(&self, of: &NodeId) -> Result<Option<Detail>, nomad::Error> {
        let actor = &self.0;
        if actor.notes().failing > 0 {
            actor.notes().failing -= 1;
            return Err(outage("no detail"));
        }
        let name = NAMES.into_iter().find(|name| id(name) == *of).unwrap_or("?");
        let luck = actor.gate.must_pass(format!("DETAIL {name}"));
        if actor.temper.flaky && luck % 100 < 12 {
            actor.notes().failing = 2;
            return Err(outage("no detail"));
        }
        let world = actor.world();
        Ok(world.clusters[actor.scope].detail(of, world.clears))
    }

    fn calls(&self) -> u64 {
        0
    }
}

/// What became of a publication.
fn name(published: &Published) -> &'static str {
    match published {
        Published::Done => "Done",
        Published::Fenced => "Fenced",
        Published::Older { .. } => "Older",
        Published::Rebase(_) => "Rebase",
    }
}

/// The store of one process. Where the steps within a call can be told apart (on the way to a
/// Redis), the gates stand there; else there is one before each call.
pub(super) struct GatedStore {
    pub(super) actor: Arc<Actor>,
    pub(super) inner: Arc<dyn Store>,
    /// Without gates.
    pub(super) direct: Arc<dyn Store>,
    pub(super) ground: Arc<dyn Ground>,
}

impl GatedStore {
    fn pass(&self, label: &str) {
        if !self.ground.has_inner_gates() {
            self.actor.gate.must_pass(label);
        }
    }

    /// The same where nothing may unwind.
    fn try_pass(&self, label: &str) -> bool {
        self.ground.has_inner_gates() || self.actor.gate.pass(label).is_some()
    }

    /// Whether the base, read after a probe, says of the first node what the probe has said.
    fn is_unchanged(&self, flight: &Flight, base: Option<&Base>) -> bool {
        let first = self.actor.notes().first.take();
        let base = base.filter(|base| flight.meta().is_some_and(|meta| meta.describes(&base.all)));
        let Some((base, first)) = base.zip(first) else { return false };
        let records = rows::split(&base.all).unwrap_or_default();
        let record = records.iter().find(|(id, _)| *id == first.id.as_str());
        record.is_some_and(|(_, record)| NodeRow::reused(record, &first).is_some())
    }

    /// All is read at one moment.
    fn looks(&self) {
        if !self.ground.has_inner_gates() {
            self.actor.looks();
            self.actor.notes().told = Some(Instant::now());
        }
    }
}

impl Store for GatedStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        self.pass("LOOK");
        self.looks();
        let look = self.inner.look(want)?;
        if let Look::Hit(hit) = &look {
            self.ground.settle(&self.actor, hit);
        }
        Ok(look)
    }

    fn present(&self) -> Result<Option<Present>, Error> {
        self.inner.present()
    }

    fn shown(&self) -> (u64, String) {
        self.inner.shown()
    }

    fn printed(&self, snapshot: &Snapshot) {
        self.inner.printed(snapshot);
    }

    fn restored(&self, index: u64, age: Duration) {
        self.inner.restored(index, age);
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        self.pass("ENTER");
        let entered = self.inner.enter(enter)?;
        if let Entered::Own(flight) = &entered {
            let mut notes = self.actor.notes();
            notes.lease = Some(flight.lease().clone());
            notes.known = flight.meta().cloned();
            drop(notes);
            let meta = flight.meta().filter(|_| enter.how != How::Force);
            // Else it is known after the probe whether there will be two.
            if meta.is_some_and(|meta| !self.actor.temper.probes || meta.len == 0) {
                self.actor.fork();
            }
        }
        Ok(entered)
    }

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        self.pass("BASE");
        let base = self.inner.base(flight, want);
        let pair = std::mem::take(&mut self.actor.notes().pair);
        match pair {
            // Who waits for the base goes on, else one thread less is under way.
            Pair::Both => self.actor.gate.joined(),
            Pair::None if !self.is_unchanged(flight, base.as_ref()) => self.actor.fork(),
            Pair::None | Pair::BaseOnly => {}
        }
        base
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        self.pass("PUBLISH");
        self.actor.notes().publishes = Some(Instant::now());
        let watch = flight.watch().to_owned();
        let published = self.inner.publish(flight, publication).inspect_err(|_| {
            self.actor.world().ends.push("publish refused".to_owned());
        })?;
        self.actor.notes().published = Some(name(&published));
        self.actor.notes().delta = publication.base.is_some();
        self.actor.world().ends.push(format!("publish {}", name(&published)));
        let goes_on = matches!(published, Published::Rebase(_) | Published::Older { .. });
        if publication.probed && goes_on {
            self.actor.fork();
        }
        if published == Published::Done {
            oracles::published(
                &self.actor,
                publication,
                self.ground.inspect(self.actor.scope, &watch),
            );
        }
        Ok(published)
    }

    /// The schedule renews; the clock of a busy machine would make chance of it.
    fn renew(&self, _: &Lease) -> Result<bool, Error> {
        Ok(true)
    }

    fn release(&self, lease: &Lease) {
        let fate = self.actor.notes().fate;
        match fate {
            Ending::Alive if self.try_pass("RELEASE") => self.inner.release(lease),
            Ending::Leaving if self.ground.has_inner_gates() => self.direct.release(lease),
            Ending::Leaving => self.inner.release(lease),
            Ending::Alive | Ending::Dead => {}
        }
    }

    fn fail(&self, lease: &Lease, class: FailureClass) {
        let fate = self.actor.notes().fate;
        if fate != Ending::Alive || !self.try_pass("FAIL") {
            return;
        }
        self.inner.fail(lease, class);
        let mut world = self.actor.world();
        let step = world.step;
        if class != FailureClass::NotCacheable {
            world.failures.push((self.actor.scope, step));
        }
    }

    fn void(&self, own: Option<&Lease>) -> Result<(), Error> {
        self.pass("VOID");
        self.inner.void(own)
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        self.pass("PARTIAL");
        self.looks();
        self.inner.partial(waited)
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        self.pass("LAST");
        self.looks();
        self.inner.last(want)
    }

    fn clear(&self) -> Cleared {
        self.pass("CLEAR");
        let cleared = self.inner.clear();
        self.ground.clear_others();
        if !self.ground.has_inner_gates() && self.actor.kind == Kind::Clear {
            self.actor.world().clears += 1;
        }
        cleared
    }

    fn count(&self, sample: &Sample) {
        self.inner.count(sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        self.inner.stats()
    }
}
