//! A publication in memory, with everything that is derived from it at most once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use hyper::HeaderMap;
use hyper::body::Bytes;

use crate::discovery::Want;
use crate::model::node::{Full, Fulls, NodeId};
use crate::model::projection::Wanted;
use crate::model::snapshot::{Snapshot, Unreadable};
use crate::net::sync::lock;

use super::answers::Answers;
use super::changes::{id, records};
use super::error::AnswerError;
use super::memory_budget::{Charge, MemoryBudget};

pub(crate) struct CachedPublication {
    /// Empty if the nodes could not be cached.
    pub(crate) rev: String,
    pub(crate) index: u64,
    pub(crate) count: u64,
    /// The bytes of `list --json`, newline included.
    pub(crate) listed: Bytes,
    pub(crate) answers: Answers,
    /// Those of every answer with these nodes from the cache.
    pub(crate) headers: OnceLock<HeaderMap>,
    /// Full records in the order of the ids.
    fulls: Option<Fulls>,
    /// For the full records; `listed` has its own.
    charge: Charge,
    nodes: OnceLock<Result<Arc<ParsedNodes>, AnswerError>>,
    /// Those of an earlier publication, until these are parsed.
    older: Mutex<Option<Arc<ParsedNodes>>>,
}

/// The parsed records of a publication, and the position of each in its JSON.
pub(crate) struct ParsedNodes {
    all: Bytes,
    nodes: Vec<Arc<Full>>,
    ranges: Vec<Range<usize>>,
}

impl CachedPublication {
    /// `older`: the nodes of an earlier publication, most of which are unchanged.
    pub(crate) fn new(
        snapshot: Snapshot,
        budget: &MemoryBudget,
        older: Option<Arc<ParsedNodes>>,
    ) -> Self {
        let Snapshot { rev, index, count, all, mut fulls, .. } = snapshot;
        let mut listed = Arc::unwrap_or_clone(all);
        listed.push(b'\n');
        if let Some(fulls) = &mut fulls {
            fulls.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
        let full: usize = fulls.iter().flatten().map(|(_, json)| json.capacity()).sum();
        Self {
            rev,
            index,
            count,
            listed: budget.share(listed),
            answers: Answers::default(),
            headers: OnceLock::new(),
            fulls,
            charge: budget.charge(full),
            nodes: OnceLock::new(),
            older: Mutex::new(older),
        }
    }

    /// Its own bytes, without those of answers.
    pub(crate) fn size(&self) -> usize {
        self.listed.len() + self.charge.bytes
    }

    /// The bytes of `all`.
    pub(crate) fn all(&self) -> Bytes {
        self.listed.slice(..self.listed.len() - 1)
    }

    /// The nodes in the order of `all`, without full records; parsed on first use.
    pub(crate) fn nodes(&self) -> Result<&[Arc<Full>], AnswerError> {
        let parse = || {
            let older = lock(&self.older).take();
            ParsedNodes::parse(self.all(), older.as_deref())
                .map(Arc::new)
                .map_err(AnswerError::from)
        };
        let nodes = self.nodes.get_or_init(parse).as_ref();
        nodes.map(|nodes| &nodes.nodes[..]).map_err(Clone::clone)
    }

    /// The record of the node at this position of [`Self::nodes`].
    pub(crate) fn record(&self, at: usize) -> Result<Bytes, AnswerError> {
        let nodes = self.nodes.get().and_then(|nodes| nodes.as_ref().ok());
        let range = nodes.and_then(|nodes| nodes.ranges.get(at)).ok_or(AnswerError::Internal)?;
        Ok(self.listed.slice(range.clone()))
    }

    /// For the next publication: the nodes that were parsed last, here or before.
    pub(crate) fn last_nodes(&self) -> Option<Arc<ParsedNodes>> {
        match self.nodes.get() {
            Some(nodes) => nodes.as_ref().ok().map(Arc::clone),
            None => lock(&self.older).clone(),
        }
    }

    /// The nodes with the wanted keys, also of their full records.
    pub(crate) fn project(&self, wanted: &Wanted) -> Result<Vec<Full>, Unreadable> {
        Snapshot::assembled(&self.all(), self.fulls.as_deref(), wanted)
    }

    /// The JSON of one full record.
    pub(crate) fn full(&self, id: &NodeId) -> Result<&[u8], AnswerError> {
        let fulls = self.fulls.as_deref().unwrap_or_default();
        let found = fulls.binary_search_by(|(of, _)| of.cmp(id));
        found.map(|at| &fulls[at].1[..]).map_err(|_| AnswerError::Internal)
    }

    pub(crate) fn serves(&self, want: Want) -> bool {
        want != Want::Full || self.fulls.is_some()
    }
}

impl ParsedNodes {
    /// Takes unchanged nodes from `older`: memory for 10,000 nodes that is allocated and freed with each
    /// change of one is never all returned to the system.
    fn parse(all: Bytes, older: Option<&Self>) -> Result<Self, Unreadable> {
        let records = records(&all);
        let known = older.map(Self::by_id).unwrap_or_default();
        let same = |json: &&str| {
            let (old, node) = known.get(id(json))?;
            (old == json).then(|| Arc::clone(node))
        };
        let mut nodes: Vec<Option<Arc<Full>>> = records.iter().map(same).collect();
        let new = records.iter().zip(&nodes).filter(|(_, node)| node.is_none());
        let new: Vec<&str> = new.map(|(json, _)| *json).collect();
        let read = if new.len() == records.len() {
            Snapshot::assembled(&all, None, &Wanted::everything())?
        } else {
            let array = format!("[{}]", new.join(","));
            Snapshot::assembled(array.as_bytes(), None, &Wanted::everything())?
        };
        let mut read = read.into_iter().map(Arc::new);
        for node in nodes.iter_mut().filter(|node| node.is_none()) {
            *node = read.next();
        }
        let start = all.as_ptr() as usize;
        let range = |json: &&str| {
            let from = json.as_ptr() as usize - start;
            from..from + json.len()
        };
        let ranges = records.iter().map(range).collect();
        Ok(Self { nodes: nodes.into_iter().flatten().collect(), ranges, all })
    }

