//! The cheap question before the list: has anything changed at all?

use std::time::Instant;

use crate::clock;
use crate::model::node::Stub;
use crate::model::rows::NodeRow;
use crate::nomad::{self, FailureKind};
use crate::store::meta::Meta;
use crate::store::{Flight, Kept};

use super::answer::Tally;
use super::assemble::AssembledNodes;
use super::{Discovery, Error, Request, Want};

/// For fewer nodes the list costs no more than the probe.
pub const PROBE_FROM: u64 = 200;

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
        if request.skip_probe || !is_complete || is_small || !self.probes.are_worth_it() {
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
        self.probes.note(true);
        Ok(None)
    }

    /// The cached nodes, if Nomad's first node matches the cached one: a rebuilt cluster can have the
    /// same index. If its first node is the same too, the change is noticed when the copy expires
    /// (`--detail-ttl`).
    pub(super) fn republish_cached(
        &self,
        flight: &Flight,
        meta: &Meta,
        first: &Stub,
        want: Want,
    ) -> Option<AssembledNodes> {
        let Kept { all, first: json } = self.store.kept(flight, &first.id)?;
        NodeRow::reused(&json, first)?;
        let fulls = match want {
            Want::Records => None,
            Want::Full => Some(self.store.base(flight)?.fulls.into_iter().collect()),
        };
        let cached = usize::try_from(meta.count).ok()?;
        let tally = Tally { cached, ..Tally::default() };
        Some(AssembledNodes { all, fulls, tally, missing: Vec::new(), eff: meta.index })
    }
}
