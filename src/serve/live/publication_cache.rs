//! What `serve` knows: the last publication in memory, never shown before the store confirmed it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::clock;
use crate::discovery::{
    self, Answer, Discovery, How, NoProgress, Policy, Shutdown, Source, Tally, Want,
    void_if_refused,
};
use crate::model::node::NodeId;
use crate::model::notice::Notifier;
use crate::model::snapshot::Snapshot;
use crate::net::sync::lock;
use crate::nomad::{self, HttpNomad, IndexReply, LongPoll};
use crate::store::{Look, ProbeBackoff, Sample, Stores};

use super::events::EventHub;
use super::memory_budget::MemoryBudget;
use super::nomad_contact::{ContactFailure, NomadContact, Question};
use super::published::CachedPublication;
use crate::serve::Backend;

/// What the store said of the publication that is held.
#[derive(Clone)]
pub(crate) enum LookResult {
    Hit {
        held: Arc<CachedPublication>,
        /// Since the list was asked for.
        age: Duration,
        /// Since it was published.
        since: Duration,
    },
    Miss,
}

/// What a fetch has found out.
pub(crate) struct Fetched {
    pub(crate) held: Arc<CachedPublication>,
    pub(crate) age: Duration,
    pub(crate) source: Source,
    pub(crate) tally: Tally,
    /// Nodes without details, and why.
    pub(crate) missing: Vec<(NodeId, String)>,
}

/// The last publication, and the ways to a newer one.
pub(crate) struct PublicationCache {
    pub(crate) nomad: HttpNomad,
    pub(crate) stores: Stores,
    pub(crate) policy: Policy,
    pub(crate) probes: ProbeBackoff,
    pub(crate) tell: Notifier,
    pub(crate) leaving: Arc<Shutdown>,
    pub(crate) hub: EventHub,
    pub(crate) budget: MemoryBudget,
    pub(crate) contact: Arc<NomadContact>,
    known: Mutex<CachedPublications>,
    counts: Mutex<Sample>,
}

/// Publications in memory.
#[derive(Default)]
struct CachedPublications {
    /// The last one that was shown.
    shown: Option<Arc<CachedPublication>>,
    /// What a fetch of this process has published: shown as soon as the store confirms it.
    fetched: Option<Arc<CachedPublication>>,
}

impl PublicationCache {
    pub(crate) fn new(backend: Backend) -> Self {
        let Backend { nomad, stores, policy, probes, tell, leaving, .. } = backend;
        let (known, counts) = (Mutex::default(), Mutex::default());
        let contact = Arc::<NomadContact>::default();
        let budget = MemoryBudget::default();
        let hub = EventHub::new(Arc::clone(&contact), budget.clone());
        Self { nomad, stores, policy, probes, tell, leaving, hub, budget, contact, known, counts }
    }

