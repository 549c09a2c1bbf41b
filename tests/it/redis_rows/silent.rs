//! Runs of one host while Redis is stopped, and after it: one fetch for all, which nobody disturbs.

use std::process::Child;

use rustix::process::Signal;

use super::trouble::until;
use super::{Room, check};
use crate::support::redis_server::{RedisServer, without_redis};
use crate::support::sandbox::{Output, Sandbox};
use crate::support::signal::signal;

#[test]
fn runs_that_give_up_a_stopped_redis_share_one_fetch() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let all = room.all();
    signal(redis.id(), Signal::STOP);
    let runs: Vec<Child> = (0..10).map(|_| room.start("list --json")).collect();
    for run in runs {
        let said = Output::from(run.wait_with_output().unwrap());
        assert_eq!((said.code, said.stdout == all), (0, true), "{}", said.stderr);
    }
    assert_eq!(room.sim.asked().len(), 6, "one list and five details");
    signal(redis.id(), Signal::CONT);
}

/// Another run of the host reaches Redis first, and ends the time in which it is avoided.
#[test]
fn a_fetch_under_way_is_not_disturbed_by_a_run_that_reaches_redis() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    let all = room.all();
    Sandbox::redis(&redis.url()).patient().nomad(&room.sim.address()).stdout("list --json");
    signal(redis.id(), Signal::STOP);
    let (child, gate) = room.held("list --json");
    signal(redis.id(), Signal::CONT);
    // Until it may probe, a run waits for the fetch that is under way.
    let probe = || room.sandbox.run("list -v --timeout 1500ms");
    until("Redis is used again", || probe().stderr.contains("answers again"));
    check(&room.sandbox.run("list --json"), &all, "");
    let said = room.go_on(child, &gate);
    check(&said, &all, &format!("warning: {}\n", without_redis(&redis.url(), "reach", LIMIT)));
    room.sim.asked();
    signal(redis.id(), Signal::STOP);
    assert_eq!(room.sandbox.run("list --json").stdout, all);
    assert_eq!(room.sim.asked(), Vec::<String>::new(), "what it brought is there");
    signal(redis.id(), Signal::CONT);
}

/// Nobody knows yet how long a full fetch takes.
const LIMIT: &str = "timed out after 1s";
