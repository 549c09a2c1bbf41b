//! The last publication in memory, never used before the store has confirmed it; and ways to a newer one.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::clock;
use crate::discovery::{
    self, Answer, Discovery, How, NoProgress, Policy, Request, Shutdown, Source, Tally, Want,
    void_if_refused,
};
use crate::model::node::NodeId;
use crate::model::notice::Notifier;
use crate::model::snapshot::Snapshot;
use crate::net::sync::lock;
use crate::nomad::{self, HttpNomad, IndexReply, LongPoll};
use crate::render::ClusterSection;
use crate::store::{self, FailureClass, Look, Sample, Store, Stores};

use super::events::EventHub;
use super::memory_budget::MemoryBudget;
use super::nomad_contact::{ContactFailure, NomadContact, Question};
use super::published::CachedPublication;

/// Nomad, the cache, and how to use them.
pub(crate) struct Backend {
    pub(crate) nomad: HttpNomad,
    pub(crate) stores: Stores,
    pub(crate) policy: Policy,
    pub(crate) cluster: ClusterSection,
    /// How long a list is fresh.
    pub(crate) ttl: Duration,
    pub(crate) notifier: Notifier,
    pub(crate) shutdown: Arc<Shutdown>,
}

/// A publication that the store has confirmed to be current.
#[derive(Clone)]
pub(crate) struct CurrentPublication {
    pub(crate) publication: Arc<CachedPublication>,
    /// Time since the list was requested.
    pub(crate) age: Duration,
    /// Time since it was published.
    pub(crate) since: Duration,
    /// The store could not be asked: it is the last one that Redis had.
    pub(crate) is_kept: bool,
}

/// The result of a fetch.
pub(crate) struct Fetched {
    pub(crate) publication: Arc<CachedPublication>,
    pub(crate) age: Duration,
    pub(crate) source: Source,
    pub(crate) tally: Tally,
    /// Nodes without details, and why.
    pub(crate) missing: Vec<(NodeId, String)>,
}

pub(crate) struct PublicationCache {
    pub(crate) backend: Backend,
    pub(crate) events: Arc<EventHub>,
    pub(crate) budget: MemoryBudget,
    pub(crate) contact: Arc<NomadContact>,
    publications: Mutex<CachedPublications>,
    counts: Mutex<Sample>,
}

#[derive(Default)]
struct CachedPublications {
    /// The last one that was current.
    current: Option<Arc<CachedPublication>>,
    /// Published by a fetch of this process; current as soon as the store confirms it.
    fetched: Option<Arc<CachedPublication>>,
    /// The last one that Redis is known to have had, to be served while Redis cannot be asked. `None`
    /// if something else was shown since.
    kept: Option<KeptPublication>,
    /// How often `kept` was forgotten.
    forgotten: u64,
}

#[derive(Clone)]
struct KeptPublication {
    publication: Arc<CachedPublication>,
    /// When its list was requested.
    listed: Instant,
    published: Instant,
}

impl CachedPublications {
    /// `fetched` before `current`.
    fn all(&self) -> impl Iterator<Item = &Arc<CachedPublication>> {
        self.fetched.iter().chain(&self.current)
    }
}

impl PublicationCache {
    pub(crate) fn new(backend: Backend) -> Self {
        let (publications, counts) = (Mutex::default(), Mutex::default());
        let (contact, budget) = (Arc::<NomadContact>::default(), MemoryBudget::default());
        let events = Arc::new(EventHub::new(Arc::clone(&contact), budget.clone()));
        Self { backend, events, budget, contact, publications, counts }
    }

    /// Asks the store which publication is current, and reads it only if it is not the one in memory;
    /// `None` if none is fresh. Looks come one after the other, so that no client gets an older
    /// publication after a newer: only the request queue begins one.
    pub(crate) fn look(&self, want: Want) -> Option<CurrentPublication> {
        let (fetched, forgotten) = {
            let known = lock(&self.publications);
            (known.fetched.clone(), known.forgotten)
        };
        let store = self.backend.stores.run();
        let found = self.ask(&*store, want);
        let is_newer = |kept: &CurrentPublication| {
            found.as_ref().is_none_or(|it| it.publication.index < kept.publication.index)
        };
        let kept = if store.has_lost_redis() { self.kept(&*store, want) } else { None };
        let current = match kept.filter(is_newer) {
            Some(kept) => kept,
            None => {
                let Some(found) = found else {
                    // Redis has answered, and may have been cleared.
                    if !store.has_lost_redis() {
                        self.forget();
                    }
                    return None;
                };
                self.keep(&*store, found.clone(), forgotten);
                found
            }
        };
        self.publish(&current, fetched);
        Some(current)
    }

