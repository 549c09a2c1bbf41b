//! Statistics: what a run adds, and what `cache stats` reads.

use std::time::Duration;

use redis::{Cmd, Value};

use crate::clock;
use crate::model::format::millis;
use crate::store::keys::Family;
use crate::store::meta::Meta;
use crate::store::{CacheState, Error, KeyStats, Memory, Sample, Stats};

use super::ask::Step;
use super::connection::Manner;
use super::patience::StepLimit;
use super::socket::TimeBudget;
use super::{RedisStore, bulk, command, int, refusal, text};

/// Counters live for an hour.
const KEPT_S: &str = "3600";
const MINUTES: u64 = 60;
const FIELDS: [&str; 6] = ["hits", "hit_us", "misses", "miss_us", "nomad_calls", "follow_calls"];
/// Nobody waits for the counters.
const COUNT: TimeBudget = TimeBudget::flat(50);
pub(super) const STATS: Step = Step {
    name: "MGET, PTTL, STRLEN, HLEN, HMGET",
    limit: StepLimit::Fixed(TimeBudget::new(500, 3000)),
    manner: Manner::Reads,
    on_the_way: true,
};

/// In one write on the connection that the run has used, which ends here: the replies are not
/// read.
pub(super) fn count(store: &RedisStore, sample: &Sample) {
    let Some(connection) = store.idle() else { return };
    let key = store.keys.minute(clock::unix_seconds() / 60);
    let add = |field: &str, by: u64| command("HINCRBY", &[&key, field, &by.to_string()]);
    let mut commands = Vec::new();
    if sample.hits > 0 {
        commands.extend([add("hits", sample.hits), add("hit_us", sample.hit_us())]);
    }
    if sample.misses > 0 {
        commands.extend([add("misses", sample.misses), add("miss_us", sample.miss_us())]);
    }
    if sample.misses > 0 || sample.nomad_calls > 0 {
        commands.push(add("nomad_calls", sample.nomad_calls));
    }
    if sample.follow_calls > 0 {
        commands.push(add("follow_calls", sample.follow_calls));
    }
    commands.push(command("EXPIRE", &[&key, KEPT_S]));
    // Best effort: a count that is lost changes no answer.
    let _ = connection.send(&commands, COUNT);
}

/// `step`: how each of the questions is asked.
pub(super) fn stats(store: &RedisStore, step: &dyn Fn() -> Step) -> Result<Stats, Error> {
    let (literal, own) = (&store.keys.literal, &store.keys.own);
    let metas = command("MGET", &[&store.keys.epoch, &literal.meta, &own.meta]);
    let now = clock::unix_seconds() / 60;
    let minutes = now.saturating_sub(MINUTES - 1)..=now + 1;
    let counts = minutes.clone().map(|minute| store.minute_command(minute));
    let commands: Vec<Cmd> = std::iter::once(metas).chain(counts).collect();
    let mut replies = store.ask(step(), &commands)?;
    if let Some(error) = refusal(&replies[..1]) {
        return Err(store.refused(error));
    }
    let (meta, literal) = store.described(Some(replies.remove(0)));
    let keys = store.key_stats(step(), literal)?;
    let age = store.ages(step(), meta.as_ref(), literal)?;
    Ok(Stats {
        kind: "redis",
        place: store.place(),
        state: age.state,
        age: age.age,
        fresh_for: age.fresh_for,
        nodes: meta.map(|meta| meta.count),
        keys,
        memory: store.memory(step()).ok().flatten(),
        minutes: minutes
            .zip(replies)
            .filter_map(|(at, reply)| Some((at, sample(&reply)?)))
            .collect(),
    })
}

impl RedisStore {
    fn minute_command(&self, minute: u64) -> Cmd {
        let key = self.keys.minute(minute);
        command("HMGET", &[&[key.as_str()], &FIELDS[..]].concat())
    }

    /// The valid meta of this scope, and whether it stands under the literal names.
    pub(super) fn described(&self, reply: Option<Value>) -> (Option<Meta>, bool) {
        let Some(Value::Array(values)) = reply else { return (None, true) };
        let mut values = values.into_iter().map(bulk);
        let epoch = values.next().flatten();
        let mut metas = values.map(|line| line.as_deref().and_then(Meta::parse));
        let mine = |meta: &Meta| meta.scope == self.scope.as_str();
        let (first, second) = (metas.next().flatten(), metas.next().flatten());
        let literal = first.as_ref().is_none_or(mine);
        let meta = if literal { first } else { second.filter(mine) };
        (meta.filter(|meta| epoch.as_deref() == Some(meta.epoch.as_bytes())), literal)
    }

