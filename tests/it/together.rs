//! Many processes at once: one fetch serves all, one failure is told to all, nobody hangs.

use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Sim, Times, Where};

use crate::support::alone::alone;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;

const HERD: usize = 200;
/// As many as can come to a busy machine within the limits that each has for its Redis.
const FAILING: usize = 60;

fn start(sandbox: &Sandbox, args: &str) -> Child {
    let mut command = sandbox.command(args.split(' '));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What all of them said, in no order. Their pipes are read at the same time.
fn all(children: Vec<Child>) -> Vec<Output> {
    let waits =
        children.into_iter().map(|child| thread::spawn(|| child.wait_with_output().unwrap()));
    waits.collect::<Vec<_>>().into_iter().map(|wait| wait.join().unwrap()).collect()
}

fn herd(sandbox: &Sandbox, count: usize, args: &str) -> Vec<Output> {
    all((0..count).map(|_| start(sandbox, args)).collect())
}

fn codes(outputs: &[Output]) -> Vec<i32> {
    let mut codes: Vec<i32> =
        outputs.iter().map(|output| output.status.code().unwrap_or(-1)).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A cluster whose list takes a tenth of a second, so that a herd has time to gather.
fn slow_cluster() -> Sim {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, Fault::Delay(Duration::from_millis(100)));
    sim
}

fn lists(asked: &[String]) -> usize {
    asked.iter().filter(|asked| *asked == "list").count()
}

#[test]
fn a_cold_herd_costs_one_fetch() {
    let _alone = alone();
    let redis = RedisServer::start();
    for sandbox in [Sandbox::redis(&redis.url()).patient(), Sandbox::local()] {
        let sim = slow_cluster();
        let sandbox = sandbox.nomad(&sim.address());
        let outputs = herd(&sandbox, HERD, "list --json");
        assert_eq!(codes(&outputs), [0]);
        assert_eq!(sim.asked().len(), 6, "one list and five details");
        assert!(
            outputs
                .iter()
                .all(|output| output.stdout == outputs[0].stdout && output.stderr.is_empty())
        );
    }
}

/// All come before the first has failed. Whoever comes later would rightly ask for himself.
#[test]
fn a_herd_on_a_failing_nomad_is_reported_by_one() {
    let _alone = alone();
    let redis = RedisServer::start();
    for sandbox in [Sandbox::redis(&redis.url()).patient(), Sandbox::local()] {
        let sim = Sim::start(Fleet::recorded());
        sim.fault(Where::List, Times::ALWAYS, Fault::status(500, "No cluster leader"));
        let gate = sim.hold(Where::List);
        let sandbox = sandbox.nomad(&sim.address());
        let mut children: Vec<Child> = (0..FAILING).map(|_| start(&sandbox, "list")).collect();
        assert!(gate.await_waiting(1, Duration::from_secs(60)), "one asks for the list");
        await_waiting(&mut children, FAILING - 1);
        let began = Instant::now();
        gate.open();
        let outputs = all(children);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "they need not time out: {:?}",
            began.elapsed()
        );
        assert_eq!(codes(&outputs), [5]);
        assert!(outputs.iter().all(|output| output.stdout.is_empty()));
        let asked = sim.asked().len();
        assert!(asked <= 5, "{asked} calls");
        let told = outputs
            .iter()
            .filter(|output| output.stderr.ends_with(b"(from a concurrent refresh)\n"));
        assert!(told.count() >= FAILING - 5, "those who waited are told why");
    }
}

/// Until `count` of them have been seen asleep between two questions to the cache, or have ended.
fn await_waiting(children: &mut [Child], count: usize) {
    const NANOSLEEP: &str = "230 ";
    let began = Instant::now();
    let mut waiting = vec![false; children.len()];
    while waiting.iter().filter(|waits| **waits).count() < count {
        assert!(began.elapsed() < Duration::from_secs(20), "they do not come");
        for (child, waits) in children.iter_mut().zip(&mut waiting) {
            let doing = std::fs::read_to_string(format!("/proc/{}/syscall", child.id()));
            let asleep = doing.is_ok_and(|doing| doing.starts_with(NANOSLEEP));
            *waits |= asleep || child.try_wait().unwrap().is_some();
        }
    }
}

