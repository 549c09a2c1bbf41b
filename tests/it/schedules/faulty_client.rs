//! Clients that break a rule: between the honest discovery and the honest store, each does exactly
//! what a discovery or a store without the rule would do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::sealed::unsealed;
use nomad_clients::model::node::{Detail, Facts, Full, FullJson, Fulls, NodeId};
use nomad_clients::model::rows::{self, Rows};
use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::store::meta::Meta;
use nomad_clients::store::{
    Base, Cleared, Enter, Entered, Error, FailureClass, Flight, How, Lease, Look, Publication,
    Published, Sample, Stats, Store, Want,
};

use crate::support::bench::scope;
use crate::support::fake_nomad::detail;

use super::actor::{Actor, Kind};
use super::broken::Client;
use super::redis_ground::{P, RedisGround, Remembers};
use super::stale_details::StaleDetails;
use super::world::SCOPES;

/// The name under which a refresh is told of a lease that it must not know again.
const ALIAS: &str = "x";

pub(super) struct FaultyClient {
    client: Client,
    actor: Arc<Actor>,
    store: Mutex<Arc<dyn Store>>,
    /// The same without this host's notes.
    unguarded: Arc<dyn Store>,
    /// The same without the note of what this host has shown.
    unreminded: Arc<dyn Store>,
    ground: Arc<RedisGround>,
    stale_details: Arc<StaleDetails>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    has_looked: bool,
    /// The rev that OLDER named.
    older: Option<String>,
    /// A lease was told under another name; its failure is told next.
    renamed: bool,
}

