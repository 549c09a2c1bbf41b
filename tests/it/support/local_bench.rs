//! The files of one machine, seen by several processes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nomad_clients::model::remark::Tell;
use nomad_clients::store::local::LocalStore;
use nomad_clients::store::meta::Meta;
use nomad_clients::store::{BootClock, Look, Store};
use serde_json::Value;
use tempfile::TempDir;

use super::bench::{Bench, Ear, Part, Saved, place, scope};

/// The scope that `evict` and its like mean: the first of the scenes.
const FIRST: &str = "a0";

pub(crate) struct LocalBench {
    home: TempDir,
    ahead: Arc<AtomicU64>,
    origin: Instant,
}

impl LocalBench {
    pub(crate) fn new() -> Self {
        let (home, ahead) = (tempfile::tempdir().unwrap(), Arc::default());
        Self { home, ahead, origin: Instant::now() }
    }

    /// This boot's clock as it was when the bench was made, plus what has passed.
    pub(crate) fn clock(&self) -> BootClock {
        let (ahead, origin) = (Arc::clone(&self.ahead), self.origin);
        let now = move || {
            let passed = u64::try_from(origin.elapsed().as_millis()).unwrap();
            1_000_000 + ahead.load(Ordering::SeqCst) + passed
        };
        BootClock { now: Arc::new(now), id: "this-boot".to_owned() }
    }

    /// Time that nobody has to wait for.
    pub(crate) fn skip(&self, time: Duration) {
        self.ahead.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn open(&self, scope: &str, boot: BootClock, tell: Tell) -> LocalStore {
        let mut place = place(scope, "");
        place.folder = Some(self.folder());
        LocalStore::open(&place, boot, tell).unwrap()
    }

    /// A process whose remarks are heard.
    pub(crate) fn heard(&self) -> (LocalStore, Ear) {
        let ear = Ear::default();
        (self.open(FIRST, self.clock(), ear.tell()), ear)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    pub(crate) fn path(&self, ending: &str) -> PathBuf {
        self.folder().join(format!("{}.{ending}", scope(FIRST)))
    }

    /// Every file, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn header(&self) -> Option<Value> {
        let bytes = fs::read(self.path("snap")).ok()?;
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        Some(serde_json::from_slice(line).unwrap())
    }

    /// Writes the snapshot again with another header.
    pub(crate) fn change_header(&self, change: impl FnOnce(&mut Value)) {
        let bytes = fs::read(self.path("snap")).unwrap();
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let mut header: Value = serde_json::from_slice(&bytes[..end]).unwrap();
        change(&mut header);
        let changed = [header.to_string().as_bytes(), &bytes[end..]].concat();
        fs::write(self.path("snap"), changed).unwrap();
    }

    /// The file of full records that the header names.
    pub(crate) fn full_path(&self) -> Option<PathBuf> {
        let header = self.header()?;
        let name = header["full"].as_str().filter(|name| !name.is_empty())?;
        Some(self.folder().join(name))
    }

    fn full_lines(&self) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.full_path()?).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }
}

impl Bench for LocalBench {
    fn store(&self, scope: &str) -> Arc<dyn Store> {
        Arc::new(self.open(scope, self.clock(), Tell::nobody()))
    }

    /// Files are of one machine.
    fn elsewhere(&self, _: &str) -> Option<Arc<dyn Store>> {
        None
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// The kernel keeps a lock for as long as its owner lives.
    fn lose_lease(&self, _: &str) -> Option<()> {
        None
    }

    /// Only a process that lives can hold a lock.
    fn set_lease(&self, _: &str, _: &str, _: Option<Duration>) -> Option<()> {
        None
    }

    fn lease(&self, scope_name: &str) -> Option<String> {
        let path = self.folder().join(format!("{}.flight", scope(scope_name)));
        let file = fs::File::open(&path).ok()?;
        if file.try_lock().is_ok() {
            return None;
        }
        Some(fs::read_to_string(path).unwrap().trim_end().to_owned())
    }

    fn evict(&self, part: Part) -> Option<()> {
        let path = match part {
            Part::Epoch => self.folder().join("epoch"),
            Part::Meta | Part::All => self.path("snap"),
            Part::Hash => self.full_path()?,
        };
        fs::remove_file(path).ok()
    }

    fn edit(&self, id: &str, full: &[u8]) -> Option<()> {
        let full = std::str::from_utf8(full).unwrap();
        let start = format!(r#"{{"id":"{id}""#);
        let lines = self.full_lines()?;
        let edited = lines.iter().map(|line| if line.starts_with(&start) { full } else { line });
        let edited: String = edited.flat_map(|line| [line, "\n"]).collect();
        fs::write(self.full_path()?, edited).ok()
    }

    /// A snapshot has no expiry of its own that somebody could take away.
    fn persist_all(&self) -> Option<()> {
        None
    }

    fn spoil_epoch(&self, junk: &[u8]) -> Option<()> {
        fs::write(self.folder().join("epoch"), junk).ok()
    }

    /// Files do not go back to the past without their owner.
    fn save(&self) -> Option<Saved> {
        None
    }

    fn restore(&self, _: &Saved) {}

    fn content(&self) -> Vec<Option<Vec<u8>>> {
        let full = self.full_path().and_then(|path| fs::read(path).ok());
        vec![fs::read(self.folder().join("epoch")).ok(), fs::read(self.path("snap")).ok(), full]
    }

    fn meta(&self) -> Option<Vec<u8>> {
        let header = self.header()?;
        let text = |key: &str| header[key].as_str().unwrap().to_owned();
        let number = |key: &str| header[key].as_u64().unwrap();
        let meta = Meta {
            scope: text("scope"),
            epoch: text("epoch"),
            rev: text("rev"),
            index: number("idx"),
            count: number("count"),
            len: number("len"),
            sum: text("sum"),
            hsum: text("hsum"),
            ttl_ms: number("ttl"),
            lag_ms: number("lag"),
        };
        Some(meta.to_string().into_bytes())
    }

    fn hash_ids(&self) -> Option<Vec<String>> {
        let mut ids: Vec<String> =
            self.full_lines()?.iter().map(|line| line[7..43].to_owned()).collect();
        ids.sort();
        Some(ids)
    }

    fn hash_left(&self) -> Option<Duration> {
        let at = self.header()?["at"].as_u64().unwrap();
        let since = Duration::from_millis((self.clock().now)().checked_sub(at)?);
        Duration::from_secs(300).checked_sub(since)
    }

    fn shorten_hash(&self) -> Option<()> {
        self.skip(Duration::from_secs(295));
        Some(())
    }

    /// The expiry is in the file that holds the records.
    fn look_around(&self, _: &str, _: Box<dyn FnOnce() + Send>) -> Option<Look> {
        None
    }
}
