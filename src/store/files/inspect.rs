//! The cache directory as it is, for `doctor`. Nothing is created.

use std::path::Path;
use std::sync::mpsc;

use crate::host::folder::Folder;
use crate::host::{FolderError, FolderFlaw, FolderSpace};
use crate::model::notice::Notifier;
use crate::model::text::{display_path, io_reason};
use crate::store::report::KeyRole;
use crate::store::{BootClock, CacheEntry, Place, Store as _};

use super::LocalStore;

/// A directory that is this user's alone.
#[derive(Debug)]
pub struct UsableFolder {
    pub space: FolderSpace,
    /// What is cached in it for this scope.
    pub entry: Option<CacheEntry>,
}

/// The cache directory at `path`; `None` if it does not exist and can be created.
///
/// # Errors
/// It can't be used.
pub fn inspect_folder(place: &Place, path: &Path) -> Result<Option<UsableFolder>, FolderError> {
    if path.symlink_metadata().is_err() {
        let creatable = can_be_created(path).map_err(|why| FolderFlaw::Uncreatable(why).of(path));
        return creatable.map(|()| None);
    }
    let space = Folder::existing(path)?.space()?;
    let (sender, notices) = mpsc::channel();
    let notifier = Notifier::new(move |notice| drop(sender.send(notice.text)));
    let store = LocalStore::open(place, BootClock::of_this_boot(Some(path)), notifier).ok();
    let entry = store.and_then(|store| store.stats().ok()).map(|stats| CacheEntry {
        keys: stats.keys.iter().map(|key| (key.clone(), KeyRole::Ours)).collect(),
        stats,
        is_of_others: false,
        why: notices.try_iter().last(),
        index: None,
        took: None,
    });
    Ok(Some(UsableFolder { space, entry }))
}

/// Whether the first directory above it that exists may be written.
fn can_be_created(path: &Path) -> Result<(), String> {
    let above = path.ancestors().skip(1).find(|above| above.exists());
    let above = above.ok_or("no parent directory exists")?;
    if !above.is_dir() {
        return Err(format!("{} is not a directory", display_path(above)));
    }
    Folder::may_write(above)
        .map_err(|error| format!("{}: {}", display_path(above), io_reason(&error)))
}
