//! Reading: LOOK, the full records, the base of a flight, and the partial publication.

use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use crate::clock;
use crate::host::cleared_epochs::SeenBefore;
use crate::host::copies::Copies;
use crate::model::node::{AllJson, FullJson, Fulls};
use crate::model::rows;
use crate::model::snapshot::Snapshot;
use crate::net::sync::lock;
use crate::store::keys::Family;
use crate::store::meta::Meta;
use crate::store::records::{Fields, counted, matched, of_record, recorded, records_of};
use crate::store::validate::{Hit, Payload, StoredEntry, StoredFamily, Verdict, judge};
use crate::store::{Base, Error, Flight, Look, Present, Want};

use super::ask::Step;
use super::connection::Manner;
use super::patience::StepLimit;
use super::payload::{self, SMALL, fields};
use super::{RedisStore, bulk, command, int, is_wrong_type, refusal};

/// Small, whatever the size of the publication.
const LOOK: Step = Step {
    name: "PTTL, MGET, STRLEN",
    limit: StepLimit::Patience,
    manner: Manner::Reads,
    on_the_way: true,
};
pub(super) const HASH: Step =
    Step { name: "HGETALL", limit: StepLimit::Patience, manner: Manner::Reads, on_the_way: false };
const KEPT: Step = Step { name: "MGET", ..HASH };
const KEPT_FULL: Step = Step { name: "MGET, HGETALL", ..HASH };
const OWN_HASH: Step = Step { name: "HGETALL, MGET", ..HASH };
const FULL: Step = Step { name: "HMGET", ..LOOK };
const PARTIAL: Step = Step { name: "MGET", ..HASH };
const OTHER_RECORDS: &str = "its full records belong to another publication";

/// What LOOK asks for besides what is always asked.
#[derive(Debug, Clone, Copy, Default)]
struct Besides {
    /// How many full records each hash has; the replies as they are.
    hash_lens: bool,
    first_bytes: bool,
}

/// A partial publication is announced for so long: it can't be older when it is asked for.
const PARTIAL_AGE: Duration = Duration::from_secs(2);

pub(super) fn look(store: &RedisStore, want: Want) -> Result<Look, Error> {
    let sent = clock::now();
    let first_bytes = !store.copies.as_ref().is_some_and(Copies::exist);
    let besides = Besides { hash_lens: want == Want::Full, first_bytes };
    let Some((entry, hash_lens)) = store.announced(LOOK, besides)? else {
        return Ok(Look::Miss { refuse: None });
    };
    let hit = match store.judged(entry, sent) {
        Ok(hit) => hit,
        Err(refuse) => return Ok(Look::Miss { refuse }),
    };
    let is_other = match hash_lens.get(usize::from(!hit.literal)) {
        Some(Value::Int(len)) => u64::try_from(*len) != Ok(hit.meta.count),
        // Whoever may not ask for the length may read the hash.
        Some(reply) => is_wrong_type(reply),
        None => false,
    };
    if is_other {
        return Ok(store.of_others(hit.meta.rev));
    }
    payload::look(store, hit, want, sent)
}

pub(super) fn present(store: &RedisStore) -> Result<Option<Present>, Error> {
    store.present_by(LOOK)
}

/// What is kept of `all`, if it is what the flight's meta describes; else the hash, which is all
/// that a partial publication has.
pub(super) fn base(store: &RedisStore, flight: &Flight, want: Want) -> Option<Base> {
    let meta = flight.meta()?;
    if meta.len > 0 && flight.has_whole_hash() {
        match store.kept(meta, flight.literal, want) {
            Ok(Some((all, fulls))) if want != Want::Full || fulls.is_some() => {
                let rev = meta.rev.clone();
                return Some(Base { rev, all, fulls, is_kept: true });
            }
            Ok(Some(_)) => {
                store.ignored(OTHER_RECORDS);
                return None;
            }
            Ok(None) => {}
            Err(error) => {
                store.ignored(&error.to_string());
                return None;
            }
        }
    }
    match store.hash_of(meta, flight.literal) {
        Ok(Some(fulls)) => {
            let all = records_of(&fulls);
            let rev = meta.rev.clone();
            return Some(Base { rev, all, fulls: Some(fulls), is_kept: false });
        }
        Ok(None) => store.ignored(OTHER_RECORDS),
        Err(error) => store.ignored(&error.to_string()),
    }
    None
}

