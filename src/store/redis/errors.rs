//! What Redis, or the way to it, says when it does not work, as the cause that it is.
//!
//! Redis has no code of its own for some causes. Its sentences for them are recognised here, once,
//! at their very beginning, and nowhere else.

use std::io;

use redis::ServerError;

use crate::model::text::{foreign, io_reason};
use crate::store::error::{Busy, Error, MissingRight};

/// A failure of the connection.
pub(super) fn of_io(error: &io::Error) -> Error {
    let inner = error.get_ref();
    if let Some(failure) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        return failure.clone();
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::Refused,
        // A socket's file that is gone: as if nobody listened.
        io::ErrorKind::NotFound => Error::Refused,
        io::ErrorKind::PermissionDenied => Error::SocketDenied,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Error::Unreachable,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Error::Lost,
        _ if inner.is_some() => Error::Connection(printable_line(&error.to_string())),
        _ => Error::Connection(io_reason(error)),
    }
}

/// An error that Redis answered with.
pub(super) fn of_reply(error: &ServerError) -> Error {
    let details = error.details().unwrap_or_default();
    match error.code() {
        "ERR" => of_words(details),
        code => of_code(code, details),
    }
}

fn of_code(code: &str, details: &str) -> Error {
    if let Some(busy) = Busy::of_code(code) {
        return Error::Busy(busy);
    }
    match code {
        "NOAUTH" | "WRONGPASS" => Error::CredentialsRefused,
        "NOPERM" => Error::NoRight(lack(details)),
        "OOM" => Error::OutOfMemory,
        "READONLY" => Error::Replica,
        "MISCONF" => Error::CannotSave,
        "NOREPLICAS" => Error::TooFewReplicas,
        "MOVED" => Error::Cluster("MOVED"),
        "ASK" => Error::Cluster("ASK"),
        "CROSSSLOT" => Error::Cluster("CROSSSLOT"),
        code => answered(code, details),
    }
}

/// An error without a code of its own.
fn of_words(details: &str) -> Error {
    let begins = |starts: &[&str]| starts.iter().any(|start| details.starts_with(start));
    if begins(&["unknown command"]) {
        return Error::NoCommand(quoted(details));
    }
    if begins(&["Unknown Redis command called from script"]) {
        return Error::NoCommand(None);
    }
    // How Redis 7 says that the user lacks a command or key that a script uses.
    if begins(&["ACL failure in script", "The user executing the script can't"]) {
        return Error::NoRight(lack_in_script(details));
    }
    if begins(&["max number of clients"]) {
        return Error::MaxClients;
    }
    match wrapped(details) {
        Some((code, details)) => of_code(code, details),
        None => answered("ERR", details),
    }
}

fn answered(code: &str, details: &str) -> Error {
    let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    match code.len() <= 32 && code.bytes().all(is_code) {
        true => Error::Answered { code: code.to_owned(), text: printable_line(details) },
        false => Error::Answered {
            code: "ERR".to_owned(),
            text: printable_line(&format!("{code} {details}")),
        },
    }
}

/// The answer to AUTH. Who gives it has just read the password: nothing but its code is told.
pub(super) fn of_auth(error: &ServerError) -> Error {
    match of_reply(error) {
        Error::Answered { code, .. } if code == "ERR" => Error::CredentialsRefused,
        Error::Answered { code, .. } => Error::Answered { code, text: String::new() },
        Error::NoCommand(_) => Error::NoCommand(Some("AUTH".to_owned())),
        Error::NoRight(_) => Error::NoRight(MissingRight::Command("auth".to_owned())),
        known => known,
    }
}

/// The error of a script's command, which a Redis before 7 wraps into one of its own.
fn wrapped(details: &str) -> Option<(&'static str, &str)> {
    const WRAPPED: [&str; 5] = ["OOM", "READONLY", "MISCONF", "NOREPLICAS", "NOPERM"];
    if !details.starts_with("Error running script") {
        return None;
    }
    WRAPPED.into_iter().find_map(|code| {
        let (before, after) = details.split_once(code)?;
        before.ends_with('-').then_some((code, after))
    })
}

/// What the user was not granted: Redis names the command between quotes.
fn lack(details: &str) -> MissingRight {
    match quoted(details) {
        Some(command) => MissingRight::Command(command),
        // Redis 6, of a command in a script.
        None if details.contains("can't run this command") => MissingRight::InScript,
        None => MissingRight::Keys,
    }
}

fn lack_in_script(details: &str) -> MissingRight {
    if details.contains("can't run this command") {
        MissingRight::InScript
    } else {
        MissingRight::Keys
    }
}

/// The name of a command between the first quotes, if that is what stands there.
fn quoted(details: &str) -> Option<String> {
    let name = details.split(['\'', '`']).nth(1)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"|_.-".contains(&byte);
    ((1..=32).contains(&name.len()) && name.bytes().all(plain)).then(|| name.to_owned())
}

/// Codes that are worth one more try a moment later; nothing was done.
pub(super) fn asks_for_patience(error: &ServerError) -> bool {
    Busy::of_code(error.code()).is_some()
}

