//! What a Redis tells of itself and of the keys of this cache, without changing anything.

use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use crate::clock;
use crate::host::redis_backoff::Skipped;
use crate::store::keys::Family;
use crate::store::meta::Meta;
use crate::store::validate::{EntryFlaw, Verdict, judge};
use crate::store::{Error, Memory, Stats};

use super::connection::{CONNECT, Manner};
use super::errors::{self, of_reply, printable_line};
use super::look::stored;
use super::socket::TimeBudget;
use super::stats::size;
use super::{RedisStore, Step, bulk, command, int, refusal, text};

/// How a server introduces itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelloReply {
    /// `redis 7.0.15`; empty before Redis 6.
    pub version: String,
    /// `standalone`, `cluster` or `sentinel`.
    pub mode: String,
    /// `master` or `replica`.
    pub role: String,
    /// Its clock: seconds since 1970, if the user may ask.
    pub time: Option<u64>,
    /// The quickest of a few round trips.
    pub took: Duration,
}

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    Ours,
    /// The nodes of another cluster, or as another token sees them.
    Others,
    /// Of all who share the names.
    Everybodys,
}

/// A key that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFound {
    pub key: String,
    /// As Redis calls it, `?` if this user may not know.
    pub kind: String,
    pub is_right_kind: bool,
    /// As the statistics have it: the length of a string, the memory of anything else.
    pub bytes: Option<u64>,
    /// `None` = it never expires.
    pub ttl: Option<Duration>,
    pub whose: KeyOwner,
}

/// The cache of this scope.
#[derive(Debug, Clone)]
pub struct CacheEntry {
    pub keys: Vec<KeyFound>,
    pub stats: Stats,
    /// The plain names are another's: nothing of this scope can be there.
    pub is_of_others: bool,
    /// Why nothing is served from it, if there is a reason beyond its age.
    pub why: Option<String>,
    /// The index of Nomad that it was published with, where that is known.
    pub index: Option<u64>,
    /// How long it took to read what a run reads, where that is more than a file.
    pub took: Option<Duration>,
}

const ROUNDS: usize = 3;
const HELLO: Step =
    Step { name: "HELLO", budget: TimeBudget::flat(500), manner: Manner::Reads, on_the_way: false };
/// As HELLO calls it.
pub const SENTINEL: &str = "sentinel";

/// The time for one check, which may take several questions.
#[derive(Clone, Copy)]
pub(super) struct CheckDeadline {
    all: Duration,
    until: Instant,
}

impl CheckDeadline {
    pub(super) fn from_now(all: Duration) -> Self {
        Self { all, until: clock::now() + all }
    }

    /// In the time that a run would give it, or in what is left. It leaves no mark for later runs:
    /// who only looks changes nothing for others.
    pub(super) fn step(self, name: &'static str) -> Step {
        Step { name, budget: self.budget(), manner: Manner::Reads, on_the_way: false }
    }

    fn budget(self) -> TimeBudget {
        let left = self.until.saturating_duration_since(clock::now());
        TimeBudget {
            first: Duration::from_millis(500).min(left),
            whole: Duration::from_secs(3).min(left),
        }
    }

    /// Whoever set a limit knows that one, not what was left of it for the last question.
    fn named(self, error: Error) -> Error {
        let is_used_up = error.is_timeout() && clock::now() >= self.until;
        if is_used_up { Error::TimedOut { after: self.all } } else { error }
    }
}

impl RedisStore {
    /// Says hello, which every user may.
    ///
    /// # Errors
    /// Redis can't be reached, refuses the credentials, or is none.
    pub fn greet(&self, limit: Duration) -> Result<HelloReply, Error> {
        let limit = CheckDeadline::from_now(limit);
        self.greeted(limit).map_err(|error| limit.named(error))
    }

