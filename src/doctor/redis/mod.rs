//! The way to Redis: connection, TLS, credentials, version, latency, rights, memory.

mod memory;
mod rights;

use std::time::Duration;

use crate::model::format::took;
use crate::model::notice::Notifier;
use crate::store::error::{Busy, Error, ErrorKind, TlsFailure};
use crate::store::redis::{CacheEntry, HelloReply, RedisStore, SENTINEL, Skipped};
use crate::store::{CacheMode, Place};

use super::clock::ClockReading;
use super::{Checks, Findings, NO_TIME, Section, TimeLeft};

/// A run that is slower than this is slower than people notice.
const SLOW: Duration = Duration::from_millis(50);
/// As long as a run waits for Redis: with less, silence says nothing.
const RUN: Duration = Duration::from_millis(500);
const ALL: [&str; 10] = [
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

pub(super) fn examined(place: &Place, time: TimeLeft, tell: &Notifier) -> Findings {
    let checks = Checks::of(Section::Redis);
    let mut way =
        RedisCheck { place, time, given: Duration::ZERO, checks, clock: None, entry: None };
    match RedisStore::new(place, tell.clone()) {
        Ok(store) => way.walk(&store),
        Err(error) => way.stopped("address", &error, &advice(&error)),
    }
    Findings { checks: way.checks.all, clock: way.clock, entry: way.entry, index: None }
}

struct RedisCheck<'a> {
    place: &'a Place,
    time: TimeLeft,
    /// What the latest check was given of it.
    given: Duration,
    checks: Checks,
    clock: Option<ClockReading>,
    entry: Option<CacheEntry>,
}

