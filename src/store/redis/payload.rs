//! The bytes of a hit: LOOK brought them, or this host has a copy, or one of its processes reads them.

use std::time::Instant;

use redis::Value;

use crate::clock;
use crate::host::copies::{CopiedBytes, CopiedRev, CopyKind};
use crate::host::folder::Lock;
use crate::model::node::{AllJson, FullJson, Fulls, NodeId};
use crate::model::rows;
use crate::model::snapshot::Snapshot;
use crate::store::meta::{self, Meta};
use crate::store::records::{Fields, matched};
use crate::store::validate::Hit;
use crate::store::{Error, Flight, Look, Publication, Want};

use super::ask::Step;
use super::connection::Manner;
use super::errors::of_reply;
use super::patience::StepLimit;
use super::{RedisStore, bulk};

/// What LOOK brings along where this host has no copy. Of a publication of this size there is none.
pub(super) const SMALL: u64 = 32 << 10;
/// From this length of the records on one process of a host reads, and the others wait for its copy.
const LARGE: u64 = 1 << 20;
const READ: Step = Step {
    name: "PTTL, MGET",
    limit: StepLimit::Patience,
    manner: Manner::Reads,
    on_the_way: true,
};
const READ_FULL: Step = Step { name: "PTTL, MGET, HGETALL", ..READ };

/// `sent`: when LOOK was. Redis has decided by then; to wait for the bytes only adds to the age.
pub(super) fn look(
    store: &RedisStore,
    mut hit: Hit,
    want: Want,
    sent: Instant,
) -> Result<Look, Error> {
    if let Some(all) = hit.all.take() {
        return Ok(store.with_details(&hit, all.into(), want, sent));
    }
    let find = || store.copied(&hit, want, sent);
    if let Some(look) = find() {
        return Ok(look);
    }
    // Whoever has waited in vain still has the time to read.
    let turn = match &store.copies {
        Some(copies) if hit.meta.len >= LARGE => {
            copies.turn(store.patience.budget(READ.limit).whole / 3, find)
        }
        _ => Err(None),
    };
    turn.or_else(|turn| store.read(&hit, want, sent, turn))
}

impl RedisStore {
    /// From the copies of this host alone.
    fn copied(&self, hit: &Hit, want: Want, sent: Instant) -> Option<Look> {
        if want == Want::Stream {
            let copies = self.copies.as_ref()?;
            let file = copies.open(CopyKind::All, &copied(&hit.meta))?.checked()?;
            let snapshot = hit.snapshot(AllJson::default(), clock::since(sent));
            return Some(Look::File(snapshot, file));
        }
        let fulls = match want {
            Want::Full => Some(self.copied_fulls(&hit.meta)?),
            Want::Records | Want::Stream => None,
        };
        let all = self.copied_all(&hit.meta)?.into();
        Some(Look::Hit(Snapshot { fulls, ..hit.snapshot(all, clock::since(sent)) }))
    }

    /// From Redis, and for the next runs of this host.
    fn read(
        &self,
        hit: &Hit,
        want: Want,
        sent: Instant,
        turn: Option<Lock>,
    ) -> Result<Look, Error> {
        if want == Want::Full
            && let Some(all) = self.copied_all(&hit.meta)
        {
            let look = self.with_details(hit, all.into(), want, sent);
            if let Look::Hit(Snapshot { fulls: Some(fulls), .. }) = &look {
                self.keep_copy(copied(&hit.meta), (None, Some(fulls)), turn);
            }
            return Ok(look);
        }
        let sent = clock::now();
        let (step, hash) = match want {
            Want::Full => (READ_FULL, Some(&*self.keys.family(hit.literal).hash)),
            Want::Records | Want::Stream => (READ, None),
        };
        let Some((entry, hash)) = self.values(step, &[hit.literal], hash)? else {
            return Ok(Look::Miss { refuse: None });
        };
        let mut hit = match self.judged(entry, sent) {
            Ok(hit) => hit,
            Err(refuse) => return Ok(Look::Miss { refuse }),
        };
        let all: AllJson = hit.all.take().unwrap_or_default().into();
        let fulls = match hash.map(fields) {
            Some(Ok(fields)) => matched(&all, fields),
            Some(Err(error)) => {
                self.ignored(&error.to_string());
                None
            }
            None => None,
        };
        if fulls.is_none() && want == Want::Full {
            return Ok(self.of_others(hit.meta.rev));
        }
        self.keep_copy(copied(&hit.meta), (Some(&all), fulls.as_ref()), turn);
        Ok(Look::Hit(Snapshot { fulls, ..hit.snapshot(all, clock::since(sent)) }))
    }

