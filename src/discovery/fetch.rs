//! List, diff, details, publication: what one process does for everybody who waits.

use std::mem;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::node::{AllJson, Stub};
use crate::model::snapshot::Snapshot;
use crate::nomad::Listing;
use crate::store::{self, Base, FailureClass, Flight, Publication, Published};

use super::answer::{Answer, Source};
use super::assemble::{AssembledNodes, Assembler, BaseRecords, records, reusable};
use super::details::DetailOutcome;
use super::index_probe::unchanged;
use super::lease::{Heartbeat, LeaseGuard};
use super::{Discovery, Error, How, Request};

/// Lists per fetch: each may be refused because a newer index is known, or be torn by a restore.
const LISTS: u32 = 4;

/// One fetch under way.
struct Fetch<'a, 'h> {
    discovery: &'a Discovery,
    lease_guard: &'h mut LeaseGuard<'a>,
    request: Request,
    /// The cached records.
    base: Option<Base>,
    /// Whether they may be reused and built upon: not after a restore, when they prove nothing. They
    /// still tell new nodes from changed ones.
    reuses: bool,
    /// Index and rev of what the cache knows, or of what this host has shown, if that is higher.
    known: Option<(u64, String)>,
    /// The rev whose higher index a second list disproved.
    reset: Option<String>,
    /// A list came without a leader or an index: the answer is printed, not published.
    uncacheable: bool,
    /// How often the list was asked for.
    lists: u32,
    /// The rev of what was published.
    published: Option<String>,
}

/// Nodes that may be published, and the list that they are from.
struct FetchedNodes {
    nodes: AssembledNodes,
    /// Index of the table of nodes; `None` = not cacheable.
    index: Option<u64>,
    /// When the list was requested.
    sent: Instant,
    /// The cache holds the same nodes, according to the index alone.
    probed: bool,
}

impl Discovery {
    /// Asks Nomad, and publishes if there is a flight to publish under.
    pub(super) fn fetch(&self, request: Request, flight: Option<Flight>) -> Result<Answer, Error> {
        let lease = flight.as_ref().map(|flight| flight.lease().clone());
        let mut held = LeaseGuard::new(flight, &self.store, &self.shutdown);
        let signal = Heartbeat::default();
        let result = thread::scope(|scope| {
            let _until_here = signal.renewing();
            if let Some(lease) = lease.filter(|lease| !lease.is_solo()) {
                let (store, signal) = (&*self.store, &signal);
                let renew = move || signal.renew(store, &lease);
                // Without it another may take over after 3 s, as if the lease were lost.
                drop(thread::Builder::new().spawn_scoped(scope, renew));
            }
            Fetch::new(self, &mut held, request).run()
        });
        if let Err(Error::Nomad(error)) = &result {
            self.void_if_refused(error, held.lease());
        }
        if let Err(error) = &result
            && self.is_shared(error)
        {
            held.fail(error.class());
        }
        result
    }

    fn list(&self) -> Result<(Instant, Listing), Error> {
        let sent = clock::now();
        Ok((sent, self.nomad.stubs()?))
    }

    /// Others share Nomad's failures. They do not share our deadline, our settings or (with `--share
    /// cluster`) our token.
    fn is_shared(&self, error: &Error) -> bool {
        let private = self.policy.shared && error.class() == FailureClass::Denied;
        !private && !error.is_of_settings() && !self.time_left().is_zero()
    }
}

impl<'a, 'h> Fetch<'a, 'h> {
    fn new(discovery: &'a Discovery, held: &'h mut LeaseGuard<'a>, request: Request) -> Self {
        let meta = held.flight.as_ref().and_then(Flight::meta);
        let shown = Some(discovery.store.shown()).filter(|(index, _)| *index > 0);
        // The cache's, if both are the same.
        let known = meta.map(|meta| (meta.index, meta.rev.clone()));
        let known = shown.into_iter().chain(known).max_by_key(|(index, _)| *index);
        Self {
            discovery,
            lease_guard: held,
            request,
            base: None,
            reuses: false,
            known,
            reset: None,
            uncacheable: false,
            lists: 0,
            published: None,
        }
    }

    fn run(mut self) -> Result<Answer, Error> {
        if let Some(found) = self.unchanged()?
            && self.publish(&found)
        {
            return Ok(self.answer(found));
        }
        while self.lists < LISTS {
            let found = if self.lists == 0 { self.base_and_found()? } else { self.list_found()? };
            if let Some(found) = found
                && self.publish(&found)
            {
                return Ok(self.answer(found));
            }
        }
        Err(Error::Unsettled(LISTS))
    }

    /// The cached nodes, if nothing has changed since. `--force` uses nothing that is cached.
    fn unchanged(&mut self) -> Result<Option<FetchedNodes>, Error> {
        let flight = self.lease_guard.flight.as_ref().filter(|_| self.request.how != How::Force);
        let Some((flight, meta)) = flight.and_then(|flight| Some((flight, flight.meta()?))) else {
            return Ok(None);
        };
        let Some((sent, first)) = self.discovery.probe_unchanged(meta, self.request)? else {
            return Ok(None);
        };
        let index = Some(meta.index);
        let base = self.discovery.store.base(flight, self.request.want);
        let unchanged = base.and_then(|base| unchanged(base, meta, &first));
        Ok(unchanged.map(|(base, nodes)| {
            (self.base, self.reuses) = (Some(base), true);
            FetchedNodes { nodes, index, sent, probed: true }
        }))
    }

