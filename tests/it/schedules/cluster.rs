//! A Nomad cluster as the truth knows it, with marks in every answer that tell when it was true.

use std::collections::BTreeMap;
use std::fmt;

use nomad_clients::model::node::{Detail, NodeId, Record, Stub};

use crate::support::fake_nomad::{detail, id, stub};

use super::rng::Rng;

pub(super) const NAMES: [&str; 3] = ["x", "y", "z"];
const PAD: usize = 17 << 10;

/// What a node is, and since when: times are counted in changes of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) time: u64,
    pub(super) content: u64,
}

impl Truth {
    /// Older, and not the same: a restore can bring a content back.
    pub(super) fn is_older(self, than: Self) -> bool {
        self.time < than.time && self.content != than.content
    }
}

/// What an answer is marked with: whose it is, what was true, and how many clears were done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) scope: usize,
    pub(super) truth: Truth,
    pub(super) clears: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Truth { time, content } = self.truth;
        write!(f, "{} {time} {content} {}", self.scope, self.clears)
    }
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<u64> =
            text.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [scope, time, content, clears] = numbers.try_into().ok()?;
        let scope = usize::try_from(scope).ok()?;
        Some(Self { scope, truth: Truth { time, content }, clears })
    }
}

/// The marks of one record that was shown.
#[derive(Debug, Clone)]
pub(super) struct Marked {
    pub(super) id: NodeId,
    pub(super) stub: Mark,
    /// `None` without details.
    pub(super) detail: Option<Mark>,
}

impl Marked {
    /// `None` if this program did not make the record of what this cluster said.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let stub = Mark::parse(&record.status_description)?;
        let detail = match &record.meta {
            None => None,
            Some(meta) => Some(Mark::parse(meta.get("rack")?)?),
        };
        Some(Self { id: record.id.clone(), stub, detail })
    }

    /// What is shown of the node.
    pub(super) fn truth(&self) -> Truth {
        self.detail.unwrap_or(self.stub).truth
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> {
        [self.stub].into_iter().chain(self.detail)
    }
}

type Nodes = BTreeMap<&'static str, (u64, Truth)>;

/// The nodes with their modify indexes.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    scope: usize,
    /// Two nodes are more than LOOK brings along.
    pub(super) large: bool,
    pub(super) index: u64,
    raft: u64,
    /// How often it has changed.
    pub(super) time: u64,
    nodes: Nodes,
    snapshot: (u64, Nodes),
}

impl Cluster {
    pub(super) fn new(scope: usize) -> Self {
        let born = Truth { time: 0, content: 0 };
        let nodes = Nodes::from([("x", (3, born)), ("y", (5, born))]);
        Self {
            scope,
            large: false,
            index: 5,
            raft: 5,
            time: 0,
            snapshot: (5, nodes.clone()),
            nodes,
        }
    }

    fn tick(&mut self) {
        self.time += 1;
        self.raft += 1;
    }

    pub(super) fn change(&mut self, rng: &mut Rng) {
        self.tick();
        self.index = self.raft;
        let truth = Truth { time: self.time, content: self.time };
        self.nodes.insert(NAMES[rng.below(NAMES.len())], (self.raft, truth));
    }

    pub(super) fn delete(&mut self, rng: &mut Rng) {
        if self.nodes.len() < 2 {
            return;
        }
        self.tick();
        self.index = self.raft;
        let names: Vec<_> = self.nodes.keys().copied().collect();
        self.nodes.remove(names[rng.below(names.len())]);
    }

    /// The state of the beginning comes back: old indexes, old contents, true from now on.
    pub(super) fn restore(&mut self) {
        self.tick();
        let (index, mut nodes) = self.snapshot.clone();
        for (name, (modify_index, truth)) in &mut nodes {
            if self.nodes.get(name) != Some(&(*modify_index, *truth)) {
                truth.time = self.time;
            }
        }
        (self.index, self.nodes) = (index, nodes);
    }

    pub(super) fn stubs(&self, clears: u64) -> Vec<Stub> {
        let stub = |(name, (modify_index, truth)): (&&str, &(u64, Truth))| Stub {
            status_description: self.mark(*truth, clears),
            ..stub(name, *modify_index)
        };
        self.nodes.iter().map(stub).collect()
    }

    pub(super) fn detail(&self, of: &NodeId, clears: u64) -> Option<Detail> {
        let (name, (modify_index, truth)) = self.nodes.iter().find(|(name, _)| id(name) == *of)?;
        let mut detail = detail(name, *modify_index, &self.mark(*truth, clears));
        if self.large {
            detail.facts.meta.insert("pad".to_owned(), "x".repeat(PAD));
        }
        Some(detail)
    }

    pub(super) fn truths(&self) -> BTreeMap<NodeId, Truth> {
        self.nodes.iter().map(|(name, (_, truth))| (id(name), *truth)).collect()
    }

    fn mark(&self, truth: Truth, clears: u64) -> String {
        Mark { scope: self.scope, truth, clears }.to_string()
    }
}
