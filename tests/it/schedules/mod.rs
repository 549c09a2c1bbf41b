//! Random interleavings of whole processes: every outside step one at a time, in an order that
//! follows from a seed, with accidents in between, and the protocol's promises judged throughout.

mod actor;
mod batch;
mod broken;
mod cluster;
mod copied;
mod faulty_client;
mod gate;
mod gated;
mod ground;
mod local_ground;
mod mutants;
mod oracle_ground;
mod oracles;
mod plan;
mod process_ground;
mod redis_ground;
mod resp;
mod rng;
mod run;
mod scenes;
mod setup;
mod stale_details;
mod wire;
mod world;

use std::sync::Arc;

use batch::{Batch, BatchReport};
use ground::Ground;
use local_ground::LocalGround;
use oracle_ground::OracleGround;
use plan::Plan;
use process_ground::ProcessGround;
use redis_ground::RedisGround;
use run::{Honest, Runner};
use wire::Unchanged;

/// The seeds of a usual run; `SEED` and `SCHEDULES` ask for others, and for more.
const SEED: u64 = 1;
const SCHEDULES: u64 = 2000;
/// One in so many is played on the grounds that are no Redis.
const ELSEWHERE: u64 = 6;

/// What so many schedules must have led to on a Redis, or they prove little.
const MET: [&str; 18] = [
    "get Cache",
    "get Served",
    "full Cache",
    "full Served",
    "refresh Served",
    "get no route",
    "get cannot get the nodes from Nomad (from a concurrent refresh)",
    "refresh Nomad { cold: false } Done",
    "publish Done",
    "publish Fenced",
    "publish Older",
    "publish Rebase",
    "publish refused",
    "Foreign",
    "SpoilKept",
    "SpoilCopy",
    "ClearByHand",
    "Load",
];

fn number(variable: &str, usual: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| text.parse().expect("SEED and SCHEDULES are numbers"))
}

#[expect(clippy::print_stdout, reason = "the rate is what `tests/run fuzz-schedules` is asked for")]
fn keep_every_promise(
    name: &str,
    share: u64,
    ground: impl Fn() -> Arc<dyn Ground> + Sync,
) -> BatchReport {
    let count = number("SCHEDULES", SCHEDULES).div_ceil(share);
    // The schedules wait for threads and sockets more than they compute.
    let stages = std::thread::available_parallelism().map_or(2, |cores| 2 * cores.get());
    let batch = Batch { first: number("SEED", SEED), count, stages };
    let report = batch.play(|| Runner { ground: ground(), cast: Arc::new(Honest) });
    let text = report.text(name);
    println!("{text}");
    assert!(report.failure.is_none(), "{text}");
    assert!(report.disturbed * 10 <= report.played, "{text}");
    report
}

/// A seed is worth something only if it says everything.
#[test]
fn a_seed_plays_the_same_schedule_again() {
    let redis: Arc<dyn Ground> = Arc::new(RedisGround::new(Arc::new(Unchanged)));
    let oracle: Arc<dyn Ground> = Arc::new(OracleGround::default());
    let process: Arc<dyn Ground> = Arc::new(ProcessGround::default());
    for ground in [redis, oracle, process] {
        let runner = Runner { ground, cast: Arc::new(Honest) };
        for seed in 1..=20 {
            let plan = Plan::of(seed);
            let (first, second) = (runner.play(&plan), runner.play(&plan));
            let disturbed = first.disturbed || second.disturbed;
            assert!(disturbed || first.log == second.log, "{}", plan.describe());
            assert!(!first.log.is_empty());
        }
    }
}

mod schedules_keep_every_promise {
    use std::sync::Arc;

    use super::{
        ELSEWHERE, LocalGround, MET, OracleGround, ProcessGround, RedisGround, SCHEDULES,
        Unchanged, keep_every_promise,
    };

    #[test]
    fn on_redis() {
        let report =
            keep_every_promise("redis", 1, || Arc::new(RedisGround::new(Arc::new(Unchanged))));
        let missing: Vec<_> = MET.iter().filter(|end| !report.ends.contains_key(**end)).collect();
        assert!(missing.is_empty() || report.played < SCHEDULES, "never happened: {missing:?}");
    }

    #[test]
    fn on_files() {
        keep_every_promise("files", ELSEWHERE, || Arc::new(LocalGround::new()));
    }

    #[test]
    fn in_one_process() {
        keep_every_promise("process", ELSEWHERE, || Arc::new(ProcessGround::default()));
    }

    #[test]
    fn on_the_oracle() {
        keep_every_promise("oracle", ELSEWHERE, || Arc::new(OracleGround::default()));
    }
}
