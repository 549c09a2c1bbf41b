//! The right to fill the cache, and what is published under it.

use std::time::Instant;

use crate::clock;
use crate::model::node::{AllJson, Fulls, NodeId};

use super::meta::Meta;

/// Names the lease of a flight: enough to renew it, to give it back, and to report a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub(super) token: String,
    /// The flight works under the lease of another `--force` and has nothing to renew.
    pub(super) solo: bool,
}

impl Lease {
    /// The lease that the flight `token` holds.
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: token.into(), solo: false }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn is_solo(&self) -> bool {
        self.solo
    }
}

/// The right to fill. Only a store makes one, and publishing consumes it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Flight {
    pub(super) lease: Lease,
    /// The lease that the publication is compared with.
    pub(super) watch: String,
    pub(super) epoch: String,
    /// What the cache held when the flight began; serves as base and as lowest index.
    pub(super) meta: Option<Box<Meta>>,
    /// The family of keys that holds `meta`: `true` = the literal names (Redis only).
    pub(super) literal: bool,
    /// The epoch of the Redis in whose place the files hold the publication; empty if it shows none.
    pub(super) beside: Option<String>,
    /// How many full records the store held when the flight entered, if it said so (Redis only).
    pub(super) hash_len: Option<u64>,
    /// The store's clock in milliseconds at `entered`.
    pub(super) now_ms: u64,
    pub(super) entered: Instant,
}

impl Flight {
    /// `solo`: the lease of another `--force`, under which it works.
    pub fn new(token: &str, solo: Option<String>, epoch: String, meta: Option<Meta>) -> Self {
        let lease = Lease { token: token.to_owned(), solo: solo.is_some() };
        let watch = solo.unwrap_or_else(|| lease.token.clone());
        let meta = meta.map(Box::new);
        let (literal, beside, hash_len) = (true, None, None);
        let (now_ms, entered) = (0, clock::now());
        Self { lease, watch, epoch, meta, literal, beside, hash_len, now_ms, entered }
    }

    /// With as many full records as the store holds.
    pub fn over_hash(self, hash_len: Option<u64>) -> Self {
        Self { hash_len, ..self }
    }

    /// Where its meta stands, and when it entered, by the clocks of the store and of this process.
    pub fn entered_at(self, literal: bool, now_ms: u64, entered: Instant) -> Self {
        Self { literal, now_ms, entered, ..self }
    }

    /// In the place of a Redis that shows this epoch.
    pub fn standing_in(self, beside: Option<String>) -> Self {
        Self { beside, ..self }
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The epoch of the Redis in whose place it is, if it is.
    pub fn beside(&self) -> Option<&str> {
        self.beside.as_deref()
    }

    pub fn watch(&self) -> &str {
        &self.watch
    }

    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    pub fn meta(&self) -> Option<&Meta> {
        self.meta.as_deref()
    }

    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether the store held as many full records as the meta says, as far as it told.
    pub fn has_whole_hash(&self) -> bool {
        let count = self.meta.as_ref().map(|meta| meta.count);
        self.hash_len.is_none() || self.hash_len == count
    }

    pub fn hash_len(&self) -> Option<u64> {
        self.hash_len
    }

    /// The store's clock when it entered, in milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub fn entered(&self) -> Instant {
        self.entered
    }
}

/// What a flight starts from: the verified records of the last publication.
#[derive(Debug, Clone)]
pub struct Base {
    /// The publication they belong to.
    pub rev: String,
    /// Its records; in no order if it was partial.
    pub all: AllJson,
    /// The full records of the same nodes, if they were asked for.
    pub fulls: Option<Fulls>,
    /// `all` is what the store itself keeps, so it can publish it anew without being sent it.
    pub is_kept: bool,
}

/// What one fetch writes.
#[derive(Debug, Clone)]
pub struct Publication<'a> {
    /// `X-Nomad-Index` of the list.
    pub index: u64,
    /// The highest of `index` and every ModifyIndex in the records.
    pub eff: u64,
    /// The rev whose higher index a second list disproved.
    pub reset: Option<&'a str>,
    /// When the list request was sent.
    pub list_sent: Instant,
    /// Some records have no details: the hash is written, `all` is not.
    pub partial: bool,
    /// Empty if partial.
    pub all: &'a AllJson,
    /// How many nodes.
    pub count: u64,
    /// The base that this differs from; `None` = everything is written anew.
    pub base: Option<&'a Base>,
    /// IDs that are gone since the base.
    pub gone: &'a [NodeId],
    /// Full records that are new or changed since the base; without a base all of them.
    pub fulls: &'a Fulls,
    /// Nothing has changed since the base, according to the index alone: its list is as old as before.
    pub probed: bool,
}

impl Publication<'_> {
    /// Whether this is the publication of `meta` once more: the same nodes in the same words.
    pub(super) fn is_same(&self, meta: &Meta) -> bool {
        let no_change = self.gone.is_empty() && self.fulls.is_empty() && !self.partial;
        let is_base = self.base.is_some_and(|base| base.is_kept && base.rev == meta.rev);
        no_change && is_base && meta.describes(self.all)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Published {
    Done,
    /// A newer index is known. Nothing changed, the lease is kept.
    Older {
        flight: Flight,
        index: u64,
        rev: String,
    },
    /// The hash is not the base any more. Nothing changed, the lease is kept.
    Rebase(Flight),
    /// Not ours to publish. Ours is still true for whoever asked.
    Fenced,
}

/// Why a flight failed, as those who wait learn it: the protocol's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// 0: the answer is good and can't be cached.
    NotCacheable,
    /// 4
    Denied,
    /// 5
    Outage,
    /// 6
    NotNomad,
    /// 8: a partial publication is there.
    Partial,
}

impl FailureClass {
    pub fn number(self) -> u8 {
        match self {
            Self::NotCacheable => 0,
            Self::Denied => 4,
            Self::Outage => 5,
            Self::NotNomad => 6,
            Self::Partial => 8,
        }
    }

    /// Another number is treated as an outage: a newer program's class must not hang an older one.
    pub fn from_number(number: &str) -> Self {
        match number {
            "0" => Self::NotCacheable,
            "4" => Self::Denied,
            "6" => Self::NotNomad,
            "8" => Self::Partial,
            _ => Self::Outage,
        }
    }
}
