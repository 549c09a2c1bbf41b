//! What the program does when Nomad does not: N1 to N26 of the fault matrix, row by row.
//!
//! | rows | where |
//! |---|---|
//! | N1–N3 | `reach`: nobody there, silence, TLS |
//! | N4–N7 | `answers`: refused, overloaded, broken, another server |
//! | N5 | `crowd`: too many connections of many processes |
//! | N8–N12 | `bodies`: types, cuts, shapes, bombs, redirects |
//! | N13–N16 | `index`: an index that is missing or goes back, no leader |
//! | N17–N21 | `details`: nodes that go, fail, or are others |
//! | N22–N25 | `wire`: many nodes, dead connections, ways to Nomad, regions |
//! | N26 | `shared`: a failure is told to all who wait |
//!
//! What the client alone makes of each of them is told by `nomad_http`.

mod answers;
mod bodies;
mod crowd;
mod details;
mod index;
mod reach;
mod shared;
mod wire;

use std::thread;
use std::time::{Duration, Instant};

use nomad_sim::{Fleet, Options, Sim};
use redis::Value;

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Output, Sandbox, failure};

/// A Nomad, a Redis and a home of a test's own.
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

    fn of(options: impl Into<Options>) -> Self {
        let (sim, redis) = (Sim::start(options), RedisServer::start());
        let sandbox = Sandbox::redis(&redis.url()).patient().nomad(&sim.address());
        Self { sim, redis, sandbox }
    }

    /// Another address than that of the simulator.
    fn at(self, address: &str) -> Self {
        Self { sandbox: Sandbox::redis(&self.redis.url()).patient().nomad(address), ..self }
    }

    fn with(self, name: &str, value: &str) -> Self {
        Self { sandbox: self.sandbox.with(name, value), ..self }
    }

    /// What a run said, with `NOMAD` for the simulator's address and `TIME` for what it took.
    fn run(&self, args: &str) -> Output {
        let said = self.sandbox.run(args);
        let stderr = said.stderr.replace(&self.sim.address(), "NOMAD");
        Output { stderr: timeless(&stderr), ..said }
    }

    /// The command fails like this, prints nothing and caches nothing.
    #[track_caller]
    fn fails(&self, args: &str, code: i32, stderr: &str) {
        let before = self.cached();
        self.sim.asked();
        let said = self.run(args);
        assert_eq!(said, failure(code, stderr), "nomad-clients {args}");
        assert_eq!(self.cached(), before, "cached");
    }

    /// The command gives all five recorded nodes, says this, and caches these keys.
    #[track_caller]
    fn succeeds(&self, args: &str, stderr: &str, cached: &[&str]) {
        let expected = Output { stdout: recorded(), stderr: stderr.to_owned(), code: 0 };
        assert_eq!(self.run(args), expected, "nomad-clients {args}");
        assert_eq!(self.cached(), cached, "cached");
    }

    /// The keys that hold nodes: `all`, `hash` and `meta`, or fewer.
    fn cached(&self) -> Vec<String> {
        let Value::Array(keys) = self.redis.cli(&["KEYS", "*"]) else {
            panic!("KEYS gives a list")
        };
        let text = |key: Value| match key {
            Value::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("no key: {other:?}"),
        };
        let last = |key: String| key.rsplit(':').next().unwrap_or_default().to_owned();
        let names = keys.into_iter().map(text).map(last);
        let mut names: Vec<String> =
            names.filter(|name| ["all", "hash", "meta"].contains(&name.as_str())).collect();
        names.sort();
        names
    }
}

const EVERYTHING: [&str; 3] = ["all", "hash", "meta"];
const NOTHING: [&str; 0] = [];

/// `list --json` of the five recorded nodes.
fn recorded() -> String {
    let room = Sim::start(Fleet::recorded());
    Sandbox::local().nomad(&room.address()).stdout("list --json --cache none")
}

/// The lines of calls are left out, and the time of the line about the answer becomes `TIME`.
fn timeless(stderr: &str) -> String {
    let line = |line: &str| match line.rsplit_once(" · ") {
        Some((start, time)) if time.ends_with('s') && start.contains(" Nomad call") => {
            format!("{start} · TIME\n")
        }
        _ => format!("{line}\n"),
    };
    stderr.lines().map(line).collect()
}

/// Polls until something holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < limit, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
