//! What the user may do in Redis, command by command and key by key.

use crate::doctor::Findings;
use crate::store::Place;
use crate::store::redis::{Grant, RedisStore, Rights, Serves};

pub(super) fn check(found: &mut Findings, rights: &Rights, place: &Place, store: &RedisStore) {
    commands(found, rights, store);
    keys(found, rights, &place.prefix, user(store));
    // Whether writes are refused whoever asks.
    let mut granted = granted(rights);
    match &rights.refuses_writes {
        Some(error) => {
            let said = format!("{error}: nothing can be cached");
            found.problem("writes", said, super::advice(error));
        }
        None if granted.any(|(name, _)| name == "set") => found.ok("writes", "not refused"),
        None => found.skipped("writes", "needs commands"),
    }
}

/// What lets this user fill the cache, whatever it was granted before.
pub(super) fn cure(store: &RedisStore) -> String {
    format!("ACL SETUSER {} {}", user(store), store.acl())
}

/// Who names none is this one.
fn user(store: &RedisStore) -> &str {
    store.user().unwrap_or("default")
}

fn granted(rights: &Rights) -> impl Iterator<Item = (&'static str, Serves)> {
    let granted = rights.commands.iter().filter(|(.., grant)| *grant == Grant::Granted);
    granted.map(|(name, serves, _)| (*name, *serves))
}

fn commands(found: &mut Findings, rights: &Rights, store: &RedisStore) {
    let (names, uses): (Vec<&str>, Vec<Serves>) = granted(rights).unzip();
    if !names.is_empty() {
        found.ok("commands", format!("may run {}", names.join(" ")));
    }
    let reads_only = uses.contains(&Serves::Reading) && !uses.contains(&Serves::Writing);
    if reads_only {
        let said = "may run no command that writes: uses what others cache, caches nothing";
        let advice = format!("enough for a reader; otherwise: {}", cure(store));
        found.warning("commands", said, advice);
    }
    for (name, serves, grant) in &rights.commands {
        let is_needed = match serves {
            _ if *grant == Grant::Granted => false,
            Serves::Extra => false,
            Serves::Reading | Serves::Details => true,
            _ => !reads_only,
        };
        if !is_needed {
            continue;
        }
        let (costs, is_broken) = match serves {
            Serves::Reading => ("nothing can be read", true),
            Serves::Writing => ("nothing can be cached", true),
            Serves::Details => ("show, --full and refreshes ask Nomad for everything", !reads_only),
            Serves::Single => (
                "serve reads all full records to show one node, and cache stats has no hit rate",
                false,
            ),
            Serves::Saving => {
                ("a refresh that finds nothing changed sends all records to Redis again", false)
            }
            Serves::Counting | Serves::Extra => ("cache stats has no hit rate", false),
        };
        let (lacks, advice) = match (grant, serves) {
            (Grant::Missing, Serves::Reading | Serves::Writing) => ("this server has no", "remove its rename-command from redis.conf, or use a Redis without a proxy in front; else use --cache local".to_owned()),
            (Grant::Missing, _) => ("this server has no", "remove its rename-command from redis.conf, or upgrade Redis".to_owned()),
            _ => ("may not run", format!("ACL SETUSER {} +{name}", user(store))),
        };
        let said = format!("{lacks} {name}: {costs}");
        match is_broken {
            true => found.problem("commands", said, advice),
            false => found.warning("commands", said, advice),
        }
    }
}

fn keys(found: &mut Findings, rights: &Rights, prefix: &str, user: &str) {
    let advice = format!("ACL SETUSER {user} ~nomad:clients*");
    let missing = || rights.keys.iter().filter(|(.., granted)| !granted);
    if rights.keys.is_empty() {
        found.skipped("keys", "needs commands");
    } else if missing().count() == rights.keys.len() {
        found.problem("keys", format!("none of the keys {prefix}* is granted"), advice);
    } else if missing().count() > 0 {
        for (what, key, _) in missing() {
            found.problem("keys", format!("may not {what} {key}"), &advice);
        }
    } else {
        found.ok("keys", format!("{prefix}* granted, each kind of key tried"));
    }
}
