//! What this machine remembers between runs: the cache directory, notes in it, the clock of its boot.

mod all_file;
mod boot;
pub(crate) mod cleared_epochs;
pub(crate) mod connection_slots;
pub(crate) mod copies;
mod epoch_file;
pub(crate) mod fault;
pub(crate) mod folder;
pub(crate) mod notes;
pub(crate) mod redis_backoff;
pub(crate) mod refused_scopes;
pub(crate) mod shown;

pub use all_file::AllFile;
pub use boot::BootClock;
pub use folder::{FolderError, FolderFlaw, FolderSpace};