impl FaultyClient {
    pub(super) fn new(
        client: Client,
        actor: &Arc<Actor>,
        store: Arc<dyn Store>,
        ground: &Arc<RedisGround>,
        stale_details: Arc<StaleDetails>,
    ) -> Self {
        if client == Client::AcceptsAnyHit && actor.kind == Kind::Refresh {
            actor.notes().how = Some(How::Get);
        }
        Self {
            client,
            actor: Arc::clone(actor),
            store: Mutex::new(store),
            unguarded: ground.admitted(actor, Remembers::Nothing),
            unreminded: ground.admitted(actor, Remembers::Clears),
            ground: Arc::clone(ground),
            stale_details,
            memory: Mutex::default(),
        }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store.lock().unwrap())
    }

    fn is_lax(&self) -> bool {
        matches!(self.client, Client::Unverified | Client::OnlyCounted | Client::IdsNotCompared)
    }

    fn reads_laxly(&self) -> bool {
        self.is_lax() || matches!(self.client, Client::SealNotChecked | Client::PrefixNotCompared)
    }

    fn key(&self, literal: bool, name: &str) -> String {
        let own = format!("{P}:{}", scope(SCOPES[self.actor.scope]));
        format!("{}:{name}", if literal { P } else { &own })
    }

    /// What is kept in one family, whatever it is of.
    fn copy(&self, literal: bool, meta: &Meta) -> Option<Base> {
        self.actor.gate.must_pass("GET");
        let all = self.ground.text(&self.key(literal, "kept"))?.into();
        Some(Base { rev: meta.rev.clone(), all, fulls: None, is_kept: true })
    }

    /// The records of one family, verified only as far as this client does it.
    fn records(&self, literal: bool, meta: &Meta) -> Option<Fulls> {
        self.actor.gate.must_pass("HGETALL");
        let fields = self.ground.hash(&self.key(literal, "hash"));
        let counted = fields.len() as u64 == meta.count;
        let summed = fields.values().all(|stored| unsealed(stored).is_some());
        let full = |stored: &[u8]| unsealed(stored).unwrap_or(stored.to_vec());
        let is_named = |(id, stored): (&String, &Vec<u8>)| rows::id(&full(stored)) == Some(id);
        let named = fields.iter().all(is_named);
        let taken = match self.client {
            Client::Unverified => true,
            Client::OnlyCounted => counted,
            Client::IdsNotCompared => counted && summed,
            Client::SealNotChecked => counted && named,
            _ => counted && summed && named,
        };
        let parsed =
            |(id, stored): (String, Vec<u8>)| Some((NodeId::parse(&id)?, full(&stored).into()));
        taken.then(|| fields.into_iter().filter_map(parsed).collect())
    }

    /// A full read; its list is verified, its records are not.
    fn lax_look(&self) -> Result<Look, Error> {
        let Look::Hit(snapshot) = self.store().look(Want::Records)? else {
            return Ok(Look::Miss { refuse: None });
        };
        let name = scope(SCOPES[self.actor.scope]);
        let line = |prefix: &str| self.ground.meta(prefix).filter(|it| it.scope == name.as_str());
        let literal = line(P);
        let found = literal.clone().or_else(|| line(&format!("{P}:{name}")));
        let meta = found.filter(|meta| meta.rev == snapshot.rev);
        let fulls = meta.and_then(|meta| self.records(literal.is_some(), &meta));
        let is_checked = self.client == Client::SealNotChecked;
        let fulls = fulls.filter(|fulls| !is_checked || belong(fulls, &snapshot.all));
        Ok(match fulls {
            Some(fulls) => Look::Hit(Snapshot { fulls: Some(fulls), ..snapshot }),
            None => Look::Miss { refuse: Some(snapshot.rev) },
        })
    }

    /// Waits once more under another name, so that the client does not know the lease again.
    fn renaming(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        if std::mem::take(&mut self.memory.lock().unwrap().renamed) {
            return Ok(Entered::Failed(FailureClass::Partial));
        }
        let entered = self.store().enter(enter)?;
        if let (Entered::Failed(FailureClass::Partial), Some(waited)) = (&entered, enter.waited)
            && enter.how == How::Refresh
        {
            self.memory.lock().unwrap().renamed = true;
            return Ok(Entered::Wait { lease: format!("{waited}{ALIAS}"), rev: None });
        }
        Ok(entered)
    }

    fn published(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        let all = all_of(publication.fulls).into();
        let mut memory = self.memory.lock().unwrap();
        let renamed = memory.older.clone().zip(publication.base.cloned());
        let renamed = renamed.map(|(rev, base)| Base { rev, ..base });
        let kept = publication.base.map(|base| Base { is_kept: true, ..base.clone() });
        let mut publication = publication.clone();
        match self.client {
            Client::CopiesAnyBase => publication.base = kept.as_ref(),
            Client::RenamesBase => publication.base = renamed.as_ref().or(publication.base),
            Client::PartialWithAll => publication.all = &all,
            Client::PartialAsComplete => (publication.all, publication.partial) = (&all, false),
            _ => {}
        }
        let published = self.store().publish(flight, &publication)?;
        if let Published::Older { rev, .. } = &published {
            memory.older = Some(rev.clone());
        }
        Ok(published)
    }
}

