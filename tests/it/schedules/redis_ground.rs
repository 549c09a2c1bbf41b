//! A cache in a Redis, as the ground of schedules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::model::notice::Notifier;
use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::store::meta::{self, Meta};
use nomad_clients::store::monotonic::MonotonicStore;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{BootClock, CacheMode, Place, Store};
use redis::Value;
use tempfile::TempDir;

use crate::support::bench::{place, scope};
use crate::support::redis_server::RedisServer;

use super::actor::Actor;
use super::copied::Copied;
use super::ground::{Ground, Incident};
use super::oracles::{Inspected, is_readable, opened};
use super::resp::packed;
use super::rng::Rng;
use super::wire::{Tamper, Wire};
use super::world::{HOSTS, Limits, SCOPES};

pub(super) const P: &str = "nomad:clients";
/// The most processes of one schedule.
pub(super) const DOORS: usize = 6;

/// What LOOK brings along.
const SMALL: usize = 32 << 10;
/// Longer than it takes to write a copy.
const SETTLES: Duration = Duration::from_millis(20);

/// Key, dump, and when it ends.
type Dump = Vec<(Vec<u8>, Vec<u8>, i64)>;

/// What a store knows of what happened on its host before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remembers {
    Everything,
    /// Not what was shown.
    Clears,
    Nothing,
}

fn open(place: &Place, remembers: Remembers) -> Arc<dyn Store> {
    let redis = Arc::new(RedisStore::new(place, Notifier::nobody()).unwrap());
    if remembers != Remembers::Everything {
        return redis;
    }
    let boot = BootClock::of_this_boot(None);
    Arc::new(MonotonicStore::new(redis, place, boot, Notifier::nobody()))
}

pub(super) struct RedisGround {
    wire: Wire,
    url: String,
    /// Its own, or none if it is somebody else's.
    _server: Option<RedisServer>,
    hosts: [TempDir; HOSTS],
    dump: Mutex<Option<Dump>>,
    direct: Mutex<[Option<Arc<dyn Store>>; 2]>,
}

impl RedisGround {
    pub(super) fn new(twist: Arc<dyn Tamper>) -> Self {
        let server = RedisServer::start();
        let ground = Self::at(&server.socket(), twist);
        Self { _server: Some(server), ..ground }
    }

    /// On a server that belongs to somebody else.
    pub(super) fn at(socket: &Path, twist: Arc<dyn Tamper>) -> Self {
        Self {
            wire: Wire::new(socket, DOORS, twist),
            url: format!("unix://{}", socket.display()),
            _server: None,
            hosts: [(); HOSTS].map(|()| tempfile::tempdir().unwrap()),
            dump: Mutex::default(),
            direct: Mutex::default(),
        }
    }

    pub(super) fn ask<A: AsRef<[u8]>>(&self, words: &[A]) -> Value {
        self.wire.upstream().ask(words)
    }

    /// The strings of a reply, sorted: the order of a Redis is chance.
    fn strings<A: AsRef<[u8]>>(&self, words: &[A]) -> Vec<Vec<u8>> {
        let Value::Array(values) = self.ask(words) else { return Vec::new() };
        let mut all: Vec<_> = values.into_iter().filter_map(bytes).collect();
        all.sort();
        all
    }

    /// The store of a process, behind its gates.
    pub(super) fn admitted(&self, actor: &Arc<Actor>, remembers: Remembers) -> Arc<dyn Store> {
        let url = format!("unix://{}", self.wire.admit(actor).display());
        let folder = self.folder(actor.host);
        actor.notes().folder = Some(folder.clone());
        let place = place(SCOPES[actor.scope], &url);
        let folder = Some(folder).filter(|_| remembers != Remembers::Nothing);
        open(&Place { choice: CacheMode::Auto, folder, ..place }, remembers)
    }

    /// The cache directory of a host.
    fn folder(&self, host: usize) -> PathBuf {
        self.hosts[host].path().join("cache")
    }

