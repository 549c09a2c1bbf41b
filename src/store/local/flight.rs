//! The lease of this machine: a lock that the kernel frees when its owner dies.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::store::Class;
use crate::store::folder::Folder;

/// How long a failure is told to those who waited for it, in milliseconds.
const FAILURE_MS: u64 = 2000;

/// More than any content of the file.
const LONGEST: u64 = 200;

/// The leases that this process holds, by token.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<String, File>>);

/// What came of the try to take the lease.
#[derive(Debug)]
pub(super) enum Taken {
    /// The lock is held now, and nobody has been told whose it is.
    Free(File),
    /// Another process holds it: its token, as far as it can be read.
    Held(String),
}

/// Tries to take the lock; never blocks.
///
/// # Errors
/// The file system has no locks, or the file can't be made.
pub(super) fn take(folder: &Folder, name: &str) -> io::Result<Taken> {
    let file = folder.file(name, OFlags::RDWR | OFlags::CREATE)?;
    match file.try_lock() {
        Ok(()) => Ok(Taken::Free(file)),
        // A token that is written only after this was read belongs to a list that begins after
        // this, too: whatever stands here is right, or names nobody who matters.
        Err(TryLockError::WouldBlock) => {
            Ok(Taken::Held(said(&file).split('|').next().unwrap_or_default().to_owned()))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The class with which the flight `waited` failed, if it did so a moment ago.
pub(super) fn failure(file: &File, waited: &str, now: u64) -> Option<Class> {
    let said = said(file);
    let mut fields = said.strip_prefix('!')?.split('|');
    let (who, class, at) = (fields.next()?, fields.next()?, fields.next()?.parse::<u64>().ok()?);
    let fresh = at <= now && now - at <= FAILURE_MS;
    (who == waited && fresh).then(|| Class::from_number(class))
}

impl Flights {
    /// From now on the flight is this one's.
    pub(super) fn hold(&self, token: &str, file: File) {
        write(&file, token);
        self.lock().insert(token.to_owned(), file);
    }

    pub(super) fn holds(&self, token: &str) -> bool {
        self.lock().contains_key(token)
    }

    /// Gives the lease back.
    pub(super) fn release(&self, token: &str) {
        self.lock().remove(token);
    }

    /// Gives the lease back and tells those who waited for it.
    pub(super) fn fail(&self, token: &str, class: Class, now: u64) {
        if let Some(file) = self.lock().remove(token) {
            write(&file, &format!("!{token}|{}|{now}", class.number()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said(file: &File) -> String {
    let mut bytes = [0; LONGEST as usize];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).trim_end().to_owned()
}

/// One write of one length: a reader sees the old or the new. A full disk costs those who wait
/// only the name of whom they wait for.
fn write(file: &File, text: &str) {
    let _ = file.write_all_at(format!("{text:<63}\n").as_bytes(), 0);
}
