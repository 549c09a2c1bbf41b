//! CLEAR: one deletion that nothing comes back from, and its repetition if something does.

use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use crate::clock;
use crate::host::cleared_epochs::SeenBefore;
use crate::net::sync::lock;
use crate::store::{CLEAR_TIMEOUT, Error};

use super::ask::Step;
use super::connection::{Connection, Manner};
use super::errors::of_reply;
use super::patience::StepLimit;
use super::socket::TimeBudget;
use super::{RedisStore, bulk, command};

/// The longest that a run usually takes.
const ONE_RUN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// Until there is a connection.
const CONNECT_MS: u64 = 500;
const ATTEMPT_MS: u64 = 1000;
/// The time that a replica has.
const CONFIRMED: Duration = Duration::from_millis(500);
const WAIT: TimeBudget = TimeBudget::flat(1000);
/// For the note of a clear that is repeated on the way to an answer.
const NOTE: Duration = Duration::from_millis(250);
const AGAIN: Step = Step {
    name: "GET, DEL",
    limit: StepLimit::Fixed(TimeBudget::flat(500)),
    manner: Manner::Writes,
    on_the_way: false,
};

const STILL: Step = Step { name: "GET", manner: Manner::Reads, ..AGAIN };

/// Tries on fresh connections until it is done, can't be done, or 5 seconds are over.
pub(super) fn clear(store: &RedisStore) -> Result<(), Error> {
    let until = clock::now() + CLEAR_TIMEOUT;
    // Silence to the end: the length of the last try is of no interest, and whatever Redis
    // said before it is of more.
    let mut said = Error::TimedOut { after: CLEAR_TIMEOUT };
    loop {
        let began = clock::now();
        let outcome = store.clear_once(until);
        let took = clock::now().duration_since(began).as_secs_f64() * 1000.0;
        store.notifier.call(format!("redis GET, DEL, ROLE: {took:.1} ms"));
        match outcome {
            Err(error) if error.may_pass() => {
                if !error.is_timeout() {
                    said = error;
                }
            }
            settled => return settled,
        }
        if clock::now() + PAUSE >= until {
            return Err(said);
        }
        clock::sleep(PAUSE);
    }
}

impl RedisStore {
    pub(super) fn is_dead(&self, epoch: &[u8]) -> bool {
        self.cleared_epochs.has_ended(epoch)
    }

    /// Repeats a clear that Redis has forgotten, for everybody; at most once a run (a server that
    /// goes on for days: once in the time of a run). `false` if it was not done.
    pub(super) fn clear_again(&self) -> bool {
        let now = clock::now();
        let mut last = lock(&self.cleared_again);
        if last.is_some_and(|last| now.duration_since(last) < ONE_RUN) {
            return false;
        }
        *last = Some(now);
        drop(last);
        if !self.is_still_dead() {
            return true;
        }
        self.ignored("was cleared before; Redis went back to an older state");
        let before = self.cleared_epochs.seen_before();
        let asked = self.ask(AGAIN, &self.clear_commands()[..2]);
        let cleared = asked.and_then(|replies| self.judge_clear(replies, &before, NOTE));
        if let Err(error) = &cleared {
            self.notifier.verbose(format!("cannot clear it again in Redis: {error}"));
        }
        cleared.is_ok()
    }

    /// Another process may have cleared it in the meantime, and a third one filled it again.
    fn is_still_dead(&self) -> bool {
        let replies = self.ask(STILL, &self.clear_commands()[..1]);
        let epoch = replies.ok().and_then(|mut replies| bulk(replies.pop()?));
        epoch.is_none_or(|epoch| self.is_dead(&epoch))
    }

    fn clear_once(&self, until: Instant) -> Result<(), Error> {
        let mut connection = self.open(TimeBudget::flat(CONNECT_MS))?;
        let left = super::millis(until.saturating_duration_since(clock::now()));
        let budget = TimeBudget::flat(left.clamp(1, ATTEMPT_MS));
        let before = self.cleared_epochs.seen_before();
        let mut replies = connection.exchange(&self.clear_commands(), budget, Manner::Writes)?;
        let role = replies.pop();
        let limit = until.saturating_duration_since(clock::now());
        self.judge_clear(replies, &before, limit)?;
        if has_replicas(role) {
            acknowledged(&mut connection)?;
        }
        self.keep(connection);
        Ok(())
    }

    /// The DEL alone is the clear. No MULTI: out of memory, Redis would refuse to queue it.
    fn clear_commands(&self) -> [Cmd; 3] {
        [
            command("GET", &[&self.keys.epoch]),
            command("DEL", &self.keys.ten()),
            command("ROLE", &[]),
        ]
    }

    /// Notes the epoch, whatever the DEL said: it is part of the clear, as a Redis that goes back
    /// to the past brings the epoch back.
    fn judge_clear(
        &self,
        replies: Vec<Value>,
        before: &SeenBefore,
        limit: Duration,
    ) -> Result<(), Error> {
        let mut replies = replies.into_iter();
        let epoch = replies.next().and_then(bulk);
        let noted = self.cleared_epochs.cleared(before, epoch.as_deref(), limit);
        match replies.next() {
            Some(Value::Int(_)) => noted.map_err(|why| {
                Error::Files(format!("deleted, but not noted on this machine: {why}"))
            }),
            Some(Value::ServerError(error)) => Err(of_reply(&error)),
            _ => Err(Error::NotRedis),
        }
    }
}

fn has_replicas(role: Option<Value>) -> bool {
    let Some(Value::Array(role)) = role else { return false };
    matches!(role.get(2), Some(Value::Array(replicas)) if !replicas.is_empty())
}

fn acknowledged(connection: &mut Connection) -> Result<(), Error> {
    let wait = command("WAIT", &["1", &super::millis(CONFIRMED).to_string()]);
    let replies = connection.exchange(&[wait], WAIT, Manner::Writes)?;
    match replies.first() {
        Some(Value::Int(replicas)) if *replicas > 0 => Ok(()),
        _ => Err(Error::Unconfirmed { within: CONFIRMED }),
    }
}
