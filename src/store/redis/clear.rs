//! CLEAR: one deletion that nothing comes back from, and its repetition if something does.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use crate::clock;
use crate::store::Error;

use super::connection::{CONNECT, Connection, Manner};
use super::errors::of_reply;
use super::line::Budget;
use super::{RedisStore, Step, bulk, command};

const UNTIL_SURE: Duration = Duration::from_secs(5);
/// The longest that a run usually takes.
const ONE_RUN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const ATTEMPT_MS: u64 = 1000;
/// The time that a replica has.
const CONFIRMED: Duration = Duration::from_millis(500);
const WAIT: Budget = Budget::flat(1000);
const AGAIN: Step =
    Step { name: "GET, DEL", budget: Budget::flat(500), manner: Manner::Writes, on_the_way: false };

impl RedisStore {
    pub(super) fn is_dead(&self, epoch: &[u8]) -> bool {
        self.dead.holds(epoch)
    }

    /// Repeats a clear that Redis has forgotten, for everybody; at most once a run (a server that
    /// goes on for days: once in the time of a run). `false` if it was not done.
    pub(super) fn clear_again(&self) -> bool {
        let now = clock::now();
        let mut last = self.cleared_again.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < ONE_RUN) {
            return false;
        }
        *last = Some(now);
        drop(last);
        self.ignored("it was cleared before, redis went back to an older state");
        let cleared =
            self.ask(AGAIN, &self.clear_commands()[..2]).and_then(|r| self.judge_clear(r));
        if let Err(error) = &cleared {
            self.tell.verbose(format!("cannot clear it again in redis: {error}"));
        }
        cleared.is_ok()
    }

    /// Tries on fresh connections until it is done, can't be done, or 5 seconds are over.
    pub(super) fn clear_until_sure(&self) -> Result<(), Error> {
        let until = clock::now() + UNTIL_SURE;
        // Silence to the end: the length of the last try is of no interest, and whatever Redis
        // said before it is of more.
        let mut said = Error::TimedOut { after: UNTIL_SURE };
        loop {
            let began = clock::now();
            let outcome = self.clear_once(until);
            let took = clock::now().duration_since(began).as_secs_f64() * 1000.0;
            self.tell.call(format!("redis GET, DEL, ROLE: {took:.1} ms"));
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

    fn clear_once(&self, until: Instant) -> Result<(), Error> {
        let mut connection = self.open(CONNECT)?;
        let left = super::millis(until.saturating_duration_since(clock::now()));
        let budget = Budget::flat(left.clamp(1, ATTEMPT_MS));
        let mut replies = connection.exchange(&self.clear_commands(), budget, Manner::Writes)?;
        let role = replies.pop();
        self.judge_clear(replies)?;
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

    /// Remembers the epoch, whatever the DEL said.
    fn judge_clear(&self, replies: Vec<Value>) -> Result<(), Error> {
        let mut replies = replies.into_iter();
        if let Some(epoch) = replies.next().and_then(bulk) {
            self.dead.remember(&epoch);
        }
        match replies.next() {
            Some(Value::Int(_)) => Ok(()),
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
