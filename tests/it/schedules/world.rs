//! The truth of one schedule: the clusters, what was published, what was seen, what went wrong.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;
use std::time::Instant;

use nomad_clients::model::node::{FullJson, NodeId};

use super::cluster::{Cluster, Marked, Truth};

pub(super) const SCOPES: [&str; 2] = ["a0", "b1"];
pub(super) const HOSTS: usize = 2;

/// The promises, by the letters of the protocol.
pub(super) const PROMISES: [(char, &str); 13] = [
    ('A', "nothing read before a clear is shown to a command that began after it"),
    ('P', "no hit is older than what somebody saw"),
    ('B', "nothing shown goes back in time on one host"),
    ('D', "all, hash and meta are of one publication"),
    ('E', "never another scope's bytes"),
    ('F', "a full read is exactly what was published"),
    ('H', "no detail is older than its list"),
    ('R', "a refresh gets a list that began after it"),
    ('S', "the age is never understated"),
    ('T', "all ends before meta and hash"),
    ('X', "failures are only for those who waited"),
    ('K', "nobody hangs"),
    ('C', "no script stops"),
];

/// A list as one process got it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// The cluster's time, the clears done, the step and the moment when it was read.
    pub(super) time: u64,
    pub(super) clears: u64,
    pub(super) step: u64,
    pub(super) at: Instant,
    pub(super) truths: BTreeMap<NodeId, Truth>,
}

impl Listed {
    fn contents(&self) -> BTreeMap<&NodeId, u64> {
        self.truths.iter().map(|(id, truth)| (id, truth.content)).collect()
    }
}

/// What a publication consisted of.
#[derive(Debug, Clone)]
pub(super) struct Issue {
    pub(super) listed: Listed,
    /// Empty if partial.
    pub(super) all: Vec<u8>,
    pub(super) fulls: BTreeMap<NodeId, FullJson>,
}

/// The newest that was shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    /// The newest list.
    listed: Option<Listed>,
    pub(super) truths: HashMap<NodeId, Truth>,
}

impl Shown {
    /// Whether a list is older than the newest, and not the same: a restore can bring all back.
    pub(super) fn is_newer_than(&self, list: &Listed) -> bool {
        let newer =
            |newest: &Listed| list.time < newest.time && list.contents() != newest.contents();
        self.listed.as_ref().is_some_and(newer)
    }

    fn note(&mut self, listed: &Listed, records: &[Marked]) {
        if self.listed.as_ref().is_none_or(|newest| newest.time <= listed.time) {
            self.listed = Some(listed.clone());
        }
        for record in records {
            let newest = self.truths.entry(record.id.clone()).or_insert(record.truth());
            if newest.time < record.truth().time {
                *newest = record.truth();
            }
        }
    }
}

/// What happened, besides the processes' steps, that limits what can be promised.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// The cache went back to the past: the order of what is shown is not promised any more.
    pub(super) rolled_back: bool,
    /// Somebody else wrote into the cache.
    pub(super) touched: bool,
    /// A floor was evicted: only what was published binds, not what a fenced process printed.
    pub(super) lossy: bool,
    /// Nothing can be written now.
    pub(super) refuses: bool,
    /// Another clear came between a clear's GET and its DEL: the guard knows nothing of it.
    pub(super) unguarded: bool,
}

pub(super) struct World {
    pub(super) step: u64,
    pub(super) clears: u64,
    pub(super) clusters: [Cluster; 2],
    pub(super) issues: HashMap<String, Issue>,
    /// Scope and step of every failure that was told.
    pub(super) failures: Vec<(usize, u64)>,
    pub(super) limits: Limits,
    /// Epochs that this host has cleared.
    pub(super) dead: HashSet<Vec<u8>>,
    pub(super) violations: Vec<char>,
    pub(super) log: Vec<String>,
    pub(super) ends: Vec<String>,
    /// A budget of a store ran out because the machine was too slow: the schedule proves nothing.
    pub(super) disturbed: bool,
    seen: [Shown; 2],
    published: [Shown; 2],
    /// What each host has shown of each scope, if the stores remember that.
    printed: [[Shown; 2]; HOSTS],
    pub(super) hosts_remember: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            step: 0,
            clears: 0,
            clusters: [Cluster::new(0), Cluster::new(1)],
            issues: HashMap::new(),
            failures: Vec::new(),
            limits: Limits::default(),
            dead: HashSet::new(),
            violations: Vec::new(),
            log: Vec::new(),
            ends: Vec::new(),
            disturbed: false,
            seen: Default::default(),
            published: Default::default(),
            printed: Default::default(),
            hosts_remember: false,
        }
    }

    pub(super) fn log(&mut self, line: impl Into<String>) {
        self.log.push(line.into());
    }

    pub(super) fn violation(&mut self, promise: char, what: impl Display) {
        self.violations.push(promise);
        self.log(format!("*** {promise}: {what}"));
    }

    /// What nobody may be shown anything older than.
    pub(super) fn shown(&self, scope: usize) -> Shown {
        let of = if self.limits.lossy { &self.published } else { &self.seen };
        of[scope].clone()
    }

    /// What nothing older may be shown than on this host, whatever happens to a cache.
    pub(super) fn shown_on(&self, host: usize, scope: usize) -> Shown {
        self.printed[host][scope].clone()
    }

    /// This was printed on a host.
    pub(super) fn print(&mut self, (host, scope): (usize, usize), listed: &Listed, of: &[Marked]) {
        if self.hosts_remember {
            self.printed[host][scope].note(listed, of);
        }
    }

    /// Somebody was shown this. `published`: it was read from the cache, or written to it.
    pub(super) fn note(
        &mut self,
        scope: usize,
        listed: &Listed,
        records: &[Marked],
        published: bool,
    ) {
        if self.limits.rolled_back {
            return;
        }
        self.seen[scope].note(listed, records);
        if published {
            self.published[scope].note(listed, records);
        }
    }
}