    /// What the store has.
    fn ask(&self, store: &dyn Store, want: Want) -> Option<CurrentPublication> {
        let present = store.present().unwrap_or_else(|error| self.unusable(&error))?;
        let is_it = |it: &&Arc<CachedPublication>| it.rev == present.rev && it.serves(want);
        let known = lock(&self.publications).all().find(is_it).map(Arc::clone);
        if let Some(publication) = known {
            let (age, since) = (present.age, present.since);
            return Some(CurrentPublication { publication, age, since, is_kept: false });
        }
        let snapshot = match store.look(want) {
            Ok(Look::Hit(snapshot)) => snapshot,
            Ok(Look::Miss { .. } | Look::File(..)) => return None,
            Err(error) => return self.unusable(&error),
        };
        let (age, since) = (snapshot.age, snapshot.since);
        let publication = self.publication(snapshot);
        Some(CurrentPublication { publication, age, since, is_kept: false })
    }

    /// Keeps what is shown if Redis has it, unless what was kept was forgotten since `forgotten` was
    /// read.
    fn keep(&self, store: &dyn Store, current: CurrentPublication, forgotten: u64) {
        let CurrentPublication { publication, age, since, .. } = current;
        let now = clock::now();
        let mut known = lock(&self.publications);
        let is_known = !store.has_lost_redis() && known.forgotten == forgotten;
        let times = now.checked_sub(age).zip(now.checked_sub(since)).filter(|_| is_known);
        known.kept =
            times.map(|(listed, published)| KeptPublication { publication, listed, published });
    }

    /// The last publication that Redis had, while it is fresh and nothing newer was shown.
    fn kept(&self, store: &dyn Store, want: Want) -> Option<CurrentPublication> {
        let kept = lock(&self.publications).kept.clone()?;
        let (age, since) = (clock::since(kept.listed), clock::since(kept.published));
        let publication = kept.publication;
        let (index, rev) = store.shown();
        let is_older = publication.index < index && publication.rev != rev;
        if since >= self.backend.ttl || is_older || !publication.serves(want) {
            return None;
        }
        let text = "serving the last list from Redis while it is fresh";
        self.backend.notifier.warning(text.to_owned());
        Some(CurrentPublication { publication, age, since, is_kept: true })
    }

    /// What Redis had must not be served any more without asking it.
    pub(crate) fn forget(&self) {
        let mut known = lock(&self.publications);
        (known.kept, known.forgotten) = (None, known.forgotten + 1);
    }

    /// It will be shown.
    fn publication(&self, snapshot: Snapshot) -> Arc<CachedPublication> {
        self.backend.stores.printed(&snapshot);
        let nodes = lock(&self.publications).all().find_map(|it| it.last_nodes());
        Arc::new(CachedPublication::new(snapshot, &self.budget, nodes))
    }

    fn unusable<T>(&self, error: &store::Error) -> Option<T> {
        self.backend.notifier.warning(format!("cache not used: {error}"));
        None
    }

    /// `fetched`: what had been fetched before the store was asked. It is this publication, or older.
    fn publish(&self, current: &CurrentPublication, fetched: Option<Arc<CachedPublication>>) {
        let CurrentPublication { publication, age, .. } = current;
        let mut known = lock(&self.publications);
        let before = known.current.replace(Arc::clone(publication));
        let is_over = |waiting: &mut Arc<CachedPublication>| {
            waiting.rev == publication.rev
                || fetched.as_ref().is_some_and(|it| Arc::ptr_eq(it, waiting))
        };
        known.fetched.take_if(is_over);
        drop(known);
        self.events.publish(before.as_deref(), publication, *age);
        if clock::now().checked_sub(*age).is_some_and(|asked| self.contact.listed(asked)) {
            self.events.beat();
        }
    }

