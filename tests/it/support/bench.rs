//! Stores that tests can put side by side and spoil, whatever they are made of.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nomad_clients::model::notice::{Notice, Notifier};
use nomad_clients::model::secret::Secret;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::scope::{Cluster, Scope};
use nomad_clients::store::{CacheMode, Look, Place, RedisPlace, Store};
use redis::Value;
use tempfile::TempDir;

use super::redis_server::RedisServer;

pub(crate) use super::oracle_bench::OracleBench;

/// What a cache consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Epoch,
    Meta,
    All,
    Hash,
    /// The copy of `all` that outlives it.
    Kept,
}

impl Part {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Epoch => "nomad:clients:epoch",
            Self::Meta => "nomad:clients:meta",
            Self::All => "nomad:clients:all",
            Self::Hash => "nomad:clients:hash",
            Self::Kept => "nomad:clients:kept",
        }
    }
}

/// One cache, seen by several processes. `None`: this can't happen to this kind of store.
pub(crate) trait Bench {
    /// The store of one more process on this host.
    fn store(&self, scope: &str) -> Arc<dyn Store>;
    /// The store of a process on another host that shares the cache.
    fn elsewhere(&self, scope: &str) -> Option<Arc<dyn Store>>;
    /// One cache holds several scopes.
    fn holds_scopes(&self) -> Option<()> {
        Some(())
    }
    fn now(&self) -> Instant;
    fn pass(&self, time: Duration);

    /// The lease runs out.
    fn lose_lease(&self, scope: &str) -> Option<()>;
    /// Somebody else writes a lease.
    fn set_lease(&self, scope: &str, lease: &str, ttl: Option<Duration>) -> Option<()>;
    fn lease(&self, scope: &str) -> Option<String>;
    /// A part of the literal family is evicted.
    fn evict(&self, part: Part) -> Option<()>;
    /// Somebody else writes a full record.
    fn edit(&self, id: &str, full: &[u8]) -> Option<()>;
    /// The copy of `all` that outlives it, and for how long.
    fn kept(&self) -> Option<(Vec<u8>, Duration)> {
        None
    }
    /// Somebody else writes that copy.
    fn set_kept(&self, _all: &[u8], _ttl: Duration) -> Option<()> {
        None
    }
    /// Somebody else shortens `all`.
    fn shorten_all(&self) -> Option<()> {
        None
    }
    /// `all` never expires.
    fn persist_all(&self) -> Option<()>;
    fn spoil_epoch(&self, junk: &[u8]) -> Option<()>;
    /// What is there now; `restore` brings it back, as a restart from a dump does.
    fn save(&self) -> Option<Saved>;
    fn restore(&self, saved: &Saved);
    /// Everything there is, for a comparison.
    fn content(&self) -> Vec<Option<Vec<u8>>>;
    /// The meta line.
    fn meta(&self) -> Option<Vec<u8>>;
    /// The ids of the full records, sorted; `None` if there is no hash.
    fn hash_ids(&self) -> Option<Vec<String>>;
    /// How long the full records are kept.
    fn hash_left(&self) -> Option<Duration>;
    /// Makes the full records end soon.
    fn shorten_hash(&self) -> Option<()>;
    /// A look during which `event` happens: after the expiries were read, before the values are.
    fn look_around(&self, scope: &str, event: Box<dyn FnOnce() + Send>) -> Option<Look>;
}

/// What [`Bench::save`] kept: keys and their content.
pub(crate) struct Saved(pub(crate) Vec<(String, Vec<u8>)>);

pub(crate) fn scope(name: &str) -> Scope {
    Scope::of(&Cluster { host: name.to_owned(), ..Cluster::default() })
}

/// A place with the usual times and no folder.
pub(crate) fn place(scope_name: &str, url: &str) -> Place {
    Place {
        choice: CacheMode::Redis,
        redis: RedisPlace {
            url: Secret::new(url),
            is_configured: true,
            ca_cert: None,
            client_cert: None,
            client_key: None,
            silence: None,
            timeout: Duration::from_secs(30),
        },
        folder: None,
        copies: true,
        scope: scope(scope_name),
        prefix: "nomad:clients".to_owned(),
        ttl: Duration::from_secs(60),
        detail_ttl: Duration::from_secs(300),
    }
}

/// Keeps the remarks that it is told.
#[derive(Clone, Default)]
pub(crate) struct NoticeRecorder(Arc<Mutex<Vec<Notice>>>);

impl NoticeRecorder {
    pub(crate) fn tell(&self) -> Notifier {
        let heard = Arc::clone(&self.0);
        Notifier::new(move |remark| heard.lock().unwrap().push(remark))
    }

    /// What was heard since the last time, `-vv` left out.
    pub(crate) fn heard(&self) -> Vec<String> {
        use nomad_clients::model::notice::Level;
        let remarks = std::mem::take(&mut *self.0.lock().unwrap());
        let loud = remarks.into_iter().filter(|remark| remark.level != Level::Call);
        loud.map(|remark| format!("{:?}: {}", remark.level, remark.text)).collect()
    }
}

