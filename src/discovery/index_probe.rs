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

/// For fewer nodes the list costs no more than the question.
pub const PROBE_FROM: u64 = 200;

impl Discovery {
    /// Nomad's first node, and when it was asked for, if the index of the nodes is still the one
    /// that the cache has. A partial publication is none that could stay as it is.
    pub(super) fn unmoved(
        &self,
        meta: &Meta,
        request: Request,
    ) -> Result<Option<(Instant, Stub)>, Error> {
        let is_complete = meta.len > 0;
        let is_small = meta.count < self.policy.probe_from;
        if request.moved || !is_complete || is_small || !self.probes.are_worth_it() {
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

    /// The nodes of the cache, if Nomad's first node is among them and says the same: a cluster that
    /// was rebuilt may have the very index. Were it the same node, too, the list would still be asked
    /// for once in the time that details are kept: for no longer does the store keep what this needs.
    pub(super) fn as_cached(
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
