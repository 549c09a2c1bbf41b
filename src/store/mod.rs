//! The cache: one protocol, spoken by Redis, by the files of this machine and by memory.
//!
//! Two things came to the protocol in Redis later and change nothing there for programs that don't
//! know them (their files are of another version): `kept`,
//! a copy of `all` that lives as long as its list proves anything ([`Store::kept`]), and the cheap
//! question that allows to publish it anew (`discovery::probe`). A copy counts only if it is what
//! the meta line describes, so one that an older program left behind is none.

pub mod error;
pub mod fallback;
pub mod files;
pub mod in_process;
mod keys;
pub mod meta;
mod open;
mod probe_backoff;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/store.rs"]
pub(crate) mod properties;
mod records;
pub mod redis;
mod report;
pub mod scope;
pub mod sum;
mod validate;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::model::node::{FullJson, NodeId};
use crate::model::secret::Secret;
use crate::model::snapshot::Snapshot;

use scope::Scope;

pub use crate::host::BootClock;
pub use crate::host::FolderSpace;
pub use error::{Error, ErrorKind};
pub use files::inspect::{FolderState, UsableFolder, inspect_folder};
pub use open::{Stores, open};
pub use probe_backoff::ProbeBackoff;
pub use report::{
    CacheState, Cleared, ClearedPlace, KeyStats, Memory, Minute, Present, Sample, Stats,
};

/// Which store to use, where, and whose nodes it holds.
#[derive(Debug, Clone)]
pub struct Place {
    pub choice: CacheMode,
    pub redis: RedisPlace,
    /// The cache folder of this user; `None` if there is no home.
    pub folder: Option<PathBuf>,
    pub scope: Scope,
    /// `nomad:clients`, or `nomad:clients:NAME` with `--cache-prefix NAME`.
    pub prefix: String,
    /// How long an answer is fresh.
    pub ttl: Duration,
    /// How long details are kept; never less than `ttl`.
    pub detail_ttl: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMode {
    /// Redis, and the files of this machine in a run in which Redis can't be used.
    Auto,
    Redis,
    Local,
    /// Memory of this process: nothing outlives the run.
    None,
}

impl Place {
    /// What questions for changes have come to on this machine.
    pub fn probes(&self) -> ProbeBackoff {
        ProbeBackoff::new(self.folder.clone(), &self.scope)
    }
}

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisPlace {
    /// `redis://`, `rediss://` or `unix://`; may hold a password.
    pub url: Secret,
    /// Somebody named this Redis (option, variable, file): its absence is worth a warning.
    pub asked: bool,
    pub ca_cert: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
}

/// How long a clear may take in all, the files of this machine included.
pub(crate) const CLEAR_PATIENCE: Duration = Duration::from_secs(5);

/// One method per step of the protocol, the same for every kind of store. Every method is bounded
/// in time by the protocol's budgets. Calls may come from several threads at once.
pub trait Store: Send + Sync {
    /// LOOK: is there something fresh? `Want::Full` reads the full records as well.
    fn look(&self, want: Want) -> Result<Look, Error>;

    /// Which publication LOOK would hit, without its bytes; `None` = it would miss.
    fn present(&self) -> Result<Option<Present>, Error> {
        Ok(match self.look(Want::Records)? {
            Look::Hit(Snapshot { rev, index, age, since, .. }) => {
                Some(Present { rev, index, age, since })
            }
            Look::Miss { .. } => None,
        })
    }

    /// ENTER: is there something fresh after all? If not, take the lease or say whom to wait for.
    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error>;

    /// BASE: the full records that the flight's meta describes, verified; `None` if they can't be had.
    fn base(&self, flight: &Flight) -> Option<Base>;

    /// KEPT: the `all` of the flight's meta, verified, and one full record as it stands; `None` if
    /// there is none, or if the list that it was made from is older than details may be.
    fn kept(&self, flight: &Flight, first: &NodeId) -> Option<Kept>;

    /// PUBLISH: everything in one atomic step, or nothing.
    fn publish(&self, flight: &Flight, publication: &Publication<'_>) -> Result<Published, Error>;

    /// RENEW: `false` if the lease is lost (publishing will be refused).
    fn renew(&self, flight: &Flight) -> Result<bool, Error>;

    /// RELEASE: give the lease back without an answer. Best effort, safe while another call of the
    /// same store is under way in another thread.
    fn release(&self, flight: &Flight);

    /// FAIL: those who wait for this flight learn the class. Best effort.
    fn fail(&self, flight: &Flight, class: FailureClass);

    /// VOID: Nomad has refused this credential. What is cached for it is served no more, and no
    /// other flight that began before brings it back; other credentials go on.
    fn void(&self, own: Option<&Flight>) -> Result<(), Error>;

    /// The partial publication of the flight that was waited for; `None` if it is not (any more) there.
    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error>;

    /// The last complete publication with its full records (`all` is empty), however old; `None` if
    /// there is none, or if it was cleared.
    fn last(&self) -> Option<Snapshot>;

    /// CLEAR: nothing older is ever served again. The report names what could not be done.
    fn clear(&self) -> Cleared;

    /// Takes or keeps the right to follow Nomad for all who share this cache; `false` if another
    /// has it. It saves work and protects nothing.
    fn follow(&self, _name: &str) -> Result<bool, Error> {
        Ok(true)
    }

    /// Gives that right back. Best effort.
    fn unfollow(&self, _name: &str) {}

    /// Counts answered runs. Best effort; nobody waits for it.
    fn count(&self, sample: &Sample);

    /// What `cache stats` shows.
    fn stats(&self) -> Result<Stats, Error>;
}

/// How a caller wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// From the cache while it is fresh.
    Get,
    /// By a list that began after the question.
    Refresh,
    /// By asking for everything again.
    Force,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Records,
    /// With the full records.
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Hit(Snapshot),
    /// `refuse` names the publication that is there and can't be used, if there is one.
    Miss {
        refuse: Option<String>,
    },
}

/// What may be served to one who enters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusedRevs {
    /// Every publication is refused: `*`.
    Everything,
    /// These revs are refused; none = everything valid is good enough.
    Revs(Vec<String>),
}

