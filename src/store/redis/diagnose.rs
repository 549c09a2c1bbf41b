//! What a Redis tells of itself and of the keys of this cache, without changing anything.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use crate::clock;
use crate::host::redis_backoff::Skipped;
use crate::store::keys::{Family, Keys};
use crate::store::meta::Meta;
use crate::store::report::KeyRole::{self, Others, Ours, Shared};
use crate::store::validate::{EntryFlaw, Verdict, judge};
use crate::store::{CacheEntry, Error, KeyStats, Memory};

use super::ask::Step;
use super::connection::Manner;
use super::errors::{self, of_reply, printable_line};
use super::look::stored;
use super::patience::StepLimit;
use super::socket::TimeBudget;
use super::stats::size;
use super::{RedisStore, bulk, command, int, is_wrong_type, refusal, text};

/// How a server introduces itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HelloReply {
    /// `redis 7.0.15`; empty before Redis 6.
    pub(crate) version: String,
    /// `standalone`, `cluster` or `sentinel`.
    pub(crate) mode: String,
    /// `master` or `replica`.
    pub(crate) role: String,
    /// Its clock: seconds since 1970, if the user may ask.
    pub(crate) time: Option<u64>,
    /// The quickest of a few round trips.
    pub(crate) took: Duration,
}

const ROUNDS: usize = 3;
/// The literal family, and the own one.
const BOTH: [bool; 2] = [true, false];
const HELLO: Step = Step {
    name: "HELLO",
    limit: StepLimit::Fixed(TimeBudget::flat(500)),
    manner: Manner::Reads,
    on_the_way: false,
};
/// As HELLO calls it.
pub(crate) const SENTINEL: &str = "sentinel";

/// The time for one check, which may take several questions.
#[derive(Clone, Copy)]
pub(super) struct CheckDeadline(Instant);

impl CheckDeadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self(clock::now() + limit)
    }

    /// Runs a check. Its errors report `limit`, not what was left of it for the last question.
    fn within<T>(
        limit: Duration,
        check: impl FnOnce(Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = Self::after(limit);
        check(deadline).map_err(|error| match error.is_timeout() && clock::now() >= deadline.0 {
            true => Error::TimedOut { after: limit },
            false => error,
        })
    }

    /// In the time that a run would give it, or in what is left. It leaves no mark for later runs:
    /// who only looks changes nothing for others.
    pub(super) fn step(self, name: &'static str) -> Step {
        let left = self.0.saturating_duration_since(clock::now());
        let limit = StepLimit::Within(left);
        Step { name, limit, manner: Manner::Reads, on_the_way: false }
    }
}

impl RedisStore {
    /// Says hello, which every user may.
    pub(crate) fn greet(&self, limit: Duration) -> Result<HelloReply, Error> {
        CheckDeadline::within(limit, |limit| {
            let hello = command("HELLO", &[]);
            // Who is not ready yet still says hello and what the time is.
            let ready = command("PTTL", &[&self.keys.literal.all]);
            let all = [hello.clone(), command("TIME", &[]), ready];
            let replies = self.ask(limit.step("HELLO, TIME, PTTL"), &all)?;
            let mut greeting = match &replies[0] {
                Value::ServerError(error) if error.code() != "ERR" => return Err(of_reply(error)),
                // Before Redis 6 there was no such command.
                Value::ServerError(_) => HelloReply::default(),
                reply => introduced(reply, &|text| self.said(text)).ok_or(Error::NotRedis)?,
            };
            if let Some(error) = replies[1..].iter().find_map(patience)
                && greeting.mode != "cluster"
            {
                return Err(error);
            }
            greeting.time = seconds(&replies[1]);
            greeting.took = Duration::MAX;
            for _ in 0..ROUNDS {
                let began = clock::now();
                self.ask(limit.step("HELLO"), std::slice::from_ref(&hello))?;
                greeting.took = greeting.took.min(clock::since(began));
            }
            Ok(greeting)
        })
    }

    /// Whether it is a Sentinel.
    pub(super) fn is_sentinel(&self) -> bool {
        let greeted = self.ask(HELLO, &[command("HELLO", &[])]);
        let first = greeted.ok().and_then(|mut replies| replies.pop());
        let greeting = first.and_then(|reply| introduced(&reply, &|text| self.said(text)));
        greeting.is_some_and(|greeting| greeting.mode == SENTINEL)
    }

    /// Whether what listens there answers a question of HTTP, which Redis does not know.
    pub(crate) fn speaks_http(&self, limit: Duration) -> bool {
        let budget = self.patience.budget(StepLimit::Within(limit));
        self.open(budget).is_ok_and(|connection| connection.speaks_http(budget))
    }

    /// Who this program is for Redis, if it has a password.
    pub(crate) fn user(&self) -> Option<&str> {
        self.target.password.as_ref()?;
        Some(self.target.user.as_deref().unwrap_or("default"))
    }

    /// Whether what is said is encrypted, and whether it stays on this machine.
    pub(crate) fn privacy(&self) -> (bool, bool) {
        (self.target.is_encrypted(), self.target.is_local())
    }

    /// What an earlier run found out, so that the runs of these moments do without this Redis, and
    /// how long ago.
    pub(crate) fn skipped(&self) -> Option<(Skipped, Duration)> {
        self.skip.noted().filter(|(why, age)| *age < why.lasts())
    }

