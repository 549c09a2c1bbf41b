//! The cache directory of this user: private, or not used at all.

use std::borrow::Cow;
use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{
    Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, accessat, fstat, fstatvfs, lstat, openat,
    renameat, statat, unlinkat,
};

use crate::clock;
use crate::model::text::{display_path, io_reason};
use crate::random;

use super::fault::{self, Act};

/// Locked while files of the directory are replaced.
const LOCK: &str = "pub.lock";
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// The suffix of files that are being written.
const UNFINISHED: &str = ".tmp";

/// A directory that only its owner can read, used through its handle: no path is resolved twice.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    handle: OwnedFd,
    /// The owner of the directory and of all its files.
    owner: u32,
}

/// Owner, mode and free space of a directory.
#[derive(Debug)]
pub struct FolderSpace {
    pub mode: u32,
    pub owner: u32,
    /// Available to this user.
    pub free_bytes: u64,
    pub is_remote: bool,
    /// Or why no file can be created in it.
    pub writable: io::Result<()>,
}

/// Why a directory is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cache directory {path}: {flaw}")]
pub struct FolderError {
    pub path: String,
    pub flaw: FolderFlaw,
}

/// What is wrong with a directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FolderFlaw {
    #[error("cannot be created: {0}")]
    Uncreatable(String),
    #[error("is a file or a link, not a directory")]
    NotDirectory,
    #[error("belongs to another user")]
    Foreign,
    #[error("is open to others (mode {0:04o}): chmod 700 it")]
    Open(u32),
    #[error("is on a network file system, where a lock can block")]
    Remote,
    #[error("{0}")]
    Io(String),
}

impl FolderFlaw {
    pub(crate) fn of(self, path: &Path) -> FolderError {
        FolderError { path: display_path(path), flaw: self }
    }
}

/// A lock on a file, released on drop, also if a child process has inherited the file.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// The right to replace files, until it is dropped.
#[derive(Debug)]
pub(crate) struct WriteLock<'a> {
    folder: &'a Folder,
    _lock: Lock,
}

