//! Random interleavings of whole processes: every outside step one at a time, in an order that
//! follows from a seed, with accidents in between, and the protocol's promises judged throughout.

mod actor;
mod cluster;
mod dice;
mod gate;
mod gated;
mod ground;
mod memory_ground;
mod oracles;
mod plan;
mod run;
mod world;

use std::sync::Arc;

#[test]
fn memory() {
    let theatre = run::Theatre { ground: Arc::new(memory_ground::MemoryGround::default()), cast: Arc::new(run::Honest) };
    let began = std::time::Instant::now();
    let mut ends = std::collections::BTreeMap::new();
    for seed in 1..300 {
        let plan = plan::Plan::of(seed);
        let outcome = theatre.play(&plan);
        for end in outcome.ends { *ends.entry(end).or_insert(0) += 1; }
        assert!(outcome.violations.is_empty(), "{} {:?}\n{}", plan.describe(), outcome.violations, outcome.log.join("\n"));
    }
    panic!("{:?} {ends:#?}", began.elapsed());
}
