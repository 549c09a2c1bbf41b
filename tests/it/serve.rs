//! `serve` from outside: the API, the events, the following, who may ask, and the page.

mod answers;
mod api;
mod bounds;
mod browser;
mod contact;
mod described;
mod ending;
mod events;
mod follow;
mod handed;
mod limits;
mod metrics;
mod one_node;
mod proxied;
mod safety;
mod soak;
mod unmodified;
mod unread;
mod withheld;

use nomad_sim::{Fleet, Sim};

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use crate::support::served::Served;

/// A Nomad, a Redis and a server that asks only when it is asked.
struct Room {
    sim: Sim,
    redis: RedisServer,
    sandbox: Sandbox,
    served: Served,
}

impl Room {
    fn new() -> Self {
        Self::with("--no-follow")
    }

    fn following() -> Self {
        Self::with("--follow-interval 0s")
    }

    fn with(args: &str) -> Self {
        Self::of(Fleet::recorded(), args)
    }

    fn of(fleet: Fleet, args: &str) -> Self {
        let (sim, redis) = (Sim::start(fleet), RedisServer::start());
        let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
        let served = Served::start(&sandbox, args);
        Self { sim, redis, sandbox, served }
    }
}
