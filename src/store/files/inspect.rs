//! The cache folder as it is, for whoever wants to know why it can't be used. Nothing is made.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::model::notice::Notifier;
use crate::net::sync::lock;

use super::LocalStore;
use crate::host::folder::{Folder, FolderSpace};
use crate::model::text::{display_path, io_reason};
use crate::store::{BootClock, Place, Stats, Store as _};

/// What is known of the folder.
#[derive(Debug)]
pub enum FolderState {
    /// This user has no home.
    Homeless,
    /// Not there yet; `Err`: why it can't be made.
    Missing(Result<(), String>),
    /// It can't be used: path and cause.
    Unusable(String),
    Ready(Box<UsableFolder>),
}

/// A folder that is this user's alone.
#[derive(Debug)]
pub struct UsableFolder {
    pub space: FolderSpace,
    pub is_remote: bool,
    /// What is cached in it for this scope.
    pub stats: Option<Stats>,
    /// Why what is there is not served, if there is a reason beyond its age.
    pub ignored: Option<String>,
}

/// Looks at the folder of `place`.
pub fn inspect_folder(place: &Place) -> FolderState {
    let Some(path) = place.folder.as_deref() else { return FolderState::Homeless };
    if path.symlink_metadata().is_err() {
        return FolderState::Missing(can_be_made(path));
    }
    let folder = match Folder::existing(path) {
        Ok(folder) => folder,
        Err(why) => return FolderState::Unusable(why),
    };
    let space = match folder.space() {
        Ok(space) => space,
        Err(error) => return FolderState::Unusable(io_reason(&error)),
    };
    let is_remote = folder.is_remote();
    let remarks = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&remarks);
    let tell = Notifier::new(move |remark| {
        lock(&heard).push(remark.text);
    });
    let store =
        LocalStore::open(place, BootClock::of_this_boot(place.folder.as_deref()), tell).ok();
    let stats = store.and_then(|store| store.stats().ok());
    let ignored = lock(&remarks).pop();
    FolderState::Ready(Box::new(UsableFolder { space, is_remote, stats, ignored }))
}

/// In the first folder above it that is there.
fn can_be_made(path: &Path) -> Result<(), String> {
    let above = path.ancestors().skip(1).find(|above| above.exists());
    let above = above.ok_or("no parent directory exists")?;
    if !above.is_dir() {
        return Err(format!("{} is not a directory", display_path(above)));
    }
    Folder::may_write(above)
        .map_err(|error| format!("{}: {}", display_path(above), io_reason(&error)))
}
