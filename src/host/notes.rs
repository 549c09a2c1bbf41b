//! Small notes in the cache directory for later runs. Without a private directory there are none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::text::io_reason;

use super::folder::{Folder, FolderFlaw};

/// More than any note needs.
const LONGEST: u64 = 64 << 10;
/// How long to wait for the lock. After that, a note may overwrite a concurrent one.
const LOCK_WAIT: Duration = Duration::from_millis(250);

/// Why a note was not written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// There is no directory, and none can be created.
    NoFolder,
    /// The directory cannot be used or changed: which, and why.
    Failed(String),
}

/// The notes in one cache directory.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    folder: Option<PathBuf>,
}

impl Notes {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// `None` if there is no such note, or it cannot be read.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        self.read_up_to(name, LONGEST)
    }

    /// The same for a note of at most `longest` bytes.
    pub(crate) fn read_up_to(&self, name: &str, longest: u64) -> Option<String> {
        text(&Folder::existing(self.folder.as_deref()?).ok()?, name, longest)
    }

    /// Replaces a note by what `change` makes of it, under the lock, for which it waits at most `limit`:
    /// no concurrent note is lost.
    ///
    /// # Errors
    /// The note is unchanged.
    pub(crate) fn change(
        &self,
        (name, longest): (&str, u64),
        limit: Duration,
        change: impl FnOnce(Option<String>) -> String,
    ) -> Result<(), Unwritten> {
        let path = self.folder.as_deref().ok_or(Unwritten::NoFolder)?;
        let folder = Folder::open(path).map_err(|why| match Folder::may_exist(path) {
            true => Unwritten::Failed(why.to_string()),
            false => Unwritten::NoFolder,
        })?;
        let changed = folder.writing(limit).and_then(|writing| {
            writing.replace(name, &[change(text(&folder, name, longest)).as_bytes()])
        });
        changed.map_err(|error| {
            Unwritten::Failed(FolderFlaw::Io(io_reason(&error)).of(path).to_string())
        })
    }

    /// Replaces a note by what `change` makes of it; `false` if it cannot be written.
    pub(crate) fn replace(
        &self,
        name: &str,
        change: impl FnOnce(Option<String>) -> String,
    ) -> bool {
        let folder = self.folder.as_deref().and_then(|path| Folder::open(path).ok());
        folder.is_some_and(|folder| {
            let _lock = folder.writing(LOCK_WAIT);
            folder.replace(name, &[change(text(&folder, name, LONGEST)).as_bytes()]).is_ok()
        })
    }
}

fn text(folder: &Folder, name: &str, longest: u64) -> Option<String> {
    String::from_utf8(folder.read(name, longest)?).ok()
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
    fn a_directory_that_is_not_ours_alone_is_left_alone() {
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