    fn list_found(&mut self) -> Result<Option<FetchedNodes>, Error> {
        let listed = self.list()?;
        self.found(listed)
    }

    /// Reads the base while Nomad answers. `--force` uses nothing that is cached.
    fn base_and_found(&mut self) -> Result<Option<FetchedNodes>, Error> {
        let flight = self
            .lease_guard
            .flight
            .as_ref()
            .filter(|flight| flight.meta().is_some() && self.request.how != How::Force);
        let Some(flight) = flight else { return self.list_found() };
        let (store, discovery, want) = (&self.discovery.store, self.discovery, self.request.want);
        self.lists += 1;
        let (base, listed) = thread::scope(|scope| {
            let base = || store.base(flight, want);
            let thread = thread::Builder::new().spawn_scoped(scope, base);
            let listed = discovery.list();
            // Where no thread can be made, one after the other.
            (thread.map_or_else(|_| Ok(base()), |thread| thread.join()), listed)
        });
        self.base = base.unwrap_or_else(|panic| resume_unwind(panic));
        if self.base.is_none() {
            discovery
                .notifier
                .verbose("the cached details are gone or damaged; all are fetched again");
        }
        self.reuses = self.base.is_some();
        let listed = listed?;
        self.check_cacheable(&listed.1);
        self.found(listed)
    }

    /// The nodes of a list; `None` if the list must be requested again.
    fn found(&mut self, listed: (Instant, Listing)) -> Result<Option<FetchedNodes>, Error> {
        let (sent, listing) = self.settled(listed)?;
        let nodes = self.nodes(&listing)?;
        if nodes.is_none() {
            self.reuses = false;
        }
        Ok(nodes.map(|nodes| FetchedNodes { nodes, index: listing.index, sent, probed: false }))
    }

    fn list(&mut self) -> Result<(Instant, Listing), Error> {
        self.lists += 1;
        let listed = self.discovery.list()?;
        self.check_cacheable(&listed.1);
        Ok(listed)
    }

    /// A lower index than is known comes from a server that lags (then a second list is not
    /// lower) or from a cluster that was restored or rebuilt (then nothing cached proves anything).
    fn settled(&mut self, listed: (Instant, Listing)) -> Result<(Instant, Listing), Error> {
        let Some((known, rev)) = self.known.clone() else { return Ok(listed) };
        let first = listed.0;
        let lower = |listing: &Listing| listing.index.is_some_and(|index| index < known);
        // What two lists have shown already needs no third.
        let confirmed = self.reset.as_ref() == Some(&rev);
        if self.uncacheable || !lower(&listed.1) || confirmed {
            return Ok(listed);
        }
        if self.lists >= LISTS {
            return Err(Error::Unsettled(LISTS));
        }
        let index = listed.1.index.unwrap_or(0);
        self.discovery.notifier.verbose(format!(
            "the list is older than the cache (index {index}, known {known}): asked again"
        ));
        let listed = self.list()?;
        if lower(&listed.1) && !self.uncacheable {
            let index = listed.1.index.unwrap_or(0);
            self.discovery
                .notifier
                .note(format!("the Nomad index went back ({known} → {index}); cache rebuilt"));
            self.discovery.store.restored(index, clock::since(first));
            self.reset = Some(rev);
            self.reuses = false;
        }
        Ok(listed)
    }

    /// An answer without a leader or an index is told, and never cached. Those who wait learn it
    /// at once, so that they do not queue up for it.
    fn check_cacheable(&mut self, listing: &Listing) {
        let has_leader = listing.known_leader && listing.last_contact_ms == 0;
        if has_leader && listing.index.is_some() {
            return;
        }
        if listing.index.is_none() {
            self.reuses = false;
        }
        if !mem::replace(&mut self.uncacheable, true) {
            let tell = &self.discovery.notifier;
            if has_leader {
                tell.verbose("the list has no usable X-Nomad-Index: not cached");
            } else {
                tell.warning("Nomad has no leader; data may be old");
            }
        }
        self.lease_guard.fail(FailureClass::NotCacheable);
    }

    /// Two clusters behind one address share a scope if no token is used: never mix their nodes.
    fn check_cluster(&mut self, before: &BaseRecords<'_>, listing: &Listing) {
        let is_known = |stub: &Stub| before.contains_key(stub.id.as_str());
        let strange =
            before.len() >= 3 && !listing.stubs.is_empty() && !listing.stubs.iter().any(is_known);
        if strange && mem::take(&mut self.reuses) {
            self.discovery.notifier.warning(
                "none of the cached nodes is listed any more: if two clusters share this address, \
                 give each its own --cache-prefix",
            );
        }
    }

