//! One process: the real discovery in a thread of its own, with a gate before every outside step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nomad_clients::discovery::{
    Answer, Discovery, Error, How, NoProgress, Policy, Request, Shutdown, Want,
};
use nomad_clients::model::node::Stub;
use nomad_clients::model::notice::{Level, Notifier};
use nomad_clients::nomad::Nomad;
use nomad_clients::store::meta::Meta;
use nomad_clients::store::{Lease, Store};

use super::gate::{Gate, Over};
use super::oracles;
use super::world::{Listed, SCOPES, Shown, World};

const TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Full,
    Refresh,
    Force,
    Clear,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Full => "full",
            Self::Refresh => "refresh",
            Self::Force => "force",
            Self::Clear => "clear",
        }
    }

    pub(super) fn how(self) -> How {
        match self {
            Self::Refresh => How::Refresh,
            Self::Force => How::Force,
            Self::Get | Self::Full | Self::Clear => How::Get,
        }
    }
}

/// How a cluster and those who ask it behave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behaviour {
    /// Details fail now and then.
    pub(super) flaky: bool,
    /// In an outage an old answer is better than none.
    pub(super) stale: bool,
    /// Whether anything has changed is asked before the list.
    pub(super) probes: bool,
    /// Two nodes are too much for LOOK: hosts keep copies.
    pub(super) large: bool,
}

/// What is known of a process besides what it knows itself.
#[derive(Default)]
pub(super) struct Notes {
    /// Step and clears done when it began.
    pub(super) began: (u64, u64),
    pub(super) fate: Ending,
    /// The lease of the flight that it was given last, and what the cache had then.
    pub(super) lease: Option<Lease>,
    pub(super) known: Option<Meta>,
    pub(super) listed: Option<Listed>,
    /// What the last PUBLISH was answered, and whether it was a delta.
    pub(super) published: Option<&'static str>,
    /// When that PUBLISH was carried out, or before.
    pub(super) publishes: Option<Instant>,
    pub(super) delta: bool,
    /// Asks otherwise than its kind does, to break a rule.
    pub(super) how: Option<How>,
    /// What had been shown when it read the cache: to anybody, and on its host.
    pub(super) looked: Option<[Shown; 2]>,
    /// The cache directory of its host.
    pub(super) folder: Option<PathBuf>,
    /// Nothing that it was told by the cache was computed before.
    pub(super) told: Option<Instant>,
    pub(super) pair: Pair,
    /// Nomad's first node, as the last probe showed it.
    pub(super) first: Option<Stub>,
    /// The epoch that the GET of a clear has found.
    pub(super) epoch: Option<Vec<u8>>,
    /// A detail that fails is tried again without a gate: so often.
    pub(super) failing: u32,
}

/// Killed processes leave everything as it is, those that are told to end give the lease back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ending {
    #[default]
    Alive,
    Leaving,
    Dead,
}

/// Base and list, which are asked for at the same time: the one who ends first is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pair {
    #[default]
    None,
    Both,
    BaseOnly,
}

/// Which process it is, whose nodes it asks for, and on which host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) index: usize,
    pub(super) scope: usize,
    pub(super) host: usize,
}

pub(super) struct Actor {
    pub(super) index: usize,
    pub(super) scope: usize,
    pub(super) host: usize,
    pub(super) kind: Kind,
    pub(super) temper: Behaviour,
    pub(super) gate: Gate,
    world: Arc<Mutex<World>>,
    notes: Mutex<Notes>,
    leaving: Arc<Shutdown>,
}

