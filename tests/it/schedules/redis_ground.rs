//! A cache in a Redis, as the ground of schedules.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::Store;
use nomad_clients::store::meta::Meta;
use nomad_clients::store::redis::RedisStore;
use redis::Value;
use tempfile::TempDir;

use crate::support::bench::{place, scope};
use crate::support::redis_server::RedisServer;

use super::actor::Actor;
use super::ground::{Ground, Incident};
use super::oracles::{Inspected, is_readable, opened};
use super::resp::packed;
use super::rng::Rng;
use super::wire::{Tamper, Wire};
use super::world::{Limits, SCOPES};

pub(super) const P: &str = "nomad:clients";
/// The most processes of one schedule.
pub(super) const DOORS: usize = 6;

/// Key, dump and expiry in milliseconds.
type Dump = Vec<(Vec<u8>, Vec<u8>, i64)>;

pub(super) struct RedisGround {
    wire: Wire,
    url: String,
    /// Its own, or none if it is somebody else's.
    _server: Option<RedisServer>,
    host: TempDir,
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
            host: tempfile::tempdir().unwrap(),
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
    pub(super) fn admitted(&self, actor: &Arc<Actor>, remembers: bool) -> Arc<dyn Store> {
        let url = format!("unix://{}", self.wire.admit(actor).display());
        self.open(actor.scope, &url, remembers)
    }

    /// `remembers`: it has the notes that this host keeps of clears.
    fn open(&self, of: usize, url: &str, remembers: bool) -> Arc<dyn Store> {
        let mut place = place(SCOPES[of], url);
        place.folder = remembers.then(|| self.host.path().join("cache"));
        Arc::new(RedisStore::new(&place, Notifier::nobody()).unwrap())
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
        let hash = if rng.percent(50) { format!("{P}:hash") } else { own.to_owned() };
        let ids = self.strings(&["HKEYS", &hash]);
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
        let _ = std::fs::remove_dir_all(self.host.path().join("cache"));
    }

    fn save(&self) -> String {
        let dump = |key: Vec<u8>| {
            let content = bytes(self.ask(&[b"DUMP", key.as_slice()]))?;
            let Value::Int(left) = self.ask(&[b"PTTL", key.as_slice()]) else { return None };
            Some((key, content, left.max(0)))
        };
        let dump: Dump = self.strings(&["KEYS", "*"]).into_iter().filter_map(dump).collect();
        let said = format!("{} keys", dump.len());
        *self.dump.lock().unwrap() = Some(dump);
        said
    }

    fn load(&self, limits: &mut Limits) -> Option<String> {
        let dump = self.dump.lock().unwrap().take()?;
        limits.rolled_back = true;
        self.ask(&["FLUSHDB"]);
        for (key, content, left) in dump {
            self.ask(&[b"RESTORE", key.as_slice(), left.to_string().as_bytes(), &content]);
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
        self.ask(&["FLUSHDB"]);
        *self.dump.lock().unwrap() = None;
        *self.direct.lock().unwrap() = Default::default();
        self.forget();
    }

    fn store(&self, actor: &Arc<Actor>) -> Arc<dyn Store> {
        self.admitted(actor, true)
    }

    fn direct(&self, scope: usize) -> Arc<dyn Store> {
        let mut kept = self.direct.lock().unwrap();
        let open = || self.open(scope, &self.url, true);
        Arc::clone(kept[scope].get_or_insert_with(open))
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
