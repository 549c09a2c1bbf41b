//! One process at the cache, driven by hand: the flights of the protocol's scenes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use nomad_clients::model::node::{AllJson, FullJson, Fulls, NodeId};
use nomad_clients::model::rows;
use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::store::{
    Base, Enter, Entered, Error, Flight, How, Look, Publication, Published, RefusedRevs, Store,
    Want,
};

use super::bench::Bench;
use super::redis_server::random;

pub(crate) const X: &str = "6f1c36aa-0000-4000-8000-00000000000a";
pub(crate) const Y: &str = "6f1c36aa-0000-4000-8000-00000000000b";

pub(crate) type Records = BTreeMap<NodeId, FullJson>;

/// A full record of node `id` at version `version` in cluster `scope`.
pub(crate) fn full(id: &str, version: u64, scope: &str) -> FullJson {
    format!(r#"{{"id":"{id}","version":{version},"scope":"{scope}"}}"#).into_bytes().into()
}

/// Records of cluster `a0`.
pub(crate) fn records(of: &[(&str, u64)]) -> Records {
    records_of("a0", of)
}

pub(crate) fn records_of(scope: &str, of: &[(&str, u64)]) -> Records {
    of.iter().map(|(id, version)| (NodeId::parse(id).unwrap(), full(id, *version, scope))).collect()
}

/// Records of cluster `a0` that LOOK does not bring along: a host copies them.
pub(crate) fn large(of: &[(&str, u64)]) -> Records {
    let full = |id: &str, version: u64| {
        let pad = "x".repeat(40_000);
        format!(r#"{{"id":"{id}","version":{version},"scope":"a0","pad":"{pad}"}}"#).into_bytes()
    };
    of.iter().map(|(id, version)| (NodeId::parse(id).unwrap(), full(id, *version).into())).collect()
}

/// What a flight publishes besides its records.
#[derive(Default, Clone, Copy)]
pub(crate) struct With<'a> {
    pub(crate) base: Option<&'a Base>,
    pub(crate) reset: Option<&'a str>,
    pub(crate) partial: bool,
    pub(crate) list_sent: Option<Instant>,
}

pub(crate) struct Process {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) token: String,
    pub(crate) flight: Option<Flight>,
}

impl Process {
    pub(crate) fn new(store: Arc<dyn Store>, kind: char) -> Self {
        Self { store, token: format!("{kind}{:016x}", random()), flight: None }
    }

    /// A process of cluster `a0` on this host.
    pub(crate) fn on(bench: &dyn Bench) -> Self {
        Self::new(bench.store("a0"), 'N')
    }

    pub(crate) fn forcing(bench: &dyn Bench) -> Self {
        Self::new(bench.store("a0"), 'F')
    }

    /// One that has entered with `--refresh` and found no other.
    pub(crate) fn refreshing(bench: &dyn Bench) -> Self {
        let mut process = Self::on(bench);
        process.own(How::Refresh);
        process
    }

    pub(crate) fn enter(
        &mut self,
        how: How,
        refuse: &RefusedRevs,
        waited: Option<&str>,
    ) -> Entered {
        let enter = Enter { token: &self.token, how, refuse, waited };
        let entered = self.store.enter(&enter).unwrap();
        if let Entered::Own(flight) = &entered {
            self.flight = Some(again(flight));
        }
        entered
    }

    /// Enters as a newcomer.
    pub(crate) fn come(&mut self, how: How) -> Entered {
        let refuse = if how == How::Refresh {
            RefusedRevs::Everything
        } else {
            RefusedRevs::Revs(Vec::new())
        };
        self.enter(how, &refuse, None)
    }

    /// Enters as a newcomer and must get the flight for itself.
    #[track_caller]
    pub(crate) fn own(&mut self, how: How) {
        let entered = self.come(how);
        let Entered::Own(flight) = &entered else { panic!("not ours: {entered:?}") };
        assert!(!flight.lease().is_solo());
    }

    pub(crate) fn flight(&self) -> &Flight {
        self.flight.as_ref().expect("it has entered")
    }

    /// The base with its full records.
    pub(crate) fn base(&self) -> Option<Base> {
        self.store.base(self.flight(), Want::Full)
    }

    /// Publishes everything.
    pub(crate) fn put(&self, index: u64, records: &Records) -> Published {
        self.put_with(index, records, With::default())
    }

