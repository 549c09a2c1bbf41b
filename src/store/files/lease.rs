//! The lease of this machine: a lock that the kernel frees when its owner dies.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard};

use rustix::fs::OFlags;

use crate::host::fault::{self, Act};
use crate::host::folder::{Folder, Lock};
use crate::net::sync::lock;
use crate::store::FailureClass;

/// How long a failure is told to those who waited for it, in milliseconds.
const FAILURE_MS: u64 = 2000;
/// A live holder renews every second. After this time (in milliseconds) without a renewal the
/// holder is stopped, or the machine slept: the lease has expired, as in Redis.
const SIGNED_MS: u64 = 5000;
/// The file has two lines of this length: whose flight it is, or how it ended; what was published last.
const LENGTH: usize = 64;

/// The flights of this process, by token.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<String, LocalFlight>>);

#[derive(Debug)]
struct LocalFlight {
    /// The lock; `None` for a flight beside the one of another.
    lock: Option<Lock>,
    /// What there was at the beginning.
    published: LastPublished,
    /// When the owner last signed, in milliseconds since boot.
    signed: u64,
}

/// What the cache holds, and what was put there last: a snapshot can be lost in between, and what
/// is older than it must not take its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LastPublished {
    /// The rev of the present snapshot.
    pub(super) rev: Option<String>,
    /// The rev that the flight file names.
    pub(super) noted: Option<String>,
}

/// The outcome of an attempt to take the lease.
#[derive(Debug)]
pub(super) enum LeaseAttempt {
    /// This process holds the lock; its token is not written yet.
    Free(Lock),
    /// Another flight holds it.
    Held(LeaseHolder),
}

/// What can be read of the flight that holds the lock.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeaseHolder {
    /// Empty while the owner has not signed yet, or somebody only looks whether the last one failed.
    pub(super) token: String,
    signed: Option<u64>,
    said: String,
}

impl LeaseHolder {
    fn read(file: &File) -> Self {
        let said = said(file);
        let mut fields = said.split('|').filter(|_| !said.starts_with('!'));
        let token = fields.next().unwrap_or_default().to_owned();
        Self { token, signed: fields.next().and_then(|signed| signed.parse().ok()), said }
    }

    /// As [`failure`]: those who wait for a failed flight look into its file one after the other,
    /// and must not take each other for an owner.
    pub(super) fn failure(&self, waited: &str, now: u64) -> Option<FailureClass> {
        parsed_failure(&self.said, waited, now)
    }

    /// The holder is stopped: waiting for it is pointless.
    pub(super) fn is_stopped(&self, now: u64) -> bool {
        self.signed.is_some_and(|signed| is_over(signed, now))
    }
}

/// Tries to take the lock; never blocks.
///
/// # Errors
/// The file system has no locks, or the file can't be made.
pub(super) fn take(folder: &Folder, name: &str) -> io::Result<LeaseAttempt> {
    let file = folder.file(name, OFlags::RDWR | OFlags::CREATE)?;
    Ok(match Lock::take(file)? {
        Ok(lock) => LeaseAttempt::Free(lock),
        // An owner signs before it asks for its list. If its name is not there yet when this reads,
        // its list begins after this: whatever stands there is right, or names nobody who matters.
        Err(file) => LeaseAttempt::Held(LeaseHolder::read(&file)),
    })
}

/// Whether the lock is held at this moment.
pub(super) fn is_held(folder: &Folder, name: &str) -> bool {
    let file = folder.file(name, OFlags::RDWR);
    file.is_ok_and(|file| matches!(Lock::take(file), Ok(Err(_))))
}

/// Why the flight `waited` failed, if it did so a moment ago.
pub(super) fn failure(lock: &Lock, waited: &str, now: u64) -> Option<FailureClass> {
    parsed_failure(&said(lock.file()), waited, now)
}

fn parsed_failure(said: &str, waited: &str, now: u64) -> Option<FailureClass> {
    let mut fields = said.strip_prefix('!')?.split('|');
    let (who, class, at) = (fields.next()?, fields.next()?, fields.next()?.parse::<u64>().ok()?);
    let fresh = at <= now && now - at <= FAILURE_MS;
    (who == waited && fresh).then(|| FailureClass::from_number(class))
}

