//! Plays one schedule: chooses what happens next, one step at a time.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nomad_clients::nomad::Nomad;
use nomad_clients::store::{Look, Store, Want};

use super::actor::{Actor, Kind, Seat};
use super::gate::{NO_ACCIDENT, Stage, State};
use super::gated::{GatedNomad, GatedStore};
use super::ground::{Ground, Incident};
use super::oracles::{self, Reader};
use super::plan::{Act, Event, Plan};
use super::rng::Rng;
use super::world::{SCOPES, World};

/// More steps than any schedule needs.
const STEPS: u64 = 900;
/// So often the lease of a dead owner ends.
const LEASES_END: u64 = 50;
const TICK: Duration = Duration::from_millis(12);

/// Who plays: honest processes, or such as break a rule on purpose.
pub(super) trait Cast: Send + Sync {
    /// What a host has shown is not compared with what its stores hold.
    fn forgets_shown(&self) -> bool {
        false
    }

    /// `store` is what stands behind the gates, `nomad` has them inside.
    fn cast(
        &self,
        actor: &Arc<Actor>,
        store: Arc<dyn Store>,
        nomad: Arc<dyn Nomad>,
    ) -> (Arc<dyn Store>, Arc<dyn Nomad>);
}

pub(super) struct Honest;

impl Cast for Honest {
    fn cast(
        &self,
        _: &Arc<Actor>,
        store: Arc<dyn Store>,
        nomad: Arc<dyn Nomad>,
    ) -> (Arc<dyn Store>, Arc<dyn Nomad>) {
        (store, nomad)
    }
}

/// What a schedule led to.
pub(super) struct Outcome {
    pub(super) acts: Vec<Act>,
    pub(super) violations: Vec<char>,
    pub(super) log: Vec<String>,
    /// How the processes ended.
    pub(super) ends: Vec<String>,
    /// The machine was too slow for a budget of the store: nothing is proved.
    pub(super) disturbed: bool,
}

/// Where schedules are played.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) ground: Arc<dyn Ground>,
    pub(super) cast: Arc<dyn Cast>,
}

impl Runner {
    /// Plays a schedule as its seed says.
    pub(super) fn play(&self, plan: &Plan) -> Outcome {
        let mut play = ScheduleRun::new(self, plan);
        let mut rng = Rng::new(!plan.seed);
        let mut chances = plan.clone();
        while play.goes_on() {
            play.act(play.chosen(&mut rng, &mut chances));
            if play.is_watched() && rng.percent(30) {
                play.act(Act::Observe(rng.number()));
            }
        }
        play.end()
    }

    /// Plays these acts, as far as they are possible, and lets everybody who has begun finish.
    pub(super) fn replay(&self, plan: &Plan, acts: &[Act]) -> Outcome {
        let mut play = ScheduleRun::new(self, plan);
        for act in acts {
            if !play.goes_on() {
                break;
            }
            play.act(*act);
        }
        while play.goes_on() {
            let [process, ..] = play.stage.all(State::Flying)[..] else { break };
            play.act(Act::Step { process, which: 0, luck: NO_ACCIDENT });
        }
        play.end()
    }
}

struct ScheduleRun<'a> {
    runner: &'a Runner,
    plan: &'a Plan,
    world: Arc<Mutex<World>>,
    stage: Stage,
    actors: Vec<Arc<Actor>>,
    threads: Vec<JoinHandle<()>>,
    /// What stands behind the gates of each process that has begun and is not over.
    stores: Vec<Option<Weak<dyn Store>>>,
    /// One that looks at one instant, for each scope.
    observers: Vec<Arc<dyn Store>>,
    acts: Vec<Act>,
}

