//! The five scripts of the protocol, on a [`Space`].

use std::time::Instant;

use nomad_clients::store::meta::{self, Meta};
use nomad_clients::store::{
    Enter, Entered, FailureClass, Flight, How, Publication, Published, RefusedRevs,
};

use crate::support::sealed::sealed;

use super::keys::{Family, Keys};
use super::space::{Space, after};

const EPOCH_MS: u64 = 86_400_000;
const LEASE_MS: u64 = 3000;
pub(super) const FAILURE_MS: u64 = 2000;

/// One script at work: whose keys, at what time.
pub(super) struct Script<'a> {
    pub space: &'a mut Space,
    pub keys: &'a Keys,
    pub scope: &'a str,
    pub now: Instant,
    /// TTL of `all`, and of `hash` and meta.
    pub ttl_ms: [u64; 2],
}

impl Script<'_> {
    fn word(&self, key: &str) -> Option<String> {
        let text = self.space.text(key, self.now)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn meta_at(&self, key: &str) -> Option<Meta> {
        self.space.text(key, self.now).and_then(Meta::parse)
    }

    /// The valid meta of this scope, and whether its family is the literal one.
    fn described(&self, epoch: Option<&str>) -> (Option<Meta>, bool) {
        let mine = |meta: &Meta| meta.scope == self.scope;
        let first = self.meta_at(&self.keys.literal.meta);
        let literal = first.as_ref().is_none_or(mine);
        let meta = if literal { first } else { self.meta_at(&self.keys.own.meta).filter(mine) };
        (meta.filter(|meta| Some(&*meta.epoch) == epoch), literal)
    }

    /// The epoch; a new nonce if there is none that a meta could ever match.
    fn epoch(&mut self, nonce: &str) -> String {
        let is_hex = |epoch: &String| {
            !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        self.word(&self.keys.epoch).filter(is_hex).unwrap_or_else(|| {
            self.space.set(&self.keys.epoch, nonce, after(self.now, EPOCH_MS));
            nonce.to_owned()
        })
    }

    /// `now_ms` is this space's clock, for the reply.
    pub(super) fn enter(&mut self, enter: &Enter<'_>, nonce: &str, now_ms: u64) -> Entered {
        let epoch = self.epoch(nonce);
        let (meta, literal) = self.described(Some(&epoch));
        if let Some(meta) = meta.as_ref().filter(|meta| self.serves(meta, enter, literal)) {
            return Entered::Hit { rev: meta.rev.clone() };
        }
        let mut lease = self.word(&self.keys.lease);
        if let Some((who, class)) = lease.as_deref().and_then(failure) {
            if Some(who) == enter.waited {
                return Entered::Failed(FailureClass::from_number(class));
            }
            lease = None;
        }
        let left = self.space.ttl_left(&self.keys.lease, self.now);
        let sane = u64::try_from(left).is_ok_and(|left| left <= 2 * LEASE_MS);
        let other = lease.filter(|lease| sane && lease != enter.token);
        let watch = match other {
            Some(lease) if enter.how != How::Force => {
                return Entered::Wait { lease, rev: meta.map(|meta| meta.rev) };
            }
            // Another --force runs: publish under its lease.
            Some(lease) if lease.starts_with('F') => Some(lease),
            _ => None,
        };
        if watch.is_none() {
            self.space.set(&self.keys.lease, enter.token, after(self.now, LEASE_MS));
        }
        let count = self.count(self.keys.family(literal));
        let flight = Flight::new(enter.token, watch, epoch, meta).over_hash(Some(count));
        Entered::Own(flight.entered_at(literal, now_ms, self.now))
    }

    pub(super) fn void(&mut self, own: Option<&str>) {
        for family in [&self.keys.literal, &self.keys.own] {
            if self.meta_at(&family.meta).is_some_and(|meta| meta.scope == self.scope) {
                self.space.delete(&family.names());
            }
        }
        let lease = self.word(&self.keys.lease);
        if lease.is_some_and(|lease| Some(lease.as_str()) != own && failure(&lease).is_none()) {
            self.space.delete(&[&self.keys.lease]);
        }
    }

    fn serves(&self, meta: &Meta, enter: &Enter<'_>, literal: bool) -> bool {
        let accepted = match enter.refuse {
            RefusedRevs::Everything => false,
            RefusedRevs::Revs(revs) => !revs.contains(&meta.rev),
        };
        let all = self.space.text(&self.keys.family(literal).all, self.now);
        let complete = all.is_some_and(|all| u64::try_from(all.len()).ok() == Some(meta.len));
        meta.len > 0 && enter.how != How::Force && accepted && complete
    }

    pub(super) fn publish(&mut self, flight: Flight, new: &Publication<'_>) -> Published {
        let epoch = self.word(&self.keys.epoch);
        let (meta, literal) = self.described(epoch.as_deref());
        let keys = self.keys.family(literal).clone();
        let lease = self.word(&self.keys.lease);
        if lease.as_deref() != Some(flight.watch()) || epoch.as_deref() != Some(flight.epoch()) {
            self.invalidate(&flight, new, &keys, meta);
            return Published::Fenced;
        }
        if let Some(meta) = &meta
            && new.index < meta.index
            && new.reset != Some(&*meta.rev)
        {
            let (index, rev) = (meta.index, meta.rev.clone());
            return Published::Older { flight, index, rev };
        }
        if let Some(base) = new.base {
            let is_base = |meta: &Meta| meta.rev == base.rev && self.count(&keys) == meta.count;
            let is_kept = !new.probed || self.space.text(&keys.kept, self.now).is_some();
            if !is_kept || !meta.as_ref().is_some_and(is_base) {
                return Published::Rebase(flight);
            }
        }
        self.write(&flight, new, &keys);
        if literal {
            self.space.delete(&self.keys.own.names());
        }
        Published::Done
    }

    fn count(&self, keys: &Family) -> u64 {
        self.space.hash(&keys.hash, self.now).map_or(0, |fields| fields.len() as u64)
    }

    fn write(&mut self, flight: &Flight, new: &Publication<'_>, keys: &Family) {
        let [ttl, detail_ttl] = self.ttl_ms;
        let ends = after(self.now, detail_ttl);
        if new.base.is_none() {
            self.space.delete(&[&keys.hash]);
        }
        let changed = new.fulls.iter().map(|(id, full)| (id.as_str().into(), sealed(full)));
        self.space.change(&keys.hash, self.now, |fields| {
            fields.retain(|id, _| !new.gone.iter().any(|gone| gone.as_str().as_bytes() == id));
            fields.extend(changed);
        });
        self.space.expire(&keys.hash, ends);
        let lag = self.now.saturating_duration_since(new.list_sent).as_millis();
        let mut meta = Meta {
            scope: self.scope.to_owned(),
            epoch: flight.epoch().to_owned(),
            rev: flight.watch().to_owned(),
            index: new.index,
            count: self.count(keys),
            len: new.all.len() as u64,
            sum: meta::sum(new.all),
            ttl_ms: ttl,
            lag_ms: u64::try_from(lag).unwrap_or(u64::MAX),
        };
        if new.partial {
            (meta.rev, meta.len, meta.sum) = (format!("p{}", flight.watch()), 0, "-".to_owned());
            self.space.delete(&[&keys.all]);
            self.mark_failed(flight.watch(), FailureClass::Partial);
        } else {
            self.space.set(&keys.all, new.all.as_slice(), after(self.now, ttl));
            self.space.delete(&[&self.keys.lease]);
        }
        self.space.set(&keys.meta, meta.to_string(), ends);
        self.space.expire(&self.keys.epoch, after(self.now, EPOCH_MS));
        if new.partial {
            self.space.delete(&[&keys.kept]);
        } else if !new.probed {
            // Else it ends when its list is too old.
            self.space.set(&keys.kept, new.all.as_slice(), ends);
        }
    }

    /// Fenced. What is about to be printed may be newer than what is visible: then nobody may be
    /// shown the older any more.
    fn invalidate(
        &mut self,
        flight: &Flight,
        new: &Publication<'_>,
        keys: &Family,
        meta: Option<Meta>,
    ) {
        if meta.as_ref().is_some_and(|meta| meta.index == new.eff) {
            return;
        }
        self.space.delete(&[&keys.all]);
        if new.reset.is_some() {
            self.space.delete(&[&keys.meta, &keys.hash, &keys.kept, &self.keys.lease]);
            return;
        }
        let Some(epoch) = self.word(&self.keys.epoch) else { return };
        if meta.as_ref().is_some_and(|meta| new.eff <= meta.index) {
            return;
        }
        if meta.is_none() {
            // Never a meta over a hash of unknown origin.
            self.space.delete(&[&keys.hash]);
        }
        let floor = Meta {
            scope: self.scope.to_owned(),
            epoch,
            rev: format!("t{}", flight.lease().token()),
            index: new.eff,
            count: meta.as_ref().map_or(0, |meta| meta.count),
            len: 0,
            sum: "-".to_owned(),
            ttl_ms: 0,
            lag_ms: 0,
        };
        self.space.set(&keys.meta, floor.to_string(), after(self.now, self.ttl_ms[1]));
    }

    fn owns_lease(&self, token: &str) -> bool {
        self.word(&self.keys.lease).as_deref() == Some(token)
    }

    pub(super) fn renew(&mut self, token: &str) -> bool {
        let owned = self.owns_lease(token);
        if owned {
            self.space.expire(&self.keys.lease, after(self.now, LEASE_MS));
        }
        owned
    }

    pub(super) fn release(&mut self, token: &str) {
        if self.owns_lease(token) {
            self.space.delete(&[&self.keys.lease]);
        }
    }

    pub(super) fn fail(&mut self, token: &str, class: FailureClass) {
        if self.owns_lease(token) {
            self.mark_failed(token, class);
        }
    }

    fn mark_failed(&mut self, token: &str, class: FailureClass) {
        let mark = format!("!{token}|{}", class.number());
        self.space.set(&self.keys.lease, mark, after(self.now, FAILURE_MS));
    }
}

/// Token and class of a failure that a lease tells of; both empty if it can't be read.
fn failure(lease: &str) -> Option<(&str, &str)> {
    let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let marked = lease.strip_prefix('!')?.split_once('|');
    Some(marked.filter(|(who, class)| is_word(who) && is_word(class)).unwrap_or_default())
}