impl Actor {
    pub(super) fn new(
        Seat { index, scope, host }: Seat,
        kind: Kind,
        temper: Behaviour,
        gate: Gate,
        world: &Arc<Mutex<World>>,
    ) -> Arc<Self> {
        let (world, notes, leaving) = (Arc::clone(world), Mutex::default(), Arc::default());
        Arc::new(Self { index, scope, host, kind, temper, gate, world, notes, leaving })
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    pub(super) fn name(&self) -> String {
        format!("{}:{}/{}@{}", self.index, self.kind.name(), SCOPES[self.scope], self.host)
    }

    /// The values of the cache were read at this moment.
    pub(super) fn looks(&self) {
        let world = self.world();
        let shown = [world.shown(self.scope), world.shown_on(self.host, self.scope)];
        drop(world);
        self.notes().looked = Some(shown);
    }

    /// `kill -9`.
    pub(super) fn kill(&self) {
        self.notes().fate = Ending::Dead;
    }

    /// Ctrl-C: gives back the lease that is held, if one is.
    pub(super) fn leave(&self) {
        self.notes().fate = Ending::Leaving;
        self.leaving.release_lease();
        self.notes().fate = Ending::Dead;
    }

    /// Base and list are asked for at the same time from here on.
    pub(super) fn fork(&self) {
        self.notes().pair = Pair::Both;
        self.gate.forked();
    }

    /// The list is there: if the base is still under way, it is waited for now.
    pub(super) fn wait_for_base(&self) {
        let mut notes = self.notes();
        if notes.pair == Pair::Both {
            notes.pair = Pair::BaseOnly;
            drop(notes);
            self.gate.joined();
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.notes().fate == Ending::Alive
    }

    /// Runs the process in a thread of its own.
    pub(super) fn spawn(
        self: &Arc<Self>,
        store: Arc<dyn Store>,
        nomad: Arc<dyn Nomad>,
    ) -> JoinHandle<()> {
        let world = self.world();
        self.notes().began = (world.step, world.clears);
        drop(world);
        let actor = Arc::clone(self);
        std::thread::spawn(move || {
            let ran = catch_unwind(AssertUnwindSafe(|| actor.run(store, nomad)));
            if ran.is_err_and(|why| !why.is::<Over>()) {
                actor.world().violation('C', "a process panicked");
            }
            actor.gate.ended();
        })
    }

    fn run(self: &Arc<Self>, store: Arc<dyn Store>, nomad: Arc<dyn Nomad>) {
        if self.kind == Kind::Clear {
            let failed = store.clear().places.iter().any(|place| place.outcome.is_err());
            self.world().disturbed |= failed;
            return;
        }
        let want = if self.kind == Kind::Full { Want::Full } else { Want::Records };
        let how = self.notes().how.unwrap_or(self.kind.how());
        let answer = self.discovery(Arc::clone(&store), nomad).nodes(Request {
            stale_if_error: self.temper.stale.then_some(TIMEOUT),
            ..Request::new(how, want)
        });
        if !self.is_alive() {
            return;
        }
        let said = oracles::judge(self, &answer);
        if let Ok(answer) = &answer {
            store.printed(&answer.snapshot);
        }
        let mut world = self.world();
        world.log(format!("{} -> {said}", self.name()));
        world.ends.push(format!("{} {said}", self.kind.name()));
    }

    fn discovery(self: &Arc<Self>, store: Arc<dyn Store>, nomad: Arc<dyn Nomad>) -> Discovery {
        let (sleeper, teller) = (Arc::clone(self), Arc::clone(self));
        Discovery {
            nomad,
            store,
            policy: Policy {
                concurrency: 1,
                timeout: TIMEOUT,
                deadline: Instant::now() + TIMEOUT,
                shared: false,
                probe_from: 0,
            },
            notifier: Notifier::new(move |remark| {
                let trouble =
                    remark.level == Level::Warning && remark.text.starts_with("cache not used");
                let mut world = teller.world();
                world.disturbed |= trouble && !world.limits.refuses && teller.is_alive();
            }),
            progress: Arc::new(NoProgress),
            shutdown: Arc::clone(&self.leaving),
            sleep: Arc::new(move |_| {
                if sleeper.notes().failing == 0 {
                    sleeper.gate.must_pass("SLEEP");
                }
            }),
        }
    }
}

/// How a process ended, in a word or two.
pub(super) fn summary(answer: &Result<Answer, Error>) -> String {
    match answer {
        Ok(answer) => format!("{:?}", answer.source),
        Err(error) => error.to_string(),
    }
}
