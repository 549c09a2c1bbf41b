//! A cache in files, as the ground of schedules.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nomad_clients::model::node::NodeId;
use nomad_clients::model::notice::Notifier;
use nomad_clients::store::files::LocalStore;
use nomad_clients::store::monotonic::MonotonicStore;
use nomad_clients::store::{BootClock, Look, Place, Store, Want};
use tempfile::TempDir;

use crate::support::bench::{place, scope};
use crate::support::local_bench::forge;

use super::actor::Actor;
use super::ground::{Ground, Incident};
use super::oracles::Inspected;
use super::rng::Rng;
use super::world::{Limits, SCOPES};

/// Milliseconds: longer than `all` is fresh, and than details are kept.
const STALE: u64 = 61_000;
const GONE: u64 = 301_000;

pub(super) struct LocalGround {
    home: TempDir,
    direct: Mutex<[Option<Arc<dyn Store>>; 2]>,
}

impl LocalGround {
    pub(super) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), direct: Mutex::default() }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    fn place(&self, of: usize) -> Place {
        Place { folder: Some(self.folder()), ..place(SCOPES[of], "") }
    }

    /// The files alone, whatever was shown.
    fn files_of(&self, of: usize) -> Arc<dyn Store> {
        let clock = BootClock::of_this_boot(None);
        Arc::new(LocalStore::open(&self.place(of), clock, Notifier::nobody()).unwrap())
    }

    fn open(&self, of: usize) -> Arc<dyn Store> {
        let (files, clock) = (self.files_of(of), BootClock::of_this_boot(None));
        Arc::new(MonotonicStore::new(files, &self.place(of), clock, Notifier::nobody()))
    }

    fn snap(&self, of: usize) -> PathBuf {
        self.folder().join(format!("{}.snap", scope(SCOPES[of])))
    }

    /// Files of the cache whose names end so, sorted.
    fn files(&self, endings: &[&str]) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| endings.iter().any(|ending| name(path).ends_with(ending)));
        // The names of full files are chance; those of a scope are at most one.
        files.sort_by_key(|path| name(path).split('.').map(str::len).collect::<Vec<_>>());
        files.sort_by_key(|path| name(path).split('.').next().map(str::to_owned));
        files
    }

    /// The publication is so many milliseconds older.
    fn age(&self, of: usize, by: u64) -> Option<()> {
        let bytes = fs::read(self.snap(of)).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let header: serde_json::Value = serde_json::from_slice(&bytes[..end]).ok()?;
        let at = header["at"].as_u64()?;
        let older = at.checked_sub(by)?;
        forge(&self.snap(of), &format!(r#""at":{at}"#), &format!(r#""at":{older}"#));
        Some(())
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

impl Ground for LocalGround {
    fn has_inner_gates(&self) -> bool {
        false
    }

    /// The kernel gives back the lock of a process that is no more.
    fn frees_the_dead(&self) -> bool {
        true
    }

    fn remembers_shown(&self) -> bool {
        true
    }

    fn reset(&self) {
        let _ = fs::remove_dir_all(self.folder());
        *self.direct.lock().unwrap() = Default::default();
    }

    fn store(&self, actor: &Arc<Actor>) -> Arc<dyn Store> {
        self.open(actor.scope)
    }

    fn direct(&self, scope: usize) -> Arc<dyn Store> {
        let mut kept = self.direct.lock().unwrap();
        Arc::clone(kept[scope].get_or_insert_with(|| self.open(scope)))
    }

    fn strike(
        &self,
        blow: Incident,
        scope: usize,
        rng: &mut Rng,
        limits: &mut Limits,
    ) -> Option<String> {
        match blow {
            Incident::Evict => {
                let files = self.files(&["epoch", ".snap", ".full"]);
                let file = rng.pick(&files)?;
                limits.lossy |= !name(file).ends_with(".full");
                fs::remove_file(file).ok()?;
                return Some(name(file).to_owned());
            }
            Incident::EndAll => self.age(scope, STALE)?,
            Incident::EndHash => {
                limits.lossy = true;
                self.age(scope, GONE)?;
            }
            Incident::Foreign => {
                limits.touched = true;
                let files = self.files(&[".snap", ".full"]);
                let file = rng.pick(&files)?;
                let mut bytes = fs::read(file).ok()?;
                let at = rng.below(bytes.len());
                *bytes.get_mut(at)? ^= 1;
                // What is spoilt in the header may be the index or the rev: a floor that is lost.
                limits.lossy |= name(file).ends_with(".snap");
                fs::write(file, bytes).ok()?;
                return Some(format!("{} at {at}", name(file)));
            }
            // Only its owner gives a lock back, and a folder has no past to go back to.
            Incident::LoseLease
            | Incident::SpoilKept
            | Incident::SpoilCopy
            | Incident::ClearByHand
            | Incident::Refuse
            | Incident::Allow
            | Incident::Save
            | Incident::Load => return None,
        }
        Some(String::new())
    }

    fn inspect(&self, scope: usize, watch: &str) -> Option<Inspected> {
        shown(&*self.files_of(scope), watch)
    }
}

/// What a store shows after `watch` was published.
pub(super) fn shown(store: &dyn Store, watch: &str) -> Option<Inspected> {
    let hit = |want| match store.look(want) {
        Ok(Look::Hit(snapshot)) => Some(snapshot),
        _ => None,
    };
    let shown = hit(Want::Full).or_else(|| hit(Want::Records));
    let has_all = shown.is_some();
    let snapshot = shown.or_else(|| store.partial(watch).ok()?)?;
    let is_readable = snapshot.fulls.is_some();
    let fulls = snapshot.fulls.unwrap_or_default().into_iter();
    let hash = fulls.map(|(id, full): (NodeId, _)| (id.to_string(), full.to_vec())).collect();
    Some(Inspected { rev: snapshot.rev, has_all, is_readable, hash, left: None })
}
