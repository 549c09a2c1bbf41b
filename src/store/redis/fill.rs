//! Filling: ENTER, RENEW, PUBLISH, RELEASE, FAIL and VOID, each one script.

use redis::{Cmd, Value};

use crate::clock;
use crate::host::copies::Copies;
use crate::model::format::millis;
use crate::random;
use crate::store::meta::{self, Meta};
use crate::store::records::seal_parts;
use crate::store::{
    Enter, Entered, Error, FailureClass, Flight, How, Lease, Publication, Published, RefusedRevs,
};

use super::ask::Step;
use super::connection::Manner;
use super::errors::of_reply;
use super::patience::StepLimit;
use super::resp::write::{CommandWord, Encode, Long};
use super::socket::TimeBudget;
use super::{RedisStore, text};

const ENTER_LUA: &str = include_str!("scripts/enter.lua");
const PUBLISH_LUA: &str = include_str!("scripts/publish.lua");
pub(super) const RENEW_LUA: &str = include_str!("scripts/renew.lua");
pub(super) const RELEASE_LUA: &str = include_str!("scripts/release.lua");
const FAIL_LUA: &str = include_str!("scripts/fail.lua");
const VOID_LUA: &str = include_str!("scripts/void.lua");

const LEASE_MS: u64 = 3000;

const ENTER: Step = Step {
    name: "EVAL enter",
    limit: StepLimit::Patience,
    manner: Manner::Writes,
    on_the_way: true,
};
const RENEW: Step = Step {
    name: "EVAL renew",
    limit: StepLimit::Fixed(TimeBudget::flat(500)),
    on_the_way: false,
    ..ENTER
};
const RELEASE: Step = Step { name: "EVAL release", ..RENEW };
const FAIL: Step = Step { name: "EVAL fail", ..RENEW };
const VOID: Step = Step { name: "EVAL void", ..ENTER };
const PUBLISH: Step = Step { name: "EVAL publish", ..RENEW };

/// What becomes of `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Its bytes are sent.
    New,
    /// Redis copies what it kept of the base.
    Same,
    /// The same, but no list has proved it.
    Probed,
}

/// A dead epoch is cleared and the question asked again, once a run. If that does not help,
/// the cache is not touched any more: what is published under a dead epoch is a miss here.
pub(super) fn enter(store: &RedisStore, enter: &Enter<'_>) -> Result<Entered, Error> {
    let entered = store.enter_once(enter)?;
    if !store.is_under_dead_epoch(&entered) {
        return Ok(entered);
    }
    if store.clear_again() {
        let again = store.enter_once(enter)?;
        if !store.is_under_dead_epoch(&again) {
            return Ok(again);
        }
    }
    Ok(Entered::Alone)
}

pub(super) fn publish(
    store: &RedisStore,
    flight: Flight,
    publication: &Publication<'_>,
) -> Result<Published, Error> {
    store.patience.publishes(publication);
    let how = match flight.meta().is_some_and(|meta| publication.is_same(meta)) {
        true if publication.probed => Content::Probed,
        true => Content::Same,
        // What is published unasked must be what a list has proved.
        false if publication.probed => return Ok(Published::Rebase(flight)),
        false => Content::New,
    };
    let sent = if how == Content::New { publication.all.as_slice() } else { &[] };
    let mut words = store.publish_once(&flight, publication, (how, sent))?;
    if words[..] == ["NOCOPY"] {
        // Redis can't copy, or what it kept of a list that was proved is gone.
        let how = if how == Content::Same { Content::New } else { how };
        words = store.publish_once(&flight, publication, (how, publication.all.as_slice()))?;
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["OK"] => {
            store.keep_published(flight, publication);
            Ok(Published::Done)
        }
        ["OLDER", index, rev] => {
            let index = index.parse().map_err(|_| store.strange(&[index]))?;
            Ok(Published::Older { flight, index, rev: rev.to_owned() })
        }
        ["REBASE"] => Ok(Published::Rebase(flight)),
        ["FENCED", ..] => Ok(Published::Fenced),
        ref words => Err(store.strange(words)),
    }
}

