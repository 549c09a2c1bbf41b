//! Slots for connections: the processes of this host share the limit that Nomad has per address.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::OFlags;
use xxhash_rust::xxh3::xxh3_64;

use super::folder::{Folder, Lock};

/// The directory of the locks, below the cache directory.
const FOLDER: &str = "connections";
/// One for each process, so that none waits for those with many.
const FIRST: usize = 24;
/// For all further connections. 64 in all: Nomad allows 100, and other programs need some too.
const MORE: usize = 40;
/// Seconds after which unused locks of other addresses are removed.
const UNUSED_AFTER: i64 = 24 * 60 * 60;

/// The slots for one address. A slot is a lock on a file, which ends with the process in any case.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    /// The cache directory; `None` = nothing is shared.
    path: Option<PathBuf>,
    /// Opened with the first slot; `None` = it cannot be used, so nothing is shared.
    folder: OnceLock<Option<Folder>>,
    /// The prefix of its file names.
    name: String,
}

/// The right to one connection. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    /// `None` = it is not shared.
    _lock: Option<Lock>,
}

impl ConnectionSlot {
    /// For the one connection that each process may have.
    pub(crate) fn unshared() -> Self {
        Self { _lock: None }
    }
}

impl ConnectionSlots {
    /// Opens nothing yet.
    pub(crate) fn new(folder: Option<&Path>, address: &str) -> Self {
        let name = format!("{:016x}", xxh3_64(address.as_bytes()));
        Self { path: folder.map(Path::to_owned), folder: OnceLock::new(), name }
    }

    /// A slot for a process that holds `held` already; `None` = all are taken. Never waits.
    pub(crate) fn take(&self, held: usize) -> Option<ConnectionSlot> {
        let folder = self.folder.get_or_init(|| opened(self.path.as_deref()?)).as_ref();
        let Some(folder) = folder else { return Some(ConnectionSlot::unshared()) };
        let (kind, count) = if held == 0 { ("first", FIRST) } else { ("more", MORE) };
        // This process probably holds the lowest ones itself.
        let skipped = held.saturating_sub(1);
        for number in (0..count).map(|at| (at + skipped) % count) {
            match self.locked(folder, &format!("{}-{kind}-{number}", self.name)) {
                Ok(Some(lock)) => return Some(ConnectionSlot { _lock: Some(lock) }),
                Ok(None) => (),
                // A lack of descriptors, space or locks must not prevent requests.
                Err(_) => return Some(ConnectionSlot::unshared()),
            }
        }
        None
    }

    /// The lock on this file; `None` = another process has it.
    fn locked(&self, folder: &Folder, name: &str) -> io::Result<Option<Lock>> {
        let file = match folder.file(name, OFlags::RDWR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = folder.file(name, OFlags::RDWR | OFlags::CREATE)?;
                if name.ends_with("-first-0") {
                    self.remove_old(folder, &file);
                }
                file
            }
            opened => opened?,
        };
        let Ok(lock) = Lock::take(file)? else { return Ok(None) };
        // It may have been removed before it was locked.
        Ok((lock.file().metadata()?.nlink() > 0).then_some(lock))
    }

    /// Removes locks of other addresses that are free and a day older than this file.
    fn remove_old(&self, folder: &Folder, new: &File) {
        let Ok(now) = new.metadata().map(|meta| meta.mtime()) else { return };
        for name in folder.names() {
            if name.starts_with(&self.name) {
                continue;
            }
            let Ok(file) = folder.file(&name, OFlags::RDWR) else { continue };
            let is_old = |meta: std::fs::Metadata| {
                meta.is_file() && now.saturating_sub(meta.mtime()) > UNUSED_AFTER
            };
            if file.metadata().is_ok_and(is_old)
                && let Ok(Ok(_held)) = Lock::take(file)
            {
                let _ = folder.remove(&name);
            }
        }
    }
}

/// Locks of a remote directory hold on one host only, or block while their server is away.
fn opened(path: &Path) -> Option<Folder> {
    let folder = Folder::open(path).ok().filter(|folder| !folder.is_remote())?;
    drop(folder);
    Folder::open(&path.join(FOLDER)).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::Duration;

    use super::{ConnectionSlot, ConnectionSlots, MORE};

    /// All that one process gets.
    fn all(slots: &ConnectionSlots) -> Vec<ConnectionSlot> {
        let mut held = Vec::new();
        while let Some(slot) = slots.take(held.len()) {
            held.push(slot);
            assert!(held.len() < 100, "nothing is shared");
        }
        held
    }

    fn slots(folder: &Path) -> ConnectionSlots {
        ConnectionSlots::new(Some(folder), "http://10.0.0.5:4646")
    }

    #[test]
    fn twenty_processes_have_64_together_and_each_has_one() {
        let home = tempfile::tempdir().unwrap();
        let processes: Vec<_> = (0..20).map(|_| slots(&home.path().join("cache"))).collect();
        let mut held: Vec<Vec<ConnectionSlot>> = processes.iter().map(all).collect();
        let counts: Vec<usize> = held.iter().map(Vec::len).collect();
        assert_eq!((counts[0], counts.iter().min()), (1 + MORE, Some(&1)), "{counts:?}");
        assert!(counts.iter().sum::<usize>() <= 64, "{counts:?}");
        // What one gives back is another's.
        held[0].truncate(1);
        assert_eq!(all(&slots(&home.path().join("cache"))).len(), 1 + MORE);
    }

    #[test]
    fn each_address_has_its_own() {
        let home = tempfile::tempdir().unwrap();
        let one = slots(&home.path().join("cache"));
        let _held = all(&one);
        let other = ConnectionSlots::new(Some(&home.path().join("cache")), "http://10.0.0.6:4646");
        assert_eq!(all(&other).len(), 1 + MORE);
        assert!(one.take(5).is_none());
    }

    #[test]
    fn without_a_directory_of_our_own_nothing_is_shared() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        File::create(&file).unwrap();
        for folder in [None, Some(file.as_path())] {
            let slots = ConnectionSlots::new(folder, "http://10.0.0.5:4646");
            let held: Vec<_> = (0..200).map_while(|held| slots.take(held)).collect();
            assert_eq!(held.len(), 200);
        }
    }

    #[test]
    fn old_locks_of_other_addresses_go_and_held_ones_stay() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("cache");
        let place = |address: &str| ConnectionSlots::new(Some(&cache), address);
        let (held, left) = (place("held"), place("left"));
        let _slot = held.take(0).unwrap();
        drop(left.take(0).unwrap());
        let folder = cache.join(super::FOLDER);
        let names = || fs::read_dir(&folder).unwrap().count();
        drop(place("new").take(0).unwrap());
        assert_eq!(names(), 3, "nothing is old yet");
        for entry in fs::read_dir(&folder).unwrap() {
            let file = File::options().write(true).open(entry.unwrap().path()).unwrap();
            let before = file.metadata().unwrap().modified().unwrap();
            file.set_modified(before - Duration::from_secs(2 * 24 * 60 * 60)).unwrap();
        }
        drop(place("another").take(0).unwrap());
        assert_eq!(names(), 2, "the one that is held, and the newest");
        assert!(held.take(0).is_some(), "the second one");
        drop(left.take(0).unwrap());
        assert_eq!(names(), 4);
    }
}
