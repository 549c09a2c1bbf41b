//! The address of a Redis: `redis://`, `rediss://` or `unix://`; of a Valkey: `valkey://`, `valkeys://`.

use std::path::PathBuf;

use crate::model::mask::Mask;
use crate::model::secret::Secret;
use crate::model::text::sanitised;
use crate::net::endpoint::{self, Endpoint, authority, percent_decoded, split_login};
use crate::store::Error;

const PORT: u16 = 6379;
const FORMS: &str = "must begin with redis://, rediss:// or unix://";

/// A parsed Redis address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) route: RedisEndpoint,
    pub(super) db: u32,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RedisEndpoint {
    /// `host` without brackets.
    Tcp {
        host: String,
        port: u16,
        tls: bool,
    },
    Unix(PathBuf),
}

impl Target {
    /// Hides what is sent in what comes back.
    pub(super) fn mask(&self) -> Mask {
        Mask::new(self.password.clone())
    }

    /// The address without credentials: `redis://localhost:6379/0`.
    pub fn place(&self) -> String {
        let (address, db) = (self.address(), self.db);
        match &self.route {
            RedisEndpoint::Tcp { tls: true, .. } => format!("rediss://{address}/{db}"),
            RedisEndpoint::Tcp { .. } => format!("redis://{address}/{db}"),
            RedisEndpoint::Unix(_) if db == 0 => format!("unix://{address}"),
            RedisEndpoint::Unix(_) => format!("unix://{address}?db={db}"),
        }
    }

    /// `HOST:PORT`, or the path of the socket.
    pub(super) fn address(&self) -> String {
        match &self.route {
            RedisEndpoint::Tcp { host, port, .. } => authority(host, Some(*port)),
            RedisEndpoint::Unix(path) => sanitised(&path.to_string_lossy()).into_owned(),
        }
    }

    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    pub fn is_encrypted(&self) -> bool {
        matches!(self.route, RedisEndpoint::Tcp { tls: true, .. })
    }

    /// Whether what is sent there never leaves this machine.
    pub fn is_local(&self) -> bool {
        match &self.route {
            RedisEndpoint::Tcp { host, .. } => endpoint::is_local(host),
            RedisEndpoint::Unix(_) => true,
        }
    }
}

/// Parses a Redis URL.
///
/// # Errors
/// What is wrong, without any part of the URL.
pub fn parse_url(url: &Secret) -> Result<Target, Error> {
    parse(url.reveal()).map_err(Error::Address)
}

fn parse(url: &str) -> Result<Target, &'static str> {
    // Files and shells leave white space at the ends.
    let (scheme, rest) = url.trim().split_once("://").ok_or(FORMS)?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => tcp(rest, false),
        "rediss" | "valkeys" => tcp(rest, true),
        "unix" | "redis+unix" | "valkey+unix" => unix(rest),
        _ => Err(FORMS),
    }
}

/// Passwords often contain an unencoded `/`, `?` or `#`. If the address is not valid otherwise, the host
/// is what follows the last `@`.
fn tcp(rest: &str, tls: bool) -> Result<Target, &'static str> {
    let end_from =
        |from: usize| rest[from..].find(['/', '?', '#']).map_or(rest.len(), |at| from + at);
    let end = end_from(0);
    let target = tcp_split(rest.split_at(end), tls);
    match rest.rfind('@').filter(|at| *at > end) {
        Some(at) if target.is_err() => tcp_split(rest.split_at(end_from(at)), tls),
        _ => target,
    }
}

fn tcp_split((authority, tail): (&str, &str), tls: bool) -> Result<Target, &'static str> {
    let (login, address) = split_login(authority);
    let (user, password) = login.map_or(Ok((None, None)), credentials)?;
    let Endpoint { host, port } = match authority {
        // `redis:///0`
        "" if tail.starts_with('/') => Endpoint { host: "localhost".to_owned(), port: None },
        _ => Endpoint::parse(address)?,
    };
    let (db, port) = (database(tail)?, port.unwrap_or(PORT));
    Ok(Target { route: RedisEndpoint::Tcp { host, port, tls }, db, user, password })
}

/// `/2`, `?db=2`, or nothing.
fn database(tail: &str) -> Result<u32, &'static str> {
    if tail.contains('#') {
        return Err("has a fragment (#)");
    }
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.contains('/') {
        return Err("has a path: a socket's path needs unix://");
    }
    let db = |text: &str| number(text).ok_or("has a database that is not a number");
    let mut found = if path.is_empty() { None } else { Some(db(path)?) };
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let ("db", value) = option.split_once('=').ok_or("has an option without a value")? else {
            return Err("has an option other than db");
        };
        let db = db(value)?;
        if found.is_some_and(|found| found != db) {
            return Err("names two databases");
        }
        found = Some(db);
    }
    Ok(found.unwrap_or(0))
}

fn unix(rest: &str) -> Result<Target, &'static str> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = percent_decoded(path)?;
    if !path.starts_with('/') {
        return Err("has a socket path that does not begin with /");
    }
    let route = RedisEndpoint::Unix(PathBuf::from(path));
    let mut target = Target { route, db: 0, user: None, password: None };
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').ok_or("has an option without a value")?;
        match key {
            "db" => target.db = number(value).ok_or("has a database that is not a number")?,
            "user" => target.user = Some(percent_decoded(value)?).filter(|user| !user.is_empty()),
            "pass" => target.password = Some(Secret::new(percent_decoded(value)?)),
            _ => return Err("has an option other than db, user and pass"),
        }
    }
    if target.user.is_some() && target.password.is_none() {
        return Err("has a user without a password");
    }
    Ok(target)
}