/// The rev that was published last, whatever became of it.
pub(super) fn noted(folder: &Folder, name: &str) -> Option<String> {
    let file = folder.file(name, OFlags::RDWR).ok()?;
    Some(line(&file, LENGTH as u64)).filter(|noted| !noted.is_empty())
}

/// Notes what is about to be published.
pub(super) fn note(folder: &Folder, name: &str, rev: &str) -> io::Result<()> {
    let file = folder.file(name, OFlags::RDWR | OFlags::CREATE)?;
    write(&file, LENGTH as u64, rev)
}

impl Flights {
    /// Writes the token of this flight.
    ///
    /// # Errors
    /// The token cannot be written. Then the lease must be given up, because others would attribute
    /// the flight to the previous holder.
    pub(super) fn hold(
        &self,
        token: &str,
        lock: Lock,
        published: LastPublished,
        now: u64,
    ) -> io::Result<()> {
        sign(lock.file(), token, now)?;
        self.lock()
            .insert(token.to_owned(), LocalFlight { lock: Some(lock), published, signed: now });
        Ok(())
    }

    /// A flight that holds no lock. It may publish as long as nobody else has.
    pub(super) fn beside(&self, token: &str, published: LastPublished, now: u64) {
        self.lock().insert(token.to_owned(), LocalFlight { lock: None, published, signed: now });
    }

    /// Renews the lease; `false` if it is lost.
    pub(super) fn renew(&self, token: &str, now: u64) -> bool {
        let mut flights = self.lock();
        let Some(begun) = flights.get_mut(token) else { return false };
        let Some(lock) = &begun.lock else { return true };
        // `now` was read before this check: whoever is stopped in between signs an old time.
        if is_over(begun.signed, now) {
            flights.remove(token);
            return false;
        }
        if sign(lock.file(), token, now).is_ok() {
            begun.signed = now;
        }
        true
    }

    /// Nobody has published since the flight began. A floor only remembers an index; whoever holds
    /// the lock may publish over one that has appeared meanwhile.
    pub(super) fn is_unbroken(&self, token: &str, present: &LastPublished, now: u64) -> bool {
        let flights = self.lock();
        let Some(begun) = flights.get(token) else { return false };
        let is_floor = present.rev.as_ref().is_some_and(|rev| rev.starts_with('t'));
        match begun.lock {
            Some(_) if is_over(begun.signed, now) => false,
            Some(_) => is_floor || begun.published == *present,
            None => begun.published == *present,
        }
    }

    /// Releases the lease.
    pub(super) fn release(&self, token: &str) {
        self.lock().remove(token);
    }

