//! The way to Redis: connection, TLS, credentials, version, latency, rights, memory.

mod memory;
mod rights;

use std::time::Duration;

use crate::model::format::{span, took};
use crate::model::notice::Notifier;
use crate::store::error::{Busy, Error, ErrorKind, TlsFailure};
use crate::store::redis::{HelloReply, RedisStore, SENTINEL, Skipped};
use crate::store::{CacheMode, Place};

use super::clock::ClockReading;
use super::{Findings, NO_TIME, Section, TimeLeft};

/// A run that is slower than this is slower than people notice.
const SLOW: Duration = Duration::from_millis(50);
/// As long as a run waits for Redis: with less, silence says nothing.
const RUN: Duration = Duration::from_millis(500);
const ORDER: [&str; 10] = [
    "address",
    "reached",
    "tls",
    "credentials",
    "version",
    "latency",
    "commands",
    "keys",
    "writes",
    "memory",
];

pub(super) fn examined(place: &Place, time: TimeLeft, notifier: &Notifier) -> Findings {
    let mut found = Findings::of(Section::Redis, &ORDER);
    match RedisStore::new(place, notifier.clone()) {
        Ok(store) => {
            let mut way = RedisCheck { place, store: &store, time, given: Duration::ZERO, found };
            if let Err((name, error)) = way.walk() {
                way.broken(name, &error);
            }
            found = way.found;
        }
        Err(error) => {
            found.problem("address", error.what(), advice(&error));
            found.skip_after("address");
        }
    }
    found
}

struct RedisCheck<'a> {
    place: &'a Place,
    store: &'a RedisStore,
    time: TimeLeft,
    /// What the latest check was given of it.
    given: Duration,
    found: Findings,
}

