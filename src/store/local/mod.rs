//! The files of this machine: the same protocol without a Redis.
//!
//! No wall clock decides anything (`at` is milliseconds since this boot), and no file is ever
//! changed in place: whoever is killed leaves the old or the new.

mod counts;
mod flight;
#[cfg(test)]
mod killed;
mod publish;
mod snap;
mod stats;

use std::io;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::clock;
use crate::model::node::NodeId;
use crate::model::remark::Tell;
use crate::model::snapshot::Snapshot;
use crate::random;

use super::auto::Local;
use super::folder::{Folder, plain};
use super::judge::{Verdict, judge};
use super::meta::Meta;
use super::records::{Fields, verified};
use super::scope::Scope;
use super::{
    Base, BootClock, Class, Cleared, ClearedPlace, Enter, Entered, Error, Flight, How, Kind, Look,
    Place, Publication, Published, Refuse, Sample, Stats, Store, Want,
};

use flight::{Flights, Taken};
use snap::Snap;

/// As large as an answer of Nomad's may be, with its header.
const LONGEST: u64 = (256 << 20) + 4096;
const EPOCH: &str = "epoch";
/// Writing takes milliseconds; whoever keeps the lock longer is stopped or gone mad.
const PATIENCE: Duration = Duration::from_secs(2);
const CLEAR_PATIENCE: Duration = Duration::from_secs(5);

/// The cache in the files of one user.
#[derive(Debug)]
pub struct LocalStore {
    folder: Folder,
    scope: Scope,
    ttl: Duration,
    detail_ttl: Duration,
    boot: BootClock,
    flights: Flights,
    tell: Tell,
}

impl LocalStore {
    /// Opens the cache folder of `place`.
    ///
    /// # Errors
    /// There is no folder that is this user's alone; names path and cause.
    pub fn open(place: &Place, boot: BootClock, tell: Tell) -> Result<Self, Error> {
        let path =
            place.folder.as_deref().ok_or_else(|| unavailable("no home folder to keep it in"))?;
        let folder = Folder::open(path).map_err(unavailable)?;
        Ok(Self {
            folder,
            scope: place.scope.clone(),
            ttl: place.ttl,
            detail_ttl: place.detail_ttl,
            boot,
            flights: Flights::default(),
            tell,
        })
    }

    fn now(&self) -> u64 {
        self.boot.ms()
    }

    fn name(&self, ending: &str) -> String {
        format!("{}.{ending}", self.scope)
    }

    /// The snapshot, *then* the epoch: if they agree it was not cleared before the snapshot was read.
    fn read(&self) -> (Option<Snap>, Option<Vec<u8>>) {
        let bytes = self.folder.read(&self.name("snap"), LONGEST);
        let snap = bytes.and_then(|bytes| {
            match Snap::parse(bytes, &self.scope, &self.boot.id, self.now()) {
                Ok(snap) => Some(snap),
                Err(why) => {
                    self.ignored(why);
                    None
                }
            }
        });
        (snap, self.folder.read(EPOCH, 64))
    }

    /// The snapshot if it is of the present epoch and still good to start a fetch from.
    fn valid(&self) -> (Option<Snap>, Option<String>) {
        let (snap, epoch) = self.read();
        let epoch =
            epoch.and_then(|epoch| String::from_utf8(epoch).ok()).filter(|epoch| is_epoch(epoch));
        let keep = u64::try_from(self.detail_ttl.as_millis()).unwrap_or(u64::MAX);
        let good = |snap: &Snap| {
            Some(&snap.header.epoch) == epoch.as_ref()
                && self.now().saturating_sub(snap.header.at) <= keep
        };
        (snap.filter(good), epoch)
    }

    fn cannot(&self, what: &str, error: &io::Error) -> Error {
        let what =
            format!("cannot {what} the cache folder {}: {}", self.folder.place(), plain(error));
        Error { kind: Kind::ReadOnly, what }
    }

    fn ignored(&self, why: &str) {
        self.tell.verbose(format!("cache entry ignored: {why} ({})", self.folder.place()));
    }

