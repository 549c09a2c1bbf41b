//! Reading: LOOK, the full records, the base of a flight, and the partial publication.

use std::time::Duration;

use redis::{Cmd, Value};

use crate::clock;
use crate::model::node::{AllJson, FullJson, Fulls};
use crate::model::rows;
use crate::model::snapshot::Snapshot;
use crate::net::sync::lock;
use crate::store::keys::Family;
use crate::store::meta::Meta;
use crate::store::records::{Fields, counted, matched, of_record, recorded, records_of};
use crate::store::validate::{self, Hit, StoredEntry, StoredFamily, Verdict, judge};
use crate::store::{Base, Error, Flight, Look, Present, Want};

use super::ask::Step;
use super::connection::Manner;
use super::errors::of_reply;
use super::patience::StepLimit;
use super::{RedisStore, bulk, command, int, refusal};

const LOOK: Step = Step {
    name: "PTTL, PTTL, MGET",
    limit: StepLimit::Patience,
    manner: Manner::Reads,
    on_the_way: true,
};
const LOOK_FULL: Step = Step { name: "PTTL, PTTL, MGET, HGETALL", ..LOOK };
pub(super) const HASH: Step =
    Step { name: "HGETALL", limit: StepLimit::Patience, manner: Manner::Reads, on_the_way: false };
const KEPT: Step = Step { name: "MGET", ..HASH };
const KEPT_FULL: Step = Step { name: "MGET, HGETALL", ..HASH };
const OWN_HASH: Step = Step { name: "HGETALL, MGET", ..HASH };
const FULL: Step = Step { name: "HMGET", ..HASH };
const PRESENT: Step = Step { name: "PTTL, PTTL, MGET (no values)", ..LOOK };
const PARTIAL: Step = Step { name: "MGET", ..HASH };
const OTHER_RECORDS: &str = "its full records belong to another publication";
/// A partial publication is announced for so long: it can't be older when it is asked for.
const PARTIAL_AGE: Duration = Duration::from_secs(2);

pub(super) fn look(store: &RedisStore, want: Want) -> Result<Look, Error> {
    let sent = clock::now();
    let mut commands = store.look_commands();
    let step = match want {
        Want::Records => LOOK,
        Want::Full => {
            commands.push(command("HGETALL", &[&store.keys.literal.hash]));
            LOOK_FULL
        }
    };
    let Some((entry, hash)) = read(store, step, &commands)? else {
        return Ok(Look::Miss { refuse: None });
    };
    match judge(entry, &store.scope, store.ttl, clock::since(sent)) {
        Verdict::Hit(hit) if store.is_of_before_refusal(hit.snapshot.age) => {
            Ok(Look::Miss { refuse: Some(hit.meta.rev) })
        }
        Verdict::Hit(hit) if want == Want::Full => Ok(store.with_fulls(*hit, hash)),
        Verdict::Hit(hit) => Ok(Look::Hit(hit.snapshot)),
        Verdict::Miss(miss) => {
            miss.why.inspect(|why| store.ignored(why.text()));
            Ok(Look::Miss { refuse: miss.refuse })
        }
    }
}

/// What is there, and the hash if that was asked for too. A dead epoch is cleared again: then
/// nothing counts.
fn read(
    store: &RedisStore,
    step: Step,
    commands: &[Cmd],
) -> Result<Option<(StoredEntry, Option<Value>)>, Error> {
    *lock(&store.seen) = None;
    let before = store.cleared_epochs.seen_before();
    let mut replies = store.ask(step, commands)?;
    let hash = replies.drain(3..).next();
    if let Some(error) = refusal(&replies) {
        return Err(store.refused(error));
    }
    let entry = stored(replies).ok_or(Error::NotRedis)?;
    if entry.epoch.as_deref().is_some_and(|epoch| store.is_dead(epoch)) {
        store.clear_again();
        return Ok(None);
    }
    store.cleared_epochs.observe(&before, entry.epoch.as_deref());
    let epoch = entry.epoch.as_deref().unwrap_or_default();
    *lock(&store.seen) = Some(String::from_utf8_lossy(epoch).into_owned());
    let metas = [&entry.literal.meta, &entry.own.meta].into_iter().flatten();
    for meta in metas.filter(|meta| meta.scope == store.scope.as_str()) {
        store.patience.takes_at_least(meta.lag_ms);
    }
    Ok(Some((entry, hash)))
}

pub(super) fn present(store: &RedisStore) -> Result<Option<Present>, Error> {
    store.present_by(PRESENT)
}