fn all_of(fulls: &[(NodeId, FullJson)]) -> Vec<u8> {
    let nodes = fulls.iter().filter_map(|(_, full)| Full::from_json(full).ok()).collect();
    Rows::of(nodes).all
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

/// The record with details that nobody has told.
fn with_details(full: FullJson) -> FullJson {
    let Ok(mut node) = Full::from_json(&full) else { return full };
    if node.extra.attributes.is_some() {
        return full;
    }
    let Detail { facts, .. } = detail("x", 0, "made up");
    let Facts { os, arch, meta, attributes, resources, reserved, host_networks } = facts;
    (node.record.os, node.record.arch, node.record.meta) = (Some(os), Some(arch), Some(meta));
    (node.extra.attributes, node.extra.resources) = (Some(attributes), Some(resources));
    (node.extra.reserved, node.extra.host_networks) = (Some(reserved), Some(host_networks));
    node.to_json().0.into()
}

fn detailed(base: Base) -> Base {
    let Some(fulls) = base.fulls else { return base };
    let fulls: Fulls = fulls.into_iter().map(|(id, full)| (id, with_details(full))).collect();
    Base { all: all_of(&fulls).into(), fulls: Some(fulls), ..base }
}

impl Store for FaultyClient {
    fn look(&self, want: Want) -> Result<Look, Error> {
        let first = !std::mem::replace(&mut self.memory.lock().unwrap().has_looked, true);
        match self.client {
            Client::AcceptsAnyHit if first && self.actor.kind == Kind::Refresh => {
                Ok(Look::Miss { refuse: None })
            }
            Client::IgnoresShown => self.unreminded.look(want),
            _ if self.reads_laxly() && want == Want::Full => self.lax_look(),
            _ => self.store().look(want),
        }
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let entered = match self.client {
            Client::AcceptsAnyHit if self.actor.kind == Kind::Refresh => {
                self.store().enter(&Enter { how: How::Refresh, ..enter.clone() })
            }
            Client::TakesOlderPartial => self.renaming(enter),
            Client::EntersUnguarded => self.unguarded.enter(enter),
            _ => self.store().enter(enter),
        }?;
        if let Entered::Own(flight) = &entered {
            self.stale_details.entered(flight);
        }
        Ok(entered)
    }

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        let (meta, literal) = (flight.meta()?, flight.is_literal());
        let base = if self.is_lax() {
            let fulls = self.records(literal, meta)?;
            let (rev, all) = (meta.rev.clone(), all_of(&fulls).into());
            Some(Base { rev, all, fulls: Some(fulls), is_kept: false })
        } else if self.client == Client::TrustsKept && meta.len > 0 {
            self.copy(literal, meta)
        } else {
            let want = if self.stale_details.keeps() { Want::Full } else { want };
            let base = self.store().base(flight, want);
            base.or_else(|| {
                let trusts = self.client == Client::TrustsHash;
                let fulls = trusts.then(|| self.records(literal, meta))??;
                let (rev, all) = (meta.rev.clone(), all_of(&fulls).into());
                Some(Base { rev, all, fulls: Some(fulls), is_kept: false })
            })
        };
        self.stale_details.keep(base.as_ref());
        if self.client == Client::InventsDetails { base.map(detailed) } else { base }
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        let kept = self.stale_details.base().filter(|_| publication.base.is_none());
        let (before, mut publication) = (kept.iter(), publication.clone());
        let before = before.flat_map(|base| base.fulls.iter().flatten()).map(|(id, _)| id);
        let is_listed = |id: &&NodeId| publication.fulls.iter().any(|(of, _)| of == *id);
        let gone: Vec<_> = before.filter(|id| !is_listed(id)).cloned().collect();
        if let Some(base) = &kept {
            (publication.base, publication.gone) = (Some(base), &gone);
        }
        let published = self.published(flight, &publication)?;
        self.stale_details.published(&published);
        Ok(published)
    }

    fn renew(&self, lease: &Lease) -> Result<bool, Error> {
        self.store().renew(lease)
    }

    fn release(&self, lease: &Lease) {
        self.store().release(lease);
    }

    fn fail(&self, lease: &Lease, class: FailureClass) {
        self.store().fail(lease, class);
    }

    fn void(&self, own: Option<&Lease>) -> Result<(), Error> {
        self.store().void(own)
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        self.store().partial(waited.trim_end_matches(ALIAS))
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        match self.client {
            Client::IgnoresShown => self.unreminded.last(want),
            _ => self.store().last(want),
        }
    }

    fn shown(&self) -> (u64, String) {
        self.store().shown()
    }

    fn printed(&self, snapshot: &Snapshot) {
        if self.client != Client::NotesNothing {
            self.store().printed(snapshot);
        }
    }

    fn restored(&self, index: u64, age: Duration) {
        self.store().restored(index, age);
    }

    fn clear(&self) -> Cleared {
        let cleared = self.store().clear();
        if self.client == Client::ForgetsDead {
            self.ground.forget();
            *self.store.lock().unwrap() = self.ground.admitted(&self.actor, Remembers::Everything);
        }
        cleared
    }

    fn count(&self, sample: &Sample) {
        self.store().count(sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        self.store().stats()
    }
}
