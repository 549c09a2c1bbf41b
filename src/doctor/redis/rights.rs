//! What the user may do in Redis, command by command and key by key.

use crate::doctor::Checks;
use crate::store::Place;
use crate::store::redis::{RedisStore, Right, Rights, Serves};

pub(super) fn check(checks: &mut Checks, rights: &Rights, place: &Place, store: &RedisStore) {
    let user = user(store);
    commands(checks, rights, user, &store.acl());
    keys(checks, rights, place, user);
    writes(checks, rights);
}

/// What lets this user fill the cache, whatever it was granted before.
pub(super) fn cure(store: &RedisStore) -> String {
    format!("ACL SETUSER {} {}", user(store), store.acl())
}

/// Who names none is this one.
fn user(store: &RedisStore) -> &str {
    store.user().unwrap_or("default")
}

fn commands(checks: &mut Checks, rights: &Rights, user: &str, acl: &str) {
    let granted = rights.commands.iter().filter(|(_, right)| right.granted);
    let granted: Vec<&str> = granted.map(|(_, right)| right.name.as_str()).collect();
    if !granted.is_empty() {
        checks.ok("commands", format!("may run {}", granted.join(" ")));
    }
    let reads_only = is_viewer(rights);
    if reads_only {
        let said = "may run no command that writes: uses what others cache, caches nothing";
        let advice = format!("enough for a reader; otherwise: ACL SETUSER {user} {acl}");
        checks.warning("commands", said, advice);
    }
    for (serves, right) in rights.commands.iter().filter(|(_, right)| !right.granted) {
        let (costs, is_broken) = match serves {
            Serves::Extra => continue,
            Serves::Writing | Serves::Keeping | Serves::Saving | Serves::Counting if reads_only => {
                continue;
            }
            Serves::Reading => ("nothing can be read", true),
            Serves::Writing => ("nothing can be cached", true),
            Serves::Details => ("show, --full and refreshes ask Nomad for everything", !reads_only),
            Serves::Keeping => (
                "a refresh that finds nothing changed lists all nodes and reads every record, and cache stats has no hit rate",
                false,
            ),
            Serves::Saving => {
                ("a refresh that finds nothing changed sends all records to Redis again", false)
            }
            Serves::Counting => ("cache stats has no hit rate", false),
        };
        let Right { name, is_missing, .. } = right;
        let (said, advice) = if *is_missing {
            (format!("this server has no {name}: {costs}"), missing(*serves).to_owned())
        } else {
            (format!("may not run {name}: {costs}"), format!("ACL SETUSER {user} +{name}"))
        };
        match is_broken {
            true => checks.problem("commands", said, advice),
            false => checks.warning("commands", said, advice),
        }
    }
}

/// What to do about a command that nobody may run.
fn missing(serves: Serves) -> &'static str {
    match serves {
        Serves::Reading | Serves::Writing => {
            "remove its rename-command from redis.conf, or use a Redis without a proxy in front; else use --cache local"
        }
        _ => "remove its rename-command from redis.conf, or upgrade Redis",
    }
}

/// Reads, and was given nothing that writes.
fn is_viewer(rights: &Rights) -> bool {
    let has = |wanted| {
        let mut of = rights.commands.iter().filter(|(serves, _)| *serves == wanted);
        of.any(|(_, right)| right.granted)
    };
    has(Serves::Reading) && !has(Serves::Writing)
}

fn keys(checks: &mut Checks, rights: &Rights, place: &Place, user: &str) {
    let advice = format!("ACL SETUSER {user} ~nomad:clients*");
    let reads = rights.readable.iter().map(|right| ("read", right));
    let all: Vec<_> = reads.chain(rights.writable.iter().map(|right| ("write", right))).collect();
    let missing: Vec<_> = all.iter().filter(|(_, right)| !right.granted).collect();
    let prefix = &place.prefix;
    if all.is_empty() {
        checks.skipped("keys", "needs commands");
    } else if missing.is_empty() {
        checks.ok("keys", format!("{prefix}* granted, each kind of key tried"));
    } else if missing.len() == all.len() {
        checks.problem("keys", format!("none of the keys {prefix}* is granted"), advice);
    } else {
        for (what, right) in missing {
            checks.problem("keys", format!("may not {what} {}", right.name), &*advice);
        }
    }
}

/// Whether writes are refused whoever asks.
fn writes(checks: &mut Checks, rights: &Rights) {
    let may_set = rights.commands.iter().any(|(_, right)| right.name == "set" && right.granted);
    match &rights.refuses_writes {
        Some(error) => {
            let said = format!("{error}: nothing can be cached");
            checks.problem("writes", said, super::advice(error));
        }
        None if !may_set => checks.skipped("writes", "needs commands"),
        None => checks.ok("writes", "not refused"),
    }
}