    /// Releases the lease and reports the failure to waiting processes.
    pub(super) fn fail(&self, token: &str, class: FailureClass, now: u64) {
        let begun = self.lock().remove(token);
        if let Some(lock) = begun.and_then(|begun| begun.lock) {
            // A full disk costs those who wait the reason: they try for themselves.
            let _ = write(lock.file(), 0, &format!("!{token}|{}|{now}", class.number()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, LocalFlight>> {
        lock(&self.0)
    }
}

/// Which `serve` follows Nomad for all who share these files: the lock, while it is held; the kernel frees it when its owner dies.
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

fn is_over(signed: u64, now: u64) -> bool {
    now.saturating_sub(signed) > SIGNED_MS
}

fn said(file: &File) -> String {
    line(file, 0)
}

fn line(file: &File, at: u64) -> String {
    let mut bytes = [0; LENGTH];
    let read = file.read_at(&mut bytes, at).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).trim_end().to_owned()
}

fn sign(file: &File, token: &str, now: u64) -> io::Result<()> {
    write(file, 0, &format!("{token}|{now}"))
}

/// One write of one length, so that nothing older shows behind it.
fn write(file: &File, at: u64, text: &str) -> io::Result<()> {
    fault::before(Act::Writes)?;
    file.write_all_at(format!("{text:<width$}\n", width = LENGTH - 1).as_bytes(), at)
}

#[cfg(test)]
mod tests {
    use super::{
        FailureClass, Flights, Folder, LastPublished, LeaseAttempt, failure, is_held, note, noted,
        take,
    };

    fn published(rev: Option<&str>) -> LastPublished {
        LastPublished { rev: rev.map(str::to_owned), noted: None }
    }

    #[test]
    fn a_flight_says_whose_it_is_and_how_it_ended() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(&home.path().join("cache")).unwrap();
        let flights = Flights::default();
        let free = |waited: &str, now| match take(&folder, "f").unwrap() {
            LeaseAttempt::Free(lock) => failure(&lock, waited, now),
            LeaseAttempt::Held(holder) => panic!("{holder:?}"),
        };
        let LeaseAttempt::Free(lock) = take(&folder, "f").unwrap() else {
            panic!("nobody holds it")
        };
        flights.hold("N1", lock, published(None), 10_000).unwrap();
        let LeaseAttempt::Held(holder) = take(&folder, "f").unwrap() else { panic!("N1 holds it") };
        assert_eq!(holder.token, "N1");
        assert_eq!([15_000, 15_001].map(|now| holder.is_stopped(now)), [false, true]);
        assert!(is_held(&folder, "f"));
        flights.fail("N1", FailureClass::NotNomad, 20_000);
        assert!(!is_held(&folder, "f"));
        assert_eq!(free("N1", 22_000), Some(FailureClass::NotNomad));
        let LeaseAttempt::Free(looks) = take(&folder, "f").unwrap() else {
            panic!("nobody holds it")
        };
        let LeaseAttempt::Held(other) = take(&folder, "f").unwrap() else {
            panic!("somebody looks")
        };
        assert_eq!(
            (other.token.as_str(), other.failure("N1", 22_000)),
            ("", Some(FailureClass::NotNomad))
        );
        assert_eq!(other.failure("N2", 22_000), None);
        drop(looks);
        assert_eq!([free("N1", 22_001), free("N1", 19_999), free("N2", 20_000)], [None; 3]);
    }

    #[test]
    fn a_flight_is_broken_by_a_publication_and_by_its_own_sleep() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(&home.path().join("cache")).unwrap();
        let flights = Flights::default();
        let LeaseAttempt::Free(lock) = take(&folder, "f").unwrap() else {
            panic!("nobody holds it")
        };
        flights.hold("N1", lock, published(Some("N0")), 0).unwrap();
        flights.beside("F2", published(Some("N0")), 0);
        let unbroken =
            |rev, now| ["N1", "F2"].map(|token| flights.is_unbroken(token, &published(rev), now));
        assert_eq!(unbroken(Some("N0"), 0), [true, true]);
        assert_eq!(unbroken(Some("tF3"), 0), [true, false]);
        assert_eq!([unbroken(Some("N4"), 0), unbroken(None, 0)], [[false; 2]; 2]);
        assert!(flights.renew("N1", 5000));
        assert_eq!(
            [unbroken(Some("N0"), 10_000), unbroken(Some("N0"), 10_001)],
            [[true, true], [false, true]]
        );
        assert!(!flights.renew("N1", 10_001) && !is_held(&folder, "f"));
    }

    #[test]
    fn a_publication_that_was_lost_breaks_a_flight_too() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(&home.path().join("cache")).unwrap();
        let flights = Flights::default();
        let present = || LastPublished { rev: None, noted: noted(&folder, "f") };
        assert_eq!(present(), LastPublished::default());
        let LeaseAttempt::Free(lock) = take(&folder, "f").unwrap() else {
            panic!("nobody holds it")
        };
        flights.hold("N1", lock, present(), 0).unwrap();
        flights.beside("F2", present(), 0);
        let unbroken = || ["N1", "F2"].map(|token| flights.is_unbroken(token, &present(), 0));
        assert_eq!(unbroken(), [true, true]);
        note(&folder, "f", "F3").unwrap();
        assert_eq!((noted(&folder, "f").as_deref(), unbroken()), (Some("F3"), [false, false]));
    }
}
