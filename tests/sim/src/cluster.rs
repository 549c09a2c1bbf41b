//! The live model: a cluster whose nodes register, drain, go down and come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::node::{Node, Shape, Text};
use crate::rng::Rng;
use crate::time::Moment;

/// What the servers of one cluster know. Nodes are addressed by name or by ID; an unknown one
/// panics, since only a mistake in a test can do that.
#[derive(Debug, Clone)]
pub struct Cluster {
    nodes: BTreeMap<String, Arc<Node>>,
    gone: BTreeMap<String, Arc<Node>>,
    /// The index of the nodes table: what `X-Nomad-Index` of the list says.
    pub index: u64,
    /// The last index of the log; the next write gets the one after it.
    pub log: u64,
    /// The index of the allocations.
    pub alloc_index: u64,
    /// What the list says in `X-Nomad-Index` in place of `index`, whatever that text is.
    pub index_header: Option<String>,
    pub known_leader: bool,
    pub last_contact_ms: u64,
    /// Without a leader: everything but `stale` is a 500 `No cluster leader`.
    pub leaderless: bool,
    /// The tokens that may read and write nodes; `None` = ACLs are off.
    pub tokens: Option<BTreeSet<String>>,
    /// Whether a request without a token may read nodes while ACLs are on.
    pub anonymous: bool,
    /// The regions that can be asked, the own one first.
    pub regions: Vec<String>,
    /// The RPC address that `/v1/status/leader` names.
    pub leader: String,
    pub shape: Shape,
    seed: u64,
}

/// A state to go back to.
#[derive(Debug, Clone)]
pub struct Saved(Cluster);

impl Cluster {
    pub fn new(fleet: Fleet) -> Self {
        let nodes: BTreeMap<_, _> =
            fleet.nodes.into_iter().map(|node| (node.id.to_string(), Arc::new(node))).collect();
        let index = nodes.values().map(|node| node.modify_index).max().unwrap_or(0);
        Self {
            nodes,
            gone: BTreeMap::new(),
            index,
            log: index,
            alloc_index: 1,
            index_header: None,
            known_leader: true,
            last_contact_ms: 0,
            leaderless: false,
            tokens: None,
            anonymous: false,
            regions: vec!["global".to_owned()],
            leader: "127.0.0.1:4647".to_owned(),
            shape: Shape::Today,
            seed: 1,
        }
    }

    /// All nodes, by ascending ID.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node of an ID in its canonical form.
    pub fn by_id(&self, id: &str) -> Option<&Arc<Node>> {
        self.nodes.get(id)
    }

    #[track_caller]
    pub fn node(&self, name: &str) -> &Node {
        &self.nodes[&self.id(name)]
    }