/// The question of one who enters.
#[derive(Debug, Clone)]
pub struct Enter<'a> {
    pub token: &'a str,
    pub how: How,
    pub refuse: &'a RefusedRevs,
    /// The lease that the last `Entered::Wait` named.
    pub waited: Option<&'a str>,
}

#[derive(Debug, Clone)]
pub enum Entered {
    /// Something fresh is there: look again.
    Hit { rev: String },
    /// Somebody else fetches. `rev` is the publication that is there, if there is one.
    Wait { lease: String, rev: Option<String> },
    /// Who was waited for has failed.
    Failed(FailureClass),
    /// Fetch, and publish under this flight.
    Own(Box<Flight>),
    /// The cache can't be written: fetch for yourself, publish nothing.
    Alone,
}

/// The right to fill. `solo`: works under the lease of another `--force`, renews nothing.
#[derive(Debug, Clone)]
pub struct Flight {
    pub token: String,
    /// The lease that the publication is compared with.
    pub watch: String,
    pub epoch: String,
    /// What the cache held when the flight began; serves as base and as lowest index.
    pub meta: Option<meta::Meta>,
    pub solo: bool,
    /// The family of keys that holds `meta`: `true` = the literal names (Redis only).
    pub literal: bool,
    /// The server's clock in milliseconds at `entered`.
    pub now_ms: u64,
    pub entered: Instant,
}

/// The verified content of the hash that a flight starts from.
#[derive(Debug, Clone)]
pub struct Base {
    /// The publication it belongs to.
    pub rev: String,
    /// Full records as JSON.
    pub fulls: HashMap<NodeId, FullJson>,
}

/// What a flight may publish anew.
#[derive(Debug, Clone)]
pub struct Kept {
    pub all: Vec<u8>,
    /// The record that was asked for; not verified.
    pub first: FullJson,
}

/// What one fetch writes.
#[derive(Debug, Clone)]
pub struct Publication<'a> {
    /// `X-Nomad-Index` of the list.
    pub index: u64,
    /// The highest of `index` and every ModifyIndex in the records.
    pub eff: u64,
    /// The rev whose higher index a second list disproved.
    pub reset: Option<&'a str>,
    /// When the list request was sent.
    pub list_sent: Instant,
    /// Some records have no details: the hash is written, `all` is not.
    pub partial: bool,
    /// Bytes of `all`; empty if partial.
    pub all: &'a [u8],
    /// Every full record, JSON, in the order of `all`.
    pub fulls: &'a [(NodeId, FullJson)],
    /// A delta against this base; `None` = whole.
    pub base: Option<&'a Base>,
    /// `all` is worth a copy that outlives it.
    pub keep: bool,
    /// Nothing has changed since this publication: `all` is what [`Store::kept`] gave, `fulls` and
    /// `base` say nothing.
    pub same: Option<&'a meta::Meta>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    Done,
    /// A newer index is known. Nothing changed, the lease is kept.
    Older {
        index: u64,
        rev: String,
    },
    /// The hash is not the base any more. Nothing changed, the lease is kept.
    Rebase,
    /// Not ours to publish. Ours is still true for whoever asked.
    Fenced,
}

/// Why a flight failed, as those who wait learn it: the protocol's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// 0: the answer is good and can't be cached.
    NotCacheable,
    /// 4
    Denied,
    /// 5
    Outage,
    /// 6
    NotNomad,
    /// 8: a partial publication is there.
    Partial,
}

impl FailureClass {
    pub fn number(self) -> u8 {
        match self {
            Self::NotCacheable => 0,
            Self::Denied => 4,
            Self::Outage => 5,
            Self::NotNomad => 6,
            Self::Partial => 8,
        }
    }

    /// Another number is treated as an outage: a newer program's class must not hang an older one.
    pub fn from_number(number: &str) -> Self {
        match number {
            "0" => Self::NotCacheable,
            "4" => Self::Denied,
            "6" => Self::NotNomad,
            "8" => Self::Partial,
            _ => Self::Outage,
        }
    }
}
