//! Small notes in the cache folder, for the runs to come. Without a folder that is only ours there are none.

use std::ffi::CString;
use std::fs::{DirBuilder, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fstat, openat, renameat, unlinkat};

use crate::clock;
use crate::random;

/// More than any note needs.
const LONGEST: u64 = 64 << 10;
/// Held by whoever replaces a file of the folder; shared with the local store.
const LOCK: &str = "pub.lock";
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The notes of one cache folder.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    folder: Option<PathBuf>,
}

impl Notes {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// `None` if there is no such note, or it can't be read.
    pub(super) fn read(&self, name: &str) -> Option<String> {
        let folder = open_folder(self.folder.as_deref()?)?;
        let file = open_file(&folder, name, OFlags::RDONLY)?;
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Replaces a note by what `change` makes of the present one; `false` if it can't be written.
    pub(super) fn replace(
        &self,
        name: &str,
        change: impl FnOnce(Option<String>) -> String,
    ) -> bool {
        self.try_replace(name, change).is_some()
    }

    fn try_replace(&self, name: &str, change: impl FnOnce(Option<String>) -> String) -> Option<()> {
        let path = self.folder.as_deref()?;
        // It may exist already: then its owner and mode are checked.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(path);
        let folder = open_folder(path)?;
        let lock = open_file(&folder, LOCK, OFlags::RDWR | OFlags::CREATE)?;
        let _held = hold(&lock);
        let text = change(self.read(name));
        let temporary = format!("{name}.{}.tmp", random::hex16());
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = open_file(&folder, &temporary, new)?;
        let replaced = file
            .write_all(text.as_bytes())
            .is_ok_and(|()| renameat(&folder, temporary.as_str(), &folder, name).is_ok());
        if !replaced {
            // Nobody else knows the name, so nobody misses the file.
            let _ = unlinkat(&folder, temporary.as_str(), rustix::fs::AtFlags::empty());
        }
        replaced.then_some(())
    }
}

/// The folder itself, if it is ours alone: no link, our user's, closed to everybody else.
fn open_folder(path: &Path) -> Option<OwnedFd> {
    let path = CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let folder = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let stat = fstat(&folder).ok()?;
    let ours = stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o077 == 0;
    ours.then_some(folder)
}

fn open_file(folder: &OwnedFd, name: &str, flags: OFlags) -> Option<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat(folder, name, flags, Mode::RUSR | Mode::WUSR).ok().map(File::from)
}

/// Never blocks for long: a note that two write at once may lose one of them, which is better
/// than to wait for a lock that somebody keeps.
fn hold(lock: &File) -> bool {
    (0..LOCK_TRIES).any(|_| {
        let held = lock.try_lock().is_ok();
        if !held {
            clock::sleep(LOCK_PAUSE);
        }
        held
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::Notes;

    #[test]
    fn a_note_is_replaced_and_private() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        let notes = Notes::new(Some(folder.clone()));
        assert_eq!(notes.read("n"), None);
        assert!(notes.replace("n", |old| format!("{old:?}")));
        assert!(notes.replace("n", |old| format!("{old:?}")));
        assert_eq!(notes.read("n").unwrap(), r#"Some("None")"#);
        let mode =
            |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("n"), mode("pub.lock")), (0o700, 0o600, 0o600));
        let mut names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["n", "pub.lock"]);
    }

    #[test]
    fn a_folder_that_is_not_ours_alone_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(open.join("n"), "x").unwrap();
        let link = home.path().join("link");
        symlink(&open, &link).unwrap();
        for folder in [Some(open.clone()), Some(link), Some(open.join("n")), None] {
            let notes = Notes::new(folder);
            assert_eq!(notes.read("n"), None);
            assert!(!notes.replace("n", |_| "y".to_owned()));
        }
        assert_eq!(fs::read(open.join("n")).unwrap(), b"x");
    }
}