pub(super) fn renew(store: &RedisStore, lease: &Lease) -> Result<bool, Error> {
    // A flight under another one's lease has nothing to renew.
    if lease.solo {
        return Ok(true);
    }
    let mut eval = store.eval_lease(RENEW_LUA, &lease.token);
    eval.arg(LEASE_MS);
    store.number(RENEW, &eval).map(|renewed| renewed == 1)
}

/// Best effort: a lease that stays ends by itself.
pub(super) fn release(store: &RedisStore, token: &str) {
    let given = store.number(RELEASE, &store.eval_lease(RELEASE_LUA, token));
    // Who may not delete it can still mark it as one that nobody waits for.
    if given.is_err_and(|error| error.is_within_script()) {
        fail(store, token, FailureClass::NotCacheable);
    }
}

pub(super) fn fail(store: &RedisStore, token: &str, class: FailureClass) {
    let mut eval = store.eval_lease(FAIL_LUA, token);
    eval.arg(class.number());
    // Best effort: without it those who wait try for themselves when the lease ends.
    let _ = store.number(FAIL, &eval);
}

/// `own`: its lease stays, so that those who wait for it can be told. Where nothing can be
/// deleted, this host ignores what is there.
pub(super) fn void(store: &RedisStore, own: Option<&Lease>) -> Result<(), Error> {
    store.copies.as_ref().map(Copies::remove);
    let mut eval = store.eval(VOID_LUA, 10);
    eval.arg(store.scope.as_str()).arg(own.map_or("", |own| &own.token));
    let voided = store.number(VOID, &eval).map(drop);
    let Err(error) = &voided else { return Ok(()) };
    if !store.refused.note() {
        return voided;
    }
    store.notifier.verbose(format!(
        "cannot drop what is cached for this token in Redis ({error}): ignored on this machine from now on"
    ));
    Ok(())
}

impl RedisStore {
    fn is_under_dead_epoch(&self, entered: &Entered) -> bool {
        matches!(entered, Entered::Own(flight) if self.is_dead(flight.epoch.as_bytes()))
    }

    fn enter_once(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let mut eval = self.eval(ENTER_LUA, 8);
        let mode = match enter.how {
            How::Get => "get",
            How::Refresh => "refresh",
            How::Force => "force",
        };
        let refuse = match enter.refuse {
            RefusedRevs::Everything => "*".to_owned(),
            RefusedRevs::Revs(revs) => revs.join(","),
        };
        eval.arg(self.scope.as_str()).arg(enter.token).arg(random::hex16()).arg(LEASE_MS);
        eval.arg(mode).arg(refuse).arg(enter.waited.unwrap_or_default());
        let before = self.cleared_epochs.seen_before();
        let words = self.words(ENTER, &eval).map_err(|error| {
            // It may have stopped behind the lease, which nobody need wait for.
            if error.is_within_script() {
                release(self, enter.token);
            }
            self.lacking(error)
        })?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let entered = entered(&words, enter.token).ok_or_else(|| self.strange(&words))?;
        if let Entered::Own(flight) = &entered {
            flight.meta().inspect(|meta| self.patience.takes_at_least(meta.lag_ms));
            self.cleared_epochs.observe(&before, Some(flight.epoch.as_bytes()));
        }
        Ok(entered)
    }

    fn publish_once(
        &self,
        flight: &Flight,
        publication: &Publication<'_>,
        content: (Content, &[u8]),
    ) -> Result<Vec<String>, Error> {
        let eval = self.publish_command(flight, publication, content);
        let limit = StepLimit::Publish(eval.bytes());
        let words = self.words(Step { limit, ..PUBLISH }, &eval);
        words.map_err(|error| self.lacking(error))
    }

