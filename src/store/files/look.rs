//! LOOK on files, and everything else that only reads.

use std::time::Duration;

use crate::model::format::millis;
use crate::model::node::Fulls;
use crate::model::snapshot::Snapshot;
use crate::store::records::{Fields, counted, matched, recorded, records_of};
use crate::store::validate::{Payload, Verdict, judge};
use crate::store::{Base, Flight, Look, Present, Want};

use super::lease;
use super::lease::LastPublished;
use super::snapshot_file::{Header, MAX_SNAPSHOT_BYTES, Opened};
use super::{EPOCH, EPOCH_LONGEST, LocalStore};

/// Full records are a few times as large as `all`.
const FULLS_LONGEST: u64 = 8 * MAX_SNAPSHOT_BYTES;

/// What is known of the cache at one moment, without the bytes of `all`.
#[derive(Debug, Default)]
pub(super) struct LocalEntry {
    /// Of this scope and boot.
    header: Option<Header>,
    /// Redis has shown something newer since: good as a base, not to be served.
    pub(super) is_outdated: bool,
    /// `all` is there in its full length.
    pub(super) has_all: bool,
    pub(super) epoch: Option<String>,
}

impl LocalEntry {
    /// The publication, whatever became of it.
    pub(super) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    fn current(&self) -> Option<&Header> {
        self.header.as_ref().filter(|header| Some(&header.epoch) == self.epoch.as_ref())
    }

    /// The publication of this epoch, however old, and what was published last: what a flight's
    /// publication is fenced by.
    pub(super) fn last_published(&self, store: &LocalStore) -> LastPublished {
        let rev = self.current().map(|header| header.rev.clone());
        LastPublished { rev, noted: lease::noted(&store.folder, &store.name("flight")) }
    }

    /// The publication, if it is still good to start a fetch from.
    pub(super) fn valid(&self, store: &LocalStore) -> Option<&Header> {
        let keep = millis(store.detail_ttl);
        self.current()
            .filter(|header| !header.is_void() && store.now().saturating_sub(header.at) <= keep)
    }
}

pub(super) fn look(store: &LocalStore, want: Want) -> Look {
    // A publication in between takes the named file away: then there is a new snapshot.
    store.look_once(want).or_else(|_| store.look_once(want)).unwrap_or_else(|rev| {
        store.ignored("its full records are missing or belong to another publication");
        Look::Miss { refuse: Some(rev) }
    })
}

pub(super) fn present(store: &LocalStore) -> Option<Present> {
    let known = store.known();
    let is_there = known.has_all && !known.is_outdated;
    let header = known.header.as_ref().filter(|header| is_there && !header.is_void())?;
    let epoch = known.epoch.clone().map(String::into_bytes);
    let seen = header.seen(Payload::Length(header.len, Vec::new()), epoch, store.now());
    match judge(seen, &store.scope, store.ttl) {
        Verdict::Hit(hit) => Some(hit.present(Duration::ZERO)),
        Verdict::Miss(_) => None,
    }
}

/// The records of the flight's publication; of a partial one by its full records.
pub(super) fn base(store: &LocalStore, flight: &Flight, want: Want) -> Option<Base> {
    let (known, meta) = (store.known(), flight.meta()?);
    let header = known.valid(store).filter(|header| header.rev == meta.rev)?;
    let rev = header.rev.clone();
    if header.len == 0 {
        let fulls = store.counted(header)?;
        let all = records_of(&fulls);
        return Some(Base { rev, all, fulls: Some(fulls), is_kept: false });
    }
    let (read, all) = store.open_snap()?.read().ok()?;
    if read.rev != rev || !meta.describes(&all) {
        return None;
    }
    let fulls = match want {
        Want::Records | Want::Stream => None,
        Want::Full => Some(matched(&all, store.fields(&read)?)?),
    };
    Some(Base { rev, all: all.into(), fulls, is_kept: true })
}

pub(super) fn last(store: &LocalStore, want: Want) -> Option<Snapshot> {
    let known = store.known();
    known.valid(store).filter(|header| header.len > 0 && !known.is_outdated)?;
    let (header, all) = store.open_snap()?.read().ok()?;
    let is_it = Some(&header) == known.header() && header.meta().describes(&all);
    let fulls = match want {
        Want::Records | Want::Stream => None,
        Want::Full => Some(matched(&all, store.fields(&header)?)?),
    };
    is_it.then(|| Snapshot { all: all.into(), ..store.recorded(&header, fulls) })
}

