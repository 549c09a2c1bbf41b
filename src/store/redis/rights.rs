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
pub enum Serves {
    /// Nothing can be read without it.
    Reading,
    /// Full records: `--full`, `show`, and what a refresh begins with.
    Details,
    /// Nothing can be cached without it.
    Writing,
    /// A refresh that finds nothing changed needs no list and no records; the statistics too.
    Keeping,
    /// A refresh that finds nothing changed sends Redis nothing.
    Saving,
    /// The statistics.
    Counting,
    /// More figures, or a surer clear; never needed.
    Extra,
}

/// One command or key, and whether it is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    pub name: String,
    pub granted: bool,
    /// This server does not have the command, whoever asks.
    pub is_missing: bool,
}

/// All that was found out.
#[derive(Debug, Clone)]
pub struct Rights {
    pub commands: Vec<(Serves, Right)>,
    /// Keys that may be read, as far as the command for it may be run.
    pub readable: Vec<Right>,
    pub writable: Vec<Right>,
    /// Why Redis takes no writes from anybody now.
    pub refuses_writes: Option<Error>,
}

/// A value that Redis takes for no number, and an option that it does not know.
const WRONG: &str = "nomad-clients-doctor";

impl RedisStore {
    /// What the user needs to fill this cache, as `ACL SETUSER` takes it.
    pub fn acl(&self) -> String {
        let select = if self.target.db == 0 { "" } else { " +select" };
        format!("{ACL}{select}")
    }

    /// Asks for every command and every key.
    ///
    /// # Errors
    /// Redis does not answer.
    pub fn rights(&self, limit: Duration) -> Result<Rights, Error> {
        let commands = self.command_probes();
        let keys = self.all_keys();
        let reads = keys.iter().map(|key| command("PTTL", &[key]));
        // No hash has such a field.
        let writes = keys.iter().map(|key| command("HDEL", &[key, WRONG]));
        let asked: Vec<Cmd> =
            commands.iter().map(|(_, _, probe)| probe.clone()).chain(reads).chain(writes).collect();
        let replies = self.ask(CheckDeadline::from_now(limit).step("the rights"), &asked)?;
        let (of_commands, of_keys) = replies.split_at(commands.len());
        let (of_reads, of_writes) = of_keys.split_at(keys.len());
        let granted = |reply: &Value| !matches!(lack(reply), Some(MissingRight::Command(_)));
        let right =
            |name: &str, granted, is_missing| Right { name: name.to_owned(), granted, is_missing };
        let of = |replies: &[Value]| -> Vec<Right> {
            let known = keys.iter().zip(replies).filter(|(_, reply)| granted(reply));
            known.map(|(key, reply)| right(key, lack(reply).is_none(), false)).collect()
        };
        Ok(Rights {
            readable: of(of_reads),
            writable: of(of_writes),
            refuses_writes: of_commands.iter().find_map(refused_to_all),
            commands: commands
                .iter()
                .zip(of_commands)
                .map(|((name, serves, _), reply)| {
                    (*serves, right(name, granted(reply), is_missing(reply)))
                })
                .collect(),
        })
    }

    /// Each command that is ever sent, also from within a script.
    fn command_probes(&self) -> Vec<(&'static str, Serves, Cmd)> {
        use Serves::{Counting, Details, Extra, Keeping, Reading, Saving, Writing};
        let key = self.keys.literal.all.as_str();
        // Nobody ever writes a key of this name. Should a server take for good what is not
        // well-formed, then the last DEL removes it again.
        let none = format!("{}:{WRONG}", self.keys.minute(0));
        let none = none.as_str();
        let probe = |name, serves, words: &[&str]| (name, serves, command(words[0], &words[1..]));
        vec![
            probe("mget", Reading, &["MGET", key]),
            probe("pttl", Reading, &["PTTL", key]),
            probe("hgetall", Details, &["HGETALL", none]),
            probe("eval", Writing, &["EVAL", "return 1", "1", none]),
            probe("get", Writing, &["GET", none]),
            probe("set", Writing, &["SET", none, WRONG, WRONG]),
            probe("hset", Writing, &["HSET", none, WRONG, WRONG, WRONG]),
            probe("hdel", Writing, &["HDEL", none, WRONG]),
            probe("hlen", Writing, &["HLEN", none]),
            probe("strlen", Writing, &["STRLEN", none]),
            probe("pexpire", Writing, &["PEXPIRE", none, WRONG]),
            probe("time", Writing, &["TIME"]),
            probe("copy", Saving, &["COPY", none, none]),
            probe("hincrby", Counting, &["HINCRBY", none, WRONG, WRONG]),
            probe("expire", Counting, &["EXPIRE", none, WRONG]),
            probe("hmget", Keeping, &["HMGET", none, WRONG]),
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

fn is_missing(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if matches!(of_reply(error), Error::NoCommand(_)))
}

fn lack(reply: &Value) -> Option<MissingRight> {
    match reply {
        Value::ServerError(error) => match of_reply(error) {
            Error::NoRight(lack) => Some(lack),
            Error::NoCommand(name) => Some(MissingRight::Command(name.unwrap_or_default())),
            _ => None,
        },
        _ => None,
    }
}

/// What is refused whatever the user and the key.
fn refused_to_all(reply: &Value) -> Option<Error> {
    let Value::ServerError(error) = reply else { return None };
    let error = of_reply(error);
    (error.kind() == ErrorKind::ReadOnly).then_some(error)
}
