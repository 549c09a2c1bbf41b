//! Asks one step's questions: on a connection, on a second one if it stays silent, and not at all
//! while this host avoids Redis.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::Value;

use crate::clock;
use crate::host::redis_backoff::Skipped;
use crate::net::sync::lock;
use crate::store::Error;

use super::connection::{Connection, Manner, PendingReplies};
use super::patience::StepLimit;
use super::resp::write::Encode;
use super::socket::TimeBudget;
use super::{RedisStore, errors, refusal};

/// A server that loads its data, fails over or hangs up is asked once more after this.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// No second try after a first one that took longer: Nomad is waiting to be asked.
const QUICK: Duration = Duration::from_millis(250);
/// A probe of a Redis that others found silent: who sends it has another store.
const PROBE: Step = Step {
    name: "PTTL, MGET, STRLEN (probe)",
    limit: StepLimit::Fixed(TimeBudget::flat(500)),
    manner: Manner::Reads,
    on_the_way: false,
};
/// How long each of two connections is listened to in turn.
const TURN: Duration = Duration::from_millis(20);
/// Connections kept between steps.
const IDLE_MAX: usize = 4;

/// How one step of the protocol talks to Redis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// As `-vv` shows it.
    pub(super) name: &'static str,
    pub(super) limit: StepLimit,
    pub(super) manner: Manner,
    /// Stands between the question and the answer: after silence this host avoids Redis. It can be
    /// sent twice, because the second time changes nothing.
    pub(super) on_the_way: bool,
}

impl Step {
    /// Whether it can be sent twice.
    fn is_repeatable(self) -> bool {
        self.on_the_way || self.manner == Manner::Reads
    }
}

impl RedisStore {
    /// Whether this host avoided it until now, and it has answered. Told once.
    pub(in crate::store) fn take_is_back(&self) -> bool {
        self.is_back.swap(false, Ordering::Relaxed)
    }

    /// Sends `commands` and returns a reply for each, errors of Redis among them.
    pub(super) fn ask(&self, step: Step, commands: &[impl Encode]) -> Result<Vec<Value>, Error> {
        let was_silent = step.on_the_way && self.check_avoided()?;
        let began = clock::now();
        let mut answer = self.ask_once(step, commands);
        let is_quick = clock::since(began) < QUICK;
        if is_quick && wants_patience(&answer) {
            clock::sleep(RETRY_PAUSE);
            answer = self.ask_once(step, commands);
        } else if step.is_repeatable() && is_lost(&answer) {
            answer = self.ask_anew(step, commands, began).unwrap_or(answer);
        } else if is_quick && is_replica(&answer) {
            // A name that moved to the new primary is only seen by a new connection.
            lock(&self.idle).clear();
            answer = self.ask_once(step, commands);
        }
        let is_patient = step.on_the_way && matches!(step.limit, StepLimit::Patience);
        match &answer {
            Err(error) if error.is_timeout() && is_patient => {
                // Nobody waits for the silence of each of them.
                lock(&self.idle).clear();
                self.skip.silent();
            }
            // In a long wait another run may have found it silent.
            Ok(_) if was_silent || !is_quick => self.end_avoidance(),
            _ => {}
        }
        answer
    }

    /// The connection was lost, and the reply with it: once more on a new one, if there is time left.
    fn ask_anew(
        &self,
        step: Step,
        commands: &[impl Encode],
        began: Instant,
    ) -> Option<Result<Vec<Value>, Error>> {
        lock(&self.idle).clear();
        clock::sleep(RETRY_PAUSE);
        let left = self.patience.budget(step.limit).whole.checked_sub(clock::since(began))?;
        let limit = StepLimit::Within(left);
        Some(self.ask_once(Step { limit, ..step }, commands))
    }

