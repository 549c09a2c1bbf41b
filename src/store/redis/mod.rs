//! The shared cache: the protocol spoken with a Redis.

mod ask;
mod clear;
mod connection;
mod diagnose;
mod errors;
mod fill;
mod follow;
mod look;
mod patience;
mod payload;
mod resp;
mod rights;
mod socket;
mod stale;
mod stats;
mod tls;
mod url;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::redis::{Cmd, ServerError, Value};
use rustls::ClientConfig;

use crate::clock;
use crate::model::format::millis;
use crate::model::mask::Mask;
use crate::model::node::FullJson;
use crate::model::notice::Notifier;
use crate::model::text::FOREIGN;
use crate::net::sync::lock;

use super::keys::Keys;
use super::meta;
use super::scope::Scope;
use super::{
    Base, CacheMode, Cleared, ClearedPlace, Enter, Entered, Error, FailureClass, Flight, Lease,
    Look, Place, Present, Publication, Published, RedisPlace, Sample, Snapshot, Stats, Store, Want,
};
use crate::host::cleared_epochs::ClearedEpochs;
use crate::host::copies::Copies;
use crate::host::notes::Notes;

use crate::host::redis_backoff::RedisBackoff;
pub use crate::host::redis_backoff::Skipped;
use crate::host::refused_scopes::RefusedScope;
use connection::Connection;
use patience::Patience;

pub(crate) use diagnose::{HelloReply, SENTINEL};
pub(crate) use rights::{Grant, Rights, Serves};
pub use url::{Target, parse_url};

/// The cache in a Redis.
pub struct RedisStore {
    target: Target,
    mask: Mask,
    files: RedisPlace,
    tls: Mutex<Option<Arc<ClientConfig>>>,
    keys: Keys,
    scope: Scope,
    ttl: Duration,
    detail_ttl: Duration,
    idle: Mutex<Vec<Connection>>,
    cleared_epochs: ClearedEpochs,
    /// The epoch that it showed last, empty = none; `None` before.
    seen: Mutex<Option<String>>,
    /// When a dead epoch had come back and was cleared again: once a run is enough.
    cleared_again: Mutex<Option<Instant>>,
    patience: Patience,
    skip: RedisBackoff,
    /// It has answered in this process after a time in which this host avoided it.
    is_back: AtomicBool,
    refused: RefusedScope,
    /// `None`: the bytes are always read.
    copies: Option<Copies>,
    notifier: Notifier,
}

impl RedisStore {
    /// Connects to nothing yet. Fails only if the URL is not one.
    pub fn new(place: &Place, tell: Notifier) -> Result<Self, Error> {
        let target = parse_url(&place.redis.url)?;
        let notes = Notes::new(place.folder.clone());
        let cache = meta::sum(format!("{} {}", target.place(), place.prefix).as_bytes());
        let folder =
            place.folder.as_deref().filter(|_| place.copies && place.choice == CacheMode::Auto);
        Ok(Self {
            patience: Patience::new(place, notes.clone()),
            copies: folder.map(|folder| Copies::new(folder, place.scope.as_str())),
            skip: RedisBackoff::new(notes.clone(), target.place()),
            is_back: AtomicBool::new(false),
            refused: RefusedScope::new(notes.clone(), format!("{cache}-{}", place.scope.as_str())),
            mask: target.mask(),
            target,
            files: place.redis.clone(),
            tls: Mutex::default(),
            keys: Keys::new(&place.prefix, &place.scope),
            scope: place.scope.clone(),
            ttl: place.ttl,
            detail_ttl: place.detail_ttl.max(place.ttl),
            idle: Mutex::default(),
            cleared_epochs: ClearedEpochs::new(notes, cache),
            seen: Mutex::default(),
            cleared_again: Mutex::default(),
            notifier: tell,
        })
    }

    /// The address without credentials.
    pub fn place(&self) -> String {
        self.target.place()
    }

    /// `HOST:PORT`, or the path of the socket.
    pub(super) fn address(&self) -> String {
        self.target.address()
    }

    /// The epoch that a look found last, empty if there was none.
    pub(super) fn seen_epoch(&self) -> Option<String> {
        lock(&self.seen).clone()
    }