    /// The full records that a header describes.
    fn fulls(&self, snap: &Snap) -> Option<Vec<(NodeId, Vec<u8>)>> {
        if snap.header.count == 0 {
            return verified(&snap.meta(), Fields::new());
        }
        // Only the name, never a path: the header is not trusted.
        let name = Some(&snap.header.full)
            .filter(|name| !name.contains('/') && name.ends_with(".full"))?;
        let bytes = self.folder.read(name, 8 * LONGEST)?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // A full record begins with its id: {"id":"…36 characters…"
        verified(
            &snap.meta(),
            lines
                .map(|line| (line.get(7..43).unwrap_or_default().to_vec(), line.to_vec()))
                .collect(),
        )
    }

    fn look_once(&self, want: Want) -> (Look, bool) {
        let (snap, epoch) = self.read();
        let Some(snap) = snap else { return (Look::Miss { refuse: None }, false) };
        let named = snap.clone();
        let hit = match judge(snap.seen(epoch, self.now()), &self.scope, self.ttl, Duration::ZERO) {
            Verdict::Hit(hit) => *hit,
            Verdict::Miss(miss) => {
                miss.why.inspect(|why| self.ignored(why));
                return (Look::Miss { refuse: miss.refuse }, false);
            }
        };
        if want == Want::Records {
            return (Look::Hit(hit.snapshot), false);
        }
        match self.fulls(&named) {
            Some(fulls) => (Look::Hit(Snapshot { fulls: Some(fulls), ..hit.snapshot }), false),
            None => (Look::Miss { refuse: Some(hit.snapshot.rev) }, true),
        }
    }

    /// The epoch, which is made if there is none that a snapshot could match.
    fn epoch(&self) -> Result<String, Error> {
        if let (_, Some(epoch)) = self.valid() {
            return Ok(epoch);
        }
        let writing =
            self.folder.writing(PATIENCE).map_err(|error| self.cannot("write", &error))?;
        if let (_, Some(epoch)) = self.valid() {
            return Ok(epoch);
        }
        let epoch = random::hex16();
        writing
            .replace(EPOCH, &[epoch.as_bytes()])
            .map_err(|error| self.cannot("write", &error))?;
        Ok(epoch)
    }

    /// What may be served to this one. A refresh takes only what was published under a lock that
    /// it has seen held by another (rev `N…`): a `--force` that works beside the lock publishes
    /// under its own name, and its list may have begun before the refresh did.
    fn servable(&self, enter: &Enter<'_>) -> Option<String> {
        let Refuse::Revs(refused) = enter.refuse else { return None };
        let (snap, _) = self.valid();
        let header = snap?.header;
        let fresh = self.now().saturating_sub(header.at) <= header.ttl;
        let kind =
            enter.how == How::Get || (enter.how == How::Refresh && header.rev.starts_with('N'));
        (header.len > 0 && fresh && kind && !refused.contains(&header.rev)).then_some(header.rev)
    }

    fn flight(&self, enter: &Enter<'_>, epoch: String, watch: String, solo: bool) -> Entered {
        let (snap, _) = self.valid();
        Entered::Own(Box::new(Flight {
            token: enter.token.to_owned(),
            watch,
            epoch,
            meta: snap.map(|snap| snap.meta()),
            solo,
            literal: true,
            now_ms: self.now(),
            entered: clock::now(),
        }))
    }
}

