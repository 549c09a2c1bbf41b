//! A cache in memory.

use std::sync::Arc;

use nomad_clients::store::Store;

use super::bench::place;
use nomad_clients::model::remark::Notifier;
use nomad_clients::store::memory::{MemoryStore, SharedSpace};

pub(crate) fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(SharedSpace::default(), &place("a0", ""), Notifier::nobody()))
}