impl RedisCheck<'_> {
    fn walk(&mut self, store: &RedisStore) {
        let named = if self.place.redis.is_configured { "" } else { " (default)" };
        self.checks.ok("address", format!("{}{named}", store.place()));
        let greeting = match store.greet(self.step()) {
            Ok(greeting) => greeting,
            Err(error) => {
                let error = self.named(store, error);
                return self.unreached(store, &error);
            }
        };
        self.checks.ok("reached", "answers");
        self.encryption(store);
        self.checks.ok(
            "credentials",
            store.user().map_or("none given, none needed".to_owned(), |user| {
                format!("accepted (user {user})")
            }),
        );
        if !self.server(&greeting) {
            return self.skip_behind("version");
        }
        self.latency(greeting.took);
        self.clock = greeting.time.map(ClockReading::now);
        self.skipped(store);
        match store.rights(self.step()) {
            Ok(found) => rights::check(&mut self.checks, &found, self.place, store),
            Err(error) => return self.broken(store, "commands", &error),
        }
        match store.memory_now(self.step()) {
            Ok(memory) => memory::check(&mut self.checks, memory),
            Err(error) => return self.broken(store, "memory", &error),
        }
        match store.entry(self.step()) {
            Ok(entry) => self.entry = Some(entry),
            // Told above: with its command or key.
            Err(error) if error.kind() == ErrorKind::Forbidden => {}
            Err(error) => self.broken(store, "entry", &error),
        }
    }

    fn step(&mut self) -> Duration {
        self.given = self.time.step();
        self.given
    }

    /// Some HTTP servers say nothing to what is no HTTP, or hang up.
    fn named(&mut self, store: &RedisStore, error: Error) -> Error {
        let may_be = matches!(
            error,
            Error::TimedOut { .. } | Error::Lost | Error::Truncated | Error::NotRedis
        );
        if may_be && !self.time.is_over() && store.speaks_http(self.time.step()) {
            return Error::Http;
        }
        error
    }

    /// Nobody misses a Redis that nobody named: the files of this machine are the cache.
    fn unreached(&mut self, store: &RedisStore, error: &Error) {
        let is_missed = self.place.redis.is_configured || self.place.choice == CacheMode::Redis;
        if !is_missed && error.kind() == ErrorKind::Unavailable && !self.time.is_over() {
            let said = format!("not there ({error}); the local files are the cache");
            self.checks.skipped("reached", said);
            return self.checks.skip_all(&ALL[2..], "needs reached");
        }
        if matches!(error, Error::Tls(_) | Error::WantsTls | Error::HandshakeTimedOut { .. }) {
            self.checks.ok("reached", "connected");
            return self.broken(store, "tls", error);
        }
        if *error == Error::CredentialsRefused {
            self.checks.ok("reached", "answers");
            self.encryption(store);
            return self.broken(store, "credentials", error);
        }
        // A server with OpenSSL hangs up without a word when it is greeted without TLS.
        if *error == Error::Lost && store.place().starts_with("redis://") {
            let advice =
                "use rediss:// in --redis or REDIS_URL if it uses TLS; else check the Redis log";
            return self.stopped("reached", error, advice);
        }
        self.broken(store, "reached", error);
    }

    fn broken(&mut self, store: &RedisStore, name: &str, error: &Error) {
        let advice = match error.kind() {
            ErrorKind::Forbidden => rights::cure(store),
            _ => advice(error),
        };
        self.stopped(name, error, &advice);
    }

    /// What comes behind `name` can't be known.
    fn stopped(&mut self, name: &str, error: &Error, advice: &str) {
        let (is_late, what) = (error.is_timeout(), error.what());
        if is_late && self.time.is_over() {
            self.checks.skipped(name, NO_TIME);
        } else if is_late && self.given < RUN {
            self.checks.problem(name, what, "pass a longer --timeout");
        } else {
            self.checks.problem(name, what, advice);
        }
        self.skip_behind(name);
    }

    fn skip_behind(&mut self, name: &str) {
        let at = ALL.iter().position(|known| *known == name);
        let rest = at.map_or(&[][..], |at| &ALL[at + 1..]);
        self.checks.skip_all(rest, &format!("needs {name}"));
    }

    fn encryption(&mut self, store: &RedisStore) {
        let (encrypted, near) = store.privacy();
        match (encrypted, near) {
            (true, _) => self.checks.ok("tls", "the certificate is valid"),
            (false, true) => self.checks.ok("tls", "not needed on this machine"),
            (false, false) if store.user().is_some() => self.checks.warning(
                "tls",
                "none: the password and the nodes travel unencrypted",
                "use rediss:// in --redis, and enable TLS in Redis",
            ),
            (false, false) => self.checks.ok("tls", "none: plain redis"),
        }
    }

    /// `false`: it is none that could hold the cache, and nothing else need be tried.
    fn server(&mut self, greeting: &HelloReply) -> bool {
        let HelloReply { version, mode, role, .. } = greeting;
        if version.is_empty() {
            let said = "older than Redis 6; not tested";
            self.checks.warning("version", said, "upgrade Redis");
            return true;
        }
        if mode == SENTINEL {
            let said = format!("{version}, a Sentinel, which holds no data");
            let advice = "pass the address of its primary with --redis";
            self.checks.problem("version", said, advice);
            return false;
        }
        if mode == "cluster" {
            let said = format!("{version}, part of a Redis Cluster, which is not supported");
            self.checks.problem("version", said, "pass a Redis that is not a cluster with --redis");
            return false;
        }
        if role == "replica" || role == "slave" {
            let said = format!("{version}, a replica: nothing can be cached in it");
            self.checks.problem("version", said, "pass the primary with --redis");
            return true;
        }
        self.checks.ok("version", version.clone());
        true
    }

    fn latency(&mut self, time: Duration) {
        let said = format!("a round trip takes {}", took(time));
        if time > SLOW {
            let advice = "use a closer Redis, or --cache local: every run waits for it";
            self.checks.warning("latency", said, advice);
        } else {
            self.checks.ok("latency", said);
        }
    }

    /// A run that waits in vain leaves a mark, so that the next ones need not.
    fn skipped(&mut self, store: &RedisStore) {
        match store.skipped() {
            Some((Skipped::Silent, since)) => {
                let said = format!(
                    "timed out {} s ago; runs on this machine skip it for 15 s",
                    since.as_secs()
                );
                let advice = "wait 15 s; if it happens again, check its latency and load";
                self.checks.warning("silence", said, advice);
            }
            Some((Skipped::Lacks(command), since)) => {
                let said = format!(
                    "{} was not supported {} s ago; runs on this machine skip Redis for 5 m",
                    command.as_deref().unwrap_or("command of the scripts"),
                    since.as_secs()
                );
                let advice = "see the commands below; once they are there, wait 5 m";
                self.checks.warning("unfit", said, advice);
            }
            None => {}
        }
    }
}

fn advice(error: &Error) -> String {
    if let Some(cure) = error.cure() {
        return cure.to_owned();
    }
    let text = match error {
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
        Error::Busy(with) => patience(*with),
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
    };
    text.to_owned()
}

/// What to wait for.
fn patience(with: Busy) -> &'static str {
    match with {
        Busy::Loading => "wait until it has loaded its data",
        Busy::Script => "wait until its script has ended, or end that with SCRIPT KILL",
        Busy::MasterDown => "wait until it has its primary again, or pass the primary with --redis",
        Busy::ClusterDown | Busy::TryAgain => "wait until it is ready again",
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::{ALL, TimeLeft, examined};
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
        };
        let place = Place {
            choice: CacheMode::Auto,
            redis,
            folder: None,
            scope: Scope::of(&Cluster::default()),
            prefix: "nomad:clients".to_owned(),
            ttl: Duration::from_secs(60),
            detail_ttl: Duration::from_secs(300),
        };
        let time = TimeLeft { until: clock::now() + Duration::from_secs(60) };
        let found = examined(&place, time, &Notifier::nobody()).checks;
        let said: Vec<(&str, &str)> =
            found[1..].iter().map(|check| (check.name.as_str(), check.said.as_str())).collect();
        let mut expected =
            vec![("reached", "not there (connection refused); the local files are the cache")];
        expected.extend(ALL[2..].iter().map(|name| (*name, "needs reached")));
        assert_eq!(said, expected);
    }
}
