//! Recorded folders, served one after the other.

use std::time::Duration;

use nomad_sim::{Options, Sim, fixtures};

use crate::client::get;

const WORKER_2: &str = "/v1/node/1d257d4e-9155-c4bf-829b-2567ad4fe3c5";

#[test]
fn moving_from_directory_to_directory_replays_a_life() {
    let folder = |name: &str| fixtures().join("2.0.5").join(name);
    let options = Options { replay: Some(folder("08-eligible-again")), ..Options::default() };
    let sim = Sim::start(options);
    assert_eq!(get(&sim, "/v1/nodes").index(), 38);
    assert_eq!(get(&sim, WORKER_2).json()["ModifyIndex"], 38);
    assert_eq!((get(&sim, "/v1/nothing").status, get(&sim, "/v1/nothing").body.len()), (404, 0));
    assert_eq!(sim.asked(), ["list", "node worker-2", "GET /v1/nothing", "GET /v1/nothing"]);

    let woken = std::thread::scope(|scope| {
        let reply = scope.spawn(|| get(&sim, "/v1/nodes?index=38&wait=60s"));
        assert!(sim.await_requests(5, Duration::from_secs(10)));
        sim.replay(&folder("09-drain-started"));
        reply.join().unwrap()
    });
    assert_eq!((woken.status, woken.index()), (200, 47));
    sim.replay(&folder("28-snapshot-restored"));
    assert_eq!(get(&sim, "/v1/nodes").index(), 163);
}