impl Store for LocalStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        // A publication in between takes the named file away: then there is a new snapshot.
        let (look, torn) = self.look_once(want);
        if !torn {
            return Ok(look);
        }
        let (look, torn) = self.look_once(want);
        if torn {
            self.ignored("its full records are missing or of another publication");
        }
        Ok(look)
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let epoch = self.epoch()?;
        if let Some(rev) = self.servable(enter) {
            return Ok(Entered::Hit { rev });
        }
        let taken = flight::take(&self.folder, &self.name("flight"))
            .map_err(|error| self.cannot("lock", &error))?;
        let token = enter.token.to_owned();
        match taken {
            Taken::Held(lease) if enter.how == How::Force => {
                self.tell.verbose(format!("working beside {lease}"));
                Ok(self.flight(enter, epoch, token, true))
            }
            Taken::Held(lease) => {
                let (snap, _) = self.valid();
                Ok(Entered::Wait { lease, rev: snap.map(|snap| snap.header.rev) })
            }
            Taken::Free(file) => {
                if let Some(class) =
                    enter.waited.and_then(|waited| flight::failure(&file, waited, self.now()))
                {
                    return Ok(Entered::Failed(class));
                }
                // Whoever held it a moment ago may have published.
                if let Some(rev) = self.servable(enter) {
                    return Ok(Entered::Hit { rev });
                }
                self.flights.hold(enter.token, file);
                Ok(self.flight(enter, epoch, token, false))
            }
        }
    }

    fn base(&self, flight: &Flight) -> Option<Base> {
        let (snap, _) = self.valid();
        let snap = snap.filter(|snap| {
            Some(&snap.header.rev) == flight.meta.as_ref().map(|meta: &Meta| &meta.rev)
        })?;
        Some(Base { rev: snap.header.rev.clone(), fulls: self.fulls(&snap)?.into_iter().collect() })
    }

    fn publish(&self, flight: &Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        // The answer is good all the same, so this is worth a warning and no more.
        Ok(publish::publish(self, flight, publication).unwrap_or_else(|error| {
            self.tell.warning(self.cannot("write", &error).what);
            self.flights.release(&flight.token);
            Published::Fenced
        }))
    }

    /// The kernel keeps the lock for as long as this process lives.
    fn renew(&self, flight: &Flight) -> Result<bool, Error> {
        Ok(flight.solo || self.flights.holds(&flight.token))
    }

    fn release(&self, flight: &Flight) {
        self.flights.release(&flight.token);
    }

    fn fail(&self, flight: &Flight, class: Class) {
        self.flights.fail(&flight.token, class, self.now());
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        let (snap, _) = self.valid();
        let Some(snap) = snap.filter(|snap| snap.header.rev.strip_prefix('p') == Some(waited))
        else {
            return Ok(None);
        };
        Ok(self.fulls(&snap).map(|fulls| self.with_fulls(&snap, fulls)))
    }

    fn last(&self) -> Option<Snapshot> {
        let (snap, _) = self.valid();
        let snap = snap.filter(|snap| snap.header.len > 0)?;
        Some(self.with_fulls(&snap, self.fulls(&snap)?))
    }

    fn clear(&self) -> Cleared {
        let outcome = self.folder.writing(CLEAR_PATIENCE).and_then(|writing| {
            // From here it is cleared: nothing matches the new epoch, or none at all where there
            // is no room for a new one.
            writing
                .replace(EPOCH, &[random::hex16().as_bytes()])
                .or_else(|_| writing.remove(EPOCH))?;
            writing.sweep();
            writing.remove_all(|name| name.ends_with(".snap") || name.ends_with(".full"));
            Ok(())
        });
        // The place stands beside it.
        let outcome = outcome.map_err(|error| Error { kind: Kind::ReadOnly, what: plain(&error) });
        Cleared { places: vec![ClearedPlace { place: self.folder.place(), outcome }] }
    }

    fn count(&self, sample: &Sample) {
        let (name, minute) = (self.name("stats"), clock::unix_seconds() / 60);
        let len = counts::append(&self.folder, &name, sample, minute);
        if len.is_some_and(counts::is_long)
            && let Ok(writing) = self.folder.writing(Duration::ZERO)
        {
            counts::trim(&writing, &self.folder, &name, minute);
        }
    }

    fn stats(&self) -> Result<Stats, Error> {
        Ok(stats::stats(self))
    }
}

impl LocalStore {
    /// The publication by its full records alone.
    fn with_fulls(&self, snap: &Snap, fulls: Vec<(NodeId, Vec<u8>)>) -> Snapshot {
        let since = Duration::from_millis(self.now().saturating_sub(snap.header.at));
        Snapshot {
            rev: snap.header.rev.clone(),
            index: snap.header.idx,
            count: snap.header.count,
            all: Vec::new(),
            fulls: Some(fulls),
            age: Duration::from_millis(snap.header.lag).saturating_add(since),
            since,
        }
    }
}

impl Local for LocalStore {
    fn forget(&self) {
        if self.folder.file(&self.name("snap"), OFlags::RDONLY).is_err() {
            return;
        }
        if let Ok(writing) = self.folder.writing(Duration::ZERO) {
            writing.remove_all(|name| {
                name.starts_with(self.scope.as_str())
                    && (name.ends_with(".snap") || name.ends_with(".full"))
            });
        }
    }
}

fn is_epoch(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unavailable(what: impl Into<String>) -> Error {
    Error { kind: Kind::Unavailable, what: what.into() }
}