    /// The records as they are, or with the full records of the hash.
    fn with_details(&self, hit: &Hit, all: AllJson, want: Want, sent: Instant) -> Look {
        if want != Want::Full {
            return Look::Hit(hit.snapshot(all, clock::since(sent)));
        }
        let fields = self.fields(hit.literal);
        let fields = fields.inspect_err(|error| self.ignored(&error.to_string())).ok();
        match fields.and_then(|fields| matched(&all, fields)) {
            None => self.of_others(hit.meta.rev.clone()),
            fulls => Look::Hit(Snapshot { fulls, ..hit.snapshot(all, clock::since(sent)) }),
        }
    }

    /// The publication that `meta` describes, if this host has its records; the full ones may be read, and
    /// are missing if they are others.
    pub(super) fn copied_base(
        &self,
        meta: &Meta,
        literal: bool,
        want: Want,
    ) -> Result<Option<(AllJson, Option<Fulls>)>, Error> {
        let Some(all) = self.copied_all(meta) else { return Ok(None) };
        if want != Want::Full {
            return Ok(Some((all.into(), None)));
        }
        let fulls = match self.copied_fulls(meta) {
            None => matched(&all, self.fields(literal)?),
            fulls => fulls,
        };
        Ok(Some((all.into(), fulls)))
    }

    /// The records of the publication that `meta` describes, if this host has them.
    fn copied_all(&self, meta: &Meta) -> Option<Vec<u8>> {
        self.copies.as_ref()?.open(CopyKind::All, &copied(meta))?.read()
    }

    /// Its full records, if this host has them.
    fn copied_fulls(&self, meta: &Meta) -> Option<Fulls> {
        let copies = self.copies.as_ref()?;
        named(copies.open(CopyKind::Full, &copied(meta))?.lines()?, meta.count)
    }

    /// Keeps a copy of what this run has published.
    pub(super) fn keep_published(&self, flight: Flight, publication: &Publication<'_>) {
        let Publication { partial, all, fulls, base, .. } = *publication;
        if self.copies.is_none() || partial {
            return;
        }
        let (len, sum) = (all.len() as u64, meta::sum(all));
        let of = CopiedRev { epoch: flight.epoch, rev: flight.watch, len, sum };
        // A publication that differs from its base does not name all full records.
        let fulls = base.is_none().then_some(fulls);
        self.keep_copy(of, (Some(all), fulls), None);
    }

    /// Keeps a copy for this host. Of a small publication LOOK brings the bytes along, if there is no
    /// copy of another one.
    pub(super) fn keep_copy(
        &self,
        of: CopiedRev,
        (all, fulls): (Option<&AllJson>, Option<&Fulls>),
        turn: Option<Lock>,
    ) {
        let Some(copies) = &self.copies else { return };
        if of.len <= SMALL {
            if copies.exist() {
                copies.remove();
            }
            return;
        }
        let fulls =
            fulls.map(|fulls| fulls.iter().map(|(_, full)| FullJson::clone(full)).collect());
        copies.write(of, CopiedBytes { all: all.cloned(), fulls }, turn);
    }
}

fn copied(meta: &Meta) -> CopiedRev {
    let Meta { epoch, rev, len, sum, .. } = meta.clone();
    CopiedRev { epoch, rev, len, sum }
}

/// The full records of a copy under the IDs that they name; `None` if these are not `count`.
fn named(fulls: Vec<Vec<u8>>, count: u64) -> Option<Fulls> {
    let named = |full: Vec<u8>| Some((NodeId::parse(rows::id(&full)?)?, FullJson::new(full)));
    let fulls: Fulls = fulls.into_iter().map(named).collect::<Option<_>>()?;
    (u64::try_from(fulls.len()) == Ok(count)).then_some(fulls)
}

/// The fields and values of HGETALL's reply.
pub(super) fn fields(reply: Value) -> Result<Fields, Error> {
    let values = match reply {
        Value::Array(values) => values,
        Value::ServerError(error) => return Err(of_reply(&error)),
        _ => return Err(Error::NotRedis),
    };
    let mut values = values.into_iter().filter_map(bulk);
    let mut fields = Vec::with_capacity(values.size_hint().1.unwrap_or(0) / 2);
    while let (Some(field), Some(value)) = (values.next(), values.next()) {
        fields.push((field, value));
    }
    Ok(fields)
}