pub(crate) struct RedisBench {
    pub(crate) server: RedisServer,
    here: TempDir,
    there: TempDir,
}

impl RedisBench {
    pub(crate) fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        Self { server: RedisServer::start(), here: folder(), there: folder() }
    }

    fn open(&self, scope: &str, host: &TempDir) -> Arc<dyn Store> {
        let mut place = place(scope, &self.server.url());
        place.folder = Some(host.path().join("cache"));
        place.choice = CacheMode::Auto;
        Arc::new(RedisStore::new(&place, Notifier::nobody()).unwrap())
    }
}

fn lease_key(scope_name: &str) -> String {
    format!("nomad:clients:lease:{}", scope(scope_name))
}

impl Bench for RedisBench {
    fn store(&self, scope: &str) -> Arc<dyn Store> {
        self.open(scope, &self.here)
    }

    fn elsewhere(&self, scope: &str) -> Option<Arc<dyn Store>> {
        Some(self.open(scope, &self.there))
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn lose_lease(&self, scope: &str) -> Option<()> {
        self.server.cli(&["DEL", &lease_key(scope)]);
        Some(())
    }

    fn set_lease(&self, scope: &str, lease: &str, ttl: Option<Duration>) -> Option<()> {
        self.server.cli(&["SET", &lease_key(scope), lease]);
        if let Some(ttl) = ttl {
            self.server.cli(&["PEXPIRE", &lease_key(scope), &ttl.as_millis().to_string()]);
        }
        Some(())
    }

    fn lease(&self, scope: &str) -> Option<String> {
        let lease = self.server.bytes(&["GET", &lease_key(scope)])?;
        Some(String::from_utf8(lease).unwrap())
    }

    fn evict(&self, part: Part) -> Option<()> {
        self.server.cli(&["DEL", part.key()]);
        Some(())
    }

    fn edit(&self, id: &str, full: &[u8]) -> Option<()> {
        self.server.cli(&[b"HSET", Part::Hash.key().as_bytes(), id.as_bytes(), full]);
        Some(())
    }

    fn shorten_all(&self) -> Option<()> {
        self.server.cli(&["SET", Part::All.key(), "[]", "KEEPTTL"]);
        Some(())
    }

    fn kept(&self) -> Option<(Vec<u8>, Duration)> {
        let left = self.server.int(&["PTTL", Part::Kept.key()]);
        let left = Duration::from_millis(u64::try_from(left).ok()?);
        Some((self.server.bytes(&["GET", Part::Kept.key()])?, left))
    }

    fn set_kept(&self, all: &[u8], ttl: Duration) -> Option<()> {
        let ms = ttl.as_millis().to_string();
        self.server.cli(&[b"SET", Part::Kept.key().as_bytes(), all, b"PX", ms.as_bytes()]);
        Some(())
    }

    fn persist_all(&self) -> Option<()> {
        assert_eq!(self.server.int(&["PERSIST", Part::All.key()]), 1);
        Some(())
    }

    fn spoil_epoch(&self, junk: &[u8]) -> Option<()> {
        self.server.cli(&[b"SET", Part::Epoch.key().as_bytes(), junk]);
        Some(())
    }

    fn save(&self) -> Option<Saved> {
        let parts = [Part::Epoch, Part::Meta, Part::All, Part::Hash, Part::Kept];
        let dump =
            |part: Part| Some((part.key().to_owned(), self.server.bytes(&["DUMP", part.key()])?));
        Some(Saved(parts.into_iter().filter_map(dump).collect()))
    }

    fn restore(&self, saved: &Saved) {
        for (key, dump) in &saved.0 {
            let restored = self.server.cli(&[b"RESTORE", key.as_bytes(), b"60000", dump]);
            assert_eq!(restored, Value::Okay);
        }
    }

    fn content(&self) -> Vec<Option<Vec<u8>>> {
        [Part::Epoch, Part::Meta, Part::All, Part::Hash, Part::Kept]
            .map(|part| self.server.bytes(&["DUMP", part.key()]))
            .to_vec()
    }

    fn meta(&self) -> Option<Vec<u8>> {
        self.server.bytes(&["GET", Part::Meta.key()])
    }

    fn hash_ids(&self) -> Option<Vec<String>> {
        let Value::Array(ids) = self.server.cli(&["HKEYS", Part::Hash.key()]) else { panic!() };
        let mut ids: Vec<String> = ids
            .into_iter()
            .map(|id| match id {
                Value::BulkString(id) => String::from_utf8(id).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        ids.sort();
        Some(ids).filter(|ids| !ids.is_empty())
    }

    fn hash_left(&self) -> Option<Duration> {
        let left = self.server.int(&["PTTL", Part::Hash.key()]);
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    fn shorten_hash(&self) -> Option<()> {
        self.server.cli(&["PEXPIRE", Part::Hash.key(), "5000"]);
        Some(())
    }

    fn look_around(&self, scope: &str, event: Box<dyn FnOnce() + Send>) -> Option<Look> {
        Some(super::interpose::look(self.server.socket(), scope, event))
    }
}