impl LocalStore {
    /// The snapshot's header, *then* the epoch: if they agree it was not cleared before the
    /// snapshot was read.
    pub(super) fn known(&self) -> LocalEntry {
        let opened = self.open_snap();
        let has_all = opened.as_ref().is_some_and(Opened::has_all);
        let header = opened.map(|opened| opened.header);
        let is_outdated = header.as_ref().is_some_and(|header| self.floor().is_above(header));
        LocalEntry { header, is_outdated, has_all, epoch: self.known_epoch() }
    }

    /// `None` if there is none, or none that a snapshot could match.
    pub(super) fn known_epoch(&self) -> Option<String> {
        let epoch = String::from_utf8(self.folder.read(EPOCH, EPOCH_LONGEST)?).ok()?;
        let is_hex = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then_some(epoch)
    }

    /// What is kept beside the Redis that shows this epoch, if it is fresh.
    pub(crate) fn kept_beside(&self, epoch: &str, want: Want) -> Option<Snapshot> {
        let header = self.open_snap()?.header;
        let is_kept = header.beside.as_deref() == Some(epoch);
        match is_kept.then(|| look(self, want))? {
            Look::Hit(hit) => Some(hit).filter(|hit| hit.rev == header.rev),
            Look::Miss { .. } | Look::File(..) => None,
        }
    }

    /// The publication that is here and was not made beside that Redis.
    pub(crate) fn rev_not_beside(&self, epoch: &str) -> Option<String> {
        let header = self.open_snap()?.header;
        (header.beside.as_deref() != Some(epoch)).then_some(header.rev)
    }

    fn open_snap(&self) -> Option<Opened> {
        let boot = (self.boot.id.as_str(), self.now());
        let opened = Opened::open(&self.folder, &self.name("snap"), self.scope.as_str(), boot);
        opened.unwrap_or_else(|why| {
            self.ignored(why);
            None
        })
    }

    fn ignored(&self, why: &str) {
        self.notifier.verbose(format!("cache entry ignored: {why} ({})", self.folder.place()));
    }

    /// # Errors
    /// The publication whose full records were wanted and can't be had.
    pub(super) fn look_once(&self, want: Want) -> Result<Look, String> {
        let miss = Ok(Look::Miss { refuse: None });
        let Some(opened) = self.open_snap().filter(|opened| !opened.header.is_void()) else {
            return miss;
        };
        let (header, all) = match opened.read() {
            Ok(read) => read,
            Err(why) => {
                self.ignored(why);
                return miss;
            }
        };
        if self.floor().is_above(&header) {
            self.ignored("Redis has shown a newer one");
            return miss;
        }
        let epoch = self.folder.read(EPOCH, EPOCH_LONGEST);
        let seen = header.seen(Payload::Bytes(all), epoch, self.now());
        let snapshot = match judge(seen, &self.scope, self.ttl) {
            Verdict::Hit(mut hit) => {
                let all = hit.all.take().unwrap_or_default().into();
                hit.snapshot(all, Duration::ZERO)
            }
            Verdict::Miss(miss) => {
                miss.why.inspect(|why| self.ignored(why.text()));
                return Ok(Look::Miss { refuse: miss.refuse });
            }
        };
        match want {
            Want::Records | Want::Stream => Ok(Look::Hit(snapshot)),
            Want::Full => {
                let fields = self.fields(&header);
                let fulls = fields.and_then(|fields| matched(&snapshot.all, fields));
                let fulls = Some(fulls.ok_or(header.rev)?);
                Ok(Look::Hit(Snapshot { fulls, ..snapshot }))
            }
        }
    }

    /// The full records of a header's file, as they are stored; `None` if that is not (any more) there.
    pub(super) fn fields(&self, header: &Header) -> Option<Fields> {
        if header.count == 0 {
            return Some(Fields::new());
        }
        let bytes = self.full_file(header)?;
        Some(lines(&bytes).map(|line| (field(line).to_vec(), line.to_vec())).collect())
    }

    /// The same of a publication whose `all` is not there.
    pub(super) fn counted(&self, header: &Header) -> Option<Fulls> {
        counted(header.count, self.fields(header)?)
    }

    fn full_file(&self, header: &Header) -> Option<Vec<u8>> {
        // Only the name, never a path: the header is not trusted.
        let name =
            Some(&header.full).filter(|name| !name.contains('/') && name.ends_with(".full"))?;
        self.folder.read(name, FULLS_LONGEST)
    }

    /// A publication without `all`.
    pub(super) fn recorded(&self, header: &Header, fulls: Option<Fulls>) -> Snapshot {
        let since = Duration::from_millis(self.now().saturating_sub(header.at));
        recorded(&header.meta(), fulls, since)
    }
}

/// The records of a file of full records.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The id of a full record, which begins with it: `{"id":"`, then 36 characters.
fn field(line: &[u8]) -> &[u8] {
    line.get(7..43).unwrap_or_default()
}