    /// Reuses records that are still valid and fetches the details of the others. `None` if Nomad went
    /// back in time meanwhile.
    fn nodes(&mut self, listing: &Listing) -> Result<Option<AssembledNodes>, Error> {
        let base = self.base.take();
        let before = base.as_ref().map(|base| records(&base.all)).unwrap_or_default();
        self.check_cluster(&before, listing);
        let nodes = self.nodes_of(listing, base.as_ref(), &before);
        drop(before);
        self.base = base;
        nodes
    }

    fn nodes_of(
        &self,
        listing: &Listing,
        base: Option<&Base>,
        before: &BaseRecords<'_>,
    ) -> Result<Option<AssembledNodes>, Error> {
        let base = base.filter(|_| self.reuses);
        let reused = reusable(base.map(|_| before), &listing.stubs);
        let stubs = listing.stubs.iter().zip(&reused);
        let asked: Vec<&Stub> =
            stubs.filter(|(_, row)| row.is_none()).map(|(stub, _)| stub).collect();
        let outcomes = self.discovery.details(&asked)?;
        if outcomes.iter().any(|outcome| matches!(outcome, DetailOutcome::Torn)) {
            self.discovery.notifier.verbose("a detail is older than its list: asked again");
            return Ok(None);
        }
        for (stub, _) in
            asked.iter().zip(&outcomes).filter(|(_, it)| matches!(it, DetailOutcome::Gone))
        {
            self.discovery.notifier.verbose(format!("node {} is gone since the list", stub.id));
        }
        let mut outcomes = outcomes.into_iter();
        let mut assembler = Assembler::of(listing.index);
        for (stub, reused) in listing.stubs.iter().zip(reused) {
            match reused {
                Some(row) => assembler.reuse(stub, row),
                None => assembler.add(stub, outcomes.next()),
            }
        }
        Ok(Some(assembler.nodes(before, base)))
    }

    /// `false` if a newer index is known, or what was kept is not there any more: then everything
    /// must be listed.
    fn publish(&mut self, found: &FetchedNodes) -> bool {
        let FetchedNodes { nodes, index, sent, probed } = found;
        let Some(index) = *index else { return true };
        let Some(flight) = self.lease_guard.flight.take() else { return true };
        let watch = flight.watch().to_owned();
        let partial = !nodes.missing.is_empty();
        let base = self.base.as_ref().filter(|_| self.reuses);
        let publication = Publication {
            index,
            eff: nodes.eff,
            reset: self.reset.as_deref(),
            list_sent: *sent,
            partial,
            all: if partial { &AllJson::default() } else { &nodes.all },
            count: nodes.tally.total() as u64,
            base,
            gone: &nodes.gone,
            fulls: &nodes.changed,
            probed: *probed,
        };
        let published = self.discovery.store.publish(flight, &publication);
        match published {
            Ok(Published::Done) => {
                self.lease_guard.done();
                self.published = Some(if partial { format!("p{watch}") } else { watch });
            }
            // What was reused is not cached any more, so the other full records can't be published.
            Ok(Published::Rebase(flight)) => {
                self.lease_guard.flight = Some(flight);
                self.reuses = false;
                return false;
            }
            // A clear or a newer fetch came in between. Ours is still true for whoever asked.
            Ok(Published::Fenced) => {
                self.discovery.notifier.verbose(
                    "not cached: a clear or a newer fetch came in between, or a permission is missing \
                     (nomad-clients doctor)",
                );
                self.lease_guard.done();
            }
            Ok(Published::Older { flight, index, rev }) => {
                self.lease_guard.flight = Some(flight);
                self.known = Some((index, rev));
                return false;
            }
            Err(error) => self.not_cached(&error),
        }
        true
    }

    /// The answer is unaffected. A Redis that is gone is not asked to release the lease, which
    /// expires by itself.
    fn not_cached(&mut self, error: &store::Error) {
        // Where it is told why nothing can be written that was said already.
        if error.kind() != store::ErrorKind::ReadOnly {
            self.discovery.notifier.verbose(format!("not cached: {error}"));
        }
        if error.kind() == store::ErrorKind::Unavailable {
            self.lease_guard.done();
        }
    }

    fn answer(&self, found: FetchedNodes) -> Answer {
        let FetchedNodes {
            nodes: AssembledNodes { all, fulls, eff, tally, missing, .. },
            index,
            sent,
            ..
        } = found;
        let snapshot = Snapshot {
            rev: self.published.clone().unwrap_or_default(),
            // Without a leader it proves nothing.
            index: index.filter(|_| !self.uncacheable).unwrap_or(0),
            newest: eff,
            count: tally.total() as u64,
            all,
            fulls,
            age: clock::since(sent),
            since: Duration::ZERO,
        };
        let has_base = self.base.as_ref().is_some_and(|base| base.all.len() > "[]".len());
        let cold = !has_base && tally.cached == 0;
        let source = Source::Nomad { cold };
        Answer { snapshot, file: None, source, missing, tally, outage: None }
    }
}