type Login = (Option<String>, Option<Secret>);

fn credentials(login: &str) -> Result<Login, &'static str> {
    let (user, password) = login.split_once(':').ok_or("has a user without a password")?;
    let user = Some(percent_decoded(user)?).filter(|user| !user.is_empty());
    Ok((user, Some(Secret::new(percent_decoded(password)?))))
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Error, RedisEndpoint, parse_url};
    use crate::model::secret::Secret;

    #[track_caller]
    fn check(url: &str, place: &str, user: Option<&str>, password: Option<&str>) {
        let target = parse_url(&Secret::new(url)).unwrap();
        assert_eq!(target.place(), place);
        assert_eq!(target.user.as_deref(), user);
        assert_eq!(target.password.as_ref().map(Secret::reveal), password);
    }

    #[test]
    fn what_is_understood() {
        check("redis://localhost", "redis://localhost:6379/0", None, None);
        check("redis://Cache.Example.com:7000/3", "redis://cache.example.com:7000/3", None, None);
        check("redis://:p%40%2Fw@h/", "redis://h:6379/0", None, Some("p@/w"));
        check("rediss://me:a:b@[::1]:1/2", "rediss://[::1]:1/2", Some("me"), Some("a:b"));
        check("unix:///run/r.sock", "unix:///run/r.sock", None, None);
        check(" \tREDIS://h:1/2\n", "redis://h:1/2", None, None);
        check("redis:///3", "redis://localhost:6379/3", None, None);
        check("redis://h?db=2", "redis://h:6379/2", None, None);
        check("redis://h/2?db=2", "redis://h:6379/2", None, None);
        check("valkey://h", "redis://h:6379/0", None, None);
        check("Valkeys://h", "rediss://h:6379/0", None, None);
        check("redis+unix:///s?db=1", "unix:///s?db=1", None, None);
        check("unix:///a%1bb", "unix:///a\\u{1b}b", None, None);
        check("unix:///a%20b?db=4&user=u&pass=p%26", "unix:///a b?db=4", Some("u"), Some("p&"));
    }

    /// As many a tool makes them, and nobody encodes.
    #[test]
    fn passwords_may_hold_what_ends_an_address() {
        for password in ["p/w", "p?w", "p#w", "/", "a@b/c@d", "1/2", "1?db=2", "p/w?x#y", "p@h/1?"]
        {
            for tail in ["", "/2", "/2?db=2"] {
                let place = if tail.is_empty() { "redis://h:7/0" } else { "redis://h:7/2" };
                check(&format!("redis://u:{password}@h:7{tail}"), place, Some("u"), Some(password));
                check(&format!("redis://:{password}@h:7{tail}"), place, None, Some(password));
            }
        }
    }

    #[test]
    fn errors_say_why_and_hold_no_part_of_the_url() {
        for (url, why) in [
            ("canary", "must begin with redis://, rediss:// or unix://"),
            ("http://:canary@h", "must begin with redis://, rediss:// or unix://"),
            ("redis://:canary@host:notaport", "has a port that is not a number from 1 to 65535"),
            ("redis://:canary@host:", "has a port that is not a number from 1 to 65535"),
            ("redis://:canary@host:0", "has a port that is not a number from 1 to 65535"),
            ("redis://:canary@host:65536", "has a port that is not a number from 1 to 65535"),
            ("redis://:canary@", "has no host"),
            ("redis://:canary@ho st", "has no valid host"),
            ("redis://canary@host", "has a user without a password"),
            ("redis://:canary%2@host", "has a % that is not followed by two hex digits"),
            ("redis://:canary%ff@host", "is not UTF-8"),
            ("redis://:canary%00@host", "contains a NUL"),
            ("redis://host/canary", "has a database that is not a number"),
            ("redis://host/0?canary", "has an option without a value"),
            ("redis://host/0?canary=1", "has an option other than db"),
            ("redis://host?db=canary", "has a database that is not a number"),
            ("redis://host/1?db=2", "names two databases"),
            ("redis://host/0#canary", "has a fragment (#)"),
            ("redis:///run/canary.sock", "has a path: a socket's path needs unix://"),
            ("redis://:can/ary@host:notaport", "has a port that is not a number from 1 to 65535"),
            ("redis://", "has no host"),
            ("redis+canary://h", "must begin with redis://, rediss:// or unix://"),
            ("redis://[canary]", "has no valid IPv6 address in its brackets"),
            ("redis://[canary", "has an IPv6 address without its closing bracket"),
            ("unix://canary", "has a socket path that does not begin with /"),
            ("unix:///s?canary=1", "has an option other than db, user and pass"),
            ("unix:///s?user=canary", "has a user without a password"),
        ] {
            let error = parse_url(&Secret::new(url)).unwrap_err();
            assert_eq!(error, Error::Address(why), "{url}");
        }
    }

    #[test]
    fn what_stays_on_this_machine() {
        let target = |url: &str| parse_url(&Secret::new(url)).unwrap();
        assert!(target("redis://127.0.0.2").is_local());
        assert!(target("redis://[::1]").is_local());
        assert!(target("redis://[::ffff:127.0.0.1]").is_local());
        assert!(target("unix:///s").is_local());
        assert!(!target("redis://10.0.0.1").is_local());
        assert!(target("rediss://h").is_encrypted() && !target("redis://h").is_encrypted());
        let RedisEndpoint::Tcp { host, .. } = target("redis://[::1]").route else { panic!("tcp") };
        assert_eq!(host, "::1");
    }
}