    fn greeted(&self, limit: CheckDeadline) -> Result<HelloReply, Error> {
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
        let mut took = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let began = clock::now();
            self.ask(limit.step("HELLO"), std::slice::from_ref(&hello))?;
            took.push(clock::now().saturating_duration_since(began));
        }
        greeting.took = took.into_iter().min().unwrap_or_default();
        Ok(greeting)
    }

    /// Whether it is a Sentinel.
    pub(super) fn is_sentinel(&self) -> bool {
        let greeted = self.ask(HELLO, &[command("HELLO", &[])]);
        let first = greeted.ok().and_then(|mut replies| replies.pop());
        let greeting = first.and_then(|reply| introduced(&reply, &|text| self.said(text)));
        greeting.is_some_and(|greeting| greeting.mode == SENTINEL)
    }

    /// Whether what listens there answers a question of HTTP, which Redis does not know.
    pub fn speaks_http(&self, limit: Duration) -> bool {
        let connection = self.open(limit.min(CONNECT));
        connection
            .is_ok_and(|connection| connection.speaks_http(CheckDeadline::from_now(limit).budget()))
    }

    /// Who this program is for Redis, if it has a password.
    pub fn user(&self) -> Option<&str> {
        self.target.password.as_ref()?;
        Some(self.target.user.as_deref().unwrap_or("default"))
    }

    /// Whether what is said is encrypted, and whether it stays on this machine.
    pub fn privacy(&self) -> (bool, bool) {
        (self.target.is_encrypted(), self.target.is_local())
    }

    /// What an earlier run found out, so that the runs of these moments do without this Redis, and
    /// how long ago.
    pub fn skipped(&self) -> Option<(Skipped, Duration)> {
        self.skip.why()
    }

    /// The server's memory; `None` if this user may not ask.
    ///
    /// # Errors
    /// Redis does not answer.
    pub fn memory_now(&self, limit: Duration) -> Result<Option<Memory>, Error> {
        self.memory(CheckDeadline::from_now(limit).step("INFO"))
    }

    /// What is there of this scope, and what LOOK would make of it.
    ///
    /// # Errors
    /// Redis does not answer, or does not permit to read.
    pub fn entry(&self, limit: Duration) -> Result<CacheEntry, Error> {
        let limit = CheckDeadline::from_now(limit);
        self.examined(limit).map_err(|error| limit.named(error))
    }

    fn examined(&self, limit: CheckDeadline) -> Result<CacheEntry, Error> {
        let sent = clock::now();
        let replies = self.ask(limit.step("PTTL, PTTL, MGET"), &self.look_commands())?;
        let took = clock::now().saturating_duration_since(sent);
        if let Some(error) = refusal(&replies) {
            return Err(of_reply(error));
        }
        let entry = stored(replies).ok_or(Error::NotRedis)?;
        let (literal, own) = (entry.literal.meta.clone(), entry.own.meta.clone());
        let mine = |meta: &&Meta| meta.scope == self.scope.as_str();
        let whose = match &literal {
            Some(meta) if !mine(&meta) => KeyOwner::Others,
            _ => KeyOwner::Ours,
        };
        let is_dead = entry.epoch.as_deref().is_some_and(|epoch| self.is_dead(epoch));
        let verdict = judge(entry, &self.scope, self.ttl, took);
        let why = match verdict {
            _ if is_dead => Some(EntryFlaw::BroughtBack),
            Verdict::Miss(miss) => miss.why,
            Verdict::Hit(_) => None,
        };
        let index = literal.as_ref().filter(mine).or(own.as_ref().filter(mine));
        let index = index.map(|meta| meta.index);
        let keys = self.found(whose, limit)?;
        let stats = super::stats::stats(self, &|| limit.step("the statistics"))?;
        let (is_of_others, took) = (why == Some(EntryFlaw::Others), Some(took));
        let why = why.map(|why| why.text().to_owned());
        Ok(CacheEntry { keys, stats, is_of_others, why, index, took })
    }

    fn found(&self, literal: KeyOwner, limit: CheckDeadline) -> Result<Vec<KeyFound>, Error> {
        let keys = &self.keys;
        let of = |Family { all, hash, kept, meta }, owner| {
            let kinds = [(all, "string"), (hash, "hash"), (kept, "string"), (meta, "string")];
            kinds.map(|(key, kind)| (key, kind, owner))
        };
        let mut names = Vec::from(of(keys.literal.clone(), literal));
        if keys.literal != keys.own {
            names.extend(of(keys.own.clone(), KeyOwner::Ours));
        }
        names.extend([
            (keys.epoch.clone(), "string", KeyOwner::Everybodys),
            (keys.lease.clone(), "string", KeyOwner::Ours),
            (keys.follow.clone(), "string", KeyOwner::Ours),
        ]);
        let ask = |key: &str| -> [Cmd; 5] {
            [
                command("PTTL", &[key]),
                command("STRLEN", &[key]),
                command("HLEN", &[key]),
                command("TYPE", &[key]),
                command("MEMORY", &["USAGE", key]),
            ]
        };
        let commands: Vec<Cmd> = names.iter().flat_map(|(key, ..)| ask(key)).collect();
        let replies = self.ask(limit.step("PTTL, STRLEN, HLEN, TYPE, MEMORY"), &commands)?;
        let found = names.into_iter().zip(replies.chunks_exact(5));
        Ok(found
            .filter_map(|((key, wanted, whose), replies)| key_found(&key, wanted, whose, replies))
            .collect())
    }
}

/// `None` for a key that is not there.
fn key_found(key: &str, wanted: &str, whose: KeyOwner, replies: &[Value]) -> Option<KeyFound> {
    let left = int(replies.first()?).filter(|left| *left != -2)?;
    let [length, fields, kind, memory] = replies.get(1..5)? else { return None };
    let kind = match kind {
        Value::SimpleString(kind) => printable_line(kind),
        // Whoever may not ask for the type may ask for a length, which only one type has.
        _ if int(length).is_some() => "string".to_owned(),
        _ if int(fields).is_some() => "hash".to_owned(),
        _ if is_wrong_type(length) && is_wrong_type(fields) => "another type".to_owned(),
        _ => "?".to_owned(),
    };
    let bytes = size(&kind, length, memory);
    Some(KeyFound {
        key: key.to_owned(),
        is_right_kind: kind == wanted || kind == "?",
        kind,
        bytes,
        ttl: u64::try_from(left).ok().map(Duration::from_millis),
        whose,
    })
}

fn is_wrong_type(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "WRONGTYPE")
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