pub(super) fn partial(store: &RedisStore, waited: &str) -> Result<Option<Snapshot>, Error> {
    let sent = clock::now();
    let keys = [&*store.keys.epoch, &store.keys.literal.meta, &store.keys.own.meta];
    let replies = store.ask(PARTIAL, &[command("MGET", &keys)])?;
    if let Some(error) = refusal(&replies) {
        return Err(store.refused(error));
    }
    let Some(Value::Array(values)) = replies.into_iter().next() else { return Ok(None) };
    let mut values = values.into_iter().map(bulk);
    let Some(Some(epoch)) = values.next() else { return Ok(None) };
    let announced = |meta: &Meta| {
        meta.scope == store.scope.as_str()
            && meta.epoch.as_bytes() == epoch
            && meta.rev.strip_prefix('p') == Some(waited)
    };
    let metas = values.map(|line| line.as_deref().and_then(Meta::parse));
    let found = metas.zip([true, false]).find(|(meta, _)| meta.as_ref().is_some_and(announced));
    let Some((Some(meta), literal)) = found else { return Ok(None) };
    if store.is_dead(&epoch) {
        return Ok(None);
    }
    let fulls = store.hash_of(&meta, literal)?;
    let since = PARTIAL_AGE + clock::since(sent);
    let partial = fulls.map(|fulls| recorded(&meta, Some(fulls), since));
    Ok(partial.filter(|partial| !store.is_of_before_refusal(partial.age)))
}

/// The own hash is needed only beside another cluster.
pub(super) fn full(store: &RedisStore, record: &[u8]) -> Option<FullJson> {
    let id = rows::id(record)?;
    for literal in [true, false] {
        let Family { hash, .. } = store.keys.family(literal);
        // Not HGET, which users with the documented rights may not run.
        let asked = [command("HMGET", &[hash, id])];
        let replies =
            store.ask(FULL, &asked).inspect_err(|error| store.ignored(&error.to_string()));
        let stored = replies.ok()?.pop().and_then(only);
        let full = stored.and_then(|stored| of_record((id, record), stored));
        if let Some((_, full)) = full {
            return Some(full);
        }
    }
    None
}

impl RedisStore {
    /// Whether this Redis answers now, whatever it did a moment ago.
    pub fn check(&self) -> Result<(), Error> {
        self.present_by(Step { on_the_way: false, ..LOOK }).map(drop)
    }

    fn present_by(&self, step: Step) -> Result<Option<Present>, Error> {
        let sent = clock::now();
        let Some((entry, _)) = self.announced(step, Besides::default())? else { return Ok(None) };
        let Verdict::Hit(hit) = judge(entry, &self.scope, self.ttl) else { return Ok(None) };
        let present = hit.present(clock::since(sent));
        Ok(Some(present).filter(|present| !self.is_of_before_refusal(present.age)))
    }

    /// What is there, without the bytes of a large publication. To ask for a length is to touch the
    /// key: Redis must not evict first what everybody has a copy of.
    fn announced(
        &self,
        step: Step,
        besides: Besides,
    ) -> Result<Option<(StoredEntry, Vec<Value>)>, Error> {
        let (literal, own) = (&self.keys.literal, &self.keys.own);
        let mut commands = self.look_commands();
        if besides.first_bytes {
            let last = (SMALL - 1).to_string();
            commands.push(command("GETRANGE", &[&literal.all, "0", &last]));
            commands.push(command("GETRANGE", &[&own.all, "0", &last]));
        }
        let always = commands.len();
        if besides.hash_lens {
            commands.extend([literal, own].map(|family| command("HLEN", &[&family.hash])));
        }
        let before = self.before();
        let mut replies = self.ask(step, &commands)?;
        let hash_lens = replies.split_off(always);
        // What is no string has no length.
        if let Some(error) = refusal(replies.iter().filter(|reply| !is_wrong_type(reply))) {
            return Err(self.refused(error));
        }
        let entry = announced(replies).ok_or(Error::NotRedis)?;
        Ok(self.living(&before, entry).map(|entry| (entry, hash_lens)))
    }