    /// Publishes what has changed since `base`.
    pub(crate) fn put_delta(&self, index: u64, records: &Records, base: &Base) -> Published {
        self.put_with(index, records, With { base: Some(base), ..With::default() })
    }

    pub(crate) fn put_with(&self, index: u64, records: &Records, with: With<'_>) -> Published {
        self.try_put_with(index, records, with).unwrap()
    }

    pub(crate) fn try_put_with(
        &self,
        index: u64,
        records: &Records,
        with: With<'_>,
    ) -> Result<Published, Error> {
        let of: Vec<Vec<u8>> = records.values().map(|full| rows::record_of(full)).collect();
        let all: AllJson = [&b"["[..], &of.join(&b","[..]), b"]"].concat().into();
        let (gone, fulls) = difference(records, with.base);
        let publication = Publication {
            index,
            eff: index,
            reset: with.reset,
            list_sent: with.list_sent.unwrap_or(self.flight().entered()),
            partial: with.partial,
            all: if with.partial { &AllJson::default() } else { &all },
            count: records.len() as u64,
            base: with.base,
            gone: &gone,
            fulls: &fulls,
            probed: false,
        };
        self.store.publish(again(self.flight()), &publication)
    }

    /// Publishes the base once more, as the index has not moved.
    pub(crate) fn put_again(&self, base: &Base) -> Published {
        self.try_put_again(base).unwrap()
    }

    pub(crate) fn try_put_again(&self, base: &Base) -> Result<Published, Error> {
        let index = self.flight().meta().expect("something is there").index;
        let publication = Publication {
            index,
            eff: index,
            reset: None,
            list_sent: self.flight().entered(),
            partial: false,
            all: &base.all,
            count: rows::split(&base.all).unwrap().len() as u64,
            base: Some(base),
            gone: &[],
            fulls: &Fulls::new(),
            probed: true,
        };
        self.store.publish(again(self.flight()), &publication)
    }

    pub(crate) fn hit(&self) -> Option<Snapshot> {
        match self.store.look(Want::Records).unwrap() {
            Look::Hit(snapshot) => Some(snapshot),
            Look::Miss { .. } | Look::File(..) => None,
        }
    }

    /// The records of a full read.
    pub(crate) fn whole(&self) -> Option<Records> {
        match self.store.look(Want::Full).unwrap() {
            Look::Hit(snapshot) => Some(snapshot.fulls.unwrap().into_iter().collect()),
            Look::Miss { .. } | Look::File(..) => None,
        }
    }
}

/// What is gone since the base, and what is new or changed.
fn difference(records: &Records, base: Option<&Base>) -> (Vec<NodeId>, Fulls) {
    let before: Records =
        base.iter().flat_map(|base| base.fulls.iter().flatten()).cloned().collect();
    let all = base.map(|base| rows::split(&base.all).unwrap()).unwrap_or_default();
    let ids = all.iter().map(|(id, _)| NodeId::parse(id).unwrap());
    let gone = ids.filter(|id| !records.contains_key(id)).collect();
    let changed = records.iter().filter(|(id, full)| before.get(id) != Some(full));
    (gone, changed.map(|(id, full)| (id.clone(), full.clone())).collect())
}

/// The same flight once more, as no client can have it: scenes publish twice, and too late.
pub(crate) fn again(flight: &Flight) -> Flight {
    let solo = flight.lease().is_solo().then(|| flight.watch().to_owned());
    let (epoch, meta) = (flight.epoch().to_owned(), flight.meta().cloned());
    let (literal, now_ms) = (flight.is_literal(), flight.now_ms());
    let flight_again = Flight::new(flight.lease().token(), solo, epoch, meta);
    let flight_again =
        flight_again.over_hash(flight.hash_len()).entered_at(literal, now_ms, flight.entered());
    flight_again.standing_in(flight.beside().map(str::to_owned))
}

/// Fills the cache of `scope`.
#[track_caller]
pub(crate) fn filled(bench: &dyn Bench, scope: &str, index: u64, records: &Records) -> Process {
    let mut process = Process::new(bench.store(scope), 'N');
    process.own(How::Refresh);
    assert_eq!(process.put(index, records), Published::Done);
    process
}

pub(crate) fn as_records(base: Option<Base>) -> Option<Records> {
    base.map(|base| base.fulls.unwrap().into_iter().collect())
}
