//! What happens to Redis, or to others, while a fetch is under way.

use std::process::Child;

use nomad_sim::{Fleet, Sim};
use rustix::process::Signal;

use super::trouble::{self, until};
use super::{Room, check};
use crate::support::redis_server::{RedisServer, without_redis};
use crate::support::relay::{Relay, Treatment};
use crate::support::sandbox::{Sandbox, failure};
use crate::support::signal::signal;

const ALL: [&str; 2] = ["GET", "nomad:clients:all"];

/// What is kept under the key that people read.
fn cached(redis: &RedisServer) -> Option<String> {
    redis.bytes(&ALL).map(|bytes| String::from_utf8(bytes).unwrap() + "\n")
}

/// What is said if Redis could not take an answer.
fn uncached(redis: &RedisServer, why: &str) -> String {
    let what = format!("cannot write to Redis at {} ({why})", redis.socket().display());
    format!("warning: the answer could not be cached: {what}\n")
}

/// No Redis is named: the files of this machine, and not a word.
#[test]
fn r1_not_configured() {
    let room = Room::new("");
    let sandbox = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "local").nomad(&room.sim.address());
    let all = room.all();
    for calls in [6, 0] {
        check(&sandbox.run("list --json"), &all, "");
        assert_eq!(room.sim.asked().len(), calls);
    }
}

#[test]
fn r3_silence_at_publish() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let all = room.all();
    let (child, gate) = room.held("list --json");
    signal(redis.id(), Signal::STOP);
    let said = room.go_on(child, &gate);
    signal(redis.id(), Signal::CONT);
    check(&said, &all, &uncached(&redis, "timed out after 2s"));
}

/// The failover comes between ENTER and PUBLISH.
#[test]
fn r8_a_failover_in_flight() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let all = room.all();
    let (child, gate) = room.held("list --json");
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let warning = "warning: the answer could not be cached: Redis is a read-only replica\n";
    check(&room.go_on(child, &gate), &all, warning);
    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(cached(&redis), None);
}

/// Two clusters under the same keys: each sees its own nodes, whatever the other has written.
#[test]
fn r13_the_data_of_another_cluster() {
    let redis = RedisServer::start();
    let (east, west) = (Room::new(&redis.url()), Room::new(&redis.url()));
    west.sim.cluster().register("west-1");
    let (of_east, of_west) = (east.all(), west.all());
    assert_ne!(of_east, of_west);
    for calls in [6 + 7, 0, 0] {
        check(&east.sandbox.run("list --json"), &of_east, "");
        check(&west.sandbox.run("list --json"), &of_west, "");
        assert_eq!(east.sim.asked().len() + west.sim.asked().len(), calls);
    }
    assert_eq!(cached(&redis).as_deref(), Some(&*of_east), "the names belong to who came first");
    let region = east.sandbox.run("list --json --region elsewhere");
    assert_eq!((region.code, region.stdout.as_str()), (5, ""), "no row of another region");
}

/// A token that may not read sees nothing of what another's has put there.
#[test]
fn r13_the_data_of_another_token() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    room.lists("list --json", "", 6);
    let mut other = room.sandbox.command(["list", "--json"]);
    other.env("NOMAD_TOKEN", "8d0c3a4e-0000-4000-8000-00000000cafe");
    let output = other.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), room.all());
    room.sim.asked();
    room.lists("list --json", "", 0);
}

/// Redis forgets everything while the details are under way: nothing of this flight is kept.
#[test]
fn r14_redis_forgets_everything_in_flight() {
    let forgets: [fn(&mut RedisServer); 2] =
        [|redis| drop(redis.cli(&["FLUSHALL"])), |redis| redis.restart(&[])];
    for forget in forgets {
        let mut redis = RedisServer::start();
        let room = Room::new(&redis.url());
        let all = room.all();
        let (child, gate) = room.held("list --json");
        forget(&mut redis);
        check(&room.go_on(child, &gate), &all, "");
        assert_eq!(cached(&redis), None);
        room.sim.asked();
        room.lists("list --json", "", 6);
        assert_eq!(cached(&redis), Some(all));
    }
}

/// A restart from a file that was saved before a clear: what was cleared does not come back.
#[test]
fn r14_a_restart_from_before_a_clear() {
    let mut redis = RedisServer::start();
    let room = Room::new(&redis.url());
    room.sandbox.stdout("list");
    assert_eq!(redis.cli(&["SAVE"]), redis::Value::Okay);
    room.sim.cluster().set_meta("worker-1", "rack", Some("moved"));
    room.sandbox.stdout("cache clear");
    redis.restart(&[]);
    assert!(cached(&redis).is_some(), "it is back");
    room.sim.asked();
    room.lists("list --json", "", 6);
}

