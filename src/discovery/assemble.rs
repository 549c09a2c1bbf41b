//! The nodes of one list, put together from what is cached of them and what was asked for.

use std::collections::HashSet;

use crate::model::diff::is_unchanged;
use crate::model::node::{Facts, Full, FullJson, Fulls, NodeId, Stub};
use crate::model::rows::{NodeRow, Rows};

use super::answer::Tally;
use super::details::DetailOutcome;

/// The nodes of one list.
pub(super) struct AssembledNodes {
    /// JSON array of records.
    pub(super) all: Vec<u8>,
    /// Full records as JSON; `None` = unchanged in the cache and not wanted.
    pub(super) fulls: Option<Fulls>,
    pub(super) tally: Tally,
    pub(super) missing: Vec<(NodeId, String)>,
    /// The highest index among the list and the details.
    pub(super) eff: u64,
}

/// What is cached of a node that has not changed.
pub(super) enum Reused {
    /// All of it.
    Row(NodeRow),
    /// Only its details: the indexes are the same, but the stub has newer status fields.
    Facts(Box<Facts>),
}

impl Reused {
    /// `None` if the node has changed since this full record, or if it has no details.
    pub(super) fn of(json: &FullJson, stub: &Stub) -> Option<Self> {
        if let Some(row) = NodeRow::reused(json, stub) {
            return Some(Self::Row(row));
        }
        let full = Full::from_json(json).ok()?;
        let facts = if is_unchanged(&full.record, stub) { full.facts() } else { None };
        facts.map(|facts| Self::Facts(Box::new(facts)))
    }
}

/// Collects the nodes of one list.
#[derive(Default)]
pub(super) struct Assembler {
    rows: Vec<NodeRow>,
    cached: usize,
    missing: Vec<(NodeId, String)>,
    pub(super) eff: u64,
}

impl Assembler {
    /// For the list of this index.
    pub(super) fn of(index: Option<u64>) -> Self {
        Self { eff: index.unwrap_or(0), ..Self::default() }
    }

    pub(super) fn reuse(&mut self, stub: &Stub, reused: Reused) {
        self.cached += 1;
        self.eff = self.eff.max(stub.modify_index);
        match reused {
            Reused::Row(row) => self.rows.push(row),
            Reused::Facts(facts) => self.rows.push(NodeRow::of(Full::new(stub, Some(*facts)))),
        }
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

    /// A node that was not reused is `changed` if the base has its ID, else `new`.
    pub(super) fn nodes(self, before: &HashSet<NodeId>) -> AssembledNodes {
        let known = self.rows.iter().filter(|row| before.contains(row.id())).count();
        let tally = Tally {
            new: self.rows.len() - known,
            changed: known - self.cached,
            cached: self.cached,
            gone: before.len() - known,
            ..Tally::default()
        };
        let Rows { all, fulls } = Rows::ordered(self.rows);
        AssembledNodes { all, fulls: Some(fulls), tally, missing: self.missing, eff: self.eff }
    }
}
