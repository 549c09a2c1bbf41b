//! The cache of one process that tests can put side by side with the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::store::in_process::InProcessStore;
use nomad_clients::store::{Enter, Entered, How, Lease, Look, RefusedRevs, Store, Want};

use super::bench::{Bench, Part, Saved, place};

/// One store for each scope, which all flights of a scene share.
#[derive(Default)]
pub(crate) struct ProcessBench(Mutex<BTreeMap<String, Arc<dyn Store>>>);

/// Gives the lease of the flight `token` back, as its owner would.
pub(crate) fn release(store: &dyn Store, token: &str) {
    store.release(&Lease::new(token));
}

impl Bench for ProcessBench {
    fn store(&self, scope: &str) -> Arc<dyn Store> {
        let new = || Arc::new(InProcessStore::new(&place(scope, ""), None)) as Arc<dyn Store>;
        Arc::clone(self.0.lock().unwrap().entry(scope.to_owned()).or_insert_with(new))
    }

    fn elsewhere(&self, _: &str) -> Option<Arc<dyn Store>> {
        None
    }

    fn holds_scopes(&self) -> Option<()> {
        None
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn lose_lease(&self, scope: &str) -> Option<()> {
        release(&*self.store(scope), &self.lease(scope)?);
        Some(())
    }

    fn set_lease(&self, _: &str, _: &str, _: Option<Duration>) -> Option<()> {
        None
    }

    /// Who would have to be waited for.
    fn lease(&self, scope: &str) -> Option<String> {
        let store = self.store(scope);
        let (token, refuse) = ("Nobody", &RefusedRevs::Everything);
        let enter = Enter { token, how: How::Refresh, refuse, waited: None };
        match store.enter(&enter).unwrap() {
            Entered::Wait { lease, .. } => Some(lease),
            entered => {
                assert!(matches!(entered, Entered::Own(_)), "{entered:?}");
                release(&*store, token);
                None
            }
        }
    }

    fn evict(&self, _: Part) -> Option<()> {
        None
    }

    fn edit(&self, _: &str, _: &[u8]) -> Option<()> {
        None
    }

    fn persist_all(&self) -> Option<()> {
        None
    }

    fn spoil_epoch(&self, _: &[u8]) -> Option<()> {
        None
    }

    fn save(&self) -> Option<Saved> {
        None
    }

    fn restore(&self, _: &Saved) {}

    fn content(&self) -> Vec<Option<Vec<u8>>> {
        Vec::new()
    }

    fn meta(&self) -> Option<Vec<u8>> {
        None
    }

    fn hash_ids(&self) -> Option<Vec<String>> {
        let Ok(Look::Hit(hit)) = self.store("a0").look(Want::Full) else { return None };
        let mut ids: Vec<_> = hit.fulls?.into_iter().map(|(id, _)| id.to_string()).collect();
        ids.sort();
        Some(ids)
    }

    fn hash_left(&self) -> Option<Duration> {
        None
    }

    fn shorten_hash(&self) -> Option<()> {
        None
    }

    fn look_around(&self, _: &str, _: Box<dyn FnOnce() + Send>) -> Option<Look> {
        None
    }
}