    fn by_id(&self) -> HashMap<&str, (&str, &Arc<Full>)> {
        let json = |range: &Range<usize>| std::str::from_utf8(self.all.get(range.clone())?).ok();
        let each = self.ranges.iter().zip(&self.nodes);
        each.filter_map(|(range, node)| json(range).map(|json| (id(json), (json, node)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{CachedPublication, MemoryBudget, Snapshot};
    use crate::model::json;
    use crate::model::node::Full;
    use crate::model::properties::sample;

    impl CachedPublication {
        /// A publication made by hand.
        pub(in crate::serve) fn of(rev: &str, all: &str) -> Self {
            Self::after(rev, all, None)
        }

        fn after(rev: &str, all: &str, before: Option<&Self>) -> Self {
            let snapshot = Snapshot {
                rev: rev.to_owned(),
                index: 1,
                newest: 1,
                count: 1,
                all: all.as_bytes().to_vec().into(),
                fulls: None,
                age: std::time::Duration::ZERO,
                since: std::time::Duration::ZERO,
            };
            Self::new(snapshot, &MemoryBudget::default(), before.and_then(Self::last_nodes))
        }
    }

    fn all(nodes: &[Full]) -> String {
        let records: Vec<_> = nodes
            .iter()
            .map(|node| String::from_utf8(json::bytes(&node.record)).unwrap())
            .collect();
        format!("[{}]", records.join(","))
    }

    #[test]
    fn nodes_that_have_not_changed_are_those_of_the_publication_before() {
        let mut nodes = sample();
        assert!(nodes.len() > 2);
        let first = CachedPublication::after("N1", &all(&nodes), None);
        let before: Vec<_> = first.nodes().unwrap().to_vec();
        nodes[1].record.modify_index += 1;
        nodes.swap(0, 2);
        // One that nobody has read is passed over.
        let unread = CachedPublication::after("N2", &all(&sample()), Some(&first));
        let last = CachedPublication::after("N3", &all(&nodes), Some(&unread));
        let after = last.nodes().unwrap();
        assert!(after.iter().map(|node| &node.record).eq(nodes.iter().map(|node| &node.record)));
        assert!(Arc::ptr_eq(&after[0], &before[2]) && Arc::ptr_eq(&after[2], &before[0]));
        assert!(!Arc::ptr_eq(&after[1], &before[1]));
        assert!(after[3..].iter().zip(&before[3..]).all(|(a, b)| Arc::ptr_eq(a, b)));
    }

    #[test]
    fn what_can_not_be_read_is_an_error_also_after_another() {
        let first = CachedPublication::after("N1", &all(&sample()), None);
        first.nodes().unwrap();
        for broken in ["[{}]", "[", "[{\"id\":\"aaaaaaaa-0000-4000-8000-000000000001\"}]"] {
            assert!(
                CachedPublication::after("N2", broken, Some(&first)).nodes().is_err(),
                "{broken}"
            );
        }
        assert!(CachedPublication::after("N2", "[]", Some(&first)).nodes().unwrap().is_empty());
    }
}
