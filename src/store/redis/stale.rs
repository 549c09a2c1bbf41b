//! The last complete publication, however old: for an outage of Nomad.

use std::time::Duration;

use redis::Value;

use crate::clock;
use crate::model::format::millis;
use crate::model::snapshot::Snapshot;
use crate::store::meta::Meta;
use crate::store::records::recorded;
use crate::store::{Error, Want};

use super::ask::Step;
use super::errors::of_reply;
use super::look::HASH;
use super::{RedisStore, command, int, refusal};

const LAST: Step = Step { name: "PTTL, MGET", ..HASH };

/// Every publication sets the epoch to expire after this, in milliseconds.
const EPOCH_MS: u64 = 86_400_000;

/// What is left of the life of `all`, of meta and of the epoch, in milliseconds.
struct RemainingTtl {
    all: Option<u64>,
    meta: Option<u64>,
    epoch: Option<u64>,
}

pub(super) fn last(store: &RedisStore, want: Want) -> Result<Option<Snapshot>, Error> {
    let sent = clock::now();
    let (literal, own) = (&store.keys.literal, &store.keys.own);
    let expiry = |key: &str| command("PTTL", &[key]);
    let mut replies = store.ask(
        LAST,
        &[
            expiry(&store.keys.epoch),
            expiry(&literal.all),
            expiry(&literal.meta),
            expiry(&own.all),
            expiry(&own.meta),
            command("MGET", &[&store.keys.epoch, &literal.meta, &own.meta]),
        ],
    )?;
    if let Some(error) = refusal(&replies) {
        return Err(of_reply(error));
    }
    let (meta, literal) = store.described(replies.pop());
    let Some(meta) = meta.filter(|meta| is_complete(meta) && !store.is_dead(meta.epoch.as_bytes()))
    else {
        return Ok(None);
    };
    let Some(since) = since(&meta, &left(&replies, literal), millis(store.detail_ttl)) else {
        return Ok(None);
    };
    let kept = store.kept(&meta, literal, want)?;
    let kept = kept.filter(|(_, fulls)| want != Want::Full || fulls.is_some());
    let since = Duration::from_millis(since).saturating_add(clock::now().duration_since(sent));
    Ok(kept.map(|(all, fulls)| Snapshot { all, ..recorded(&meta, fulls, since) }))
}

/// A floor serves nothing, and a partial publication lacks what was asked for.
fn is_complete(meta: &Meta) -> bool {
    meta.len > 0 && meta.ttl_ms > 0
}

fn left(replies: &[Value], literal: bool) -> RemainingTtl {
    let at = |at: usize| replies.get(at).and_then(int).and_then(|ms| u64::try_from(ms).ok());
    let first = if literal { 1 } else { 3 };
    RemainingTtl { epoch: at(0), all: at(first), meta: at(first + 1) }
}

/// How long ago it was published. Once `all` has expired, two clocks are left that began with the
/// publication: the meta's, if the publisher kept details as long as we do, and the epoch's, if
/// nobody published since. Each alone may show too little, never too much: the larger counts.
fn since(meta: &Meta, left: &RemainingTtl, detail_ttl_ms: u64) -> Option<u64> {
    if let Some(all) = left.all {
        return meta.ttl_ms.checked_sub(all);
    }
    let meta = left.meta.and_then(|left| detail_ttl_ms.checked_sub(left));
    let epoch = left.epoch.and_then(|left| EPOCH_MS.checked_sub(left));
    meta.max(epoch)
}

#[cfg(test)]
mod tests {
    use super::{Meta, RemainingTtl, since};

    #[test]
    fn the_age_comes_from_the_clock_that_shows_most() {
        let line = format!("v2|aa|ab|N1|{:020}|1|9|00|60000|5", 7);
        let meta = Meta::parse(line.as_bytes()).unwrap();
        let since =
            |all, left, epoch| since(&meta, &RemainingTtl { all, meta: left, epoch }, 300_000);
        assert_eq!(since(Some(50_000), Some(290_000), Some(86_390_000)), Some(10_000));
        assert_eq!(
            since(None, Some(200_000), Some(86_400_000)),
            Some(100_000),
            "another cluster published"
        );
        assert_eq!(
            since(None, Some(400_000), Some(86_280_000)),
            Some(120_000),
            "its details live longer than ours"
        );
        assert_eq!(since(None, None, None), None);
    }
}
