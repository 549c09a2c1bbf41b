//! The cheap question before the list: has anything changed at all?

use std::time::Instant;

use crate::clock;
use crate::model::rows::{Row, Rows};
use crate::nomad::{self, Kind, Listing, Pulse};
use crate::store::Base;
use crate::store::meta::Meta;

use super::{Discovery, Error};

/// For fewer nodes the list costs no more than the question.
pub const PROBE_FROM: u64 = 200;

/// What Nomad answered.
pub(super) enum Asked {
    /// The index is still that of the cache.
    Still(Instant, Pulse),
    Listed((Instant, Listing)),
}

impl Discovery {
    /// Asks for the list, unless the index of the nodes is still the one that the cache has.
    pub(super) fn probe_or_list(&self, meta: Option<&Meta>) -> Result<Asked, Error> {
        let meta = meta.filter(|meta| meta.len > 0 && meta.count >= self.policy.probe_from);
        let Some(meta) = meta.filter(|_| self.probes.are_worth_it()) else {
            return self.list().map(Asked::Listed);
        };
        let sent = clock::now();
        match self.nomad.probe() {
            Ok(Some(pulse)) if pulse.leader && pulse.index == Some(meta.index) => {
                return Ok(Asked::Still(sent, pulse));
            }
            Ok(Some(_)) => self.probes.note(true),
            // Something between us and Nomad may not like the question.
            Ok(None) | Err(nomad::Error { kind: Kind::NotNomad, .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.list().map(Asked::Listed)
    }
}

/// The nodes of the cache and their highest index, if the first node of Nomad is the first one there
/// and says the same: a cluster that was rebuilt may have the very index.
pub(super) fn same(base: &Base, pulse: &Pulse) -> Option<(Rows, u64)> {
    let first = base.fulls.iter().min_by_key(|(id, _)| *id);
    match (&pulse.first, first) {
        (Some(stub), Some((_, json))) => Row::kept(json, stub).map(drop)?,
        (None, None) => {}
        _ => return None,
    }
    let mut eff = pulse.index?;
    let mut rows = Vec::with_capacity(base.fulls.len());
    for json in base.fulls.values() {
        let (row, modify_index) = Row::cached(json)?;
        eff = eff.max(modify_index);
        rows.push(row);
    }
    Some((Rows::ordered(rows), eff))
}
