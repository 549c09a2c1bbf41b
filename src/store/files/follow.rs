//! Which `serve` follows Nomad for all who share these files: whoever holds a lock.

use std::io;
use std::sync::Mutex;

use rustix::fs::OFlags;

use crate::host::folder::{Folder, Lock};
use crate::net::sync::lock;

/// The lock, while it is held; the kernel frees it when its owner dies.
#[derive(Debug, Default)]
pub(super) struct FollowerLock(Mutex<Option<Lock>>);

impl FollowerLock {
    /// `true` if the lock is held by this process from now on.
    pub(super) fn take(&self, folder: &Folder, name: &str) -> io::Result<bool> {
        let mut held = lock(&self.0);
        if held.is_none() {
            *held = Lock::take(folder.file(name, OFlags::RDWR | OFlags::CREATE)?)?.ok();
        }
        Ok(held.is_some())
    }

    pub(super) fn leave(&self) {
        *lock(&self.0) = None;
    }
}
