//! Users of Redis who may do some of what the protocol needs, and servers without some command.

use std::sync::Arc;

use nomad_clients::store::error::Error;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{Entered, ErrorKind, How, Look, Published, Store, Want};

use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, With, X, records};
use crate::support::redis_server::{RedisServer, without_redis};

use super::auto::Run;
use super::redis_faults::{EMPTY, check_enter, clear, store};

fn with_user(server: &RedisServer, rules: &[&str]) -> Arc<RedisStore> {
    let fixed = ["ACL", "SETUSER", "nc", "on", ">pw", "-@all"];
    assert_eq!(server.cli(&[&fixed[..], rules].concat()), redis::Value::Okay);
    store(&format!("{}?user=nc&pass=pw", server.url()))
}

const MEMBER: &str = "~nomad:clients* +mget +get +set +del +hgetall +hset +hdel +hlen +strlen +getrange +pexpire +pttl +time +eval +hincrby +expire +hmget +copy";

#[test]
fn the_documented_member_may_do_everything() {
    let server = RedisServer::start();
    let member = with_user(&server, &MEMBER.split(' ').collect::<Vec<_>>());
    let mut own = Process::new(Arc::clone(&member) as Arc<dyn Store>, 'N');
    own.own(How::Get);
    assert!(own.store.renew(own.flight().lease()).unwrap());
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    assert!(own.whole().is_some());
    assert_eq!(own.store.stats().unwrap().memory, None);
    clear(&member).unwrap();
}

#[test]
fn r6_a_viewer_reads() {
    let server = RedisServer::start();
    let mut owner = Process::new(store(&server.url()), 'N');
    owner.own(How::Get);
    owner.put(5, &records(&[(X, 3)]));
    let viewer = with_user(&server, &["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange"]);
    assert!(matches!(viewer.look(Want::Records).unwrap(), Look::Hit(_)));
    let refuse = Some(owner.token.clone());
    assert_eq!(viewer.look(Want::Full).unwrap(), Look::Miss { refuse });
    check_enter(
        &viewer,
        ErrorKind::Forbidden,
        "Redis does not permit eval (the user needs ~nomad:clients*",
    );
    let error = clear(&viewer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().starts_with("Redis does not permit del ("), "{error}");
}

#[test]
fn r7_other_keys_or_one_command_missing() {
    let server = RedisServer::start();
    let stranger = with_user(&server, &["~other*", "+@all"]);
    let error = stranger.look(Want::Records).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(
        error.to_string().starts_with("Redis does not permit access to the keys nomad:clients*")
    );
    server.cli(&["ACL", "DELUSER", "nc"]);
    // A write that stops in the middle leaves no meta: it reads as a miss.
    let mut rules: Vec<_> = MEMBER.split(' ').collect();
    rules.retain(|rule| *rule != "+hset");
    let member = with_user(&server, &rules);
    let mut own = Process::new(Arc::clone(&member) as Arc<dyn Store>, 'N');
    own.own(How::Get);
    let error = own.try_put_with(5, &records(&[(X, 3)]), With::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(
        error.to_string().starts_with("Redis does not permit a command of the script"),
        "{error}"
    );
    assert_eq!(member.look(Want::Records).unwrap(), EMPTY);
}

/// Whatever a run may not do behind its lease, the next one does not wait for that.
#[test]
fn a_right_missing_behind_the_lease_keeps_nobody_waiting() {
    for name in ["time", "del", "hset", "pexpire", "hlen", "strlen"] {
        let server = RedisServer::start();
        let rules: Vec<_> = MEMBER.split(' ').filter(|rule| *rule != format!("+{name}")).collect();
        with_user(&server, &rules);
        let url = format!("{}?user=nc&pass=pw", server.url());
        let local = LocalBench::new();
        let (mut first, ear) = Run::new(&url, &local).process();
        first.own(How::Get);
        assert_eq!(first.put(5, &records(&[(X, 3)])), Published::Done, "{name}: kept here");
        let [warning] = ear.heard().try_into().unwrap();
        assert!(warning.contains("Redis does not permit a command of the script"), "{warning}");
        let local = LocalBench::new();
        let (mut next, _) = Run::new(&url, &local).process();
        let entered = next.come(How::Get);
        assert!(!matches!(entered, Entered::Wait { .. }), "{name}: {entered:?}");
        // Nor does somebody who has every right.
        let entered = Process::new(store(&server.url()), 'N').come(How::Get);
        let waits = matches!(entered, Entered::Wait { .. });
        assert!(!waits || next.flight.is_some(), "{name}: {entered:?}");
    }
}

/// A server on which nobody may run it.
fn without(commands: &[&str]) -> RedisServer {
    let renamed = commands.iter().flat_map(|command| ["--rename-command", *command, ""]);
    RedisServer::start_with(&renamed.collect::<Vec<_>>())
}

/// What can be read and never be written is no cache at all: the files of this machine are, and
/// what they hold stays from run to run.
#[test]
fn a_redis_without_scripts_is_no_cache() {
    let (server, local) = (without(&["EVAL"]), LocalBench::new());
    let (mut run, ear) = Run::new(&server.url(), &local).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    run.own(How::Get);
    assert_eq!(run.put(5, &records(&[(X, 3)])), Published::Done);
    let said = without_redis(&server.url(), "use", "EVAL is not supported (a proxy?)");
    assert_eq!(ear.heard(), [format!("Warning: {said}")]);
    let (mut next, _) = Run::new(&server.url(), &local).process();
    assert_eq!(next.store.look(Want::Records).unwrap(), EMPTY);
    assert!(matches!(next.come(How::Get), Entered::Hit { .. }));
    assert!(next.hit().is_some());
}

#[test]
fn a_command_that_the_scripts_lack_frees_the_lease() {
    let server = without(&["TIME"]);
    let store = store(&server.url());
    for _ in 0..2 {
        check_enter(
            &store,
            ErrorKind::Unavailable,
            "a command of the scripts is not supported (a proxy?)",
        );
    }
    let lease = format!("nomad:clients:lease:{}", crate::support::bench::scope("a0"));
    assert_eq!(server.int(&["EXISTS", &lease]), 0);
}

#[test]
fn a_sentinel_is_named() {
    let sentinel = RedisServer::sentinel();
    let store = store(&sentinel.url());
    assert_eq!(store.look(Want::Records).unwrap_err(), Error::Sentinel);
    assert_eq!(store.present().unwrap_err(), Error::Sentinel);
}
