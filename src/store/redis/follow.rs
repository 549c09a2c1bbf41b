//! Which `serve` follows Nomad for all who share this Redis.

use redis::Value;

use crate::store::Error;

use super::ask::Step;
use super::connection::Manner;
use super::errors::of_reply;
use super::fill::{RELEASE_LUA, RENEW_LUA};
use super::patience::StepLimit;
use super::{RedisStore, command};

/// The right lasts this long unless it is renewed.
const FOLLOW_MS: &str = "5000";
const FOLLOW: Step = Step {
    name: "EVAL renew, SET NX (follow)",
    limit: StepLimit::Patience,
    manner: Manner::Writes,
    on_the_way: true,
};

/// One round trip: whoever holds it renews it, and it is taken if nobody does.
pub(super) fn follow(store: &RedisStore, name: &str) -> Result<bool, Error> {
    let key = store.keys.follow.as_str();
    let renew = command("EVAL", &[RENEW_LUA, "1", key, name, FOLLOW_MS]);
    let take = command("SET", &[key, name, "NX", "PX", FOLLOW_MS]);
    let replies = store.ask(FOLLOW, &[renew, take])?;
    match &replies[..] {
        [Value::Int(1), _] | [_, Value::Okay] => Ok(true),
        [Value::ServerError(error), _] | [_, Value::ServerError(error)] => Err(of_reply(error)),
        _ => Ok(false),
    }
}

/// Best effort: it ends by itself.
pub(super) fn unfollow(store: &RedisStore, name: &str) {
    let key = store.keys.follow.as_str();
    let _ = store.ask(FOLLOW, &[command("EVAL", &[RELEASE_LUA, "1", key, name])]);
}

impl RedisStore {}