impl RedisCheck<'_> {
    /// One link after the other, or the one that is broken.
    fn walk(&mut self) -> Result<(), (&'static str, Error)> {
        let store = self.store;
        let named = if self.place.redis.is_configured { "" } else { " (default)" };
        self.found.ok("address", format!("{}{named}", store.place()));
        let greeting = match store.greet(self.step()) {
            Ok(greeting) => greeting,
            Err(error) => {
                let error = self.named(error);
                return self.unreached(error);
            }
        };
        self.found.ok("reached", "answers");
        self.encryption();
        let user = store.user().map(|user| format!("accepted (user {user})"));
        self.found.ok("credentials", user.as_deref().unwrap_or("none given, none needed"));
        if !self.version(&greeting) {
            self.found.skip_after("version");
            return Ok(());
        }
        let advice = "use a closer Redis, or --cache local: every run waits for it";
        let said = format!("a round trip takes {}", took(greeting.took));
        self.found.ok_if(greeting.took <= SLOW, "latency", said, advice);
        self.found.clock = greeting.time.map(ClockReading::now);
        self.skipped();
        let rights = store.rights(self.step()).map_err(|error| ("commands", error))?;
        rights::check(&mut self.found, &rights, self.place, store);
        let memory = store.memory_now(self.step()).map_err(|error| ("memory", error))?;
        memory::check(&mut self.found, memory);
        match store.entry(self.step()) {
            Ok(entry) => self.found.entry = Some(entry),
            // Told above: with its command or key.
            Err(error) if error.kind() == ErrorKind::Forbidden => {}
            Err(error) => return Err(("entry", error)),
        }
        Ok(())
    }

    fn step(&mut self) -> Duration {
        self.given = self.time.step();
        self.given
    }

    /// Some HTTP servers say nothing to what is no HTTP, or hang up.
    fn named(&self, error: Error) -> Error {
        let may_be = matches!(
            error,
            Error::TimedOut { .. } | Error::Lost | Error::Truncated | Error::NotRedis
        );
        match may_be && !self.time.is_over() && self.store.speaks_http(self.time.step()) {
            true => Error::Http,
            false => error,
        }
    }

    fn unreached(&mut self, error: Error) -> Result<(), (&'static str, Error)> {
        // Nobody misses a Redis that nobody named: the files of this machine are the cache.
        let is_missed = self.place.redis.is_configured || self.place.choice == CacheMode::Redis;
        if !is_missed && error.kind() == ErrorKind::Unavailable && !self.time.is_over() {
            let said = format!("not there ({error}); the local files are the cache");
            self.found.skipped("reached", said);
            self.found.skip_after("reached");
            return Ok(());
        }
        match error {
            Error::Tls(_) | Error::WantsTls | Error::HandshakeTimedOut { .. } => {
                self.found.ok("reached", "connected");
                Err(("tls", error))
            }
            Error::CredentialsRefused => {
                self.found.ok("reached", "answers");
                self.encryption();
                Err(("credentials", error))
            }
            _ => Err(("reached", error)),
        }
    }

    fn broken(&mut self, name: &'static str, error: &Error) {
        let is_late = error.is_timeout();
        let advice = match error {
            _ if is_late && self.given < RUN => "pass a longer --timeout",
            // A server with OpenSSL hangs up without a word when it is greeted without TLS.
            Error::Lost if name == "reached" && self.store.place().starts_with("redis://") => {
                "use rediss:// in --redis or REDIS_URL if it uses TLS; else check the Redis log"
            }
            _ if error.kind() == ErrorKind::Forbidden => &rights::cure(self.store),
            _ => advice(error),
        };
        match is_late && self.time.is_over() {
            true => self.found.skipped(name, NO_TIME),
            false => self.found.problem(name, error.what(), advice),
        }
        self.found.skip_after(name);
    }

    fn encryption(&mut self) {
        match self.store.privacy() {
            (true, _) => self.found.ok("tls", "the certificate is valid"),
            (false, true) => self.found.ok("tls", "not needed on this machine"),
            (false, false) if self.store.user().is_some() => self.found.warning(
                "tls",
                "none: the password and the nodes travel unencrypted",
                "use rediss:// in --redis, and enable TLS in Redis",
            ),
            (false, false) => self.found.ok("tls", "none: plain redis"),
        }
    }

    /// `false`: it is none that could hold the cache, and nothing else need be tried.
    fn version(&mut self, HelloReply { version, mode, role, .. }: &HelloReply) -> bool {
        let (what, error) = match (mode.as_str(), role.as_str()) {
            _ if version.is_empty() => {
                self.found.warning("version", "older than Redis 6; not tested", "upgrade Redis");
                return true;
            }
            (SENTINEL, _) => ("a Sentinel, which holds no data", Error::Sentinel),
            ("cluster", _) => {
                ("part of a Redis Cluster, which is not supported", Error::Cluster(""))
            }
            (_, "replica" | "slave") => ("a replica: nothing can be cached in it", Error::Replica),
            _ => {
                self.found.ok("version", version);
                return true;
            }
        };
        self.found.problem("version", format!("{version}, {what}"), advice(&error));
        error == Error::Replica
    }

    /// A run that waits in vain leaves a mark, so that the next ones need not.
    fn skipped(&mut self) {
        match self.store.skipped() {
            Some((Skipped::Silent { lasts }, since)) => {
                let (since, lasts) = (span(since), span(lasts));
                self.found.warning(
                    "silence",
                    format!("timed out {since} ago; runs on this machine skip it for {lasts}"),
                    "check its latency and load; the first run that it answers ends this",
                );
            }
            Some((Skipped::Lacks(command), since)) => {
                let (command, since) = (command.as_deref(), span(since));
                let command = command.unwrap_or("command of the scripts");
                self.found.warning(
                    "unfit",
                    format!("{command} was not supported {since} ago; runs on this machine skip Redis for 5m"),
                    "see the commands below; once they are there, wait 5m",
                );
            }
            None => {}
        }
    }
}