    fn copy(&self, host: usize, of: usize, ending: &str) -> PathBuf {
        self.folder(host).join(format!("{}.{ending}", scope(SCOPES[of])))
    }

    /// It is evicted, or another program writes into it.
    fn spoil_kept(&self, rng: &mut Rng) -> Option<String> {
        let keys = self.strings(&["KEYS", "*:kept"]);
        let key = rng.pick(&keys)?;
        let said = if rng.percent(50) {
            self.ask(&[b"DEL", key.as_slice()]);
            "evicted"
        } else {
            self.ask(&[b"SETRANGE", key.as_slice(), b"5", b"Z"]);
            "edited"
        };
        Some(said.to_owned())
    }

    /// Another program writes into a copy of a host.
    fn spoil_copy(&self, of: usize, rng: &mut Rng) -> Option<String> {
        let ending = *rng.pick(&["copy", "copy-full"])?;
        let path = self.copy(rng.below(HOSTS), of, ending);
        let mut bytes = std::fs::read(&path).ok()?;
        let at = if rng.percent(50) { rng.below(200) } else { rng.below(bytes.len()) };
        *bytes.get_mut(at)? ^= 1;
        std::fs::write(&path, bytes).ok()?;
        Some(format!("{ending} at {at}"))
    }

    /// No memory, or no permission. A publication without a change may stop behind the deletion of the
    /// meta line for want of the latter.
    fn refuse(&self, rng: &mut Rng, limits: &mut Limits) -> String {
        limits.refuses = true;
        if rng.percent(50) {
            self.ask(&["CONFIG", "SET", "maxmemory", "1"]);
            return "no memory".to_owned();
        }
        limits.lossy = true;
        self.ask(&["ACL", "SETUSER", "default", "-set"]);
        "no permission".to_owned()
    }

    fn allow(&self, limits: &mut Limits) -> Value {
        limits.refuses = false;
        self.ask(&["ACL", "SETUSER", "default", "+@all"]);
        self.ask(&["CONFIG", "SET", "maxmemory", "0"])
    }

    /// Everything of everybody; nobody remembers that.
    fn clear_by_hand(&self, limits: &mut Limits) -> String {
        limits.unguarded = true;
        self.ask(&["FLUSHDB"]);
        String::new()
    }

    fn evict(&self, rng: &mut Rng, limits: &mut Limits) -> Option<String> {
        let mut keys = self.strings(&["KEYS", "*"]);
        let parts = |key: &&Vec<u8>| key.ends_with(b":meta") || key.ends_with(b":hash");
        let some: Vec<_> = keys.iter().filter(parts).cloned().collect();
        if rng.percent(50) && !some.is_empty() {
            keys = some;
        }
        let key = rng.pick(&keys)?;
        limits.lossy |= key.ends_with(b":meta") || key.ends_with(b":epoch");
        self.ask(&[b"DEL", key.as_slice()]);
        Some(String::from_utf8_lossy(key).into_owned())
    }

