//! Clients that go on using details which prove nothing any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use nomad_clients::model::node::{Detail, Full, NodeId, Record, Stub};
use nomad_clients::nomad::{Error, IndexReply, Listing, Nomad};
use nomad_clients::store::{Base, Flight, Published};

use super::broken::Client;

/// What such a client keeps, and whether it should have thrown it away.
pub(super) struct StaleDetails {
    client: Client,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    listing: Option<Listing>,
    base: Option<Base>,
    stubs: HashMap<NodeId, Stub>,
    /// The index that the cache knew, and how many lists were lower.
    known: Option<u64>,
    lower: u32,
    torn: bool,
    /// The hash is not the base any more: then the whole is published.
    rebased: bool,
}

impl StaleDetails {
    pub(super) fn new(client: Client) -> Self {
        Self { client, kept: Mutex::default() }
    }

    pub(super) fn nomad(self: Arc<Self>, nomad: Arc<dyn Nomad>) -> Arc<dyn Nomad> {
        Arc::new(StaleDetailsNomad { stale_details: self, nomad })
    }

    pub(super) fn entered(&self, flight: &Flight) {
        self.kept.lock().unwrap().known = flight.meta().map(|meta| meta.index);
    }

    /// Whether it needs the full records of a base.
    pub(super) fn keeps(&self) -> bool {
        matches!(self.client, Client::KeepsDisproved | Client::KeepsTorn)
    }

    pub(super) fn keep(&self, base: Option<&Base>) {
        self.kept.lock().unwrap().base = base.cloned();
    }

    pub(super) fn published(&self, published: &Published) {
        self.kept.lock().unwrap().rebased = matches!(published, Published::Rebase(_));
    }

    /// The base that an honest client would have dropped.
    pub(super) fn base(&self) -> Option<Base> {
        let kept = self.kept.lock().unwrap();
        let wrongly = match self.client {
            Client::KeepsDisproved => kept.lower > 1,
            Client::KeepsTorn => kept.torn,
            _ => false,
        };
        kept.base.clone().filter(|_| wrongly && !kept.rebased)
    }

    /// The list that an honest client would have asked for again.
    fn lower(&self) -> Option<Listing> {
        let kept = self.kept.lock().unwrap();
        kept.listing.clone().filter(|_| self.client == Client::ListsOnce)
    }

    fn listed(&self, listing: &Listing) {
        let mut kept = self.kept.lock().unwrap();
        kept.listing = Some(listing.clone());
        let is_lower = listing.index < kept.known;
        kept.lower = if is_lower { kept.lower + 1 } else { 0 };
        kept.stubs = listing.stubs.iter().map(|stub| (stub.id.clone(), stub.clone())).collect();
    }

    /// The detail as the kept record has it.
    fn detail(&self, of: &NodeId) -> Option<Detail> {
        let fulls = self.base()?.fulls?;
        let full = Full::from_json(&fulls.iter().find(|(id, _)| id == of)?.1).ok()?;
        let stub = self.kept.lock().unwrap().stubs.get(of)?.clone();
        let modify_index = full.record.modify_index;
        let Record { create_index, .. } = full.record;
        let is_unchanged = (modify_index, create_index) == (stub.modify_index, stub.create_index);
        let facts = full.facts().filter(|_| is_unchanged)?;
        Some(Detail { id: of.clone(), modify_index, facts })
    }

    fn told(&self, detail: &mut Detail) {
        let mut kept = self.kept.lock().unwrap();
        let listed = kept.stubs.get(&detail.id).map_or(0, |stub| stub.modify_index);
        if self.client == Client::BlindToTorn {
            detail.modify_index = detail.modify_index.max(listed);
        }
        kept.torn |= detail.modify_index < listed;
    }
}

struct StaleDetailsNomad {
    stale_details: Arc<StaleDetails>,
    nomad: Arc<dyn Nomad>,
}

impl Nomad for StaleDetailsNomad {
    fn probe(&self) -> Result<Option<IndexReply>, Error> {
        self.nomad.probe()
    }

    fn stubs(&self) -> Result<Listing, Error> {
        if let Some(before) = self.stale_details.lower() {
            return Ok(before);
        }
        let listing = self.nomad.stubs()?;
        self.stale_details.listed(&listing);
        Ok(listing)
    }

    fn node(&self, of: &NodeId) -> Result<Option<Detail>, Error> {
        if let Some(detail) = self.stale_details.detail(of) {
            return Ok(Some(detail));
        }
        let mut detail = self.nomad.node(of)?;
        if let Some(detail) = &mut detail {
            self.stale_details.told(detail);
        }
        Ok(detail)
    }

    fn calls(&self) -> u64 {
        self.nomad.calls()
    }
}
