//! Copies of what a Redis holds, in the cache directory: a run that has one need not read the bytes.
//!
//! A copy is never good by itself. Redis says which length and sum the bytes have that are valid now.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::{self, BufRead as _};
use std::iter;
use std::mem;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::fs::OFlags;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::clock;

use crate::net::sync::lock;

use super::all_file::AllFile;
use super::folder::{Folder, Lock};

const VERSION: &str = "copy1";
/// More than any header line of this program.
const LONGEST_HEADER: usize = 512;
/// More than Redis hands over in one answer.
const LONGEST: u64 = 1 << 30;
/// The suffix of copies that are being written. No lock is held for that long: it would keep others
/// from their notes.
const UNFINISHED: &str = ".new";
/// Copies of other scopes, and unfinished ones, that nobody has written for so long are removed.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How often those who wait for a copy look for it.
const PAUSE: Duration = Duration::from_millis(5);
/// Full records that are written at once.
const AT_ONCE: usize = 256;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyKind {
    /// The records.
    All,
    /// The full records, one a line.
    Full,
}

/// The publication that is copied. `len` and `sum` of its records decide: the same bytes are the same
/// nodes, whatever rev they have. Of full records the epoch counts too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopiedRev {
    pub(crate) epoch: String,
    pub(crate) rev: String,
    pub(crate) len: u64,
    pub(crate) sum: String,
}

/// What is written of a publication.
#[derive(Debug, Default)]
pub(crate) struct CopiedBytes {
    pub(crate) all: Option<Arc<Vec<u8>>>,
    pub(crate) fulls: Option<Vec<Arc<Vec<u8>>>>,
}

/// An open copy of the right publication. Its bytes are not yet compared with their sum.
#[derive(Debug)]
pub(crate) struct OpenCopy {
    bytes: AllFile,
    sum: String,
}

/// The copies of one scope.
#[derive(Debug)]
pub(crate) struct Copies {
    files: CopyFiles,
    /// Threads that write: printing does not wait for them, the end of the store does.
    writing: Mutex<Vec<JoinHandle<()>>>,
}

/// Where the copies of one scope are.
#[derive(Debug, Clone)]
struct CopyFiles {
    folder: PathBuf,
    scope: String,
}

impl Copies {
    pub(crate) fn new(folder: &Path, scope: &str) -> Self {
        let files = CopyFiles { folder: folder.to_owned(), scope: scope.to_owned() };
        Self { files, writing: Mutex::default() }
    }

    /// Whether the records of any publication are there.
    pub(crate) fn exist(&self) -> bool {
        let folder = self.files.folder();
        folder.is_some_and(|folder| folder.len(&self.files.name(CopyKind::All)).is_some())
    }

    /// The copy that is good for this publication.
    pub(crate) fn open(&self, kind: CopyKind, of: &CopiedRev) -> Option<OpenCopy> {
        self.files.open(kind, of)
    }

    /// One process of this host reads a large publication, the others wait for its copy, which `find`
    /// looks for: for at most `limit`, then each reads for itself.
    ///
    /// # Errors
    /// It is this process that reads; with the lock, as long as there is one.
    pub(crate) fn turn<T>(
        &self,
        limit: Duration,
        find: impl Fn() -> Option<T>,
    ) -> Result<T, Option<Lock>> {
        let began = clock::now();
        loop {
            let locked = self.files.lock();
            // Behind the lock: whoever held it before may have left the copy.
            if let Some(found) = find() {
                return Ok(found);
            }
            match locked {
                Ok(turn) => return Err(Some(turn)),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(None),
                Err(_) if clock::since(began) >= limit => return Err(None),
                Err(_) => clock::sleep(PAUSE),
            }
        }
    }

    /// Writes in a thread that begins at once, and ends the turn of this process: those on this host who
    /// wait for the bytes do not wait for a slow reader of this run's output.
    pub(crate) fn write(&self, rev: CopiedRev, bytes: CopiedBytes, turn: Option<Lock>) {
        let files = self.files.clone();
        let thread = thread::Builder::new().spawn(move || {
            files.write(&rev, &bytes);
            drop(turn);
        });
        // Without a thread there is no copy.
        lock(&self.writing).extend(thread);
    }

    /// Removes what is there.
    pub(crate) fn remove(&self) {
        let Some(folder) = self.files.folder() else { return };
        for kind in [CopyKind::All, CopyKind::Full] {
            // One that stays serves nothing by itself.
            let _ = folder.remove(&self.files.name(kind));
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for thread in lock(&self.writing).drain(..) {
            // What happened there does not matter: a copy that is missing is no error.
            let _ = thread.join();
        }
    }
}

impl CopyFiles {
    fn name(&self, kind: CopyKind) -> String {
        let ending = match kind {
            CopyKind::All => "copy",
            CopyKind::Full => "copy-full",
        };
        format!("{}.{ending}", self.scope)
    }

    /// The directory, unless its locks can block.
    fn folder(&self) -> Option<Folder> {
        Folder::existing(&self.folder).ok().filter(|folder| !folder.is_remote())
    }

    fn lock(&self) -> io::Result<Lock> {
        let folder = self.folder().ok_or(io::ErrorKind::NotFound)?;
        let file = folder.file(&format!("{}.read", self.scope), OFlags::RDWR | OFlags::CREATE)?;
        Lock::take(file)?.map_err(|_| io::ErrorKind::WouldBlock.into())
    }