    /// The expiries stand before the meta lines, see [`StoredFamily::ttl_left`]. The lengths stand behind
    /// them: if a publication falls between, the one that is refused is the old one.
    pub(super) fn look_commands(&self) -> Vec<Cmd> {
        let (literal, own) = (&self.keys.literal, &self.keys.own);
        vec![
            command("PTTL", &[&literal.all]),
            command("PTTL", &[&own.all]),
            command("MGET", &[&self.keys.epoch, &literal.meta, &own.meta]),
            command("STRLEN", &[&literal.all]),
            command("STRLEN", &[&own.all]),
        ]
    }

    /// What was seen before this question; of what it will show nothing is known.
    fn before(&self) -> SeenBefore {
        *lock(&self.seen) = None;
        self.cleared_epochs.seen_before()
    }

    /// The entry, unless its epoch is a dead one, which is cleared again: then nothing counts.
    fn living(&self, before: &SeenBefore, entry: StoredEntry) -> Option<StoredEntry> {
        if entry.epoch.as_deref().is_some_and(|epoch| self.is_dead(epoch)) {
            self.clear_again();
            return None;
        }
        self.cleared_epochs.observe(before, entry.epoch.as_deref());
        let epoch = entry.epoch.as_deref().unwrap_or_default();
        *lock(&self.seen) = Some(String::from_utf8_lossy(epoch).into_owned());
        let metas = [&entry.literal.meta, &entry.own.meta].into_iter().flatten();
        for meta in metas.filter(|meta| meta.scope == self.scope.as_str()) {
            self.patience.takes_at_least(meta.lag_ms);
        }
        Some(entry)
    }

    /// What can be shown of it; `sent`: when it was asked for.
    ///
    /// # Errors
    /// A miss, and the publication that is there and can't be used.
    pub(super) fn judged(&self, entry: StoredEntry, sent: Instant) -> Result<Hit, Option<String>> {
        match judge(entry, &self.scope, self.ttl) {
            Verdict::Hit(hit) if self.is_of_before_refusal(hit.age(clock::since(sent))) => {
                Err(Some(hit.meta.rev))
            }
            Verdict::Hit(hit) => Ok(*hit),
            Verdict::Miss(miss) => {
                miss.why.inspect(|why| self.ignored(why.text()));
                Err(miss.refuse)
            }
        }
    }

    /// Everything of some families, the bytes too, and one hash if it is wanted.
    pub(super) fn values(
        &self,
        step: Step,
        literals: &[bool],
        hash: Option<&str>,
    ) -> Result<Option<(StoredEntry, Option<Value>)>, Error> {
        let mut commands = self.value_commands(literals);
        let values = commands.len();
        commands.extend(hash.map(|hash| command("HGETALL", &[hash])));
        let before = self.before();
        let mut replies = self.ask(step, &commands)?;
        let hash = replies.split_off(values).pop();
        if let Some(error) = refusal(&replies) {
            return Err(self.refused(error));
        }
        let entry = stored(replies, literals).ok_or(Error::NotRedis)?;
        Ok(self.living(&before, entry).map(|entry| (entry, hash)))
    }

    /// The expiries stand before the values, see [`StoredFamily::ttl_left`].
    pub(super) fn value_commands(&self, literals: &[bool]) -> Vec<Cmd> {
        let families = literals.iter().map(|literal| self.keys.family(*literal));
        let mut commands: Vec<Cmd> =
            families.clone().map(|family| command("PTTL", &[&family.all])).collect();
        let values = families.flat_map(|Family { meta, all, .. }| [meta.as_str(), all]);
        let keys: Vec<&str> = std::iter::once(&*self.keys.epoch).chain(values).collect();
        commands.push(command("MGET", &keys));
        commands
    }

    /// The full records are not those of the publication `rev`.
    pub(super) fn of_others(&self, rev: String) -> Look {
        self.ignored(OTHER_RECORDS);
        Look::Miss { refuse: Some(rev) }
    }

