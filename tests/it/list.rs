//! The main job through the program: what is asked of Nomad, what is cached, what is printed.

use nomad_sim::{Fleet, Sim};

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;

#[test]
fn each_state_of_the_cache_costs_what_it_must() {
    let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());

    let cold = sandbox.stdout("list --json");
    assert_eq!(sim.asked().len(), 6, "cold: the list and five details");
    assert_eq!(sandbox.stdout("list --json"), cold);
    assert_eq!(sim.asked(), Vec::<String>::new(), "hot");

    sim.cluster().set_eligible("worker-3", false);
    assert_eq!(sandbox.stdout("refresh"), "Updated: 0 new, 1 changed, 4 cached\n");
    assert_eq!(sim.asked(), ["list", "node worker-3"]);

    sandbox.stdout("list --force --json");
    assert_eq!(sim.asked().len(), 6, "forced");
}