    fn publish_command<'a>(
        &self,
        flight: &'a Flight,
        publication: &Publication<'a>,
        (content, sent): (Content, &'a [u8]),
    ) -> Long<'a> {
        let Publication { index, eff, reset, partial, all, base, gone, fulls, .. } = *publication;
        let lag = millis(clock::now().saturating_duration_since(publication.list_sent));
        let list_at = flight.now_ms.saturating_add(millis(
            publication.list_sent.saturating_duration_since(flight.entered),
        ));
        let mut eval = self.eval(PUBLISH_LUA, 10);
        eval.arg(self.scope.as_str())
            .arg(flight.lease.token())
            .arg(&flight.watch)
            .arg(&flight.epoch);
        eval.arg(format!("{index:020}")).arg(format!("{eff:020}")).arg(reset.unwrap_or_default());
        eval.arg(millis(self.ttl).max(1)).arg(millis(self.detail_ttl).max(1)).arg(lag).arg(list_at);
        eval.arg(u8::from(partial)).arg(meta::sum(all));
        let content = match content {
            Content::New => "new",
            Content::Same => "same",
            Content::Probed => "probed",
        };
        let mut tail = vec![sent.into(), base.map_or("", |base| &base.rev).as_bytes().into()];
        tail.push(content.as_bytes().into());
        tail.push(gone.len().to_string().into());
        tail.extend(gone.iter().map(|id| CommandWord::from(id.as_str().as_bytes())));
        for (id, full) in fulls {
            let (open, sum) = seal_parts(full);
            tail.push(id.as_str().as_bytes().into());
            tail.push(CommandWord(open.into(), sum));
        }
        Long { head: eval, tail }
    }

    fn eval(&self, script: &str, keys: usize) -> Cmd {
        let mut eval = redis::cmd("EVAL");
        eval.arg(script).arg(keys).arg(&self.keys.ten()[..keys]);
        eval
    }

    fn eval_lease(&self, script: &str, token: &str) -> Cmd {
        let mut eval = redis::cmd("EVAL");
        eval.arg(script).arg(1).arg(&self.keys.lease).arg(token);
        eval
    }

    fn one(&self, step: Step, eval: &impl Encode) -> Result<Value, Error> {
        match self.ask(step, std::slice::from_ref(eval))?.pop() {
            Some(Value::ServerError(error)) => Err(of_reply(&error)),
            reply => Ok(reply.unwrap_or_default()),
        }
    }

    fn strange(&self, words: &[&str]) -> Error {
        Error::Unexpected(self.said(&words.join(" ")))
    }

    fn number(&self, step: Step, eval: &Cmd) -> Result<i64, Error> {
        let reply = self.one(step, eval)?;
        super::int(&reply).ok_or_else(|| self.strange(&[]))
    }

    fn words(&self, step: Step, eval: &impl Encode) -> Result<Vec<String>, Error> {
        let Value::Array(values) = self.one(step, eval)? else { return Err(self.strange(&[])) };
        values.iter().map(|value| text(value).ok_or_else(|| self.strange(&[]))).collect()
    }
}

fn entered(words: &[&str], token: &str) -> Option<Entered> {
    Some(match *words {
        ["HIT", rev] => Entered::Hit { rev: rev.to_owned() },
        ["WAIT", lease, _left, rev] => {
            let rev = Some(rev.to_owned()).filter(|rev| !rev.is_empty());
            Entered::Wait { lease: lease.to_owned(), rev }
        }
        ["FAILED", class] => Entered::Failed(FailureClass::from_number(class)),
        [state @ ("OWN" | "SOLO"), epoch, meta, watch, family, now_ms, hash_len] => {
            let solo = (state == "SOLO").then(|| watch.to_owned());
            let meta = Meta::parse(meta.as_bytes());
            let flight = Flight::new(token, solo, epoch.to_owned(), meta);
            // -1: something else has the name of the hash.
            let flight = flight.over_hash(Some(hash_len.parse().unwrap_or(u64::MAX)));
            let now_ms = now_ms.parse().ok()?;
            Entered::Own(flight.entered_at(family == "lit", now_ms, clock::now()))
        }
        _ => return None,
    })
}
