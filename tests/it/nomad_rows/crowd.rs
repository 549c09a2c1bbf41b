//! N5 for many connections: Nomad gives 100 to an address, and all processes of one host share that.

use std::process::Stdio;
use std::time::Duration;

use nomad_sim::{Fault, Fleet, Options, Sim, Times, Where};

use super::Room;
use crate::support::sandbox::{Output, Sandbox};

/// Runs that many of these at once, to their end.
fn at_once(sandbox: &Sandbox, args: &str, count: usize) -> Vec<Output> {
    let start = || {
        let mut command = sandbox.command(args.split(' '));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..count).map(|_| start()).collect();
    children.into_iter().map(|child| child.wait_with_output().unwrap().into()).collect()
}

/// Alone, each of them would open 16 connections.
#[track_caller]
fn stay_below_the_limit(args: &str) -> Sandbox {
    let sim = Sim::start(Options { connections_max: Some(100), ..Fleet::generated(60).into() });
    sim.fault(Where::Nodes, Times::ALWAYS, Fault::Delay(Duration::from_millis(50)));
    let sandbox = Sandbox::local().nomad(&sim.address());
    for said in at_once(&sandbox, args, 12) {
        assert_eq!((said.code, said.stdout.lines().count()), (0, 60), "{}", said.stderr);
    }
    assert!(sim.most_open() <= 64, "{} connections", sim.most_open());
    assert!(sim.most_open() > 24, "{} connections: some have more than one", sim.most_open());
    sandbox
}

#[test]
fn n05_the_processes_of_one_host_stay_below_nomads_limit_together() {
    stay_below_the_limit("list --force -o name --timeout 5m");
}

#[test]
fn n05_processes_without_a_cache_stay_below_it_too() {
    let sandbox = stay_below_the_limit("list --cache none -o name --timeout 5m");
    let names = std::fs::read_dir(sandbox.cache()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["connections"], "and keep nothing");
}

#[test]
fn n05_who_was_killed_keeps_no_connection() {
    let sim = Sim::start(Fleet::generated(60));
    let sandbox = Sandbox::local().nomad(&sim.address());
    sim.fault(Where::Nodes, Times::next(160), Fault::Never);
    let start = || {
        let mut command = sandbox.command("list --force -o name --timeout 5m".split(' '));
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let mut killed: Vec<_> = (0..4).map(|_| start()).collect();
    super::until("they have all slots", || sim.most_open() >= 44);
    for child in &mut killed {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sim.heal();
    sim.close_connections();
    assert_eq!(sandbox.stdout("list --force -o name").lines().count(), 60);
    let folder = sandbox.cache().join("connections");
    let locks = std::fs::read_dir(folder).unwrap().count();
    assert!((44..=64).contains(&locks), "{locks}");
}

/// Details that Nomad refuses as too many are asked for again, with fewer connections.
#[test]
fn n05_a_detail_too_many_is_asked_for_again() {
    let options = Options { connections_max: Some(5), ..Fleet::generated(200).into() };
    let room = Room::of(options);
    room.sim.fault(Where::Nodes, Times::ALWAYS, Fault::Delay(Duration::from_millis(5)));
    let said = room.run("list -o name --cache none -v --timeout 5m");
    assert_eq!((said.code, said.stdout.lines().count()), (0, 200), "{}", said.stderr);
    let lowered = "Nomad at NOMAD limits connections: at most ";
    assert!(said.stderr.contains(lowered), "{}", said.stderr);
}

/// Only when the time is over is a detail missing.
#[test]
fn n05_details_that_are_refused_to_the_end_are_missing() {
    let room = Room::new();
    room.sim.fault(Where::node("worker-3"), Times::ALWAYS, Fault::too_many_requests(None));
    let said = room.run("list -o name --timeout 12s");
    assert_eq!((said.code, said.stdout.lines().count()), (8, 5), "{}", said.stderr);
    let why = ["Nomad at NOMAD answered 429: too many requests", "timed out after 12s"];
    assert!(why.iter().any(|why| said.stderr.contains(why)), "{said:?}");
    let asked = room.sim.asked().iter().filter(|what| *what == "node worker-3").count();
    assert!((4..40).contains(&asked), "{asked} times within 12 s, with longer and longer pauses");
}
