//! Files that a user names: only regular ones, and pipes where allowed, of limited size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, stat};

use crate::clock;
use crate::model::text::io_reason;

/// The configuration.
pub(crate) const CONFIG: u64 = 1 << 20;
/// Certificates and their keys.
pub(crate) const PEM: u64 = 1 << 20;
/// A token has 36 characters, a signed one a few thousand.
pub(crate) const TOKEN: u64 = 64 << 10;
/// All files of a directory of certificates together, fifty times what a system has.
const FOLDER: u64 = 16 << 20;
const FILES: usize = 10_000;

/// A regular file of at most `longest` bytes.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read(path: &Path, longest: u64) -> Result<Vec<u8>, String> {
    let (file, _) = open_checked(path, longest, false)?;
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes).map_err(|error| io_reason(&error))?;
    check_length(bytes, longest)
}

/// The same, or everything that is written to a pipe until then.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read_or_receive(
    path: &Path,
    longest: u64,
    until: Instant,
) -> Result<Vec<u8>, String> {
    let (mut pipe, kind) = open_checked(path, longest, true)?;
    if !kind.is_fifo() {
        return read(path, longest);
    }
    let mut bytes = Vec::new();
    loop {
        // A pipe that no writer has opened yet reads as if it had ended.
        wait(&pipe, until)?;
        let left = longest + 1 - bytes.len() as u64;
        match pipe.by_ref().take(left).read_to_end(&mut bytes) {
            Ok(_) => return check_length(bytes, longest),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(io_reason(&error)),
        }
    }
}

/// The files of a directory of certificates. What is not a file, too large or unreadable is skipped.
///
/// # Errors
/// Why the directory cannot be read, or that it is too large.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Vec<u8>>, String> {
    let (mut files, mut total) = (Vec::new(), 0);
    for path in paths(folder)? {
        let Ok(bytes) = read(&path, PEM) else { continue };
        total += bytes.len() as u64;
        if total > FOLDER {
            return Err(too_large_together());
        }
        files.push(bytes);
    }
    Ok(files)
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| io_reason(&error))?;
    let paths: Vec<PathBuf> = entries.flatten().take(FILES + 1).map(|entry| entry.path()).collect();
    if paths.len() > FILES {
        return Err(format!("contains more than {FILES} files"));
    }
    Ok(paths)
}

fn too_large_together() -> String {
    format!("its files are larger than {} together", size(FOLDER))
}

/// Checks a directory that a library will read, as [`check`] does a file.
///
/// # Errors
/// It is too large.
pub(crate) fn check_folder(folder: &Path) -> Result<(), String> {
    if stat(folder).is_err() {
        return Ok(());
    }
    let files = paths(folder)?.into_iter().filter_map(|path| stat(&path).ok());
    let files = files.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    let total: u64 = files.map(|stat| u64::try_from(stat.st_size).unwrap_or(0)).sum();
    if total > FOLDER { Err(too_large_together()) } else { Ok(()) }
}

/// Checks a file that will be read later; a missing or unreadable one is reported then.
///
/// # Errors
/// It is not a regular file, or too large.
pub(crate) fn check(path: &Path, longest: u64) -> Result<(), String> {
    stat(path).map_or(Ok(()), |stat| check_kind(&stat, longest, false).map(drop))
}

/// Checks before it opens, as opening alone affects some devices, and again on the handle.
fn open_checked(path: &Path, longest: u64, pipes: bool) -> Result<(File, FileType), String> {
    let io = |error: rustix::io::Errno| io_reason(&error.into());
    check_kind(&stat(path).map_err(io)?, longest, pipes)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open(path, flags, Mode::empty()).map_err(io)?;
    let kind = check_kind(&fstat(&file).map_err(io)?, longest, pipes)?;
    Ok((file.into(), kind))
}

fn check_kind(stat: &Stat, longest: u64, pipes: bool) -> Result<FileType, String> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::Directory => Err("is a directory".to_owned()),
        FileType::Fifo if pipes => Ok(kind),
        FileType::RegularFile if u64::try_from(stat.st_size).is_ok_and(|len| len > longest) => {
            Err(too_large(longest))
        }
        FileType::RegularFile => Ok(kind),
        _ => Err("is not a regular file".to_owned()),
    }
}

/// Some file systems report no length.
fn check_length(bytes: Vec<u8>, longest: u64) -> Result<Vec<u8>, String> {
    if bytes.len() as u64 > longest { Err(too_large(longest)) } else { Ok(bytes) }
}

fn too_large(longest: u64) -> String {
    format!("is larger than {}", size(longest))
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MB", bytes >> 20) } else { format!("{} KB", bytes >> 10) }
}