/// The winner is killed after its list: the lease ends by itself (3 s), on files at once.
#[test]
fn a_killed_winner_delays_the_others_and_stops_nobody() {
    let _alone = alone();
    let redis = RedisServer::start();
    for sandbox in [Sandbox::redis(&redis.url()).patient(), Sandbox::local()] {
        let sim = Sim::start(Fleet::recorded());
        let sandbox = sandbox.nomad(&sim.address());
        let (outputs, (took, lists)) = killed_winner(&sim, &sandbox);
        assert_eq!(codes(&outputs), [0]);
        assert!(took < Duration::from_secs(60), "lease, fetch and a second: {took:?}");
        assert_eq!(lists, 2, "the dead one's, and one for all others");
    }
}

/// What twenty others say, how long they took, and how many lists that cost.
fn killed_winner(sim: &Sim, sandbox: &Sandbox) -> (Vec<Output>, (Duration, usize)) {
    sandbox.run("cache clear");
    sim.asked();
    let gate = sim.hold(Where::Nodes);
    let mut winner = start(sandbox, "list --timeout 5m");
    assert!(gate.await_waiting(1, Duration::from_secs(60)), "it asks for details");
    let others: Vec<Child> = (0..20).map(|_| start(sandbox, "list --json --timeout 5m")).collect();
    winner.kill().unwrap();
    winner.wait().unwrap();
    gate.open();
    sim.heal();
    let began = Instant::now();
    let outputs = all(others);
    (outputs, (began.elapsed(), lists(&sim.asked())))
}

#[test]
fn an_interrupted_winner_hurts_nobody_else() {
    let _alone = alone();
    let redis = RedisServer::start();
    for sandbox in [Sandbox::redis(&redis.url()).patient(), Sandbox::local()] {
        let sim = Sim::start(Fleet::recorded());
        let sandbox = sandbox.nomad(&sim.address());
        let gate = sim.hold(Where::Nodes);
        let mut winner = start(&sandbox, "list");
        assert!(gate.await_waiting(1, Duration::from_secs(60)), "it asks for details");
        let others: Vec<Child> = (0..20).map(|_| start(&sandbox, "list --json")).collect();
        let killed =
            std::process::Command::new("kill").args(["-INT", &winner.id().to_string()]).status();
        assert!(killed.unwrap().success());
        assert_eq!(winner.wait().unwrap().code(), Some(130));
        gate.open();
        sim.heal();
        assert_eq!(codes(&all(others)), [0]);
    }
}

#[test]
fn many_refreshes_at_once_cost_two_lists() {
    let _alone = alone();
    let (sim, redis) = (slow_cluster(), RedisServer::start());
    let sandbox = Sandbox::redis(&redis.url()).patient().nomad(&sim.address());
    sandbox.stdout("list");
    sim.asked();
    let gate = sim.hold(Where::List);
    let first = start(&sandbox, "refresh");
    assert!(gate.await_waiting(1, Duration::from_secs(60)), "it asks for the list");
    let mut others: Vec<Child> = (0..30).map(|_| start(&sandbox, "refresh")).collect();
    // Each of them has come and found the lease: whoever came later would need a third list.
    await_waiting(&mut others, 30);
    gate.open();
    sim.heal();
    let outputs = all(others.into_iter().chain([first]).collect());
    assert_eq!(codes(&outputs), [0]);
    let asked = lists(&sim.asked());
    assert!(asked <= 2, "{asked} lists");
}

#[test]
fn force_never_waits_for_a_fetch_that_is_held() {
    let _alone = alone();
    let redis = RedisServer::start();
    for sandbox in [Sandbox::redis(&redis.url()).patient(), Sandbox::local()] {
        let sim = Sim::start(Fleet::recorded());
        let sandbox = sandbox.nomad(&sim.address());
        let gate = sim.hold(Where::Nodes);
        let held = start(&sandbox, "list --json");
        assert!(gate.await_waiting(1, Duration::from_secs(60)), "it asks for details");
        sim.heal();
        let forced = sandbox.stdout("list --json --force");
        gate.open();
        let output = held.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stdout).unwrap()),
            (Some(0), forced)
        );
    }
}

#[test]
fn one_node_without_details_is_asked_for_by_one() {
    let _alone = alone();
    let (sim, redis) = (slow_cluster(), RedisServer::start());
    sim.fault(Where::node("worker-3"), Times::ALWAYS, Fault::status(500, "broken"));
    let sandbox = Sandbox::redis(&redis.url()).patient().nomad(&sim.address());
    let outputs = herd(&sandbox, 50, "list --json");
    assert_eq!(codes(&outputs), [8], "rows for all of them");
    assert!(
        outputs
            .iter()
            .all(|output| output.stdout == outputs[0].stdout && !output.stdout.is_empty())
    );
    let asked = sim.asked().iter().filter(|asked| *asked == "node worker-3").count();
    assert!(asked <= 9, "three tries in two seconds: {asked}");
}