    /// The server's memory; `None` if this user may not ask.
    pub(crate) fn memory_now(&self, limit: Duration) -> Result<Option<Memory>, Error> {
        self.memory(CheckDeadline::after(limit).step("INFO"))
    }

    /// What is there of this scope, and what LOOK would make of it.
    pub(crate) fn entry(&self, limit: Duration) -> Result<CacheEntry, Error> {
        CheckDeadline::within(limit, |limit| {
            let sent = clock::now();
            let replies = self.ask(limit.step("PTTL, PTTL, MGET"), &self.value_commands(&BOTH))?;
            let took = clock::since(sent);
            if let Some(error) = refusal(&replies) {
                return Err(of_reply(error));
            }
            let entry = stored(replies, &BOTH).ok_or(Error::NotRedis)?;
            let mine = |meta: &&Meta| meta.scope == self.scope.as_str();
            let (literal, own) = (entry.literal.meta.as_ref(), entry.own.meta.as_ref());
            let role = if literal.is_none_or(|meta| mine(&meta)) { Ours } else { Others };
            let index = literal.filter(mine).or(own.filter(mine)).map(|meta| meta.index);
            let is_dead = entry.epoch.as_deref().is_some_and(|epoch| self.is_dead(epoch));
            let flaw = match judge(entry, &self.scope, self.ttl) {
                _ if is_dead => Some(EntryFlaw::BroughtBack),
                Verdict::Miss(miss) => miss.why,
                Verdict::Hit(_) => None,
            };
            Ok(CacheEntry {
                keys: self.existing_keys(role, limit)?,
                stats: super::stats::stats(self, &|| limit.step("the statistics"))?,
                is_of_others: flaw == Some(EntryFlaw::Others),
                why: flaw.map(|flaw| flaw.text().to_owned()),
                index,
                took: Some(took),
            })
        })
    }

    /// `literal`: the role of the plain names.
    fn existing_keys(
        &self,
        literal: KeyRole,
        limit: CheckDeadline,
    ) -> Result<Vec<(KeyStats, KeyRole)>, Error> {
        let Keys { epoch, lease, follow, .. } = &self.keys;
        let family = |family: &'_ Family, role| {
            let Family { all, hash, kept, meta } = family.clone();
            [(all, role), (hash, role), (kept, role), (meta, role)]
        };
        let mut names = Vec::from(family(&self.keys.literal, literal));
        if self.keys.literal != self.keys.own {
            names.extend(family(&self.keys.own, Ours));
        }
        names.extend([(epoch.clone(), Shared), (lease.clone(), Ours), (follow.clone(), Ours)]);
        let ask = |key: &str| -> [Cmd; 5] {
            [
                command("PTTL", &[key]),
                command("STRLEN", &[key]),
                command("HLEN", &[key]),
                command("TYPE", &[key]),
                command("MEMORY", &["USAGE", key]),
            ]
        };
        let commands: Vec<Cmd> = names.iter().flat_map(|(key, _)| ask(key)).collect();
        let replies = self.ask(limit.step("PTTL, STRLEN, HLEN, TYPE, MEMORY"), &commands)?;
        let found = names.into_iter().zip(replies.chunks_exact(5));
        Ok(found.filter_map(|((key, role), replies)| self.existing(key, role, replies)).collect())
    }

    /// `None` for a key that is not there.
    fn existing(
        &self,
        key: String,
        role: KeyRole,
        replies: &[Value],
    ) -> Option<(KeyStats, KeyRole)> {
        let [ttl, length, fields, kind, memory] = replies else { return None };
        let left = int(ttl).filter(|left| *left != -2)?;
        let kind: Cow<'static, str> = match kind {
            Value::SimpleString(kind) => printable_line(kind).into(),
            // Whoever may not ask for the type may ask for a length, which only one type has.
            _ if int(length).is_some() => "string".into(),
            _ if int(fields).is_some() => "hash".into(),
            _ if is_wrong_type(length) && is_wrong_type(fields) => "another type".into(),
            _ => "?".into(),
        };
        let is_hash = [&self.keys.literal.hash, &self.keys.own.hash].contains(&&key);
        let wanted = if is_hash { "hash" } else { "string" };
        let role = if kind == wanted || kind == "?" { role } else { KeyRole::WrongType };
        let bytes = size(&kind, length, memory);
        let ttl = u64::try_from(left).ok().map(Duration::from_millis);
        Some((KeyStats { key, kind, bytes, ttl }, role))
    }
}

/// What a server says that is not ready.
fn patience(reply: &Value) -> Option<Error> {
    match reply {
        Value::ServerError(error) if errors::asks_for_patience(error) => Some(of_reply(error)),
        _ => None,
    }
}

/// Names and values in turn.
fn introduced(reply: &Value, said: &dyn Fn(&str) -> String) -> Option<HelloReply> {
    let Value::Array(words) = reply else { return None };
    let field = |name: &str| {
        let at = words.chunks_exact(2).find(|pair| text(&pair[0]).as_deref() == Some(name));
        at.and_then(|pair| text(&pair[1])).map(|value| said(&value)).unwrap_or_default()
    };
    let version = format!("{} {}", field("server"), field("version")).trim().to_owned();
    Some(HelloReply { version, mode: field("mode"), role: field("role"), ..HelloReply::default() })
}

/// The reply to TIME.
fn seconds(reply: &Value) -> Option<u64> {
    let Value::Array(parts) = reply else { return None };
    String::from_utf8(bulk(parts.first()?.clone())?).ok()?.parse().ok()
}
