//! What Redis, or the way to it, says when it does not work, in words for people.

use std::io;
use std::time::Duration;

use redis::ServerError;

use crate::model::text::first_line;
use crate::store::{Error, Kind};

/// What a user needs to fill the cache.
pub const ACL: &str = "~nomad:clients* -@all +mget +get +set +del +hgetall +hset +hdel +hlen +strlen +pexpire +pttl +time +eval +hincrby +expire +hmget +copy";
pub const NOT_REDIS: &str = "not a Redis server";
/// Seen by an alert of TLS in place of a reply.
pub const WANTS_TLS: &str = "not a Redis server without TLS: use rediss://";
pub const NO_TLS: &str = "tls: the port does not speak TLS";
pub(super) const HANDSHAKE: &str = " (TLS handshake)";
const REFUSED: &str = "refused";
const BUSY: &str = "busy: ";
/// It was there and is gone.
pub(super) const LOST: &str = "connection lost";
/// It went in the midst of a reply.
pub(super) const BROKEN_OFF: &str = "connection lost in the midst of a reply";
const TIMED_OUT: &str = "timed out after ";

/// A budget that is used up; travels inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{TIMED_OUT}{}", span(*.0))]
pub(super) struct Late(pub(super) Duration);

impl From<Late> for io::Error {
    fn from(late: Late) -> Self {
        Self::new(io::ErrorKind::TimedOut, late)
    }
}

pub(super) fn unavailable(what: impl Into<String>) -> Error {
    Error { kind: Kind::Unavailable, what: what.into(), cure: None }
}

/// Nothing listens where Redis is looked for.
pub fn is_refused(error: &Error) -> bool {
    error.what == REFUSED
}

/// It is there, and TLS fails.
pub fn is_of_tls(error: &Error) -> bool {
    error.what.starts_with("tls: ") || error.what == WANTS_TLS
}

/// A server without TLS often just waits for more when it is greeted with TLS.
pub fn is_silent_to_tls(error: &Error) -> bool {
    is_black_hole(error) && error.what.ends_with(HANDSHAKE)
}

/// It was there and hung up without a word.
pub fn is_lost(error: &Error) -> bool {
    error.what == LOST
}

/// Redis is there and asks for patience: loading, failing over.
pub fn is_busy(error: &Error) -> bool {
    busy_with(error).is_some()
}

/// What it asks for patience with.
pub fn busy_with(error: &Error) -> Option<&str> {
    error.what.strip_prefix(BUSY)
}

/// It began to answer, and the connection was lost.
pub(in crate::store) fn is_broken_off(error: &Error) -> bool {
    error.what == BROKEN_OFF
}

/// It did not answer in time: whoever comes next need not wait for it too.
pub fn is_black_hole(error: &Error) -> bool {
    error.what.starts_with(TIMED_OUT)
}

/// A failure of the connection.
pub(super) fn of_io(error: &io::Error) -> Error {
    let inner = error.get_ref();
    if let Some(failure) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        return failure.clone();
    }
    unavailable(match error.kind() {
        io::ErrorKind::ConnectionRefused => REFUSED.to_owned(),
        // A socket's file that is gone: as if nobody listened.
        io::ErrorKind::NotFound => REFUSED.to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "unreachable".to_owned()
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => LOST.to_owned(),
        _ if inner.is_some() => tame(&error.to_string()),
        kind => kind.to_string(),
    })
}

/// An error that Redis answered with.
pub(super) fn of_reply(error: &ServerError) -> Error {
    let details = tame(without_arguments(error.details().unwrap_or_default()));
    let (code, kind) = match code(error) {
        "NOAUTH" | "WRONGPASS" => return refused_credentials(),
        code @ ("OOM" | "READONLY" | "MISCONF" | "NOREPLICAS") => (code, Kind::ReadOnly),
        code => (code, Kind::Unavailable),
    };
    let what = match code {
        "NOPERM" => return forbidden(&details),
        "OOM" => "redis is out of memory".to_owned(),
        "READONLY" => "redis is a read-only replica".to_owned(),
        "MISCONF" => "redis can't save and refuses to write (MISCONF)".to_owned(),
        "NOREPLICAS" => "redis misses replicas and refuses to write (NOREPLICAS)".to_owned(),
        "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" => format!("{BUSY}{code}"),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            format!("redis is a cluster ({code}), redis-cluster:// is not supported")
        }
        "ERR" if details.starts_with("max number of clients") => {
            format!("{NOT_REDIS} that has room: {details}")
        }
        "ERR" if is_about_auth(&details) => return refused_credentials(),
        "ERR" => details,
        code => format!("{} {details}", tame(code)),
    };
    Error { kind, what, cure: None }
}

/// Who does not know a command repeats its arguments, which for AUTH are the credentials.
fn without_arguments(details: &str) -> &str {
    details.split(", with args beginning with").next().unwrap_or_default()
}

/// The code, also where a Redis before 7 wraps the error of a script's command into an `ERR`.
fn code(error: &ServerError) -> &str {
    const WRAPPED: [&str; 5] = ["OOM", "READONLY", "MISCONF", "NOREPLICAS", "NOPERM"];
    let details = error.details().unwrap_or_default();
    let inner = WRAPPED
        .into_iter()
        .find(|code| details.find(code).is_some_and(|at| details[..at].ends_with('-')));
    match error.code() {
        "ERR" if is_about_permissions(details) => "NOPERM",
        "ERR" => inner.unwrap_or("ERR"),
        code => code,
    }
}