    fn open(&self, kind: CopyKind, of: &CopiedRev) -> Option<OpenCopy> {
        let file = self.folder()?.file(&self.name(kind), OFlags::RDONLY).ok()?;
        let size = file.metadata().ok().filter(Metadata::is_file)?.len();
        let (start, head) = header(&file)?;
        let fields: Vec<&str> = head.split('|').collect();
        let [VERSION, scope, epoch, rev, of_len, of_sum, own_len, own_sum] = fields[..] else {
            return None;
        };
        let is_it = scope == self.scope && of_len.parse() == Ok(of.len) && of_sum == of.sum;
        let is_it = is_it && (kind == CopyKind::All || of.has_full_records_of(epoch, rev));
        let own_len: u64 = own_len.parse().ok().filter(|len| is_it && *len <= LONGEST)?;
        let is_whole = size == start + own_len;
        is_whole.then(|| OpenCopy {
            bytes: AllFile::new(file, start, own_len),
            sum: own_sum.to_owned(),
        })
    }

    /// A directory or a disk that takes no copy is no error.
    fn write(&self, rev: &CopiedRev, bytes: &CopiedBytes) {
        if let Some(all) = &bytes.all {
            self.replace(CopyKind::All, rev, &|| iter::once(Cow::Borrowed(all.as_slice())));
        }
        if let Some(fulls) = &bytes.fulls {
            self.replace(CopyKind::Full, rev, &|| fulls.chunks(AT_ONCE).map(lines));
        }
    }

    fn replace<'a, P: Iterator<Item = Cow<'a, [u8]>>>(
        &self,
        kind: CopyKind,
        of: &CopiedRev,
        parts: &dyn Fn() -> P,
    ) {
        let is_there = kind == CopyKind::All
            && self.open(kind, of).is_some_and(|copy| copy.checked().is_some());
        let Some(folder) = self.folder().filter(|_| !is_there) else { return };
        let (mut len, mut sum) = (0, Xxh3::new());
        parts().for_each(|part| {
            len += part.len();
            sum.update(&part);
        });
        let CopiedRev { epoch, rev, len: of_len, sum: of_sum } = of;
        let (scope, sum) = (&self.scope, sum.digest());
        let head = format!("{VERSION}|{scope}|{epoch}|{rev}|{of_len}|{of_sum}|{len}|{sum:016x}\n");
        let parts = iter::once(head.into_bytes().into()).chain(parts());
        let name = self.name(kind);
        if folder.replace_each((&name, UNFINISHED), parts).is_ok() {
            let is_others = |name: &str| is_copy(name) && !name.starts_with(self.scope.as_str());
            let is_left = |name: &str| is_others(name) || name.ends_with(UNFINISHED);
            folder.remove_older(&name, KEEP, is_left);
        }
    }
}

impl CopiedRev {
    /// Full records can differ although the records are the same: after a clear, and after `--force`,
    /// whose revs begin with F.
    fn has_full_records_of(&self, epoch: &str, rev: &str) -> bool {
        self.epoch == epoch && (self.rev == rev || !self.rev.starts_with('F'))
    }
}

impl OpenCopy {
    /// The bytes; `None` if they are not those that were written.
    pub(crate) fn read(self) -> Option<Vec<u8>> {
        let bytes = self.bytes.read().ok()?;
        (hex(xxh3_64(&bytes)) == self.sum).then_some(bytes)
    }

    /// The lines of the same, without ever holding them twice.
    pub(crate) fn lines(self) -> Option<Vec<Vec<u8>>> {
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        let is_it = self.is_it(|mut piece| {
            while !piece.is_empty() {
                piece.read_until(b'\n', &mut line)?;
                if line.pop_if(|last| *last == b'\n').is_some() {
                    lines.push(mem::take(&mut line));
                }
            }
            Ok(())
        });
        (is_it && line.is_empty()).then_some(lines)
    }

    /// The bytes where they are, checked without holding them.
    pub(crate) fn checked(self) -> Option<AllFile> {
        self.is_it(|_| Ok(())).then_some(self.bytes)
    }

    fn is_it(&self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> bool {
        let mut sum = Xxh3::new();
        let read = self.bytes.pieces(|piece| {
            sum.update(piece);
            each(piece)
        });
        read.is_ok() && hex(sum.digest()) == self.sum
    }
}

/// The first line, and where it ends.
fn header(file: &File) -> Option<(u64, String)> {
    let mut head = vec![0; LONGEST_HEADER];
    let read = file.read_at(&mut head, 0).ok()?;
    let end = head[..read].iter().position(|byte| *byte == b'\n')?;
    head.truncate(end);
    Some((end as u64 + 1, String::from_utf8(head).ok()?))
}

/// Whether this is the name of a copy, of whatever scope, finished or not.
pub(crate) fn is_copy(name: &str) -> bool {
    [".copy", ".copy-full", UNFINISHED].iter().any(|end| name.ends_with(end))
}

/// As sums are written.
fn hex(sum: u64) -> String {
    format!("{sum:016x}")
}

fn lines(fulls: &[Arc<Vec<u8>>]) -> Cow<'_, [u8]> {
    let size = fulls.iter().map(|full| full.len() + 1).sum();
    let mut lines = Vec::with_capacity(size);
    for full in fulls {
        lines.extend_from_slice(full);
        lines.push(b'\n');
    }
    lines.into()
}

#[cfg(test)]
#[path = "../../tests/faults/copies.rs"]
mod tests;
