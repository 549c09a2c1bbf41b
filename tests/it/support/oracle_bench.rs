//! The oracle as a cache that tests can put side by side and spoil.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::store::{Look, Store};

use super::bench::{Bench, Part, Saved, place, scope};
use crate::oracle::{OracleStore, SharedSpace};

pub(crate) struct OracleBench {
    space: SharedSpace,
    ahead: Arc<Mutex<Duration>>,
}

impl OracleBench {
    pub(crate) fn new() -> Self {
        let ahead = Arc::new(Mutex::new(Duration::ZERO));
        let (origin, moved) = (Instant::now(), Arc::clone(&ahead));
        let clock = Arc::new(move || origin + *moved.lock().unwrap());
        Self { space: SharedSpace::new(clock), ahead }
    }

    fn key(scope_name: &str) -> String {
        format!("nomad:clients:lease:{}", scope(scope_name))
    }

    fn new_store(&self, scope: &str) -> Arc<dyn Store> {
        Arc::new(OracleStore::new(self.space.clone(), &place(scope, "")))
    }
}

impl Bench for OracleBench {
    fn store(&self, scope: &str) -> Arc<dyn Store> {
        self.new_store(scope)
    }

    fn elsewhere(&self, scope: &str) -> Option<Arc<dyn Store>> {
        Some(self.new_store(scope))
    }

    fn now(&self) -> Instant {
        self.space.now()
    }

    fn pass(&self, time: Duration) {
        *self.ahead.lock().unwrap() += time;
    }

    fn lose_lease(&self, scope: &str) -> Option<()> {
        self.space.space().delete(&[&Self::key(scope)]);
        Some(())
    }

    fn set_lease(&self, scope: &str, lease: &str, ttl: Option<Duration>) -> Option<()> {
        let ends = ttl.map(|ttl| self.now() + ttl);
        self.space.space().set(&Self::key(scope), lease, ends);
        Some(())
    }

    fn lease(&self, scope: &str) -> Option<String> {
        let now = self.now();
        let space = self.space.space();
        Some(String::from_utf8(space.text(&Self::key(scope), now)?.to_vec()).unwrap())
    }

    fn evict(&self, part: Part) -> Option<()> {
        self.space.space().delete(&[part.key()]);
        Some(())
    }

    fn edit(&self, id: &str, full: &[u8]) -> Option<()> {
        let now = self.now();
        self.space.space().change(Part::Hash.key(), now, |fields| {
            fields.insert(id.as_bytes().to_vec(), full.to_vec());
        });
        Some(())
    }

    fn shorten_all(&self) -> Option<()> {
        let ends = Some(self.now() + Duration::from_secs(60));
        self.space.space().set(Part::All.key(), "[]", ends);
        Some(())
    }

    fn kept(&self) -> Option<(Vec<u8>, Duration)> {
        let now = self.now();
        let space = self.space.space();
        let left = u64::try_from(space.ttl_left(Part::Kept.key(), now)).ok()?;
        Some((space.text(Part::Kept.key(), now)?.to_vec(), Duration::from_millis(left)))
    }

    fn set_kept(&self, all: &[u8], ttl: Duration) -> Option<()> {
        self.space.space().set(Part::Kept.key(), all, Some(self.now() + ttl));
        Some(())
    }

    fn persist_all(&self) -> Option<()> {
        self.space.space().expire(Part::All.key(), None);
        Some(())
    }

    fn spoil_epoch(&self, junk: &[u8]) -> Option<()> {
        let ends = Some(self.now() + Duration::from_secs(60));
        self.space.space().set(Part::Epoch.key(), junk, ends);
        Some(())
    }

    fn save(&self) -> Option<Saved> {
        let now = self.now();
        let space = self.space.space();
        let text =
            |part: Part| Some((part.key().to_owned(), space.text(part.key(), now)?.to_vec()));
        Some(Saved([Part::Epoch, Part::Meta, Part::All].into_iter().filter_map(text).collect()))
    }

    fn restore(&self, saved: &Saved) {
        let ends = Some(self.now() + Duration::from_secs(60));
        for (key, text) in &saved.0 {
            self.space.space().set(key, text.clone(), ends);
        }
    }

    fn content(&self) -> Vec<Option<Vec<u8>>> {
        let now = self.now();
        let space = self.space.space();
        let flat =
            |key: &str| space.hash(key, now).map(|fields| format!("{fields:?}").into_bytes());
        [Part::Epoch, Part::Meta, Part::All, Part::Hash, Part::Kept]
            .map(|part| {
                space.text(part.key(), now).map(<[u8]>::to_vec).or_else(|| flat(part.key()))
            })
            .to_vec()
    }

    fn meta(&self) -> Option<Vec<u8>> {
        let now = self.now();
        self.space.space().text(Part::Meta.key(), now).map(<[u8]>::to_vec)
    }

    fn hash_ids(&self) -> Option<Vec<String>> {
        let now = self.now();
        let space = self.space.space();
        let ids = space.hash(Part::Hash.key(), now)?.keys().cloned();
        Some(ids.map(|id| String::from_utf8(id).unwrap()).collect())
    }

    fn hash_left(&self) -> Option<Duration> {
        let now = self.now();
        let left = self.space.space().ttl_left(Part::Hash.key(), now);
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    fn shorten_hash(&self) -> Option<()> {
        let ends = Some(self.now() + Duration::from_secs(5));
        self.space.space().expire(Part::Hash.key(), ends);
        Some(())
    }

    /// Everything is read under one lock.
    fn look_around(&self, _: &str, _: Box<dyn FnOnce() + Send>) -> Option<Look> {
        None
    }
}
