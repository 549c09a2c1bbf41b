//! The set of an exact scene: a cache, flights driven by hand, and one process of the real
//! discovery that goes from gate to gate.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nomad_clients::model::node::{Detail, NodeId};
use nomad_clients::nomad::{Error, Listing, Nomad};
use nomad_clients::store::{Look, Store, Want};

use crate::support::bench::{Bench, Part, RedisBench, Saved};
use crate::support::fake_nomad::FakeNomad;

use super::actor::{Actor, Behaviour, Kind, Seat};
use super::broken::{Broken, BrokenCast, Client, Edit};
use super::gate::{Gate, NO_ACCIDENT, Stage, State};
use super::gated::GatedStore;
use super::ground::{Ground, Incident};
use super::oracles::Inspected;
use super::redis_ground::{DOORS, RedisGround};
use super::rng::Rng;
use super::run::{Cast, Honest};
use super::world::{Limits, SCOPES, World};

const CALM: Behaviour = Behaviour { flaky: false, stale: false, probes: false, large: false };

fn seat(index: usize, scope: usize) -> Seat {
    Seat { index, scope, host: 0 }
}

/// Where a scene is played, and by whom.
pub(super) struct Setup<'a> {
    pub(super) bench: &'a dyn Bench,
    pub(super) cast: &'a dyn Cast,
}

/// One process of the real discovery, driven from gate to gate.
pub(super) struct Run {
    stage: Stage,
    actor: Arc<Actor>,
    thread: Option<JoinHandle<()>>,
    pub(super) nomad: Arc<FakeNomad>,
}

impl<'a> Setup<'a> {
    pub(super) fn honest(bench: &'a dyn Bench) -> Self {
        Self { bench, cast: &Honest }
    }

    /// A process of cluster `a0` that has come to its first gate.
    pub(super) fn run(&self, kind: Kind, nomad: FakeNomad) -> Run {
        self.run_at(self.bench.store(SCOPES[0]), kind, nomad)
    }

    /// The same at this store.
    pub(super) fn run_at(&self, store: Arc<dyn Store>, kind: Kind, nomad: FakeNomad) -> Run {
        let mut stage = Stage::new(1);
        let world = Arc::new(Mutex::new(World::new()));
        let actor = Actor::new(seat(0, 0), kind, CALM, stage.gate(0), &world);
        let nomad = Arc::new(nomad);
        let asked = Arc::new(Asked { actor: Arc::clone(&actor), nomad: Arc::clone(&nomad) });
        let (inner, asked) = self.cast.cast(&actor, Arc::clone(&store), asked);
        let gated =
            GatedStore { actor: Arc::clone(&actor), inner, direct: store, ground: Arc::new(Bare) };
        let mut thread = None;
        stage.begin(0, || thread = Some(actor.spawn(Arc::new(gated), asked)));
        Run { stage, actor, thread, nomad }
    }
}

impl Run {
    /// Does every step up to this one, base before list.
    #[track_caller]
    pub(super) fn until(&mut self, label: &str) {
        loop {
            let labels = self.stage.labels(0);
            let Some(other) = labels.iter().position(|at| *at != label) else {
                return assert!(!labels.is_empty(), "it ended before {label}");
            };
            self.stage.grant(0, other, NO_ACCIDENT);
        }
    }

    /// Does all that is left; what PUBLISH was answered last, and whether it was a delta.
    pub(super) fn end(&mut self) -> (Option<&'static str>, bool) {
        while self.stage.state(0) == State::Flying {
            self.stage.grant(0, 0, NO_ACCIDENT);
        }
        let _ = self.thread.take().map(JoinHandle::join);
        let notes = self.actor.notes();
        (notes.published, notes.delta)
    }
}

/// A Nomad that says what the scene wants, behind the gate.
struct Asked {
    actor: Arc<Actor>,
    nomad: Arc<FakeNomad>,
}

impl Nomad for Asked {
    fn stubs(&self) -> Result<Listing, Error> {
        self.actor.gate.must_pass("LIST");
        self.actor.wait_for_base();
        self.nomad.stubs()
    }

    fn node(&self, of: &NodeId) -> Result<Option<Detail>, Error> {
        // Only the schedules let details fail by chance; here the second and third try fail too.
        self.nomad.node(of)
    }

    fn calls(&self) -> u64 {
        self.nomad.calls()
    }
}

/// The ground of a scene: gates before whole calls, nothing to inspect.
struct Bare;

impl Ground for Bare {
    fn has_inner_gates(&self) -> bool {
        false
    }

    fn reset(&self) {}

    fn store(&self, _: &Arc<Actor>) -> Arc<dyn Store> {
        unreachable!("the bench has the stores")
    }

    fn direct(&self, _: usize) -> Arc<dyn Store> {
        unreachable!("the bench has the stores")
    }

