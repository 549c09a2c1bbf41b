//! Files that tests can put side by side and spoil.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use nomad_clients::clock;
use nomad_clients::model::notice::Notifier;
use nomad_clients::store::files::LocalStore;
use nomad_clients::store::{BootClock, Lease, Look, Place, Store, meta};
use tempfile::TempDir;

use super::bench::{Bench, NoticeRecorder, Part, Saved, place, scope};

/// One cache directory, and a clock that stands still unless it is moved.
pub(crate) struct LocalBench {
    home: TempDir,
    clock_ms: Arc<AtomicU64>,
    /// They end with their processes.
    stores: Mutex<Vec<Weak<LocalStore>>>,
}

impl LocalBench {
    pub(crate) fn new() -> Self {
        let clock_ms = Arc::new(AtomicU64::new(clock::boot_ms()));
        Self { home: TempDir::new().unwrap(), clock_ms, stores: Mutex::default() }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    pub(crate) fn place(&self, scope: &str) -> Place {
        Place { folder: Some(self.folder()), ..place(scope, "") }
    }

    /// The clock of the boot `id`.
    pub(crate) fn clock(&self, id: &str) -> BootClock {
        let clock_ms = Arc::clone(&self.clock_ms);
        let now = move || clock_ms.load(Ordering::Relaxed);
        BootClock { now: Arc::new(now), id: id.to_owned() }
    }

    pub(crate) fn open(&self, place: &Place, tell: Notifier) -> Arc<LocalStore> {
        let store = Arc::new(LocalStore::open(place, self.clock("boot-1"), tell).unwrap());
        self.stores.lock().unwrap().push(Arc::downgrade(&store));
        store
    }

    /// A process that tells what it remarks.
    pub(crate) fn heard(&self) -> (Arc<LocalStore>, NoticeRecorder) {
        let ear = NoticeRecorder::default();
        (self.open(&self.place("a0"), ear.tell()), ear)
    }

    pub(crate) fn path(&self, scope_name: &str, ending: &str) -> PathBuf {
        self.folder().join(format!("{}.{ending}", scope(scope_name)))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The files of full records.
    pub(crate) fn fulls(&self) -> Vec<PathBuf> {
        let names = self.names().into_iter().filter(|name| name.ends_with(".full"));
        names.map(|name| self.folder().join(name)).collect()
    }
}

/// Changes the header line of a snapshot, and gives it the right sum again.
#[track_caller]
pub(crate) fn forge(path: &Path, old: &str, new: &str) {
    let bytes = fs::read(path).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let line = String::from_utf8(bytes[..end].to_vec()).unwrap();
    assert!(line.contains(old), "{line}");
    let line = line.replacen(old, new, 1);
    let (start, _) = line.split_once(r#""check":""#).unwrap();
    let check = meta::sum(format!(r#"{start}"check":""}}"#).as_bytes());
    let line = format!(r#"{start}"check":"{check}"}}"#);
    fs::write(path, [line.as_bytes(), &bytes[end..]].concat()).unwrap();
}

impl Bench for LocalBench {
    fn store(&self, scope: &str) -> Arc<dyn Store> {
        self.open(&self.place(scope), Notifier::nobody())
    }

    fn elsewhere(&self, _: &str) -> Option<Arc<dyn Store>> {
        None
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn pass(&self, time: Duration) {
        self.clock_ms.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// As the end of its owner would.
    fn lose_lease(&self, scope: &str) -> Option<()> {
        let token = self.lease(scope).unwrap();
        let lease = Lease::new(token);
        let stores = self.stores.lock().unwrap();
        stores.iter().filter_map(Weak::upgrade).for_each(|store| store.release(&lease));
        Some(())
    }

    fn set_lease(&self, _: &str, _: &str, _: Option<Duration>) -> Option<()> {
        None
    }

    fn lease(&self, scope: &str) -> Option<String> {
        let path = self.path(scope, "flight");
        let file = File::open(&path).ok()?;
        file.try_lock().is_err().then(|| {
            let said = fs::read_to_string(&path).unwrap();
            said.split('|').next().unwrap().to_owned()
        })
    }

    fn evict(&self, part: Part) -> Option<()> {
        let path = match part {
            Part::Epoch => self.folder().join("epoch"),
            Part::Hash => self.fulls().pop()?,
            Part::Meta | Part::All | Part::Kept => return None,
        };
        fs::remove_file(path).unwrap();
        Some(())
    }

    fn edit(&self, id: &str, full: &[u8]) -> Option<()> {
        let begins = |line: &[u8]| line.starts_with(format!(r#"{{"id":"{id}""#).as_bytes());
        if !begins(full) {
            return None;
        }
        let [path] = &self.fulls()[..] else { panic!("{:?}", self.names()) };
        let bytes = fs::read(path).unwrap();
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines: Vec<&[u8]> = lines.map(|line| if begins(line) { full } else { line }).collect();
        fs::write(path, lines.join(&b'\n')).unwrap();
        Some(())
    }

    fn persist_all(&self) -> Option<()> {
        None
    }

    fn spoil_epoch(&self, junk: &[u8]) -> Option<()> {
        fs::write(self.folder().join("epoch"), junk).unwrap();
        Some(())
    }

    fn save(&self) -> Option<Saved> {
        None
    }

    fn restore(&self, _: &Saved) {}

    fn content(&self) -> Vec<Option<Vec<u8>>> {
        self.names().iter().map(|name| fs::read(self.folder().join(name)).ok()).collect()
    }

    fn meta(&self) -> Option<Vec<u8>> {
        None
    }

    fn hash_ids(&self) -> Option<Vec<String>> {
        let [path] = &self.fulls()[..] else { panic!("{:?}", self.names()) };
        let text = fs::read_to_string(path).unwrap();
        let mut ids: Vec<String> = text.lines().map(|line| line[7..43].to_owned()).collect();
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
