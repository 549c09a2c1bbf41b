//! Many callers of one host in a loop at one hot cache, while Redis has trouble: what that costs, and
//! that nobody is shown anything older than before.
//!
//! `tests/run load [CALLERS SECONDS NODES]` plays all scenes with a release build and prints a table.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod ground;
mod scene;

use std::fmt;
use std::time::Duration;

use crate::histories::setting;
use crate::support::alone::alone;
use ground::Outcome;
use scene::Scene;

/// How much goes on.
#[derive(Debug, Clone, Copy)]
struct Size {
    callers: u64,
    time: Duration,
    nodes: u32,
    /// A full fetch takes this long or a little more: Nomad answers details as slowly.
    fetch: Duration,
}

/// A few seconds of it. `LOAD_SECONDS` lets it last longer and plays all scenes; `LOAD_SCENE` plays
/// only those whose name contains it.
#[test]
fn callers_of_one_host_are_shown_nothing_older() {
    let _alone = alone();
    let is_short = setting("LOAD_SECONDS", 0) == 0;
    let size = Size {
        callers: setting("LOAD_CALLERS", 6),
        time: Duration::from_secs(setting("LOAD_SECONDS", 2)),
        nodes: u32::try_from(setting("LOAD_NODES", 300)).unwrap(),
        // As long as a Nomad of 10,000 nodes takes, so that runs are as patient with Redis.
        fetch: Duration::from_millis(if is_short { 1500 } else { 4500 }),
    };
    let scenes = if is_short { &scene::SHORT[..] } else { &scene::ALL };
    let word = std::env::var("LOAD_SCENE").unwrap_or_default();
    println!("{} callers, {} nodes, at least {:?}\n", size.callers, size.nodes, size.time);
    println!("{}", Line::HEAD);
    let mut objections = Vec::new();
    for scene in scenes.iter().filter(|scene| scene.to_string().contains(&word)) {
        let outcome = ground::play(*scene, size);
        println!("{}", Line { scene: *scene, size, outcome: &outcome });
        assert!(outcome.times.len() as u64 >= size.callers, "{scene}: the callers call");
        objections.extend(outcome.objections);
    }
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

/// One line of the table.
struct Line<'a> {
    scene: Scene,
    size: Size,
    outcome: &'a Outcome,
}

impl Line<'_> {
    const HEAD: &'static str = "\
| scene | load | runs | lists | probes | details | warned | without Redis | p50 | p99 | longest | objections | goal | |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|---|";
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scene, size, outcome } = self;
        let at = |part: usize| {
            outcome.times[(outcome.times.len() * part / 100).min(outcome.times.len() - 1)]
        };
        let [p50, p99, longest] = [50, 99, 100].map(|part| at(part).as_secs_f64() * 1e3);
        let (goal, met) = scene.goal(outcome, size.nodes);
        write!(
            f,
            "| {scene} | {} | {} | {} | {} | {} | {} | {} | {p50:.0} ms | {p99:.0} ms | {longest:.0} ms | {} | {goal} | {} |",
            outcome.load,
            outcome.times.len(),
            outcome.lists,
            outcome.probes,
            outcome.details,
            outcome.warned,
            outcome.without_redis,
            outcome.objections.len(),
            if met { "reached" } else { "missed" },
        )
    }
}