    fn strike(&self, _: Incident, _: usize, _: &mut Rng, _: &mut Limits) -> Option<String> {
        None
    }

    fn inspect(&self, _: usize, _: &str) -> Option<Inspected> {
        None
    }
}

/// A Redis whose processes break a rule.
pub(super) struct BrokenBench {
    pub(super) bench: RedisBench,
    ground: Arc<RedisGround>,
    client: Client,
    doors: Mutex<usize>,
    /// Flights driven by hand break the rules of clients too.
    pub(super) all_crooks: bool,
}

impl BrokenBench {
    pub(super) fn new(edits: &[Edit], client: Client) -> Self {
        let bench = RedisBench::new();
        let twist = Arc::new(Broken::new(edits, client));
        let ground = Arc::new(RedisGround::at(&bench.server.socket(), twist));
        Self { bench, ground, client, doors: Mutex::default(), all_crooks: true }
    }

    pub(super) fn broken_cast(&self) -> BrokenCast {
        BrokenCast { client: self.client, ground: Arc::clone(&self.ground) }
    }

    /// As new.
    pub(super) fn reset(&self) {
        self.ground.reset();
        *self.doors.lock().unwrap() = 0;
    }
}

impl Bench for BrokenBench {
    fn store(&self, scope: &str) -> Arc<dyn Store> {
        let mut doors = self.doors.lock().unwrap();
        let scope = SCOPES.iter().position(|name| *name == scope).unwrap();
        let world = Arc::new(Mutex::new(World::new()));
        let actor = Actor::new(seat(*doors % DOORS, scope), Kind::Get, CALM, Gate::open(), &world);
        *doors += 1;
        let store = self.ground.store(&actor);
        if !self.all_crooks {
            return store;
        }
        let nomad = Arc::new(FakeNomad::default());
        self.broken_cast().cast(&actor, store, nomad).0
    }

    fn elsewhere(&self, scope: &str) -> Option<Arc<dyn Store>> {
        self.bench.elsewhere(scope)
    }

    fn now(&self) -> Instant {
        self.bench.now()
    }

    fn pass(&self, time: Duration) {
        self.bench.pass(time);
    }

    fn lose_lease(&self, scope: &str) -> Option<()> {
        self.bench.lose_lease(scope)
    }

    fn set_lease(&self, scope: &str, lease: &str, ttl: Option<Duration>) -> Option<()> {
        self.bench.set_lease(scope, lease, ttl)
    }

    fn lease(&self, scope: &str) -> Option<String> {
        self.bench.lease(scope)
    }

    fn evict(&self, part: Part) -> Option<()> {
        self.bench.evict(part)
    }

    fn edit(&self, id: &str, full: &[u8]) -> Option<()> {
        self.bench.edit(id, full)
    }

    fn kept(&self) -> Option<(Vec<u8>, Duration)> {
        self.bench.kept()
    }

    fn set_kept(&self, all: &[u8], ttl: Duration) -> Option<()> {
        self.bench.set_kept(all, ttl)
    }

    fn shorten_all(&self) -> Option<()> {
        self.bench.shorten_all()
    }

    fn persist_all(&self) -> Option<()> {
        self.bench.persist_all()
    }

    fn spoil_epoch(&self, junk: &[u8]) -> Option<()> {
        self.bench.spoil_epoch(junk)
    }

    fn save(&self) -> Option<Saved> {
        self.bench.save()
    }

    fn restore(&self, saved: &Saved) {
        self.bench.restore(saved);
    }

    fn content(&self) -> Vec<Option<Vec<u8>>> {
        self.bench.content()
    }

    fn meta(&self) -> Option<Vec<u8>> {
        self.bench.meta()
    }

    fn hash_ids(&self) -> Option<Vec<String>> {
        self.bench.hash_ids()
    }

    fn hash_left(&self) -> Option<Duration> {
        self.bench.hash_left()
    }

    fn shorten_hash(&self) -> Option<()> {
        self.bench.shorten_hash()
    }

    fn look_around(&self, scope: &str, event: Box<dyn FnOnce() + Send>) -> Option<Look> {
        let mut stage = Stage::new(1);
        let world = Arc::new(Mutex::new(World::new()));
        let of = SCOPES.iter().position(|name| *name == scope)?;
        let actor = Actor::new(seat(DOORS - 1, of), Kind::Get, CALM, stage.gate(0), &world);
        let store = self.ground.store(&actor);
        let mut thread = None;
        stage.begin(0, || {
            thread = Some(std::thread::spawn(move || {
                let look = store.look(Want::Records);
                actor.gate.ended();
                look
            }));
        });
        stage.grant(0, 0, NO_ACCIDENT);
        event();
        while stage.state(0) == State::Flying {
            stage.grant(0, 0, NO_ACCIDENT);
        }
        thread?.join().unwrap().ok()
    }
}
