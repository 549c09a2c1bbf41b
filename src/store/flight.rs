//! The right to fill the cache, and what is published under it.

use std::collections::HashMap;
use std::time::Instant;

use crate::clock;
use crate::model::node::{FullJson, NodeId};

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
        let (literal, beside, now_ms, entered) = (true, None, 0, clock::now());
        Self { lease, watch, epoch, meta, literal, beside, now_ms, entered }
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

    /// The store's clock when it entered, in milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub fn entered(&self) -> Instant {
        self.entered
    }
}

/// The verified content of the hash that a flight starts from.
#[derive(Debug, Clone)]
pub struct Base {
    /// The publication it belongs to.
    pub rev: String,
    /// Full records as JSON.
    pub fulls: HashMap<NodeId, FullJson>,
}

/// What a flight may publish anew.
#[derive(Debug, Clone)]
pub struct Kept {
    pub all: Vec<u8>,
    /// The record that was asked for; not verified.
    pub first: FullJson,
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
    /// Bytes of `all`; empty if partial.
    pub all: &'a [u8],
    /// Every full record, JSON, in the order of `all`.
    pub fulls: &'a [(NodeId, FullJson)],
    /// A delta against this base; `None` = whole.
    pub base: Option<&'a Base>,
    /// `all` is worth a copy that outlives it.
    pub keep: bool,
    /// Nothing has changed since the flight's meta: `all` is what [`Store::kept`](super::Store::kept)
    /// gave, `fulls` and `base` say nothing.
    pub same: bool,
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