    /// What Redis refused a question for.
    fn refused(&self, error: &ServerError) -> Error {
        match errors::of_reply(error) {
            Error::NoCommand(_) if self.is_sentinel() => Error::Sentinel,
            error => error,
        }
    }

    /// Without this command nothing can ever be cached there: the runs of the next minutes use the
    /// files of this machine.
    fn lacking(&self, error: Error) -> Error {
        if let Error::NoCommand(command) = &error {
            self.skip.lacks(command.as_deref());
        }
        error
    }

    fn tls_config(&self) -> Result<Arc<ClientConfig>, Error> {
        let mut known = lock(&self.tls);
        if let Some(config) = &*known {
            return Ok(Arc::clone(config));
        }
        let config = tls::config(&self.files)?;
        *known = Some(Arc::clone(&config));
        Ok(config)
    }

    /// What the server says in data, on its way to people.
    fn said(&self, text: &str) -> String {
        self.mask.line(text, FOREIGN)
    }

    fn ignored(&self, why: &str) {
        self.notifier.verbose(format!("cache entry ignored: {why}"));
    }

    /// Whether Nomad has refused this token after that: such a list is not shown.
    pub(super) fn is_of_before_refusal(&self, age: Duration) -> bool {
        let is_refused = self.refused.covers(age);
        if is_refused {
            self.ignored("Nomad has refused this token since");
        }
        is_refused
    }
}

impl Store for RedisStore {
    fn look(&self, want: Want) -> Result<Look, Error> {
        look::look(self, want)
    }

    fn present(&self) -> Result<Option<Present>, Error> {
        look::present(self)
    }

    fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        fill::enter(self, enter)
    }

    fn base(&self, flight: &Flight, want: Want) -> Option<Base> {
        look::base(self, flight, want)
    }

    fn publish(&self, flight: Flight, publication: &Publication<'_>) -> Result<Published, Error> {
        let published = fill::publish(self, flight, publication);
        if published == Ok(Published::Done) {
            self.refused.allowed(clock::since(publication.list_sent));
        }
        published
    }

    fn renew(&self, lease: &Lease) -> Result<bool, Error> {
        fill::renew(self, lease)
    }

    fn release(&self, lease: &Lease) {
        fill::release(self, &lease.token);
    }

    fn fail(&self, lease: &Lease, class: FailureClass) {
        fill::fail(self, &lease.token, class);
    }

    fn void(&self, own: Option<&Lease>) -> Result<(), Error> {
        fill::void(self, own)
    }

    fn partial(&self, waited: &str) -> Result<Option<Snapshot>, Error> {
        look::partial(self, waited)
    }

    fn full(&self, record: &[u8]) -> Option<FullJson> {
        look::full(self, record)
    }

    fn last(&self, want: Want) -> Option<Snapshot> {
        let last = stale::last(self, want);
        let last = last.inspect_err(|error| self.ignored(&error.to_string())).ok().flatten();
        last.filter(|last| !self.is_of_before_refusal(last.age))
    }

    fn clear(&self) -> Cleared {
        let outcome = clear::clear(self);
        Cleared { places: vec![ClearedPlace { is_redis: true, place: self.place(), outcome }] }
    }

    fn follow(&self, name: &str) -> Result<bool, Error> {
        follow::follow(self, name)
    }

    fn unfollow(&self, name: &str) {
        follow::unfollow(self, name);
    }

    fn count(&self, sample: &Sample) {
        stats::count(self, sample);
    }

    fn stats(&self) -> Result<Stats, Error> {
        stats::stats(self, &|| stats::STATS)
    }
}

/// The first error among the replies, if there is one.
fn refusal<'a>(replies: impl IntoIterator<Item = &'a Value>) -> Option<&'a ServerError> {
    replies.into_iter().find_map(|reply| match reply {
        Value::ServerError(error) => Some(error),
        _ => None,
    })
}

fn command(name: &str, arguments: &[&str]) -> Cmd {
    let mut command = ::redis::cmd(name);
    command.arg(arguments);
    command
}

fn is_wrong_type(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "WRONGTYPE")
}

/// The bytes of a bulk string.
fn bulk(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}
