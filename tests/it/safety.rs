//! Safe to run anywhere: the threats S1 to S24, tests named after the row.
//!
//! | rows | where |
//! |---|---|
//! | S1, S15, S19: foreign text | `foreign`, `choosing`, `nomad_rows::answers` |
//! | S2–S5, S16, S17, S22: what is served | `serve::safety`, `serve::limits`, `serve::answers`, `serve::browser` |
//! | S6–S8: secrets | `secrets`, `choosing` |
//! | S9, S24: whoever else writes to the Redis | `crooked` |
//! | S10: who shares with whom | `sharing` |
//! | S11, S12, S18: the way to Nomad | `way` |
//! | S13, S14, S23: files | `files`, `bounds` |
//! | S20: TLS | `tls`, `nomad_rows::reach` |
//! | S21: what it is built from | `supply` |

mod bounds;
mod crooked;
mod files;
mod foreign;
mod secrets;
mod sharing;
mod tls;
mod way;

use nomad_sim::{Fleet, Sim};

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Output, Sandbox};

/// A cluster, a Redis, and a machine that uses both.
struct Room {
    sim: Sim,
    redis: RedisServer,
    sandbox: Sandbox,
}

impl Room {
    /// Five nodes.
    fn new() -> Self {
        Self::of(Fleet::recorded())
    }

    fn of(fleet: Fleet) -> Self {
        let (sim, redis) = (Sim::start(fleet), RedisServer::start());
        let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
        Self { sim, redis, sandbox }
    }

    /// `list --json` of a machine without a cache.
    fn all(&self) -> String {
        let bare = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "none").nomad(&self.sim.address());
        let all = bare.stdout("list --json");
        self.sim.asked();
        all
    }
}

/// A good answer with a remark.
fn good(stdout: &str, stderr: &str) -> Output {
    Output { stdout: stdout.to_owned(), stderr: stderr.to_owned(), code: 0 }
}
