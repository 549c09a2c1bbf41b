//! A Nomad in memory: says what a test told it to, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use nomad_clients::model::node::{Detail, Facts, NodeId, Reserved, Resources, Stub};
use nomad_clients::nomad::{Error, FailureKind, IndexReply, Listing, Nomad};

/// Nodes by name, each with its indexes; every change moves the index of the list.
#[derive(Default)]
pub(crate) struct FakeNomad(Mutex<State>);

#[derive(Default)]
struct State {
    nodes: BTreeMap<String, (Stub, Detail)>,
    index: u64,
    without_leader: bool,
    /// The cheap question can be asked; with an error it is answered by that.
    probes: Option<Option<Error>>,
    /// Answers that come before those of the model.
    lists: VecDeque<Result<Listing, Error>>,
    failing: BTreeMap<String, Error>,
    vanishing: Vec<String>,
    asked: Vec<String>,
    calls: u64,
}

impl FakeNomad {
    /// Nodes with their modify indexes.
    pub(crate) fn with(nodes: &[(&str, u64)]) -> Self {
        let fake = Self::default();
        for (name, modify_index) in nodes {
            fake.put(name, *modify_index);
        }
        fake
    }

    /// Adds or changes a node; the index of the list follows the highest change.
    pub(crate) fn put(&self, name: &str, modify_index: u64) {
        let (stub, detail) =
            (stub(name, modify_index), detail(name, modify_index, &format!("r{modify_index}")));
        let mut state = self.0.lock().unwrap();
        state.index = state.index.max(modify_index);
        state.nodes.insert(name.to_owned(), (stub, detail));
    }

    pub(crate) fn change(&self, name: &str, how: impl FnOnce(&mut Stub, &mut Detail)) {
        let mut state = self.0.lock().unwrap();
        let (stub, detail) = state.nodes.get_mut(name).unwrap();
        how(stub, detail);
    }

    pub(crate) fn remove(&self, name: &str) {
        let mut state = self.0.lock().unwrap();
        state.nodes.remove(name).unwrap();
        state.index += 1;
    }

    /// The node is in the list and gone when its detail is asked for.
    pub(crate) fn vanish(&self, name: &str) {
        self.0.lock().unwrap().vanishing.push(name.to_owned());
    }

    pub(crate) fn fail(&self, name: &str, error: Error) {
        self.0.lock().unwrap().failing.insert(name.to_owned(), error);
    }

    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().failing.clear();
    }

    pub(crate) fn set_index(&self, index: u64) {
        self.0.lock().unwrap().index = index;
    }

    /// Says from now on what another cluster, or the same one at another time, said.
    pub(crate) fn become_like(&self, listing: &Listing) {
        let mut state = self.0.lock().unwrap();
        let facts = detail("x", 0, "r0").facts;
        state.nodes = listing
            .stubs
            .iter()
            .map(|stub| {
                let Stub { id, modify_index, .. } = stub.clone();
                let detail = Detail { id, modify_index, facts: facts.clone() };
                (stub.id.to_string(), (stub.clone(), detail))
            })
            .collect();
        state.index = listing.index.unwrap_or(0);
        state.without_leader = !listing.known_leader || listing.last_contact_ms > 0;
    }

    /// From now on there is the cheap question; it fails with `error` if there is one.
    pub(crate) fn be_probed(&self, error: Option<Error>) {
        self.0.lock().unwrap().probes = Some(error);
    }

    pub(crate) fn lose_leader(&self) {
        self.0.lock().unwrap().without_leader = true;
    }

    /// The next list call is answered by this.
    pub(crate) fn answer_list(&self, answer: Result<Listing, Error>) {
        self.0.lock().unwrap().lists.push_back(answer);
    }

    /// What was asked since the last call of this, details in the order of the names.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut self.0.lock().unwrap().asked);
        asked.sort();
        asked
    }
}

impl State {
    fn listing(&self) -> Listing {
        Listing {
            stubs: self.nodes.values().map(|(stub, _)| stub.clone()).collect(),
            index: (self.index > 0).then_some(self.index),
            known_leader: !self.without_leader,
            last_contact_ms: 0,
        }
    }
}

impl Nomad for FakeNomad {
    fn stubs(&self) -> Result<Listing, Error> {
        let mut state = self.0.lock().unwrap();
        state.calls += 1;
        state.asked.push("list".to_owned());
        state.lists.pop_front().unwrap_or_else(|| Ok(state.listing()))
    }

    fn probe(&self) -> Result<Option<IndexReply>, Error> {
        let mut state = self.0.lock().unwrap();
        let Some(failure) = state.probes.clone() else { return Ok(None) };
        state.calls += 1;
        state.asked.push("first".to_owned());
        if let Some(error) = failure {
            return Err(error);
        }
        let Listing { stubs, index, known_leader: leader, .. } = state.listing();
        let first = stubs.into_iter().min_by(|a, b| a.id.cmp(&b.id));
        Ok(Some(IndexReply { index, leader, first }))
    }

    fn node(&self, id: &NodeId) -> Result<Option<Detail>, Error> {
        let mut state = self.0.lock().unwrap();
        state.calls += 1;
        let found = state
            .nodes
            .values()
            .find(|(stub, _)| stub.id == *id)
            .map(|(stub, detail)| (stub.name.clone(), detail.clone()));
        let Some((name, detail)) = found else { return Ok(None) };
        state.asked.push(format!("node {name}"));
        if let Some(error) = state.failing.get(&name) {
            return Err(error.clone());
        }
        Ok((!state.vanishing.contains(&name)).then_some(detail))
    }

    fn calls(&self) -> u64 {
        self.0.lock().unwrap().calls
    }
}

/// The id that belongs to a name.
pub(crate) fn id(name: &str) -> NodeId {
    let number =
        name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    NodeId::parse(&format!("{number:08x}-0000-4000-8000-000000000000")).unwrap()
}

pub(crate) fn stub(name: &str, modify_index: u64) -> Stub {
    Stub {
        id: id(name),
        name: name.to_owned(),
        status: "ready".to_owned(),
        status_description: String::new(),
        eligibility: "eligible".to_owned(),
        drain: false,
        datacenter: "dc1".to_owned(),
        node_class: String::new(),
        node_pool: "default".to_owned(),
        address: "10.0.0.5".to_owned(),
        version: "1.9.3".to_owned(),
        drivers: BTreeMap::new(),
        last_drain: None,
        host_volumes: BTreeMap::new(),
        create_index: 1,
        modify_index,
    }
}

/// `rack` is what a test recognises the detail by.
pub(crate) fn detail(name: &str, modify_index: u64, rack: &str) -> Detail {
    let facts = Facts {
        os: "ubuntu 22.04".to_owned(),
        arch: "amd64".to_owned(),
        meta: BTreeMap::from([("rack".to_owned(), rack.to_owned())]),
        attributes: BTreeMap::from([("kernel.name".to_owned(), "linux".to_owned())]),
        resources: Resources {
            cpu_mhz: 9600,
            cpu_cores: 4,
            memory_mb: 15990,
            disk_mb: 51200,
            ..Resources::default()
        },
        reserved: Reserved::default(),
        host_networks: BTreeMap::new(),
    };
    Detail { id: id(name), modify_index, facts }
}

pub(crate) fn outage(what: &str) -> Error {
    Error { kind: FailureKind::Outage, what: what.to_owned(), hint: None }
}