    /// The node, to change anything in it; neither its indexes nor the table's move.
    #[track_caller]
    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        let id = self.id(name);
        Arc::make_mut(self.nodes.get_mut(&id).expect("id() gives the ID of a node"))
    }

    /// The ID of the node of this name; an ID is its own.
    #[track_caller]
    pub fn id(&self, name: &str) -> String {
        if self.nodes.contains_key(name) {
            return name.to_owned();
        }
        match self.nodes.values().find(|node| node.name == name) {
            Some(node) => node.id.to_string(),
            None => panic!("no node {name:?} in the simulated cluster"),
        }
    }

    /// The next index of the log, given to the nodes table.
    fn next(&mut self) -> u64 {
        self.log += 1;
        self.index = self.log;
        self.index
    }

    /// One write to one node: both indexes move.
    #[track_caller]
    pub fn write(&mut self, name: &str, change: impl FnOnce(&mut Node)) -> u64 {
        let id = self.id(name);
        let index = self.next();
        let node = self.node_mut(&id);
        change(node);
        node.modify_index = index;
        index
    }

    /// A write that leaves an event behind.
    #[track_caller]
    fn write_event(
        &mut self,
        name: &str,
        event: (&str, &str),
        change: impl FnOnce(&mut Node),
    ) -> u64 {
        let index = self.log + 1;
        let event = event_at(index, event);
        self.write(name, |node| {
            change(node);
            node.add_event(event);
        })
    }

    /// A new node, made up from its name; gives its ID.
    pub fn register(&mut self, name: &str) -> String {
        self.seed += 1;
        let mut node = crate::generate::node(900_000 + self.seed as u32);
        node.id = Text::Owned(Rng::new(self.seed ^ 0xabcd_ef01).uuid());
        node.name = Text::Owned(name.to_owned());
        (node.status, node.eligible) = (Text::Borrowed("ready"), true);
        self.add(node)
    }

    /// A node of the caller's making, which gets new indexes; gives its ID.
    pub fn add(&mut self, mut node: Node) -> String {
        let index = self.next();
        (node.create_index, node.modify_index) = (index, index);
        let id = node.id.to_string();
        self.gone.remove(&id);
        self.nodes.insert(id.clone(), Arc::new(node));
        id
    }

    /// A purged node comes back: the same ID, a new CreateIndex.
    #[track_caller]
    pub fn reregister(&mut self, name: &str) -> String {
        let found = self.gone.values().find(|node| node.name == name || node.id == name).cloned();
        let Some(node) = found else { panic!("no node {name:?} was purged") };
        let mut node = Arc::unwrap_or_clone(node);
        (node.drain, node.last_drain, node.eligible) = (None, None, true);
        node.events = vec![crate::generate::first_event()];
        self.add(node)
    }

    #[track_caller]
    pub fn purge(&mut self, name: &str) -> u64 {
        let id = self.id(name);
        let node = self.nodes.remove(&id).expect("id() gives the ID of a node");
        self.gone.insert(id, node);
        self.next()
    }

    /// Marks the node; 0 if it was so already, as no write happens then.
    #[track_caller]
    pub fn set_eligible(&mut self, name: &str, eligible: bool) -> u64 {
        if self.node(name).eligible == eligible {
            return 0;
        }
        let event = if eligible {
            "Node marked as eligible for scheduling"
        } else {
            "Node marked as ineligible for scheduling"
        };
        self.write_event(name, (event, "Cluster"), |node| node.eligible = eligible)
    }

    /// Starts a drain. `deadline` in nanoseconds: -1 = force, 0 = none.
    #[track_caller]
    pub fn drain(&mut self, name: &str, deadline: i64, meta: Value) -> u64 {
        let now = Moment::now();
        let force = (deadline > 0).then(|| later(now, deadline).rfc3339());
        let strategy = json!({"Deadline": deadline, "ForceDeadline": force, "IgnoreSystemJobs": false, "StartedAt": now.rfc3339()});
        let second = now.whole_seconds().rfc3339();
        let last = json!({"AccessorID": self.accessor(), "Meta": meta, "StartedAt": second, "Status": "draining", "UpdatedAt": second});
        self.write_event(name, ("Node drain strategy set", "Drain"), |node| {
            (node.drain, node.last_drain, node.eligible) = (Some(strategy), Some(last), false);
        })
    }

    /// The drain is done: no longer draining, still ineligible.
    #[track_caller]
    pub fn drain_complete(&mut self, name: &str) -> u64 {
        self.end_drain(name, ("Node drain complete", "complete"), false)
    }

    #[track_caller]
    pub fn drain_cancel(&mut self, name: &str, mark_eligible: bool) -> u64 {
        self.end_drain(name, ("Node drain disabled", "canceled"), mark_eligible)
    }

    #[track_caller]
    fn end_drain(&mut self, name: &str, words: (&str, &str), mark_eligible: bool) -> u64 {
        let (event, status) = words;
        let now = Moment::now().whole_seconds().rfc3339();
        self.write_event(name, (event, "Drain"), |node| {
            node.drain = None;
            if let Some(last) = &mut node.last_drain {
                (last["Status"], last["UpdatedAt"]) = (json!(status), json!(now));
            }
            node.eligible |= mark_eligible;
        })
    }

    /// `ready`, `down`, `disconnected`, `initializing`; eligibility stays as it is.
    #[track_caller]
    pub fn set_status(&mut self, name: &str, status: &str) -> u64 {
        let missed = matches!(status, "down" | "disconnected");
        let event = if missed { "Node heartbeat missed" } else { "Node reregistered by heartbeat" };
        let (status, index) = (status.to_owned(), self.log + 1);
        self.write_event(name, (event, "Cluster"), |node| {
            node.status = Text::Owned(status);
            node.status_updated_at = Moment::now().seconds;
            node.last_missed_heartbeat = if missed { index } else { 0 };
        })
    }

    /// Metadata changed: a new registration of the node. `None` removes the key.
    #[track_caller]
    pub fn set_meta(&mut self, name: &str, key: &str, value: Option<&str>) -> u64 {
        self.set_in(name, "Meta", (key, value))
    }

    #[track_caller]
    pub fn set_attribute(&mut self, name: &str, key: &str, value: Option<&str>) -> u64 {
        self.set_in(name, "Attributes", (key, value))
    }

    #[track_caller]
    fn set_in(&mut self, name: &str, map: &str, entry: (&str, Option<&str>)) -> u64 {
        let (key, value) = entry;
        self.write(name, |node| {
            let map = &mut node.base_mut()[map];
            match value {
                Some(value) => map[key] = json!(value),
                None => drop(map.as_object_mut().and_then(|map| map.remove(key))),
            }
        })
    }

    /// A client reports on an allocation: the table's index moves, the node's ModifyIndex does not.
    #[track_caller]
    pub fn report_allocation(&mut self, name: &str) -> u64 {
        let index = self.next();
        self.alloc_index = index;
        self.node_mut(name).last_alloc_update = index;
        index
    }

    /// A node event that the client sends itself: the table's index moves, the node's does not.
    #[track_caller]
    pub fn send_event(&mut self, name: &str, message: &str) -> u64 {
        let index = self.next();
        let event = event_at(index, (message, "Driver"));
        self.node_mut(name).add_event(event);
        index
    }

    /// A write to another table: only the log moves.
    pub fn write_elsewhere(&mut self) {
        self.log += 1;
    }

    pub fn save(&self) -> Saved {
        Saved(self.clone())
    }

    /// `operator snapshot restore`: the nodes and the table's index are as they were, later
    /// writes get indexes that were never used.
    pub fn restore(&mut self, saved: &Saved) {
        (self.nodes, self.gone) = (saved.0.nodes.clone(), saved.0.gone.clone());
        (self.index, self.alloc_index) = (saved.0.index, saved.0.alloc_index);
        self.log += 3;
    }

    /// The servers lost their data: the same nodes register again at a log that begins anew.
    pub fn rebuild(&mut self) {
        (self.log, self.index, self.alloc_index) = (6, 0, 1);
        let key = json!(Rng::from_chance().uuid());
        self.gone.clear();
        let ids: Vec<String> = self.nodes.keys().cloned().collect();
        for id in ids {
            let created = self.next();
            self.write(&id, |node| {
                (node.drain, node.last_drain) = (None, None);
                (node.eligible, node.status) = (true, Text::Borrowed("ready"));
                node.events = vec![crate::generate::first_event()];
                (node.last_alloc_update, node.last_missed_heartbeat) = (0, 0);
                node.create_index = created;
                if let Some(old) = node.base_mut().get_mut("IdentitySigningKeyID") {
                    *old = key.clone();
                }
            });
        }
    }

    fn accessor(&self) -> &'static str {
        match self.tokens {
            None => "token:acls-disabled",
            Some(_) => "a1b2c3d4-0000-4000-8000-000000000001",
        }
    }
}

fn event_at(index: u64, event: (&str, &str)) -> Value {
    let (message, subsystem) = event;
    json!({"CreateIndex": index, "Details": null, "Message": message, "Subsystem": subsystem, "Timestamp": Moment::now().rfc3339()})
}

fn later(now: Moment, nanos: i64) -> Moment {
    let all = u64::from(now.nanos) + nanos.max(0) as u64;
    let seconds = now.seconds + all / 1_000_000_000;
    Moment { seconds, nanos: (all % 1_000_000_000) as u32 }
}
