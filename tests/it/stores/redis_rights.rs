//! Users of Redis who may do some of what the protocol needs, and servers without some command.

use std::sync::Arc;

use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{How, Kind, Look, Published, Store, Want};

use crate::support::process::{Process, X, records};
use crate::support::redis_server::RedisServer;

use super::redis_faults::{EMPTY, check_enter, clear, store};

fn with_user(server: &RedisServer, rules: &[&str]) -> Arc<RedisStore> {
    let fixed = ["ACL", "SETUSER", "nc", "on", ">pw", "-@all"];
    assert_eq!(server.cli(&[&fixed[..], rules].concat()), redis::Value::Okay);
    store(&format!("{}?user=nc&pass=pw", server.url()))
}

const MEMBER: &str = "~nomad:clients* +mget +get +set +del +hgetall +hset +hdel +hlen +strlen +pexpire +pttl +time +eval +hincrby +expire +hmget +copy";

#[test]
fn the_documented_member_may_do_everything() {
    let server = RedisServer::start();
    let member = with_user(&server, &MEMBER.split(' ').collect::<Vec<_>>());
    let mut own = Process::new(Arc::clone(&member) as Arc<dyn Store>, 'N');
    own.own(How::Get);
    assert!(own.store.renew(own.flight()).unwrap());
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
    let viewer = with_user(&server, &["~nomad:clients*", "+mget", "+pttl"]);
    assert!(matches!(viewer.look(Want::Records).unwrap(), Look::Hit(_)));
    let refuse = Some(owner.token.clone());
    assert_eq!(viewer.look(Want::Full).unwrap(), Look::Miss { refuse });
    check_enter(
        &viewer,
        Kind::Forbidden,
        "redis does not permit eval (the user needs ~nomad:clients*",
    );
    let error = clear(&viewer).unwrap_err();
    assert_eq!(error.kind(), Kind::Forbidden);
    assert!(error.to_string().starts_with("redis does not permit del ("), "{error}");
}

#[test]
fn r7_other_keys_or_one_command_missing() {
    let server = RedisServer::start();
    let stranger = with_user(&server, &["~other*", "+@all"]);
    let error = stranger.look(Want::Records).unwrap_err();
    assert_eq!(error.kind(), Kind::Forbidden);
    assert!(
        error.to_string().starts_with("redis does not permit the keys: nomad:clients* not granted")
    );
    server.cli(&["ACL", "DELUSER", "nc"]);
    // A write that stops in the middle leaves no meta: it reads as a miss.
    let mut rules: Vec<_> = MEMBER.split(' ').collect();
    rules.retain(|rule| *rule != "+hset");
    let member = with_user(&server, &rules);
    let mut own = Process::new(Arc::clone(&member) as Arc<dyn Store>, 'N');
    own.own(How::Get);
    let fulls: Vec<_> = records(&[(X, 3)]).into_iter().collect();
    let publication = nomad_clients::store::Publication {
        index: 5,
        eff: 5,
        reset: None,
        list_sent: own.flight().entered,
        partial: false,
        all: b"[1]",
        fulls: &fulls,
        base: None,
        keep: false,
        same: None,
    };
    let error = own.store.publish(own.flight(), &publication).unwrap_err();
    assert_eq!(error.kind(), Kind::Forbidden);
    assert!(
        error.to_string().starts_with("redis does not permit a command of the script"),
        "{error}"
    );
    assert_eq!(member.look(Want::Records).unwrap(), EMPTY);
}
