//! The cheap question before the list: has anything changed at all?

use std::time::Instant;

use crate::clock;
use crate::model::node::Stub;
use crate::model::rows::{Row, Rows};
use crate::nomad::{self, Kind};
use crate::store::meta::Meta;
use crate::store::{Base, Flight, Kept};

use super::answer::Tally;
use super::gather::Nodes;
use super::{Discovery, Error, Want};

/// For fewer nodes the list costs no more than the question.
pub const PROBE_FROM: u64 = 200;

impl Discovery {
    /// Nomad's first node, and when it was asked for, if the index of the nodes is still the one
    /// that the cache has. A partial publication is none that could stay as it is.
    pub(super) fn unmoved(&self, meta: &Meta) -> Result<Option<(Instant, Stub)>, Error> {
        if meta.len == 0 || meta.count < self.policy.probe_from || !self.probes.are_worth_it() {
            return Ok(None);
        }
        let sent = clock::now();
        let pulse = match self.nomad.probe() {
            Ok(Some(pulse)) => pulse,
            // Something between us and Nomad may not like the question.
            Ok(None) | Err(nomad::Error { kind: Kind::NotNomad, .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if pulse.leader && pulse.index == Some(meta.index) {
            return Ok(pulse.first.map(|first| (sent, first)));
        }
        self.probes.note(true);
        Ok(None)
    }

    /// The nodes of the cache, if Nomad's first node is among them and says the same: a cluster that
    /// was rebuilt may have the very index. With the base if the records had to be read for it.
    pub(super) fn as_cached(
        &self,
        flight: &Flight,
        meta: &Meta,
        first: &Stub,
        want: Want,
    ) -> Option<(Nodes, Option<Base>)> {
        let kept = || self.store.kept(flight, &first.id);
        if let Some(Kept { all, first: json }) = (want == Want::Records).then(kept).flatten() {
            Row::kept(&json, first)?;
            let cached = usize::try_from(meta.count).ok()?;
            let tally = Tally { cached, ..Tally::default() };
            let nodes = Nodes { all, fulls: None, tally, missing: Vec::new(), eff: meta.index };
            return Some((nodes, None));
        }
        let base = self.store.base(flight)?;
        Some((of_base(&base, meta.index, first)?, Some(base)))
    }
}

fn of_base(base: &Base, index: u64, first: &Stub) -> Option<Nodes> {
    Row::kept(base.fulls.get(&first.id)?, first)?;
    let mut eff = index;
    let mut rows = Vec::with_capacity(base.fulls.len());
    for json in base.fulls.values() {
        let (row, modify_index) = Row::cached(json)?;
        eff = eff.max(modify_index);
        rows.push(row);
    }
    let Rows { all, fulls } = Rows::ordered(rows);
    let tally = Tally { cached: fulls.len(), ..Tally::default() };
    Some(Nodes { all, fulls: Some(fulls), tally, missing: Vec::new(), eff })
}