/// The publication is done, and its reply is lost: nobody can know.
#[test]
fn r15_a_lost_reply() {
    let redis = RedisServer::start();
    let relay = Relay::start(redis.socket(), |question| {
        if question.number == 2 { Treatment::Cut(0) } else { Treatment::Pass }
    });
    let room = Room::new(&relay.url());
    let url = relay.url();
    let socket = url.strip_prefix("unix://").unwrap();
    let what = format!("cannot write to Redis at {socket} (connection lost)");
    room.lists("list --json", &format!("warning: the answer could not be cached: {what}\n"), 6);
    room.lists("list --json", "", 0);
}

/// The owner is stopped for longer than its lease; another fetches meanwhile. When it goes on, what
/// it has is older than what this machine has shown: it asks again, and nobody is told anything.
#[test]
fn r16_an_owner_that_was_stopped() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let before = room.all();
    let (child, gate) = room.held("list --json");
    assert!(signal(child.id(), Signal::STOP));
    let leases = || redis.cli(&["KEYS", "nomad:clients:lease:*"]);
    until("the lease ends", || leases() == redis::Value::Array(Vec::new()));
    // It has the list of before, and the list tells this: whenever its details are answered, it
    // shows the state of before.
    room.sim.cluster().set_eligible("worker-1", false);
    gate.open();
    room.sim.heal();
    let after = room.all();
    assert_ne!(before, after);
    room.lists("list --json", "", 6);
    assert!(signal(child.id(), Signal::CONT));
    check(&child.wait_with_output().unwrap().into(), &after, "");
    check(&room.sandbox.run("list --json"), &after, "");
    assert_eq!(cached(&redis), Some(after));
}

/// The owner is killed: those who wait go on when its lease ends.
#[test]
fn r16_an_owner_that_was_killed() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let all = room.all();
    let (mut child, gate) = room.held("list --json");
    let waits = room.start("list --json");
    child.kill().unwrap();
    child.wait().unwrap();
    gate.open();
    room.sim.heal();
    check(&waits.wait_with_output().unwrap().into(), &all, "");
}

/// The reply to a look breaks off: the run asks once more.
#[test]
fn r19_a_reply_that_breaks_off() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    room.sandbox.stdout("list");
    let relay = Relay::start(redis.socket(), |question| {
        if question.number == 0 { Treatment::Cut(3000) } else { Treatment::Pass }
    });
    let room = Room { sandbox: Sandbox::redis(&relay.url()).nomad(&room.sim.address()), ..room };
    room.lists("list --json", "", 0);
}

/// Every reply breaks off: the runs of this machine share one fetch.
#[test]
fn r19_replies_that_break_off_again() {
    let redis = RedisServer::start();
    Room::new(&redis.url()).sandbox.stdout("list");
    let relay = Relay::start(redis.socket(), |_| Treatment::Cut(3000));
    let room = Room::new(&relay.url());
    let all = room.all();
    let why = without_redis(&relay.url(), "reach", "connection lost in the middle of a reply");
    let warning = format!("warning: {why}\n");
    let (first, gate) = room.held("list --json");
    let runs: Vec<Child> = (0..5).map(|_| room.start("list --json")).collect();
    check(&room.go_on(first, &gate), &all, &warning);
    for run in runs {
        check(&run.wait_with_output().unwrap().into(), &all, &warning);
    }
    assert_eq!(room.sim.asked().len(), 6, "one list and five details");
    room.lists("list --json", &warning, 0);
}

/// What was begun before a clear does not fill the cache after it.
#[test]
fn r21_a_clear_during_a_refresh() {
    let redis = RedisServer::start();
    for sandbox in [Sandbox::redis(&redis.url()), Sandbox::local()] {
        let sim = Sim::start(Fleet::recorded());
        let room = Room { sandbox: sandbox.nomad(&sim.address()), sim };
        let all = room.all();
        redis.cli(&["FLUSHALL"]);
        let (child, gate) = room.held("list --json --refresh");
        let cleared = room.sandbox.run("cache clear");
        assert_eq!((cleared.stderr.as_str(), cleared.code), ("", 0));
        assert!(cleared.stdout.starts_with("cleared "), "{}", cleared.stdout);
        check(&room.go_on(child, &gate), &all, "");
        assert_eq!(cached(&redis), None);
        room.sim.asked();
        room.lists("list --json", "", 6);
    }
}

/// The clear reached the primary, and no replica confirms it.
#[test]
fn r22_a_clear_that_no_replica_confirms() {
    let redis = RedisServer::start_with(&["--repl-diskless-sync", "no"]);
    let _replica = trouble::mute_replica(&redis);
    let room = Room::new(&redis.url());
    room.sandbox.stdout("list");
    let why = "no replica confirmed it within 500ms";
    let stderr = format!(
        "note: cleared {}\nerror: cache NOT cleared in redis: {why}; old data may be served up to 60 s; rerun\n",
        room.sandbox.cache().display()
    );
    assert_eq!(room.sandbox.run("cache clear"), failure(7, &stderr));
}
