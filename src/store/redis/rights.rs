//! What this user may do, found out by asking for each command and each key in a way that changes
//! nothing: permissions are checked before it shows that a command is not well-formed, or that what
//! it would remove is not there.

use std::time::Duration;

use redis::{Cmd, Value};

use crate::clock;
use crate::store::error::{ACL, Error, ErrorKind, MissingRight};

use super::diagnose::CheckDeadline;
use super::errors::of_reply;
use super::{RedisStore, command};

/// What a right is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// Nothing can be read without it.
    Reading,
    /// Full records: `--full`, `show`, and what a refresh begins with.
    Details,
    /// Nothing can be cached without it.
    Writing,
    /// `serve` reads one full record to show one node; the statistics too.
    Single,
    /// A refresh that finds nothing changed sends Redis nothing.
    Saving,
    /// The statistics.
    Counting,
    /// More figures, or a surer clear; never needed.
    Extra,
}

/// Whether a command may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    Granted,
    Denied,
    /// This server does not have the command, whoever asks.
    Missing,
}

/// All that was found out.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    pub(crate) commands: Vec<(&'static str, Serves, Grant)>,
    /// `read` or `write`, a key, and whether that is granted, as far as the command for it may be run.
    pub(crate) keys: Vec<(&'static str, String, bool)>,
    /// Why Redis takes no writes from anybody now.
    pub(crate) refuses_writes: Option<Error>,
}

/// A value that Redis takes for no number, and an option that it does not know.
const WRONG: &str = "nomad-clients-doctor";

impl RedisStore {
    /// What the user needs to fill this cache, as `ACL SETUSER` takes it.
    pub(crate) fn acl(&self) -> String {
        let select = if self.target.db == 0 { "" } else { " +select" };
        format!("{ACL}{select}")
    }

    /// Asks for every command and every key.
    pub(crate) fn rights(&self, limit: Duration) -> Result<Rights, Error> {
        let commands = self.command_probes();
        let keys = self.all_keys();
        let read = keys.iter().map(|key| ("read", key, command("PTTL", &[key])));
        // No hash has such a field.
        let write = keys.iter().map(|key| ("write", key, command("HDEL", &[key, WRONG])));
        let uses: Vec<_> = read.chain(write).collect();
        let of_commands = commands.iter().map(|(.., probe)| probe);
        let asked: Vec<Cmd> =
            of_commands.chain(uses.iter().map(|(.., probe)| probe)).cloned().collect();
        let replies = self.ask(CheckDeadline::after(limit).step("the rights"), &asked)?;
        let failures: Vec<Option<Error>> = replies.iter().map(failure).collect();
        let (of_commands, of_keys) = failures.split_at(commands.len());
        let is_read_only = |error: &&Error| error.kind() == ErrorKind::ReadOnly;
        Ok(Rights {
            refuses_writes: of_commands.iter().flatten().find(is_read_only).cloned(),
            commands: (commands.iter().zip(of_commands))
                .map(|((name, serves, _), failure)| (*name, *serves, grant(failure.as_ref())))
                .collect(),
            keys: (uses.into_iter().zip(of_keys))
                .filter(|(_, failure)| grant(failure.as_ref()) == Grant::Granted)
                .map(|((what, key, _), failure)| {
                    (what, key.clone(), !matches!(failure, Some(Error::NoRight(_))))
                })
                .collect(),
        })
    }

    /// Each command that is ever sent, also from within a script.
    fn command_probes(&self) -> Vec<(&'static str, Serves, Cmd)> {
        use Serves::{Counting, Details, Extra, Reading, Saving, Single, Writing};
        let key = self.keys.literal.all.as_str();
        // Nobody ever writes a key of this name. Should a server take for good what is not
        // well-formed, then the last DEL removes it again.
        let none = format!("{}:{WRONG}", self.keys.minute(0));
        let none = none.as_str();
        let probe = |name, serves, words: &[&str]| (name, serves, command(words[0], &words[1..]));
        vec![
            probe("mget", Reading, &["MGET", key]),
            probe("pttl", Reading, &["PTTL", key]),
            probe("strlen", Reading, &["STRLEN", none]),
            probe("getrange", Reading, &["GETRANGE", none, "0", "0"]),
            probe("hgetall", Details, &["HGETALL", none]),
            probe("eval", Writing, &["EVAL", "return 1", "1", none]),
            probe("get", Writing, &["GET", none]),
            probe("set", Writing, &["SET", none, WRONG, WRONG]),
            probe("hset", Writing, &["HSET", none, WRONG, WRONG, WRONG]),
            probe("hdel", Writing, &["HDEL", none, WRONG]),
            probe("hlen", Writing, &["HLEN", none]),
            probe("pexpire", Writing, &["PEXPIRE", none, WRONG]),
            probe("time", Writing, &["TIME"]),
            probe("copy", Saving, &["COPY", none, none]),
            probe("hincrby", Counting, &["HINCRBY", none, WRONG, WRONG]),
            probe("expire", Counting, &["EXPIRE", none, WRONG]),
            probe("hmget", Single, &["HMGET", none, WRONG]),
            probe("del", Writing, &["DEL", none]),
            probe("info", Extra, &["INFO", "memory"]),
            probe("memory|usage", Extra, &["MEMORY", "USAGE", key]),
            probe("role", Extra, &["ROLE"]),
            probe("wait", Extra, &["WAIT", "0", "1"]),
        ]
    }

    /// One name of each kind.
    fn all_keys(&self) -> Vec<String> {
        let minute = self.keys.minute(clock::unix_seconds() / 60);
        let mut keys: Vec<String> = self.keys.ten().map(str::to_owned).into();
        keys.extend([self.keys.follow.clone(), minute]);
        let mut known = std::collections::HashSet::new();
        keys.retain(|key| known.insert(key.clone()));
        keys
    }
}

fn failure(reply: &Value) -> Option<Error> {
    match reply {
        Value::ServerError(error) => Some(of_reply(error)),
        _ => None,
    }
}

/// Whether the command may be run, though it may lack a key.
fn grant(failure: Option<&Error>) -> Grant {
    match failure {
        Some(Error::NoCommand(_)) => Grant::Missing,
        Some(Error::NoRight(MissingRight::Command(_))) => Grant::Denied,
        _ => Grant::Granted,
    }
}
