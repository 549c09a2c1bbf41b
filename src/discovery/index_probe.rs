//! The cheap question before the list: has anything changed at all?

use std::time::Instant;

use crate::clock;
use crate::model::node::Stub;
use crate::model::rows::{self, NodeRow};
use crate::nomad::{self, FailureKind};
use crate::store::Base;
use crate::store::meta::Meta;

use super::answer::Tally;
use super::assemble::AssembledNodes;
use super::{Discovery, Error, Request};

/// From this many nodes on the probe, which costs 1.5 KB and about a millisecond, is worth asking
/// even where something has always changed.
pub const PROBE_FROM: u64 = 1000;

impl Discovery {
    /// Sends the index probe. `Some` if Nomad's index is still the cached one: the time of the
    /// request and Nomad's first node. Never for a partial publication.
    pub(super) fn probe_unchanged(
        &self,
        meta: &Meta,
        request: Request,
    ) -> Result<Option<(Instant, Stub)>, Error> {
        let is_complete = meta.len > 0;
        let is_small = meta.count < self.policy.probe_from;
        if request.skip_probe || !is_complete || is_small {
            return Ok(None);
        }
        let sent = clock::now();
        let pulse = match self.nomad.probe() {
            Ok(Some(pulse)) => pulse,
            // Something between us and Nomad may not like the question.
            Ok(None) | Err(nomad::Error { kind: FailureKind::NotNomad, .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !pulse.leader {
            return Ok(None);
        }
        if pulse.index == Some(meta.index) {
            return Ok(pulse.first.map(|first| (sent, first)));
        }
        Ok(None)
    }
}

/// The cached nodes, if all of them are there and Nomad's first node matches the cached one: a rebuilt cluster can have the same
/// index. If its first node is the same too, the change is noticed when the list is older than
/// details may be (`--detail-ttl`).
pub(super) fn unchanged(base: Base, meta: &Meta, first: &Stub) -> Option<(Base, AssembledNodes)> {
    if !meta.describes(&base.all) {
        return None;
    }
    NodeRow::reused(rows::find(&base.all, first.id.as_str())?, first)?;
    let cached = usize::try_from(meta.count).ok()?;
    let nodes = AssembledNodes {
        all: base.all.clone(),
        fulls: base.fulls.clone(),
        changed: Vec::new(),
        gone: Vec::new(),
        tally: Tally { cached, ..Tally::default() },
        missing: Vec::new(),
        eff: meta.index,
    };
    Some((base, nodes))
}
