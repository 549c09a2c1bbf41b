//! The cache: one protocol, spoken by Redis, by the files of this machine and by memory.

pub mod error;
pub mod fallback;
pub mod files;
mod flight;
pub mod in_process;
mod keys;
pub mod meta;
pub mod monotonic;
mod open;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/store.rs"]
pub(crate) mod properties;
mod records;
pub mod redis;
mod report;
pub mod scope;
mod validate;

use std::path::PathBuf;
use std::time::Duration;

use crate::model::node::FullJson;
use crate::model::secret::Secret;
use crate::model::snapshot::Snapshot;

use scope::Scope;

pub use crate::host::{AllFile, BootClock, FolderError, FolderFlaw, FolderSpace};
pub use error::{Error, ErrorKind};
pub use files::inspect::{UsableFolder, inspect_folder};
pub use flight::{Base, FailureClass, Flight, Lease, Publication, Published};
pub use open::{Stores, open};
pub use report::{
    CacheEntry, CacheState, Cleared, ClearedPlace, KeyRole, KeyStats, Memory, Present, Sample,
    ShownList, Stats,
};

/// Which store to use, where, and whose nodes it holds.
#[derive(Debug, Clone)]
pub struct Place {
    pub choice: CacheMode,
    pub redis: RedisPlace,
    /// The cache directory of this user; `None` if there is no home.
    pub folder: Option<PathBuf>,
    /// Whether the folder has copies of what Redis holds; `serve` keeps them in memory.
    pub copies: bool,
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

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisPlace {
    /// `redis://`, `rediss://` or `unix://`; may hold a password.
    pub url: Secret,
    /// Somebody named this Redis (option, variable, file): its absence is worth a warning.
    pub is_configured: bool,
    pub ca_cert: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    /// How long it may be silent; `None` = as long as a full fetch takes.
    pub silence: Option<Duration>,
    /// How long one answer may take that keeps coming.
    pub timeout: Duration,
}

/// How long a clear may take in all, the files of this machine included.
pub(crate) const CLEAR_TIMEOUT: Duration = Duration::from_secs(5);

/// One method per step of the protocol, the same for every kind of store. Every method is bounded
/// in time by the protocol's budgets. Calls may come from several threads at once.
pub trait Store: Send + Sync {
    /// LOOK: is there something fresh? `Want::Full` reads the full records as well.
    fn look(&self, want: Want) -> Result<Look, Error>;

    /// Which publication LOOK would hit, without its bytes; `None` = it would miss.
    fn present(&self) -> Result<Option<Present>, Error> {
        Ok(match self.look(Want::Records)? {
            Look::Hit(Snapshot { rev, index, age, since, .. })
            | Look::File(Snapshot { rev, index, age, since, .. }, _) => {
                Some(Present { rev, index, age, since })
            }
            Look::Miss { .. } => None,
        })
    }

    /// ENTER: is there something fresh after all? If not, take the lease or say whom to wait for.
    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error>;

    /// BASE: the records of the flight's meta, verified, and the full ones if they are wanted; `None`
    /// if they can't be had.
    fn base(&self, flight: &Flight, want: Want) -> Option<Base>;

    /// PUBLISH: everything in one atomic step, or nothing. The flight is over, unless it comes back.
    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error>;

    /// RENEW: `false` if the lease is lost (publishing will be refused).
    fn renew(&self, lease: &Lease) -> Result<bool, Error>;

    /// RELEASE: give the lease back without an answer. Best effort, safe while another call of the
    /// same store is under way in another thread.
    fn release(&self, lease: &Lease);

    /// FAIL: those who wait for this flight learn the class. Best effort.
    fn fail(&self, lease: &Lease, class: FailureClass);

    /// VOID: Nomad has refused this credential. What is cached for it is served no more, and no
    /// other flight that began before brings it back; other credentials go on.
    fn void(&self, own: Option<&Lease>) -> Result<(), Error>;

    /// What this host keeps because a Redis that can be read could not take it; `None` if there is
    /// nothing fresh.
    fn kept_here(&self, _want: Want) -> Option<Snapshot> {
        None
    }

    /// The partial publication of the flight that was waited for (`all` is empty); `None` if it is not
    /// (any more) there.
    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error>;

    /// FULL: the full record that begins with this record of a publication that LOOK has just found,
    /// read alone; `None` if this store reads only all of them together, or has another one.
    fn full(&self, _record: &[u8]) -> Option<FullJson> {
        None
    }

    /// The last complete publication, however old; `None` if there is none, or if it was cleared.
    fn last(&self, want: Want) -> Option<Snapshot>;

    /// The highest index that this host has shown, and the publication that it showed last. A list
    /// below it is asked for twice.
    fn shown(&self) -> (u64, String) {
        (0, String::new())
    }

    /// This answer was printed: nothing older is shown on this host any more. Best effort.
    fn printed(&self, _snapshot: &Snapshot) {}

    /// Two lists in a row were lower than what this host has shown: the cluster was restored, and is
    /// shown from now on. `age`: since the first of them was requested. Best effort.
    fn restored(&self, _index: u64, _age: Duration) {}

    /// CLEAR: nothing older is ever served again. The report names what could not be done.
    fn clear(&self) -> Cleared;

    /// Takes or keeps the right to follow Nomad for all who share this cache; `false` if another
    /// has it. It saves work and protects nothing.
    fn follow(&self, _name: &str) -> Result<bool, Error> {
        Ok(true)
    }

    /// Gives that right back. Best effort.
    fn unfollow(&self, _name: &str) {}

    /// Whether a Redis that should be used could not be: what it holds is unknown.
    fn has_lost_redis(&self) -> bool {
        false
    }

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
    /// Their bytes alone, which may stay in a file: [`Look::File`].
    Stream,
    /// With the full records.
    Full,
}

impl Want {
    /// The same without a file.
    pub fn in_memory(self) -> Self {
        if self == Self::Stream { Self::Records } else { self }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Hit(Snapshot),
    /// The same without `all`: these are its bytes, which have been checked.
    File(Snapshot, AllFile),
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

#[derive(Debug)]
pub enum Entered {
    /// Something fresh is there: look again.
    Hit { rev: String },
    /// Somebody else fetches. `rev` is the publication that is there, if there is one.
    Wait { lease: String, rev: Option<String> },
    /// Who was waited for has failed.
    Failed(FailureClass),
    /// Fetch, and publish under this flight.
    Own(Flight),
    /// The cache can't be written: fetch for yourself, publish nothing.
    Alone,
}