    /// The keys of this scope that are there.
    fn key_stats(&self, step: Step, literal: bool) -> Result<Vec<KeyStats>, Error> {
        let Family { meta, all, hash, kept } = self.keys.family(literal);
        let mut commands = Vec::new();
        let keys = [
            (all, "string"),
            (hash, "hash"),
            (kept, "string"),
            (meta, "string"),
            (&self.keys.epoch, "string"),
        ];
        for (key, kind) in keys {
            let size = if kind == "hash" {
                command("MEMORY", &["USAGE", key])
            } else {
                command("STRLEN", &[key])
            };
            commands.extend([command("PTTL", &[key]), size]);
        }
        let replies = self.ask(step, &commands)?;
        let pairs = keys.into_iter().zip(replies.chunks_exact(2));
        Ok(pairs.filter_map(|((key, kind), pair)| key_stats(key, kind, pair)).collect())
    }

    fn ages(&self, step: Step, meta: Option<&Meta>, literal: bool) -> Result<CacheAges, Error> {
        let Some(meta) = meta else { return Ok(CacheAges::COLD) };
        let family = self.keys.family(literal);
        let asked = [command("PTTL", &[&family.all]), command("PTTL", &[&family.meta])];
        let replies = self.ask(step, &asked)?;
        let left = |at: usize| replies.get(at).and_then(int).and_then(|ms| u64::try_from(ms).ok());
        Ok(CacheAges::of(meta, [left(0), left(1)], [millis(self.ttl), millis(self.detail_ttl)]))
    }

    /// What the server says of its memory, if this user may ask.
    pub(super) fn memory(&self, step: Step) -> Result<Option<Memory>, Error> {
        let replies = self.ask(step, &[command("INFO", &["memory"])])?;
        let memory = replies.first().and_then(text).and_then(|info| memory(&info));
        Ok(memory.map(|memory| Memory { policy: self.said(&memory.policy), ..memory }))
    }
}

/// What INFO says of it.
fn memory(info: &str) -> Option<Memory> {
    let field = |name: &str| {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    Some(Memory {
        used_bytes: field("used_memory")?.parse().ok()?,
        max_bytes: field("maxmemory")?.parse().ok()?,
        policy: field("maxmemory_policy")?.to_owned(),
    })
}

/// How old the cache is, and what that means.
#[derive(Debug, PartialEq)]
struct CacheAges {
    state: CacheState,
    age: Option<Duration>,
    fresh_for: Option<Duration>,
}

impl CacheAges {
    const COLD: Self = Self { state: CacheState::Cold, age: None, fresh_for: None };

    /// `left`: the expiries of `all` and of the meta; `ttl`: this run's own, in the same order.
    /// When `all` has expired, the meta's expiry still tells the age.
    fn of(meta: &Meta, left: [Option<u64>; 2], ttl: [u64; 2]) -> Self {
        let since = left[0].filter(|_| meta.len > 0).and_then(|left| meta.ttl_ms.checked_sub(left));
        let fresh = since.filter(|since| *since <= ttl[0] && ttl[0] > 0);
        let known = since.or_else(|| ttl[1].checked_sub(left[1]?));
        let age = known.map(|since| Duration::from_millis(meta.lag_ms.saturating_add(since)));
        match fresh {
            Some(since) => {
                let fresh_for = Some(Duration::from_millis(ttl[0] - since));
                Self { state: CacheState::Hot, age, fresh_for }
            }
            None => Self { state: CacheState::Stale, age, fresh_for: None },
        }
    }
}

/// What a key takes: the length of a string, the memory of anything else; `None` if this user may
/// not ask for that.
pub(super) fn size(kind: &str, length: &Value, memory: &Value) -> Option<u64> {
    let bytes = if kind == "string" { length } else { memory };
    int(bytes).and_then(|bytes| u64::try_from(bytes).ok())
}

/// `pair`: the replies to PTTL and to the question for the size. `None` for a key that is absent.
fn key_stats(key: &str, kind: &'static str, pair: &[Value]) -> Option<KeyStats> {
    let left = int(pair.first()?).filter(|left| *left != -2)?;
    let bytes = pair.get(1).and_then(|reply| size(kind, reply, reply));
    let ttl = u64::try_from(left).ok().map(Duration::from_millis);
    Some(KeyStats { key: key.to_owned(), kind: kind.into(), bytes, ttl })
}

fn sample(reply: &Value) -> Option<Sample> {
    let Value::Array(values) = reply else { return None };
    let number = |at: usize| {
        let text = values.get(at).and_then(text);
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    values.iter().any(|value| *value != Value::Nil).then(|| Sample {
        hits: number(0),
        hit_time: Duration::from_micros(number(1)),
        misses: number(2),
        miss_time: Duration::from_micros(number(3)),
        nomad_calls: number(4),
        follow_calls: number(5),
    })
}