impl<'a> ScheduleRun<'a> {
    fn new(runner: &'a Runner, plan: &'a Plan) -> Self {
        runner.ground.reset();
        let mut world = World::new();
        world.hosts_remember = runner.ground.remembers_shown();
        world.clusters.iter_mut().for_each(|cluster| cluster.large = plan.temper.large);
        let world = Arc::new(Mutex::new(world));
        let stage = Stage::new(plan.processes.len());
        let actor = |(index, (kind, scope, host)): (usize, &(Kind, usize, usize))| {
            let seat = Seat { index, scope: *scope, host: *host };
            Actor::new(seat, *kind, plan.temper, stage.gate(index), &world)
        };
        let actors = plan.processes.iter().enumerate().map(actor).collect();
        let (threads, acts) = (Vec::new(), Vec::new());
        let (stores, observers) = (vec![None; plan.processes.len()], Vec::new());
        let mut play =
            Self { runner, plan, world, stage, actors, threads, stores, observers, acts };
        play.send_observers();
        play
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn send_observers(&mut self) {
        self.observers = (0..SCOPES.len()).map(|scope| self.runner.ground.direct(scope)).collect();
    }

    fn goes_on(&self) -> bool {
        let done = self.stage.all(State::Done).len() == self.actors.len();
        let world = self.world();
        !done && world.step < STEPS && world.violations.is_empty() && !world.disturbed
    }

    /// Observers look after the steps of processes.
    fn is_watched(&self) -> bool {
        matches!(self.acts.last(), Some(Act::Step { .. }))
    }

    fn chosen(&self, rng: &mut Rng, chances: &mut Plan) -> Act {
        if self.plan.warm && self.stage.state(0) != State::Done {
            return Act::Step { process: 0, which: 0, luck: NO_ACCIDENT };
        }
        let event = if rng.percent(25) { chances.take(rng) } else { None };
        let luck = rng.number();
        if let Some(event) = event {
            if event == Event::Load && !self.acts.iter().any(is_save) {
                chances.left.push((Event::Load, 1));
            }
            return Act::Happen(event, luck);
        }
        let able: Vec<usize> = (0..self.actors.len())
            .filter(|process| self.stage.state(*process) != State::Done)
            .collect();
        let process = *rng.pick(&able).expect("the play goes on");
        let which = rng.below(self.stage.labels(process).len());
        Act::Step { process, which, luck }
    }

    fn act(&mut self, act: Act) {
        self.acts.push(act);
        match act {
            Act::Observe(luck) => return self.observe(luck),
            Act::Happen(event, luck) => {
                self.world().step += 1;
                self.happen(event, &mut Rng::new(luck));
            }
            Act::Step { process, which, luck } => {
                self.world().step += 1;
                self.step(process, which, luck);
            }
        }
        self.world().disturbed |= self.stage.is_confused();
        if self.world().step % LEASES_END == LEASES_END - 1 {
            for scope in 0..SCOPES.len() {
                self.strike(Incident::LoseLease, scope, &mut Rng::new(0));
            }
        }
    }

    fn step(&mut self, process: usize, which: usize, luck: u64) {
        let actor = Arc::clone(&self.actors[process]);
        match self.stage.state(process) {
            State::Done => {}
            State::Waiting => {
                let (store, nomad) = self.cast(&actor);
                let threads = &mut self.threads;
                self.stage.begin(process, || threads.push(actor.spawn(store, nomad)));
            }
            State::Flying => {
                let labels = self.stage.labels(process);
                let which = which % labels.len();
                let line = format!("{} {}", actor.name(), labels[which]);
                self.world().log(line);
                self.stage.grant(process, which, luck);
            }
        }
    }

    fn cast(&mut self, actor: &Arc<Actor>) -> (Arc<dyn Store>, Arc<dyn Nomad>) {
        let Runner { ground, cast } = self.runner;
        let nomad = Arc::new(GatedNomad(Arc::clone(actor)));
        let (inner, nomad) = cast.cast(actor, ground.store(actor), nomad);
        self.stores[actor.index] = Some(Arc::downgrade(&inner));
        let (actor, ground) = (Arc::clone(actor), Arc::clone(ground));
        let direct = ground.direct(actor.scope);
        (Arc::new(GatedStore { actor, inner, direct, ground }), nomad)
    }

    fn happen(&mut self, event: Event, rng: &mut Rng) {
        let scope = rng.below(self.plan.scopes);
        match event {
            Event::Change => self.world().clusters[scope].change(rng),
            Event::Delete => self.world().clusters[scope].delete(rng),
            // A restore while two cold fetches overlap is beyond what is promised.
            Event::Restore if self.stage.all(State::Flying).is_empty() => {
                self.world().clusters[scope].restore();
            }
            Event::Restore => return,
            Event::Tick => std::thread::sleep(TICK),
            Event::Renew => return self.renew(rng),
            Event::Kill | Event::Interrupt => return self.lose(event, rng),
            Event::Evict => return self.strike(Incident::Evict, scope, rng),
            Event::LoseLease => return self.strike(Incident::LoseLease, scope, rng),
            Event::EndAll => return self.strike(Incident::EndAll, scope, rng),
            Event::EndHash => return self.strike(Incident::EndHash, scope, rng),
            Event::Foreign => return self.strike(Incident::Foreign, scope, rng),
            Event::SpoilKept => return self.strike(Incident::SpoilKept, scope, rng),
            Event::SpoilCopy => return self.strike(Incident::SpoilCopy, scope, rng),
            Event::ClearByHand => return self.strike(Incident::ClearByHand, scope, rng),
            Event::Refuse => return self.strike(Incident::Refuse, scope, rng),
            Event::Allow => return self.strike(Incident::Allow, scope, rng),
            Event::Save => return self.strike(Incident::Save, scope, rng),
            Event::Load => {
                if !self.world().limits.unguarded {
                    self.strike(Incident::Load, scope, rng);
                    self.send_observers();
                }
                return;
            }
        }
        self.world().log(format!("{event:?} {}", SCOPES[scope]));
    }

    fn strike(&self, blow: Incident, scope: usize, rng: &mut Rng) {
        let mut limits = self.world().limits;
        let struck = self.runner.ground.strike(blow, scope, rng, &mut limits);
        if let Some(what) = struck {
            let mut world = self.world();
            world.limits = limits;
            world.clears += u64::from(blow == Incident::ClearByHand);
            world.ends.push(format!("{blow:?}"));
            world.log(format!("{blow:?} {} {what}", SCOPES[scope]));
        }
    }

    /// Those under way that are not clears.
    fn flying(&self) -> Vec<usize> {
        let mut flying = self.stage.all(State::Flying);
        flying.retain(|process| self.actors[*process].kind != Kind::Clear);
        flying
    }

    fn renew(&self, rng: &mut Rng) {
        let Some(process) = rng.pick(&self.flying()).copied() else { return };
        let actor = &self.actors[process];
        let lease = actor.notes().lease.clone();
        if let Some(lease) = lease {
            let renewed = self.observers[actor.scope].renew(&lease);
            self.world().log(format!("{} RENEW {renewed:?}", actor.name()));
        }
    }

    fn lose(&mut self, event: Event, rng: &mut Rng) {
        let Some(process) = rng.pick(&self.flying()).copied() else { return };
        let actor = &self.actors[process];
        self.world().log(format!("{} {event:?}", actor.name()));
        match event {
            Event::Interrupt => actor.leave(),
            _ => actor.kill(),
        }
        let (lease, store) = (actor.notes().lease.clone(), &self.stores[process]);
        if self.runner.ground.frees_the_dead()
            && let (Some(lease), Some(store)) = (lease, store.as_ref().and_then(Weak::upgrade))
        {
            store.release(&lease);
        }
        self.stage.kill(process);
    }

    /// Looks at the cache at one instant.
    fn observe(&mut self, luck: u64) {
        let mut scopes: Vec<usize> = self.actors.iter().map(|actor| actor.scope).collect();
        scopes.sort_unstable();
        scopes.dedup();
        for scope in scopes {
            let want = if (luck >> scope) & 1 == 0 { Want::Records } else { Want::Full };
            let mut world = self.world.lock().unwrap();
            let began = (world.step, world.clears);
            let (shown, here, told) =
                (world.shown(scope), world.shown_on(0, scope), Instant::now());
            let (refresh, stale) = (false, false);
            let reader = Reader { scope, began, refresh, stale, shown, here, told };
            match self.observers[scope].look(want) {
                Ok(Look::Hit(snapshot)) => {
                    oracles::cached(&mut world, &reader, &snapshot);
                }
                Ok(Look::Miss { .. } | Look::File(..)) => {}
                Err(_) => world.disturbed = true,
            }
        }
    }

    /// Lets go of everybody who still stands at a gate.
    fn end(self) -> Outcome {
        let flying = self.stage.all(State::Flying);
        if self.world().step >= STEPS {
            self.world().violation('K', format!("{flying:?} are not done"));
        }
        for actor in &self.actors {
            actor.kill();
        }
        drop(self.stage);
        for thread in self.threads {
            thread.join().expect("every panic of a process is caught");
        }
        let mut world = self.world.lock().unwrap();
        Outcome {
            acts: self.acts,
            violations: std::mem::take(&mut world.violations),
            log: std::mem::take(&mut world.log),
            ends: std::mem::take(&mut world.ends),
            disturbed: world.disturbed,
        }
    }
}

fn is_save(act: &Act) -> bool {
    matches!(act, Act::Happen(Event::Save, _))
}