    /// While this host avoids Redis, one run a second asks whether it answers again. A connection that
    /// this process has is used: it was answered a moment ago. `true` if Redis was silent before.
    fn check_avoided(&self) -> Result<bool, Error> {
        let Some((why, age)) = self.skip.noted() else { return Ok(false) };
        let is_avoided = age < why.lasts();
        if let Skipped::Lacks(command) = why {
            return if is_avoided { Err(Error::Unfit(command)) } else { Ok(false) };
        }
        if is_avoided && lock(&self.idle).is_empty() {
            let Some(_probe) = self.skip.probe() else { return Err(Error::Silent) };
            let answer = self.ask_once(PROBE, &self.look_commands());
            if answer.as_ref().is_err_and(Error::is_timeout) {
                self.skip.silent_again();
                return Err(Error::Silent);
            }
            answer?;
            self.end_avoidance();
        }
        Ok(true)
    }

    /// It has answered: no run on this host avoids it any more.
    fn end_avoidance(&self) {
        if self.skip.answered() {
            self.is_back.store(true, Ordering::Relaxed);
            self.notifier.verbose(format!("Redis at {} answers again", self.address()));
        }
    }

    fn ask_once(&self, step: Step, commands: &[impl Encode]) -> Result<Vec<Value>, Error> {
        let began = clock::now();
        let answer = self.exchange(step, commands);
        let took = clock::now().duration_since(began).as_secs_f64() * 1000.0;
        match &answer {
            Ok(_) => self.notifier.call(format!("redis {}: {took:.1} ms", step.name)),
            Err(error) => {
                self.notifier.call(format!("redis {}: {error} ({took:.1} ms)", step.name));
            }
        }
        answer
    }

    fn exchange(&self, step: Step, commands: &[impl Encode]) -> Result<Vec<Value>, Error> {
        let budget = self.patience.budget(step.limit);
        let mut connection = match self.idle() {
            Some(connection) => connection,
            None => self.open(budget)?,
        };
        let pending = connection.ask(commands, budget, step.manner)?;
        let half = clock::now() + budget.silence / 2;
        let (mut connection, pending) = if step.on_the_way && !connection.has_reply_by(half) {
            let until = half + budget.silence / 2;
            self.second_try((connection, pending), (until, step.manner), |second| {
                second.ask(commands, budget, step.manner)
            })
        } else {
            (connection, pending)
        };
        let replies = connection.replies(pending)?;
        self.keep(connection);
        Ok(replies)
    }

    /// Asks on a new connection too, and listens to both: which of them answers first, or the first one
    /// if neither does before `until`.
    fn second_try(
        &self,
        first: (Connection, PendingReplies),
        (until, manner): (Instant, Manner),
        ask: impl FnOnce(&mut Connection) -> Result<PendingReplies, Error>,
    ) -> (Connection, PendingReplies) {
        let left = until.saturating_duration_since(clock::now());
        let left = TimeBudget { silence: left, whole: left };
        let second = self.open(left).and_then(|mut second| {
            if manner == Manner::Writes {
                second.greet(left)?;
            }
            Ok((ask(&mut second)?, second))
        });
        let Ok((pending, mut second)) = second else { return first };
        let (mut connection, first_pending) = first;
        while clock::now() < until {
            if second.has_reply_by(clock::now() + TURN) {
                return (second, pending);
            }
            if connection.has_reply_by(clock::now() + TURN) {
                break;
            }
        }
        (connection, first_pending)
    }

    pub(super) fn open(&self, budget: TimeBudget) -> Result<Connection, Error> {
        let tls = if self.target.is_encrypted() { Some(self.tls_config()?) } else { None };
        Connection::open(&self.target, tls, budget)
    }

    /// An open connection that is still good.
    pub(super) fn idle(&self) -> Option<Connection> {
        loop {
            let mut connection = lock(&self.idle).pop()?;
            if connection.is_idle() {
                return Some(connection);
            }
        }
    }

    pub(super) fn keep(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }
}

fn wants_patience(answer: &Result<Vec<Value>, Error>) -> bool {
    match answer {
        Ok(replies) => refusal(replies).is_some_and(errors::asks_for_patience),
        Err(error) => matches!(error, Error::Busy(_)),
    }
}

fn is_lost(answer: &Result<Vec<Value>, Error>) -> bool {
    matches!(answer, Err(Error::Lost | Error::Truncated))
}

fn is_replica(answer: &Result<Vec<Value>, Error>) -> bool {
    answer.as_ref().is_ok_and(|replies| {
        refusal(replies).is_some_and(|error| errors::of_reply(error) == Error::Replica)
    })
}