    fn known(&self) -> MutexGuard<'_, CachedPublications> {
        lock(&self.known)
    }

    /// Asks the store which publication is fresh, and reads it only if it is not the one in memory.
    /// Looks follow one after the other, so that nobody is shown an older one after a newer: only
    /// the desk begins one. Nobody else waits for it.
    pub(crate) fn look(&self, want: Want) -> LookResult {
        let fetched = self.known().fetched.clone();
        let store = self.stores.run();
        let present = match store.present() {
            Ok(Some(present)) => present,
            Ok(None) => return LookResult::Miss,
            Err(error) => return self.unusable(&error),
        };
        let known = self.known().of(&present.rev, want);
        if let Some(held) = known {
            self.show(&held, present.age, fetched);
            return LookResult::Hit { held, age: present.age, since: present.since };
        }
        match store.look(want) {
            Ok(Look::Hit(snapshot)) => {
                let (age, since) = (snapshot.age, snapshot.since);
                let held = self.held(snapshot);
                self.show(&held, age, fetched);
                LookResult::Hit { held, age, since }
            }
            Ok(Look::Miss { .. }) => LookResult::Miss,
            Err(error) => self.unusable(&error),
        }
    }

    fn held(&self, snapshot: Snapshot) -> Arc<CachedPublication> {
        let known = self.known();
        let nodes = known.fetched.iter().chain(&known.shown).find_map(|held| held.last_nodes());
        drop(known);
        Arc::new(CachedPublication::new(snapshot, &self.budget, nodes))
    }

    fn unusable(&self, error: &crate::store::Error) -> LookResult {
        self.tell.warning(format!("cache not used: {error}"));
        LookResult::Miss
    }

    /// `fetched`: what was waiting for the store's word when it was asked. It is this, or overtaken.
    fn show(
        &self,
        held: &Arc<CachedPublication>,
        age: Duration,
        fetched: Option<Arc<CachedPublication>>,
    ) {
        let mut known = self.known();
        let before = known.shown.replace(Arc::clone(held));
        let is_over = |waiting: &mut Arc<CachedPublication>| {
            waiting.rev == held.rev || fetched.as_ref().is_some_and(|it| Arc::ptr_eq(it, waiting))
        };
        known.fetched.take_if(is_over);
        drop(known);
        self.hub.turn(before.as_deref(), held, age);
        if clock::now().checked_sub(age).is_some_and(|asked| self.contact.listed(asked)) {
            self.hub.beat();
        }
    }

    /// Asks Nomad, or waits for another who does. `moved`: something has changed for sure.
    pub(crate) fn fetch(
        &self,
        how: How,
        want: Want,
        moved: bool,
    ) -> Result<Fetched, discovery::Error> {
        let asked = clock::now();
        let mut discovery = self.discovery(asked);
        discovery.policy.moved = moved;
        let answer =
            discovery.nodes(how, want).inspect_err(|error| self.list_failed(asked, error))?;
        let Answer { snapshot, source, missing, tally, outage } = answer;
        match &outage {
            Some(outage) => self.list_failed(asked, outage),
            None if matches!(source, Source::Nomad { .. }) => self.answered(Question::List),
            None => {}
        }
        let age = snapshot.age;
        let held = self.held(snapshot);
        let is_complete = !held.rev.is_empty() && missing.is_empty();
        if is_complete {
            self.known().fetched = Some(Arc::clone(&held));
        }
        Ok(Fetched { held, age, source, tally, missing })
    }

    fn discovery(&self, began: Instant) -> Discovery {
        let deadline = began.checked_add(self.policy.timeout).unwrap_or(self.policy.deadline);
        Discovery {
            nomad: Arc::new(self.nomad.again(deadline)),
            store: self.stores.run(),
            policy: Policy { deadline, ..self.policy },
            probes: self.probes.clone(),
            tell: self.tell.clone(),
            progress: Arc::new(NoProgress),
            leaving: Arc::clone(&self.leaving),
            sleep: Arc::new(clock::sleep),
        }
    }

    /// The index of Nomad, from a server that hears from a leader; what comes of the question goes
    /// to the contact.
    pub(crate) fn pulse(
        &self,
        hold: Option<LongPoll>,
        patience: Duration,
    ) -> Result<u64, IndexProbeError> {
        let asked = clock::now();
        let pulse = match self.nomad.again(asked + patience).pulse(hold) {
            Ok(IndexReply { leader: true, index: Some(index), .. }) => Ok(index),
            Ok(IndexReply { leader: true, index: None, .. }) => Err(IndexProbeError::NoIndex),
            Ok(_) => Err(IndexProbeError::NoLeader),
            Err(error) => {
                let store = self.stores.run();
                void_if_refused((&*store, &self.policy), &error, None, &self.tell);
                Err(IndexProbeError::Nomad(error))
            }
        };
        match &pulse {
            Ok(_) | Err(IndexProbeError::NoIndex) => self.answered(Question::Pulse),
            Err(why) => self.failed(Question::Pulse, asked, (why.trouble(), &why.to_string())),
        }
        pulse
    }

    fn list_failed(&self, asked: Instant, error: &discovery::Error) {
        self.failed(Question::List, asked, (ContactFailure::of_list(error), &error.to_string()));
    }

    /// Whoever watches is told when the contact begins or ends, not only with the next beat.
    pub(crate) fn answered(&self, question: Question) {
        if self.contact.answered(question, clock::now()) {
            self.hub.beat();
        }
    }

    fn failed(&self, question: Question, asked: Instant, why: (ContactFailure, &str)) {
        if self.contact.failed(question, asked, why, clock::now()) {
            self.hub.beat();
        }
    }

    /// Counts answers; they reach the store with the next [`Self::flush`].
    pub(crate) fn count(&self, sample: &Sample) {
        lock(&self.counts).add(sample);
    }

    pub(crate) fn flush(&self) {
        let mut counts = lock(&self.counts);
        let counted = std::mem::take(&mut *counts);
        drop(counts);
        if counted != Sample::default() {
            self.stores.run().count(&counted);
        }
    }
}

impl CachedPublications {
    fn of(&self, rev: &str, want: Want) -> Option<Arc<CachedPublication>> {
        let all = self.fetched.iter().chain(&self.shown);
        all.filter(|held| held.rev == rev && held.serves(want)).map(Arc::clone).next()
    }
}

/// Why a pulse does not tell the index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexProbeError {
    #[error("Nomad has no leader")]
    NoLeader,
    /// Something between that keeps headers back.
    #[error("Nomad's answer has no index")]
    NoIndex,
    #[error(transparent)]
    Nomad(nomad::Error),
}

impl IndexProbeError {
    fn trouble(&self) -> ContactFailure {
        match self {
            Self::NoLeader => ContactFailure::NoLeader,
            Self::NoIndex => ContactFailure::Unusable,
            Self::Nomad(error) => ContactFailure::of(error),
        }
    }
}