fn advice(error: &Error) -> &str {
    if let Some(cure) = error.cure() {
        return cure;
    }
    match error {
        Error::CredentialsRefused => {
            "set the right ones in REDIS_URL or --redis: redis://USER:PASSWORD@HOST:PORT/0"
        }
        Error::NoRight(_) => "grant it to the user",
        Error::OutOfMemory => "raise maxmemory, or set maxmemory-policy allkeys-lru",
        Error::TooFewReplicas => "restore its replicas, or lower min-replicas-to-write",
        Error::Replica => "pass the primary with --redis",
        Error::CannotSave => {
            "check the Redis log: the disk may be full, or its directory not writable"
        }
        Error::Busy(Busy::Loading) => "wait until it has loaded its data",
        Error::Busy(Busy::Script) => {
            "wait until its script has ended, or end that with SCRIPT KILL"
        }
        Error::Busy(Busy::MasterDown) => {
            "wait until it has its primary again, or pass the primary with --redis"
        }
        Error::Busy(Busy::ClusterDown | Busy::TryAgain) => "wait until it is ready again",
        Error::WantsTls => "use rediss:// in --redis or REDIS_URL",
        Error::Tls(TlsFailure::Plain) => {
            "use redis:// in --redis or REDIS_URL, or enable TLS in Redis"
        }
        // One of the files, before anything was sent.
        Error::Tls(_) => {
            "correct the files, or pass others with --redis-ca-cert, --redis-client-cert and --redis-client-key"
        }
        Error::HandshakeTimedOut { .. } => {
            "use redis:// in --redis or REDIS_URL if it does not use TLS"
        }
        Error::Refused => {
            "start Redis, pass another address with --redis or REDIS_URL, or use --cache local"
        }
        Error::TimedOut { .. } => {
            "check whether Redis is stopped or overloaded, or a firewall drops packets; runs skip it meanwhile"
        }
        Error::NotRedis => {
            "pass the address of a Redis with --redis or REDIS_URL; rediss:// if it uses TLS"
        }
        Error::Http => {
            "pass the address of a Redis with --redis or REDIS_URL; its usual port is 6379"
        }
        Error::Sentinel => "pass the address of its primary with --redis",
        Error::NoCommand(_) | Error::Unfit(_) => {
            "use a Redis that supports it, without a proxy in front, or --cache local"
        }
        Error::Cluster(_) => "pass a Redis that is not a cluster with --redis",
        Error::MaxClients => "raise maxclients, or find the clients that hold so many connections",
        _ => "check the address in --redis or REDIS_URL",
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::{ORDER, TimeLeft, examined};
    use crate::clock;
    use crate::model::notice::Notifier;
    use crate::model::secret::Secret;
    use crate::store::scope::{Cluster, Scope};
    use crate::store::{CacheMode, Place, RedisPlace};

    /// Here and not through the program, which would look at the usual port of this machine, where
    /// somebody else's Redis may run.
    #[test]
    fn nobody_misses_a_redis_that_nobody_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Secret::new(format!("redis://{}", listener.local_addr().unwrap()));
        drop(listener);
        let redis = RedisPlace {
            url,
            is_configured: false,
            ca_cert: None,
            client_cert: None,
            client_key: None,
            silence: None,
            timeout: Duration::from_secs(30),
        };
        let place = Place {
            choice: CacheMode::Auto,
            redis,
            folder: None,
            copies: true,
            scope: Scope::of(&Cluster::default()),
            prefix: "nomad:clients".to_owned(),
            ttl: Duration::from_secs(60),
            detail_ttl: Duration::from_secs(300),
        };
        let time = TimeLeft { until: clock::now() + Duration::from_secs(60) };
        let found = examined(&place, time, &Notifier::nobody()).checks;
        let said: Vec<(&str, &str)> =
            found[1..].iter().map(|check| (check.name, check.said.as_str())).collect();
        let mut expected =
            vec![("reached", "not there (connection refused); the local files are the cache")];
        expected.extend(ORDER[2..].iter().map(|name| (*name, "needs reached")));
        assert_eq!(said, expected);
    }
}
