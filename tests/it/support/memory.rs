//! The cache of one process, in memory.

use std::sync::Arc;

use nomad_clients::store::Store;
use nomad_clients::store::in_process::InProcessStore;

use super::bench::place;

pub(crate) fn store() -> Arc<dyn Store> {
    Arc::new(InProcessStore::new(&place("a0", ""), None))
}