impl Lock {
    /// Tries to lock the file without waiting; returns the file if the lock is taken.
    ///
    /// # Errors
    /// The file system has no locks.
    pub(crate) fn take(file: File) -> io::Result<Result<Self, File>> {
        match file.try_lock() {
            Ok(()) => Ok(Ok(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(Err(file)),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Folder {
    /// Opens the directory, and creates it if it is missing.
    ///
    /// # Errors
    /// Not a directory, a link, another user's, open to others, or cannot be created.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        // In almost every run it is there.
        if let Ok(folder) = Self::existing(path) {
            return Ok(folder);
        }
        match DirBuilder::new().recursive(true).mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(FolderFlaw::Uncreatable(io_reason(&error)).of(path))
            }
            _ => Self::existing(path),
        }
    }

    /// Opens the directory, which must exist.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(crate) fn existing(path: &Path) -> Result<Self, FolderError> {
        Self::of(path, rustix::process::geteuid().as_raw())
    }

    /// Whether the directory may exist: what it contains may be shown once it can be used again.
    pub(crate) fn may_exist(path: &Path) -> bool {
        match lstat(path) {
            Ok(stat) => !FileType::from_raw_mode(stat.st_mode).is_file(),
            Err(error) => !matches!(error, rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR),
        }
    }

    fn of(path: &Path, owner: u32) -> Result<Self, FolderError> {
        let wrong = |flaw: FolderFlaw| Err(flaw.of(path));
        let io = |error: rustix::io::Errno| FolderFlaw::Io(io_reason(&error.into())).of(path);
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let handle = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
                return wrong(FolderFlaw::NotDirectory);
            }
            Err(error) => return Err(io(error)),
        };
        let stat = fstat(&handle).map_err(io)?;
        if stat.st_uid != owner {
            return wrong(FolderFlaw::Foreign);
        }
        if stat.st_mode & 0o077 != 0 {
            return wrong(FolderFlaw::Open(stat.st_mode & 0o7777));
        }
        Ok(Self { path: path.to_owned(), handle, owner })
    }

    /// Locks on NFS and SMB block while the server is down, or hold on one host only.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_remote(&self) -> bool {
        const REMOTE: [u32; 3] = [0x6969, 0xff53_4d42, 0xfe53_4d42];
        // The width of the number depends on the architecture.
        rustix::fs::fstatfs(&self.handle).is_ok_and(|stat| REMOTE.contains(&(stat.f_type as u32)))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn is_remote(&self) -> bool {
        false
    }

    /// # Errors
    /// The directory cannot be examined.
    pub(crate) fn space(&self) -> Result<FolderSpace, FolderError> {
        let space = || {
            let (stat, system) = (fstat(&self.handle)?, fstatvfs(&self.handle)?);
            Ok(FolderSpace {
                mode: stat.st_mode & 0o7777,
                owner: stat.st_uid,
                free_bytes: system.f_bavail.saturating_mul(system.f_frsize),
                is_remote: self.is_remote(),
                writable: Self::may_write(&self.path),
            })
        };
        space().map_err(|error: io::Error| FolderFlaw::Io(io_reason(&error)).of(&self.path))
    }

    /// Whether files may be created in that directory. Nothing is created.
    pub(crate) fn may_write(path: &Path) -> io::Result<()> {
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        Ok(accessat(CWD, path, wanted, AtFlags::EACCESS)?)
    }

    pub(crate) fn place(&self) -> String {
        display_path(&self.path)
    }

    /// The whole file; `None` if it is missing, unreadable or longer than `longest` bytes.
    pub(crate) fn read(&self, name: &str, longest: u64) -> Option<Vec<u8>> {
        let file = self.file(name, OFlags::RDONLY).ok()?;
        let len =
            file.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= longest)?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(len).ok()? + 1);
        file.take(longest).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The length of a file; `None` if there is no such file.
    pub(crate) fn len(&self, name: &str) -> Option<u64> {
        let meta = self.file(name, OFlags::RDONLY).ok()?.metadata().ok()?;
        meta.is_file().then_some(meta.len())
    }

    /// Opens a file of the directory, never through a link; a new one is private.
    ///
    /// # Errors
    /// Also if another user could have written it, or it has another hard link.
    pub(crate) fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?;
        let stat = fstat(&file)?;
        let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
        let why = match () {
            () if stat.st_uid != self.owner => "belongs to another user",
            () if stat.st_mode & 0o022 != 0 => "can be written by others",
            () if is_file && stat.st_nlink > 1 => "has another hard link",
            () => return Ok(file.into()),
        };
        Err(io::Error::other(format!("{name} {why}: remove it")))
    }

    /// Waits at most `limit` for the lock, and removes what a killed process left unfinished.
    ///
    /// # Errors
    /// Another process holds the lock, or the file system has no locks.
    pub(crate) fn writing(&self, limit: Duration) -> io::Result<WriteLock<'_>> {
        let mut file = self.file(LOCK, OFlags::RDWR | OFlags::CREATE)?;
        let began = clock::now();
        loop {
            file = match Lock::take(file)? {
                Ok(lock) => {
                    let writing = WriteLock { folder: self, _lock: lock };
                    writing.remove_all(|name| name.ends_with(UNFINISHED));
                    return Ok(writing);
                }
                Err(_) if clock::since(began) >= limit => {
                    return Err(io::Error::other(format!("{LOCK} is held by another process")));
                }
                Err(file) => file,
            };
            clock::sleep(LOCK_PAUSE);
        }
    }

    /// Replaces a file atomically: readers see the old one or the new one.
    pub(crate) fn replace(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        self.replace_each((name, UNFINISHED), parts.iter().map(|part| Cow::Borrowed(*part)))
    }

    /// The same with parts that are made one after the other, and with this suffix until they are all
    /// there.
    pub(crate) fn replace_each<'a>(
        &self,
        (name, unfinished): (&str, &str),
        mut parts: impl Iterator<Item = Cow<'a, [u8]>>,
    ) -> io::Result<()> {
        let temporary = format!("{name}.{}{unfinished}", random::hex16());
        fault::before(Act::Writes)?;
        let mut file = self.file(&temporary, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        let written = parts.try_for_each(|part| fault::write(&mut file, &part));
        let replaced = written.and_then(|()| {
            fault::before(Act::Writes)?;
            Ok(renameat(&self.handle, temporary.as_str(), &self.handle, name)?)
        });
        if replaced.is_err() {
            // No other process knows this name.
            let _ = self.remove(&temporary);
        }
        replaced
    }

    /// Removes a file; not an error if it is missing.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fault::before(Act::Removes)?;
        match unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes files that were written more than `age` before `than`, as far as possible.
    pub(crate) fn remove_older(&self, than: &str, age: Duration, which: impl Fn(&str) -> bool) {
        let written = |name: &str| {
            let stat = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            u64::try_from(stat.st_mtime).ok()
        };
        let Some(now) = written(than) else { return };
        for name in self.names().iter().filter(|name| which(name)) {
            if written(name).is_some_and(|at| now.saturating_sub(at) > age.as_secs()) {
                let _ = self.remove(name);
            }
        }
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = Dir::read_from(&self.handle) else { return Vec::new() };
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl WriteLock<'_> {
    /// Replaces a file atomically: readers see the old one or the new one.
    pub(crate) fn replace(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        self.folder.replace(name, parts)
    }

    /// Removes a file; not an error if it is missing.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        self.folder.remove(name)
    }

    /// Removes all these files, as far as possible.
    pub(crate) fn remove_all(&self, which: impl Fn(&str) -> bool) {
        for name in self.folder.names() {
            if which(&name) {
                let _ = self.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Folder, OFlags};

    /// Only root can give a file away, but anybody can be taken for somebody else.
    #[test]
    fn s13_what_belongs_to_another_user_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("cache");
        let own = Folder::open(&path).unwrap();
        own.replace("epoch", &[b"1"]).unwrap();
        let stranger = own.owner + 1;
        let why = format!("cache directory {}: belongs to another user", path.display());
        assert_eq!(Folder::of(&path, stranger).unwrap_err().to_string(), why);
        assert!(Folder::of(&path, own.owner).is_ok());

        let strange = Folder { owner: stranger, ..own };
        let error = strange.file("epoch", OFlags::RDONLY).unwrap_err();
        assert_eq!(error.to_string(), "epoch belongs to another user: remove it");
        assert_eq!((strange.read("epoch", 9), strange.len("epoch")), (None, None));
        let own = Folder::existing(&path).unwrap();
        assert_eq!((own.read("epoch", 9), own.len("epoch")), (Some(b"1".to_vec()), Some(1)));
    }
}
