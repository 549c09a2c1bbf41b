//! Where a cache lies, and what may happen to it there besides what the processes do.

use std::sync::Arc;

use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::store::Store;

use super::actor::Actor;
use super::oracles::Inspected;
use super::rng::Rng;
use super::world::Limits;

/// What happens to a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incident {
    /// One key, any key, is evicted.
    Evict,
    /// The lease of one scope ends.
    LoseLease,
    /// `all` ends.
    EndAll,
    /// `all`, `hash` and meta end.
    EndHash,
    /// Somebody else writes into it.
    Foreign,
    /// The copy that Redis keeps of `all` is evicted, or somebody else writes it.
    SpoilKept,
    /// So is a copy on a host.
    SpoilCopy,
    /// Somebody deletes everything by hand.
    ClearByHand,
    /// Nothing can be published: there is no memory for it, or no permission.
    Refuse,
    /// It can again.
    Allow,
    /// A dump is made.
    Save,
    /// The dump comes back.
    Load,
}

/// One kind of store, and one cache of that kind.
pub(super) trait Ground: Send + Sync {
    /// Whether the gates stand within the store's calls.
    fn has_inner_gates(&self) -> bool;

    /// Whether a lease ends with its owner.
    fn frees_the_dead(&self) -> bool {
        false
    }

    /// Whether its stores know what their host has shown.
    fn remembers_shown(&self) -> bool {
        false
    }

    /// The host of this process has its copy of the hit, if it keeps one.
    fn settle(&self, _: &Actor, _: &Snapshot) {}

    /// Empties the cache, and what this host remembers of it.
    fn reset(&self);

    /// The store of a process.
    fn store(&self, actor: &Arc<Actor>) -> Arc<dyn Store>;

    /// What a clear of one scope clears besides, where each scope has a store of its own.
    fn clear_others(&self) {}

    /// A store on the same host, without gates. Cheap: kept from one call to the next.
    fn direct(&self, scope: usize) -> Arc<dyn Store>;

    /// What happened, for the trace; `None` if it can't happen here, or not now.
    fn strike(
        &self,
        blow: Incident,
        scope: usize,
        rng: &mut Rng,
        limits: &mut Limits,
    ) -> Option<String>;

    /// What lies in the cache of `scope` after `watch` was published; `None` without a meta.
    fn inspect(&self, scope: usize, watch: &str) -> Option<Inspected>;
}
