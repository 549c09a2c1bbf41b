//! Killed between any two commands to Redis: the next run is right, and waits for the lease at most.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Room, check};
use crate::support::redis_server::RedisServer;
use crate::support::relay::{Question, Relay, Treatment};
use crate::support::sandbox::Sandbox;
use crate::support::signal::signal;

/// Kills the run whose number is set when `after` of its commands have reached Redis. Their replies
/// reach nobody.
fn killing(redis: &RedisServer, after: usize) -> (Relay, Arc<OnceLock<u32>>) {
    let victim = Arc::new(OnceLock::new());
    let (known, arrived) = (Arc::clone(&victim), AtomicUsize::new(0));
    let rule = move |question: &Question| {
        let before = arrived.fetch_add(question.commands.len(), Ordering::SeqCst);
        if before + question.commands.len() <= after {
            return Treatment::Pass;
        }
        let id: u32 = *known.wait();
        // It may have ended by itself: its last commands are waited for by nobody.
        signal(id, Signal::KILL);
        Treatment::Only(after.saturating_sub(before))
    };
    (Relay::start(redis.socket(), rule), victim)
}

/// Kills `args` at its first command, its second, … until it ends before it is killed. `prepare`
/// makes the state of the cache and of the cluster before each.
fn check_killed(args: &str, prepare: fn(&Room)) {
    let mut after = 0;
    loop {
        let redis = RedisServer::start();
        let room = Room::new(&redis.url());
        let old = room.all();
        prepare(&room);
        let new = room.all();
        let (relay, victim) = killing(&redis, after);
        let doomed = Sandbox::redis(&relay.url()).nomad(&room.sim.address());
        let mut child = doomed.command(args.split(' ')).stdout(Stdio::null()).spawn().unwrap();
        victim.set(child.id()).unwrap();
        let survived = child.wait().unwrap().code().is_some();
        check_next(&room, &old, &new, &format!("{args}, killed after {after}"));
        if survived {
            break;
        }
        after += 1;
    }
    assert!(after >= 2, "{args} sends more than {after} commands");
}

fn check_next(room: &Room, old: &str, new: &str, case: &str) {
    let began = Instant::now();
    let said = room.sandbox.run("list --json");
    // The lease takes 3 s to end.
    assert!(began.elapsed() < Duration::from_secs(6), "{case}: {:?}", began.elapsed());
    assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{case}");
    assert!(said.stdout == old || said.stdout == new, "{case}: {}", said.stdout);
    check(&room.sandbox.run("list --json --refresh"), new, "");
    room.sim.asked();
    check(&room.sandbox.run("list --json"), new, "");
    assert_eq!(room.sim.asked().len(), 0, "{case}");
}

fn nothing(_: &Room) {}

fn one_changed(room: &Room) {
    room.sandbox.stdout("list");
    room.sim.cluster().set_meta("worker-1", "rack", Some("moved"));
    room.sim.cluster().purge("worker-2");
}

#[test]
fn a_first_list() {
    check_killed("list --json", nothing);
}

#[test]
fn a_refresh() {
    check_killed("refresh -q", one_changed);
}

#[test]
fn a_force() {
    check_killed("list --json --force", one_changed);
}

#[test]
fn a_clear() {
    check_killed("cache clear", one_changed);
}