/// Waits for data, or for the last writer to close the pipe.
fn wait(pipe: &File, until: Instant) -> Result<(), String> {
    loop {
        let left = until.saturating_duration_since(clock::now());
        let time = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&time)) {
            Ok(0) => return Err("timed out: nothing is written to this pipe".to_owned()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io_reason(&error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{FOLDER, PEM, check, check_folder, read, read_folder, read_or_receive};
    use crate::clock;

    fn pipe(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    }

    fn later() -> Instant {
        clock::now() + Duration::from_secs(60)
    }

    #[test]
    fn what_has_no_end_is_refused_before_it_is_opened() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        let refused = |path: &Path, why: &str| {
            assert_eq!(read(path, 10), Err(why.to_owned()), "{path:?}");
            assert_eq!(read_or_receive(path, 10, later()), Err(why.to_owned()), "{path:?}");
            assert_eq!(check(path, 10), Err(why.to_owned()), "{path:?}");
        };
        fs::write(&file, "0123456789").unwrap();
        for read in [read(&file, 10), read_or_receive(&file, 10, later())] {
            assert_eq!(read.unwrap(), b"0123456789");
        }
        assert_eq!(check(&file, 10), Ok(()));
        // Nothing of it is read: it takes no room on the disk either.
        fs::File::create(&file).unwrap().set_len(4 << 30).unwrap();
        refused(&file, "is larger than 0 KB");
        assert_eq!(read(&file, PEM), Err("is larger than 1 MB".to_owned()));
        for device in ["/dev/zero", "/dev/full", "/dev/null"] {
            refused(Path::new(device), "is not a regular file");
        }
        refused(home.path(), "is a directory");
        let pipe = pipe(home.path());
        assert_eq!(read(&pipe, 10), Err("is not a regular file".to_owned()));
        assert_eq!(check(&pipe, 10), Err("is not a regular file".to_owned()));
        let missing = home.path().join("none");
        assert_eq!(read(&missing, 10), Err("no such file or directory".to_owned()));
        assert_eq!(check(&missing, 10), Ok(()));
    }

    /// The length of such a file is told as 0.
    #[test]
    fn a_file_without_a_length_is_bounded_too() {
        let path = Path::new("/proc/self/status");
        assert_eq!(read(path, 10), Err("is larger than 0 KB".to_owned()));
        assert!(read(path, PEM).is_ok_and(|bytes| !bytes.is_empty()));
    }

    #[test]
    fn a_pipe_is_read_to_its_end_or_until_the_time_is_over() {
        let home = tempfile::tempdir().unwrap();
        let pipe = pipe(home.path());
        let why = Err("timed out: nothing is written to this pipe".to_owned());
        assert_eq!(read_or_receive(&pipe, 10, clock::now()), why, "nobody writes");
        let write = |text: &'static str| {
            let path = pipe.clone();
            std::thread::spawn(move || {
                let mut pipe = fs::OpenOptions::new().write(true).open(path)?;
                text.as_bytes().iter().try_for_each(|byte| pipe.write_all(&[*byte]))
            })
        };
        let writer = write("a token");
        assert_eq!(read_or_receive(&pipe, 10, later()).unwrap(), b"a token");
        writer.join().unwrap().unwrap();
        let writer = write("a token that is too long");
        assert_eq!(read_or_receive(&pipe, 10, later()), Err("is larger than 0 KB".to_owned()));
        drop(writer.join().unwrap());
        let mut open = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        open.write_all(b"a").unwrap();
        assert_eq!(read_or_receive(&pipe, 10, clock::now()), why, "somebody writes on");
    }

    #[test]
    fn a_directory_is_read_as_far_as_it_ends() {
        let home = tempfile::tempdir().unwrap();
        pipe(home.path());
        fs::create_dir(home.path().join("inner")).unwrap();
        fs::write(home.path().join("a.pem"), "a").unwrap();
        fs::File::create(home.path().join("huge")).unwrap().set_len(4 << 30).unwrap();
        assert_eq!(read_folder(home.path()).unwrap(), [b"a"]);
        let why = "its files are larger than 16 MB together".to_owned();
        assert_eq!(check_folder(home.path()), Err(why.clone()), "who reads it is not told to skip");
        fs::remove_file(home.path().join("huge")).unwrap();
        assert_eq!(check_folder(home.path()), Ok(()));
        for at in 0..=FOLDER / PEM {
            fs::File::create(home.path().join(at.to_string())).unwrap().set_len(PEM).unwrap();
        }
        assert_eq!(check_folder(home.path()), Err(why.clone()));
        assert_eq!(read_folder(home.path()), Err(why));
    }
}