    fn foreign(&self, own: &str, rng: &mut Rng) -> String {
        let edits = ["add", "swap", "edit", "drop", "type", "all", "exchange"];
        let edit = *rng.pick(&edits).expect("there are some");
        let ids_of = |hash: &str| self.strings(&["HKEYS", hash]);
        let hashes = [format!("{P}:hash"), own.to_owned()].map(|hash| (ids_of(&hash), hash));
        let filled: Vec<_> = hashes.iter().filter(|(ids, _)| !ids.is_empty()).collect();
        let (ids, hash) = rng.pick(&filled).copied().unwrap_or(&hashes[0]);
        let (hash, strange) = (hash.as_bytes(), &br#"{"id":"q"}"#[..]);
        match (edit, &ids[..]) {
            ("add", [_, ..]) => drop(self.ask(&[b"HSET", hash, b"q", strange])),
            ("swap", [first, ..]) => {
                self.ask(&[b"HDEL", hash, first]);
                self.ask(&[b"HSET", hash, b"q", strange]);
            }
            ("edit", [first, ..]) => {
                let Some(mut full) = bytes(self.ask(&[b"HGET", hash, first])) else {
                    return edit.to_owned();
                };
                full.push(b' ');
                self.ask(&[b"HSET", hash, first, &full]);
            }
            ("drop", [first, ..]) => drop(self.ask(&[b"HDEL", hash, first])),
            ("exchange", [a, b, ..]) => {
                let Value::Array(values) = self.ask(&[b"HMGET", hash, a, b]) else { panic!() };
                let values: Vec<_> = values.into_iter().filter_map(bytes).collect();
                self.ask(&[b"HSET", hash, a, &values[1], b, &values[0]]);
            }
            ("type", _) => drop(self.ask(&[b"SET", hash, b"x"])),
            ("all", _) => drop(self.ask(&["SETRANGE", "nomad:clients:all", "5", "Z"])),
            _ => {}
        }
        edit.to_owned()
    }

    /// What a hash holds.
    pub(super) fn hash(&self, key: &str) -> BTreeMap<String, Vec<u8>> {
        fields(self.ask(&["HGETALL", key]))
    }

    /// What a key holds.
    pub(super) fn text(&self, key: &str) -> Option<Vec<u8>> {
        bytes(self.ask(&["GET", key]))
    }

    /// The meta line of one family.
    pub(super) fn meta(&self, prefix: &str) -> Option<Meta> {
        Meta::parse(&self.text(&format!("{prefix}:meta"))?)
    }

    /// This host remembers no clear any more.
    pub(super) fn forget(&self) {
        for host in 0..HOSTS {
            let _ = std::fs::remove_dir_all(self.folder(host));
        }
    }

    fn save(&self) -> String {
        let dump = |key: Vec<u8>| {
            let content = bytes(self.ask(&[b"DUMP", key.as_slice()]))?;
            let Value::Int(ends) = self.ask(&[b"PEXPIRETIME", key.as_slice()]) else {
                return None;
            };
            Some((key, content, ends.max(0)))
        };
        let dump: Dump = self.strings(&["KEYS", "*"]).into_iter().filter_map(dump).collect();
        let said = format!("{} keys", dump.len());
        *self.dump.lock().unwrap() = Some(dump);
        said
    }

    fn load(&self, limits: &mut Limits) -> Option<String> {
        let dump = self.dump.lock().unwrap().take()?;
        limits.rolled_back = true;
        self.allow(limits);
        self.ask(&["FLUSHDB"]);
        for (key, content, ends) in dump {
            let ends = ends.to_string();
            self.ask(&[b"RESTORE", key.as_slice(), ends.as_bytes(), &content, b"ABSTTL"]);
        }
        *self.direct.lock().unwrap() = Default::default();
        Some(String::new())
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn keys(prefix: &str) -> [String; 3] {
    ["meta", "all", "hash"].map(|key| format!("{prefix}:{key}"))
}

fn own(of: usize) -> String {
    format!("{P}:{}", scope(SCOPES[of]))
}

impl Ground for RedisGround {
    fn has_inner_gates(&self) -> bool {
        true
    }

    fn reset(&self) {
        self.allow(&mut Limits::default());
        self.ask(&["FLUSHDB"]);
        *self.dump.lock().unwrap() = None;
        *self.direct.lock().unwrap() = Default::default();
        self.forget();
    }

    fn store(&self, actor: &Arc<Actor>) -> Arc<dyn Store> {
        self.admitted(actor, Remembers::Everything)
    }

    /// It writes no copies: they would be there at any time.
    fn direct(&self, scope: usize) -> Arc<dyn Store> {
        let mut kept = self.direct.lock().unwrap();
        let folder = Some(self.folder(0));
        let place = Place { folder, ..place(SCOPES[scope], &self.url) };
        let open = || open(&place, Remembers::Everything);
        Arc::clone(kept[scope].get_or_insert_with(open))
    }

    fn remembers_shown(&self) -> bool {
        true
    }

    /// Else it would be chance whether the next process finds it.
    fn settle(&self, actor: &Actor, hit: &Snapshot) {
        let endings = if hit.fulls.is_some() { &["copy", "copy-full"][..] } else { &["copy"] };
        let path = |ending: &&str| self.copy(actor.host, actor.scope, ending);
        let of = format!("|{}|{}|", hit.all.len(), meta::sum(&hit.all));
        let is_copied = |ending| Copied::read(&path(ending)).is_some_and(|it| it.is_of(&of));
        let began = Instant::now();
        while hit.all.len() > SMALL && !endings.iter().all(is_copied) && began.elapsed() < SETTLES {
            std::thread::yield_now();
        }
    }

    fn strike(
        &self,
        blow: Incident,
        of: usize,
        rng: &mut Rng,
        limits: &mut Limits,
    ) -> Option<String> {
        let [literal, own] = [keys(P), keys(&own(of))];
        match blow {
            Incident::Evict => return self.evict(rng, limits),
            Incident::LoseLease => self.ask(&["DEL", &format!("{P}:lease:{}", scope(SCOPES[of]))]),
            Incident::EndAll => self.ask(&["DEL", &literal[1], &own[1]]),
            Incident::EndHash => {
                limits.lossy = true;
                self.ask(&["DEL", &literal[0], &literal[1], &literal[2]])
            }
            Incident::Foreign => {
                limits.touched = true;
                return Some(self.foreign(&own[2], rng));
            }
            Incident::SpoilKept => return self.spoil_kept(rng),
            Incident::SpoilCopy => return self.spoil_copy(of, rng),
            Incident::ClearByHand => return Some(self.clear_by_hand(limits)),
            Incident::Refuse => return Some(self.refuse(rng, limits)),
            Incident::Allow => self.allow(limits),
            Incident::Save => return Some(self.save()),
            Incident::Load => return self.load(limits),
        };
        Some(String::new())
    }

    fn inspect(&self, of: usize, _: &str) -> Option<Inspected> {
        let name = scope(SCOPES[of]);
        let found = [P.to_owned(), own(of)].into_iter().find_map(|prefix| {
            let meta = self.meta(&prefix)?;
            (meta.scope == name.as_str()).then_some((meta, keys(&prefix)))
        });
        let (meta, [meta_key, all, hash]) = found?;
        let questions = [["PTTL", &all], ["PTTL", &hash], ["PTTL", &meta_key], ["HGETALL", &hash]];
        let packed: Vec<u8> = questions.iter().flat_map(|words| packed(words)).collect();
        let replies = self.wire.upstream().exchange(&packed, questions.len());
        let mut parser = redis::Parser::new();
        let mut replies = replies.as_slice();
        let mut reply = || parser.parse_value(&mut replies).unwrap();
        let left = [(); 3].map(|()| match reply() {
            Value::Int(left) => u64::try_from(left).ok().map(Duration::from_millis),
            _ => None,
        });
        let stored = fields(reply());
        let text = self.text(&all);
        let is_readable = is_readable(&meta, text.as_deref(), &stored);
        let (has_all, hash) = (left[0].is_some(), opened(stored));
        Some(Inspected { rev: meta.rev, has_all, is_readable, hash, left: Some(left) })
    }
}

fn fields(reply: Value) -> BTreeMap<String, Vec<u8>> {
    let Value::Array(values) = reply else { return BTreeMap::new() };
    let mut values = values.into_iter().filter_map(bytes);
    let mut fields = BTreeMap::new();
    while let (Some(id), Some(full)) = (values.next(), values.next()) {
        fields.insert(String::from_utf8_lossy(&id).into_owned(), full);
    }
    fields
}