/// What is kept of `all`, if it is what the flight's meta describes; else the hash, which is all
/// that a partial publication has.
pub(super) fn base(store: &RedisStore, flight: &Flight, want: Want) -> Option<Base> {
    let meta = flight.meta()?;
    if meta.len > 0 && flight.has_whole_hash() {
        match store.kept(meta, flight.literal, want) {
            Ok(Some((all, fulls))) => {
                let rev = meta.rev.clone();
                return Some(Base { rev, all, fulls, is_kept: true });
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
    [true, false].into_iter().find_map(|literal| {
        let Family { hash, .. } = store.keys.family(literal);
        // Not HGET, which users with the documented rights may not run.
        let asked = [command("HMGET", &[hash, id])];
        let replies =
            store.ask(FULL, &asked).inspect_err(|error| store.ignored(&error.to_string()));
        let Value::Array(mut values) = replies.ok()?.pop()? else { return None };
        of_record((id, record), bulk(values.pop()?)?).map(|(_, full)| full)
    })
}

impl RedisStore {
    /// Whether this Redis answers now, whatever it did a moment ago.
    pub fn check(&self) -> Result<(), Error> {
        self.present_by(Step { on_the_way: false, ..PRESENT }).map(drop)
    }

    fn present_by(&self, step: Step) -> Result<Option<Present>, Error> {
        let sent = clock::now();
        let Some((entry, _)) = read(self, step, &self.present_commands())? else { return Ok(None) };
        let present = validate::present(entry, &self.scope, self.ttl, clock::since(sent));
        Ok(present.filter(|present| !self.is_of_before_refusal(present.age)))
    }

    /// LOOK without the values.
    pub(super) fn present_commands(&self) -> [Cmd; 3] {
        let (literal, own) = (&self.keys.literal, &self.keys.own);
        [
            command("PTTL", &[&literal.all]),
            command("PTTL", &[&own.all]),
            command("MGET", &[&self.keys.epoch, &literal.meta, &own.meta]),
        ]
    }

    /// The expiries stand before the values, see [`StoredFamily::ttl_left`].
    pub(super) fn look_commands(&self) -> Vec<Cmd> {
        let (literal, own) = (&self.keys.literal, &self.keys.own);
        vec![
            command("PTTL", &[&literal.all]),
            command("PTTL", &[&own.all]),
            command("MGET", &[&self.keys.epoch, &literal.meta, &literal.all, &own.meta, &own.all]),
        ]
    }

    /// `hash` is the literal one, asked for together with everything else; the own one, needed
    /// only beside another cluster, costs a second question.
    fn with_fulls(&self, hit: Hit, hash: Option<Value>) -> Look {
        let Hit { mut snapshot, meta, literal } = hit;
        let hash = match hash {
            Some(hash) if literal || self.keys.own == self.keys.literal => Ok(hash),
            _ => {
                let asked = clock::now();
                let hash = self.hash(false);
                // The age was computed before this question: its answer takes time as well.
                let took = clock::since(asked);
                snapshot.age = snapshot.age.saturating_add(took);
                snapshot.since = snapshot.since.saturating_add(took);
                hash
            }
        };
        match hash.and_then(fields) {
            Ok(fields) => snapshot.fulls = matched(&snapshot.all, fields),
            Err(error) => self.ignored(&error.to_string()),
        }
        if snapshot.fulls.is_none() {
            self.ignored(OTHER_RECORDS);
            return Look::Miss { refuse: Some(meta.rev) };
        }
        Look::Hit(snapshot)
    }

    fn hash(&self, literal: bool) -> Result<Value, Error> {
        let hash = command("HGETALL", &[&self.keys.family(literal).hash]);
        self.ask(HASH, &[hash])?.pop().ok_or(Error::NotRedis)
    }

    /// What is kept of the publication that `meta` describes, in full if wanted; `None` if that is not
    /// what is there.
    pub(super) fn kept(
        &self,
        meta: &Meta,
        literal: bool,
        want: Want,
    ) -> Result<Option<(AllJson, Option<Fulls>)>, Error> {
        let Family { kept, hash, .. } = self.keys.family(literal);
        let mut asked = vec![command("MGET", &[kept])];
        let step = match want {
            Want::Records => KEPT,
            Want::Full => {
                asked.push(command("HGETALL", &[hash]));
                KEPT_FULL
            }
        };
        let mut replies = self.ask(step, &asked)?.into_iter();
        let all = replies.next().and_then(only).filter(|all| meta.describes(all));
        let Some(all) = all else { return Ok(None) };
        let fulls = replies.next().map(fields).transpose()?.map(|fields| matched(&all, fields));
        Ok(match fulls {
            Some(None) => None,
            fulls => Some((all.into(), fulls.flatten())),
        })
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

/// `None` if these are not the replies to LOOK, or to the same question without the values.
pub(super) fn stored(replies: Vec<Value>) -> Option<StoredEntry> {
    let [literal_left, own_left, Value::Array(values)] = <[Value; 3]>::try_from(replies).ok()?
    else {
        return None;
    };
    let has_values = values.len() == 5;
    let mut values = values.into_iter().map(bulk);
    let epoch = values.next()?;
    let mut family = |left: &Value| {
        let line = values.next()?;
        let all = if has_values { values.next()? } else { None };
        Some(StoredFamily::read(line.as_deref(), all, int(left)?))
    };
    Some(StoredEntry { epoch, literal: family(&literal_left)?, own: family(&own_left)? })
}

/// The one value of MGET's reply: a key of another type has none, and viewers may have no other right.
fn only(reply: Value) -> Option<Vec<u8>> {
    let Value::Array(values) = reply else { return None };
    values.into_iter().next().and_then(bulk)
}

/// The fields and values of HGETALL's reply.
fn fields(reply: Value) -> Result<Fields, Error> {
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