    /// Fetches from Nomad, or waits for another process that does. `moved`: something has changed for
    /// sure.
    pub(crate) fn fetch(
        &self,
        how: How,
        want: Want,
        moved: bool,
    ) -> Result<Fetched, discovery::Error> {
        let began = clock::now();
        let failed = |error: &discovery::Error| {
            let why = (ContactFailure::of_list(error), &*error.to_string());
            self.failed(Question::List, began, why);
            if error.class() == FailureClass::Denied {
                self.forget();
            }
        };
        let forgotten = lock(&self.publications).forgotten;
        let discovery = self.discovery(began);
        let request = Request { skip_probe: moved, ..Request::new(how, want) };
        let answer = discovery.nodes(request).inspect_err(failed)?;
        let Answer { snapshot, source, missing, tally, outage, .. } = answer;
        match &outage {
            Some(outage) => failed(outage),
            None if matches!(source, Source::Nomad { .. }) => self.answered(Question::List),
            None => {}
        }
        let (age, since) = (snapshot.age, snapshot.since);
        let publication = self.publication(snapshot);
        if !publication.rev.is_empty() && missing.is_empty() {
            let current =
                CurrentPublication { publication: publication.clone(), age, since, is_kept: false };
            lock(&self.publications).fetched = Some(Arc::clone(&publication));
            self.keep(&*discovery.store, current, forgotten);
        } else {
            // Older than what the client has seen.
            self.forget();
        }
        Ok(Fetched { publication, age, source, tally, missing })
    }

    fn discovery(&self, began: Instant) -> Discovery {
        let Backend { nomad, stores, policy, notifier, shutdown, .. } = &self.backend;
        let deadline = began.checked_add(policy.timeout).unwrap_or(policy.deadline);
        Discovery {
            nomad: Arc::new(nomad.again(deadline)),
            store: stores.run(),
            policy: Policy { deadline, ..*policy },
            notifier: notifier.clone(),
            progress: Arc::new(NoProgress),
            shutdown: Arc::clone(shutdown),
            sleep: Arc::new(clock::sleep),
        }
    }

    /// The index of Nomad, from a server that has a leader; the contact learns the result.
    pub(crate) fn probe_index(
        &self,
        hold: Option<LongPoll>,
        limit: Duration,
    ) -> Result<u64, IndexProbeError> {
        let Backend { nomad, stores, policy, notifier, .. } = &self.backend;
        let began = clock::now();
        let index = match nomad.again(began + limit).probe_index(hold) {
            Ok(IndexReply { leader: true, index, .. }) => index.ok_or(IndexProbeError::NoIndex),
            Ok(_) => Err(IndexProbeError::NoLeader),
            Err(error) => {
                void_if_refused((&*stores.run(), policy), &error, None, notifier);
                if error.kind == nomad::FailureKind::Denied {
                    self.forget();
                }
                Err(IndexProbeError::Nomad(error))
            }
        };
        match &index {
            Ok(_) | Err(IndexProbeError::NoIndex) => self.answered(Question::Index),
            Err(why) => self.failed(Question::Index, began, (why.failure(), &why.to_string())),
        }
        index
    }

    /// Readers of events learn at once when a failure begins or ends, not with the next beat.
    pub(crate) fn answered(&self, question: Question) {
        if self.contact.answered(question, clock::now()) {
            self.events.beat();
        }
    }

    fn failed(&self, question: Question, began: Instant, why: (ContactFailure, &str)) {
        if self.contact.failed(question, began, why, clock::now()) {
            self.events.beat();
        }
    }

    /// Counts responses; they reach the store with the next [`Self::flush`].
    pub(crate) fn count(&self, sample: &Sample) {
        lock(&self.counts).add(sample);
    }

    pub(crate) fn flush(&self) {
        let counted = std::mem::take(&mut *lock(&self.counts));
        if counted != Sample::default() {
            self.backend.stores.run().count(&counted);
        }
    }
}

/// Why a probe does not return the index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexProbeError {
    #[error("Nomad has no leader")]
    NoLeader,
    /// Something in between removes headers.
    #[error("Nomad's answer has no index")]
    NoIndex,
    #[error(transparent)]
    Nomad(nomad::Error),
}

impl IndexProbeError {
    fn failure(&self) -> ContactFailure {
        match self {
            Self::NoLeader => ContactFailure::NoLeader,
            Self::NoIndex => ContactFailure::Unusable,
            Self::Nomad(error) => ContactFailure::of(error),
        }
    }
}
