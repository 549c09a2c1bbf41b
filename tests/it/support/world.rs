//! One Nomad, one cache, and a discovery between them, all in memory.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::discovery::{
    Answer, Discovery, Error, How, NoProgress, Policy, Request, Shutdown, Want,
};
use nomad_clients::model::node::Record;
use nomad_clients::model::notice::{Level, Notifier};
use nomad_clients::nomad::{self, Listing};
use nomad_clients::store::{Enter, Entered, Flight, RefusedRevs, Store};

use super::fake_nomad::{FakeNomad, stub};
use super::memory;

/// One Nomad, one cache, and everything that was remarked.
pub(crate) struct World {
    pub(crate) nomad: Arc<FakeNomad>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) remarks: Arc<Mutex<Vec<(Level, String)>>>,
}

impl World {
    pub(crate) fn with(nodes: &[(&str, u64)]) -> Self {
        Self {
            nomad: Arc::new(FakeNomad::with(nodes)),
            store: memory::store(),
            remarks: Arc::default(),
        }
    }

    /// A world whose cache is filled already.
    pub(crate) fn filled(nodes: &[(&str, u64)]) -> Self {
        let world = Self::with(nodes);
        world.ask(How::Get).unwrap();
        world.nomad.asked();
        world
    }

    pub(crate) fn discovery(&self, timeout: Duration) -> Discovery {
        let remarks = Arc::clone(&self.remarks);
        Discovery {
            nomad: Arc::<FakeNomad>::clone(&self.nomad),
            store: Arc::clone(&self.store),
            policy: Policy {
                concurrency: 4,
                timeout,
                deadline: Instant::now() + timeout,
                shared: false,
                probe_from: 0,
            },
            notifier: Notifier::new(move |remark| {
                remarks.lock().unwrap().push((remark.level, remark.text));
            }),
            progress: Arc::new(NoProgress),
            shutdown: Arc::new(Shutdown::default()),
            sleep: Arc::new(|_| std::thread::yield_now()),
        }
    }

    /// Asks, content with an answer up to this age in an outage.
    pub(crate) fn ask_stale(&self, how: How, oldest: Duration) -> Result<Answer, Error> {
        let stale_if_error = Some(oldest);
        let request = Request { stale_if_error, ..Request::new(how, Want::Full) };
        self.discovery(Duration::from_secs(30)).nodes(request)
    }

    /// Asks, and does `meanwhile` once, when it first waits for another's fetch.
    pub(crate) fn ask_while(
        &self,
        how: How,
        meanwhile: impl FnOnce() + Send + 'static,
    ) -> Result<Answer, Error> {
        let once = Mutex::new(Some(meanwhile));
        let sleep = move |_| {
            if let Some(meanwhile) = once.lock().unwrap().take() {
                meanwhile();
            }
        };
        Discovery { sleep: Arc::new(sleep), ..self.discovery(Duration::from_secs(30)) }
            .nodes(Request::new(how, Want::Full))
    }

    pub(crate) fn ask(&self, how: How) -> Result<Answer, Error> {
        self.discovery(Duration::from_secs(30)).nodes(Request::new(how, Want::Full))
    }

    pub(crate) fn told(&self, level: Level) -> Vec<String> {
        let remarks = self.remarks.lock().unwrap();
        remarks.iter().filter(|(of, _)| *of == level).map(|(_, text)| text.clone()).collect()
    }

    /// Takes the lease as another process would.
    pub(crate) fn another_flight(&self, token: &str) -> Flight {
        let refuse = RefusedRevs::Everything;
        match self
            .store
            .enter(&Enter { token, how: How::Refresh, refuse: &refuse, waited: None })
            .unwrap()
        {
            Entered::Own(flight) => flight,
            other => panic!("the lease is free: {other:?}"),
        }
    }
}

/// Names and racks: the rack tells which detail a row came from.
pub(crate) fn rows(answer: &Answer) -> Vec<(String, Option<String>)> {
    let records: Vec<Record> = serde_json::from_slice(&answer.snapshot.all).unwrap();
    records
        .into_iter()
        .map(|record| (record.name, record.meta.map(|meta| meta["rack"].clone())))
        .collect()
}

pub(crate) fn row(name: &str, rack: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(rack.to_owned()))
}

/// new, changed, cached, gone
pub(crate) fn counts(answer: &Answer) -> [usize; 4] {
    let tally = answer.tally;
    [tally.new, tally.changed, tally.cached, tally.gone]
}

pub(crate) fn listing(index: u64, nodes: &[(&str, u64)]) -> Result<Listing, nomad::Error> {
    let stubs = nodes.iter().map(|(name, modify_index)| stub(name, *modify_index)).collect();
    Ok(Listing { stubs, index: Some(index), known_leader: true, last_contact_ms: 0 })
}