/// How Redis 7 says that the user lacks a command or key that a script uses.
fn is_about_permissions(details: &str) -> bool {
    ["ACL failure in script", "The user executing the script can't"]
        .iter()
        .any(|start| details.starts_with(start))
}

fn is_about_auth(details: &str) -> bool {
    ["AUTH ", "Client sent AUTH", "invalid password", "invalid username-password"]
        .iter()
        .any(|start| details.starts_with(start))
}

pub(super) fn refused_credentials() -> Error {
    let what = "redis refused the credentials".to_owned();
    Error { kind: Kind::Credentials, what, cure: None }
}

/// Names the command if Redis does: it stands between quotes.
fn forbidden(details: &str) -> Error {
    let command = details.split('\'').nth(1).filter(|_| !is_about_permissions(details));
    let what = match command {
        _ if details.contains("can't run this command") => {
            "redis does not permit a command of the script".to_owned()
        }
        Some(command) => format!("redis does not permit {command}"),
        None => "redis does not permit the keys: nomad:clients* not granted".to_owned(),
    };
    // Only a database other than 0 needs it.
    let select = if command == Some("select") { " +select" } else { "" };
    let what = format!("{what} (the user needs {ACL}{select})");
    Error { kind: Kind::Forbidden, what, cure: None }
}

/// What the user was not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// Also a command that this server does not have.
    Command,
    Key,
}

pub(super) fn lack(error: &ServerError) -> Option<Lack> {
    let details = error.details().unwrap_or_default();
    match error.code() {
        "NOPERM" if details.contains(" to run the ") => Some(Lack::Command),
        "NOPERM" => Some(Lack::Key),
        "ERR" if details.starts_with("unknown command") => Some(Lack::Command),
        _ => None,
    }
}

/// Codes that are worth one more try a moment later; nothing was done.
pub(super) fn asks_for_patience(error: &ServerError) -> bool {
    matches!(code(error), "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN")
}

/// A replica where the primary was a moment ago: worth one more try on a new connection.
pub(super) fn is_replica(error: &ServerError) -> bool {
    code(error) == "READONLY"
}

/// Foreign text: its first line, harmless, 200 characters at most.
pub(super) fn tame(text: &str) -> String {
    first_line(text, 200)
}

/// To a tenth of a second; below one second in milliseconds.
fn span(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    match (tenths / 10, tenths % 10) {
        (0, _) => format!("{} ms", time.as_millis()),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenths) => format!("{seconds}.{tenths} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use redis::{Value, parse_redis_value};

    use super::{Late, is_black_hole, is_busy, of_io, of_reply};
    use crate::store::Kind;

    #[track_caller]
    fn check(reply: &str, kind: Kind, what: &str) {
        let Ok(Value::ServerError(error)) = parse_redis_value(format!("-{reply}\r\n").as_bytes())
        else {
            panic!("an error")
        };
        let error = of_reply(&error);
        assert_eq!(error.kind, kind, "{reply}");
        assert!(error.what.starts_with(what), "{reply}: {}", error.what);
    }

    #[test]
    fn replies() {
        use Kind::{Credentials, Forbidden, ReadOnly, Unavailable};
        check("NOAUTH Authentication required.", Credentials, "redis refused the credentials");
        check("WRONGPASS invalid username", Credentials, "redis refused the credentials");
        check(
            "ERR AUTH <password> called without any",
            Credentials,
            "redis refused the credentials",
        );
        check("ERR invalid password", Credentials, "redis refused the credentials");
        check("OOM command not allowed", ReadOnly, "redis is out of memory");
        check("ERR Error running script: -OOM command not", ReadOnly, "redis is out of memory");
        check("READONLY You can't write", ReadOnly, "redis is a read-only replica");
        check("LOADING Redis is loading", Unavailable, "busy: LOADING");
        check("MOVED 1 127.0.0.1:7000", Unavailable, "redis is a cluster (MOVED)");
        check("ERR max number of clients reached", Unavailable, "not a Redis server that has room");
        check("ERR unknown command 'EVAL'", Unavailable, "unknown command 'EVAL'");
        check(
            "NOPERM this user has no permissions to run the 'eval' command",
            Forbidden,
            "redis does not permit eval (the user needs ~nomad",
        );
        check(
            "NOPERM this user has no permissions to access one of the keys",
            Forbidden,
            "redis does not permit the keys: nomad:clients* not granted",
        );
        check(
            "ERR The user executing the script can't run this command or subcommand",
            Forbidden,
            "redis does not permit a command of the script (",
        );
        check("WAT a\u{1b}[2Jb", Unavailable, "WAT a\\u{1b}[2Jb");
    }

    #[test]
    fn connections() {
        let of = |kind: io::ErrorKind| of_io(&io::Error::from(kind)).what;
        assert_eq!(of(io::ErrorKind::ConnectionRefused), "refused");
        assert_eq!(of(io::ErrorKind::UnexpectedEof), "connection lost");
        let late = of_io(&Late(Duration::from_millis(500)).into());
        assert_eq!(late.what, "timed out after 500 ms");
        assert!(is_black_hole(&late) && !is_busy(&late));
        let late = |ms| of_io(&Late(Duration::from_millis(ms)).into()).what;
        let said = [3000, 2002, 1500].map(late);
        assert_eq!(said, ["timed out after 3 s", "timed out after 2 s", "timed out after 1.5 s"]);
    }
}