    pub(super) fn fields(&self, literal: bool) -> Result<Fields, Error> {
        let hash = command("HGETALL", &[&self.keys.family(literal).hash]);
        fields(self.ask(HASH, &[hash])?.pop().ok_or(Error::NotRedis)?)
    }

    /// What is kept of the publication that `meta` describes; `None` if that is not what is there. Its full
    /// records, if they are wanted, are missing if the hash has others.
    pub(super) fn kept(
        &self,
        meta: &Meta,
        literal: bool,
        want: Want,
    ) -> Result<Option<(AllJson, Option<Fulls>)>, Error> {
        if let Some(copied) = self.copied_base(meta, literal, want)? {
            return Ok(Some(copied));
        }
        let Family { kept, hash, .. } = self.keys.family(literal);
        let mut asked = vec![command("MGET", &[kept])];
        let step = match want {
            Want::Records | Want::Stream => KEPT,
            Want::Full => {
                asked.push(command("HGETALL", &[hash]));
                KEPT_FULL
            }
        };
        let mut replies = self.ask(step, &asked)?.into_iter();
        let all = replies.next().and_then(only).filter(|all| meta.describes(all));
        let Some(all) = all else { return Ok(None) };
        let fields = replies.next().map(fields).transpose()?;
        let fulls = fields.and_then(|fields| matched(&all, fields));
        Ok(Some((all.into(), fulls)))
    }

    /// The hash of the publication that `meta` describes. The meta line is read again behind it: no
    /// rev is used twice, so if it still stands there, the hash was its own.
    fn hash_of(&self, meta: &Meta, literal: bool) -> Result<Option<Fulls>, Error> {
        let Family { meta: line, hash, .. } = self.keys.family(literal);
        let asked = [command("HGETALL", &[hash]), command("MGET", &[line])];
        let replies = self.ask(OWN_HASH, &asked)?;
        let Ok([hash, line]) = <[Value; 2]>::try_from(replies) else { return Ok(None) };
        let is_still = only(line).and_then(|line| Meta::parse(&line)).as_ref() == Some(meta);
        let fields = fields(hash)?;
        Ok(if is_still { counted(meta.count, fields) } else { None })
    }
}

/// `None` if these are not the replies to LOOK.
fn announced(replies: Vec<Value>) -> Option<StoredEntry> {
    let mut replies = replies.into_iter();
    let mut next = || replies.next().unwrap_or_default();
    let lefts = [next(), next()];
    let Value::Array(lines) = next() else { return None };
    let lens = [next(), next()];
    let firsts = [next(), next()];
    let mut lines = lines.into_iter().map(bulk);
    let epoch = lines.next()?;
    let mut families = lefts.iter().zip(lens).zip(firsts).map(|((left, len), first)| {
        let first = bulk(first).unwrap_or_default();
        let all = length(&len).map_or(Payload::None, |len| Payload::Length(len, first));
        Some(StoredFamily::read(lines.next()?.as_deref(), all, int(left)?))
    });
    Some(StoredEntry { epoch, literal: families.next()??, own: families.next()?? })
}

/// The one value of MGET's reply: a key of another type has none, and viewers may have no other right.
fn only(reply: Value) -> Option<Vec<u8>> {
    let Value::Array(values) = reply else { return None };
    values.into_iter().next().and_then(bulk)
}

/// `None` if these are not the replies to [`RedisStore::value_commands`].
pub(super) fn stored(mut replies: Vec<Value>, literals: &[bool]) -> Option<StoredEntry> {
    let Value::Array(values) = replies.pop()? else { return None };
    let mut values = values.into_iter().map(bulk);
    let mut entry = StoredEntry { epoch: values.next()?, ..StoredEntry::default() };
    for (left, literal) in replies.iter().zip(literals) {
        let (line, all) = (values.next()?, values.next()?);
        let all = all.map_or(Payload::None, Payload::Bytes);
        let family = StoredFamily::read(line.as_deref(), all, int(left)?);
        *(if *literal { &mut entry.literal } else { &mut entry.own }) = family;
    }
    Some(entry)
}

fn length(reply: &Value) -> Option<u64> {
    int(reply).and_then(|length| u64::try_from(length).ok())
}
