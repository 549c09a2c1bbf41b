//! The nodes of one list, put together from what is cached of them and what was asked for.

use std::collections::{HashMap, HashSet};

use crate::model::node::{AllJson, Full, Fulls, NodeId, Stub};
use crate::model::rows::{self, NodeRow, Rows};
use crate::parallel;
use crate::store::Base;

use super::answer::Tally;
use super::details::DetailOutcome;

/// The records of a base by their IDs.
pub(super) type BaseRecords<'a> = HashMap<&'a str, &'a [u8]>;

/// Empty if they can't be read, which only a forged cache brings about.
pub(super) fn records(all: &[u8]) -> BaseRecords<'_> {
    rows::split(all).unwrap_or_default().into_iter().collect()
}

/// The cached records of the nodes that have not changed.
pub(super) fn reusable<'a>(
    before: Option<&BaseRecords<'a>>,
    stubs: &[Stub],
) -> Vec<Option<NodeRow<'a>>> {
    let bytes = before.map_or(0, |before| before.values().map(|record| record.len()).sum());
    parallel::map(stubs, bytes, |stub| NodeRow::reused(before?.get(stub.id.as_str())?, stub))
}

/// The nodes of one list.
pub(super) struct AssembledNodes {
    pub(super) all: AllJson,
    /// `None` if those of reused records were not wanted.
    pub(super) fulls: Option<Fulls>,
    /// The full records that are not in the base.
    pub(super) changed: Fulls,
    /// Nodes of the base that are not listed any more.
    pub(super) gone: Vec<NodeId>,
    pub(super) tally: Tally,
    pub(super) missing: Vec<(NodeId, String)>,
    /// The highest index among the list and the details.
    pub(super) eff: u64,
}

/// Collects the nodes of one list.
#[derive(Default)]
pub(super) struct Assembler<'a> {
    rows: Vec<NodeRow<'a>>,
    cached: usize,
    missing: Vec<(NodeId, String)>,
    pub(super) eff: u64,
}

impl<'a> Assembler<'a> {
    /// For the list of this index.
    pub(super) fn of(index: Option<u64>) -> Self {
        Self { eff: index.unwrap_or(0), ..Self::default() }
    }

    pub(super) fn reuse(&mut self, stub: &Stub, row: NodeRow<'a>) {
        self.cached += 1;
        self.eff = self.eff.max(stub.modify_index);
        self.rows.push(row);
    }

    pub(super) fn add(&mut self, stub: &Stub, outcome: Option<DetailOutcome>) {
        match outcome {
            Some(DetailOutcome::Row(row, modify_index)) => {
                self.eff = self.eff.max(modify_index);
                self.rows.push(row);
            }
            Some(DetailOutcome::Failed(error)) => {
                self.eff = self.eff.max(stub.modify_index);
                self.missing.push((stub.id.clone(), error.what));
                self.rows.push(NodeRow::of(Full::new(stub, None)));
            }
            // Gone since the list.
            Some(DetailOutcome::Gone | DetailOutcome::Torn) | None => (),
        }
    }

    /// A node that was not reused is `changed` if it was there `before`, else `new`. `base`: what the
    /// reused ones come from.
    pub(super) fn nodes(self, before: &BaseRecords<'_>, base: Option<&Base>) -> AssembledNodes {
        let Self { rows, cached, missing, eff } = self;
        let known = rows.iter().filter(|row| before.contains_key(row.id().as_str())).count();
        let tally = Tally {
            new: rows.len() - known,
            changed: known - cached,
            cached,
            gone: before.len() - known,
            ..Tally::default()
        };
        let listed: HashSet<NodeId> = rows.iter().map(|row| row.id().clone()).collect();
        let gone = before.keys().filter(|_| base.is_some()).filter_map(|id| NodeId::parse(id));
        let gone = gone.filter(|id| !listed.contains(id)).collect();
        let Rows { all, fulls: changed } = Rows::ordered(rows);
        let fulls = match base {
            None => Some(changed.clone()),
            Some(base) => base.fulls.as_ref().map(|old| whole(old, &changed, &listed)),
        };
        AssembledNodes { all: all.into(), fulls, changed, gone, tally, missing, eff }
    }
}

/// Those of the base that are still listed and have not changed, and the changed ones.
fn whole(old: &Fulls, changed: &Fulls, listed: &HashSet<NodeId>) -> Fulls {
    let replaced: HashSet<&NodeId> = changed.iter().map(|(id, _)| id).collect();
    let kept = old.iter().filter(|(id, _)| listed.contains(id) && !replaced.contains(id));
    kept.chain(changed).cloned().collect()
}