/// Foreign text: its first line, harmless. What was sent is hidden in it already.
pub(super) fn printable_line(text: &str) -> String {
    foreign(text)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use redis::{ServerError, Value, parse_redis_value};

    use super::{of_auth, of_io, of_reply};
    use crate::store::error::{Busy, Error, MissingRight};

    fn error(reply: &str) -> ServerError {
        let Ok(Value::ServerError(error)) = parse_redis_value(format!("-{reply}\r\n").as_bytes())
        else {
            panic!("an error")
        };
        error
    }

    fn of(reply: &str) -> Error {
        of_reply(&error(reply))
    }

    #[track_caller]
    fn check(reply: &str, cause: &Error) {
        assert_eq!(of(reply), *cause, "{reply}");
    }

    fn answered(code: &str, text: &str) -> Error {
        Error::Answered { code: code.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn replies() {
        check("NOAUTH Authentication required.", &Error::CredentialsRefused);
        check("WRONGPASS invalid username", &Error::CredentialsRefused);
        check("OOM command not allowed", &Error::OutOfMemory);
        check("ERR Error running script (f_1): @user_script:1: -OOM command", &Error::OutOfMemory);
        check("READONLY You can't write", &Error::Replica);
        check("MISCONF Redis is configured to save", &Error::CannotSave);
        check("NOREPLICAS Not enough", &Error::TooFewReplicas);
        check("LOADING Redis is loading", &Error::Busy(Busy::Loading));
        check("BUSY Redis is busy running a script", &Error::Busy(Busy::Script));
        check("MOVED 1 127.0.0.1:7000", &Error::Cluster("MOVED"));
        check("ERR max number of clients reached", &Error::MaxClients);
        check("WAT a\u{1b}[2Jb", &answered("WAT", "a\\u{1b}[2Jb"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |name: &str| Error::NoCommand(Some(name.to_owned()));
        check("ERR unknown command 'EVAL', with args beginning with: 'x' ", &missing("EVAL"));
        check("ERR unknown command `MGET`, with args beginning with: ", &missing("MGET"));
        check("ERR unknown command 'a\u{1b} b'", &Error::NoCommand(None));
        check("ERR Unknown Redis command called from script script: ab", &Error::NoCommand(None));
        check(
            "NOPERM this user has no permissions to run the 'eval' command",
            &Error::NoRight(MissingRight::Command("eval".to_owned())),
        );
        check(
            "NOPERM this user has no permissions to access one of the keys",
            &Error::NoRight(MissingRight::Keys),
        );
        check(
            "ERR The user executing the script can't run this command or subcommand",
            &Error::NoRight(MissingRight::InScript),
        );
        check(
            "ERR The user executing the script can't access at least one of the keys mentioned",
            &Error::NoRight(MissingRight::Keys),
        );
        let text =
            of("NOPERM this user has no permissions to run the 'select' command").to_string();
        assert!(text.starts_with("Redis does not permit select (the user needs ~nomad"), "{text}");
        assert!(text.ends_with(" +select)"), "{text}");
    }

    /// The password was "hunter2".
    #[test]
    fn of_an_answer_to_auth_nothing_but_the_code_is_reported() {
        let auth = |reply: &str| of_auth(&error(reply));
        for reply in [
            "WRONGPASS invalid username",
            "NOAUTH no",
            "ERR AUTH <password> called without any password configured",
            "ERR invalid password",
            "hunter2",
            "hunter2 is wrong",
            "ERR wrong number of arguments for hunter2",
        ] {
            assert_eq!(auth(reply), Error::CredentialsRefused, "{reply}");
        }
        assert_eq!(auth("DENIED hunter2"), answered("DENIED", ""));
        assert_eq!(auth("DENIED hunter2").to_string(), "Redis answered DENIED");
        assert_eq!(auth("LOADING hunter2"), Error::Busy(Busy::Loading));
        assert_eq!(auth("ERR max number of clients reached"), Error::MaxClients);
        let unknown = "AUTH is not supported (a proxy?)";
        assert_eq!(auth("ERR unknown command 'hunter2'").to_string(), unknown);
        let denied = auth("NOPERM no right to 'hunter2'").to_string();
        assert!(denied.starts_with("Redis does not permit auth ("), "{denied}");
    }

    /// Sentences of this program's own, said by a server.
    #[test]
    fn no_sentence_of_a_server_passes_for_a_cause() {
        for text in [
            "refused",
            "timed out after lunch",
            "busy: LOADING",
            "connection lost",
            "connection lost in the middle of a reply",
            "tls: the certificate has expired",
            "Redis is a read-only replica",
            "not a Redis server",
            "a word of -OOM in the midst",
        ] {
            check(&format!("ERR {text}"), &answered("ERR", text));
        }
    }

    #[test]
    fn connections() {
        let of = |kind: io::ErrorKind| of_io(&io::Error::from(kind));
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Error::Refused);
        assert_eq!(of(io::ErrorKind::UnexpectedEof), Error::Lost);
        let full = rustix::io::Errno::MFILE.raw_os_error();
        let full = of_io(&io::Error::from_raw_os_error(full));
        assert_eq!(full, Error::Connection("too many open files".to_owned()));
        let late = Error::TimedOut { after: Duration::from_millis(500) };
        assert_eq!(of_io(&io::Error::from(late.clone())), late);
    }
}
