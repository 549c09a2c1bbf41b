//! What goes on around the callers.

use std::fmt;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use super::ground::{Ground, Outcome, WATCHED};
use crate::support::redis_server::RedisServer;
use crate::support::signal::stop_for;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    Quiet,
    /// Beside processes that use all the processor they get.
    Busy,
    /// Redis is stopped for so long.
    Stopped(Duration),
    /// Redis is restarted and has nothing.
    Emptied,
    /// Redis is restarted with what it had before the last publication.
    RolledBack,
}

const fn stopped(ms: u64) -> Scene {
    Scene::Stopped(Duration::from_millis(ms))
}

pub(super) const SHORT: [Scene; 4] =
    [Scene::Quiet, stopped(700), Scene::Emptied, Scene::RolledBack];
pub(super) const ALL: [Scene; 8] = [
    Scene::Quiet,
    Scene::Busy,
    stopped(100),
    stopped(700),
    stopped(3_000),
    stopped(20_000),
    Scene::Emptied,
    Scene::RolledBack,
];

const BUSY_LOOPS: usize = 4;

impl Scene {
    /// Lets it happen beside the callers, in this time or a little more.
    pub(super) fn play(self, redis: &mut RedisServer, ground: &Ground, time: Duration) {
        let until = Instant::now() + time;
        let _loops = (self == Self::Busy).then(Loops::start);
        thread::sleep(time / 4);
        match self {
            Self::Quiet | Self::Busy => {}
            Self::Stopped(for_so_long) => {
                stop_for(redis.id(), for_so_long);
                // And some time with it again.
                thread::sleep(time / 4);
            }
            Self::Emptied => redis.restart(&[]),
            Self::RolledBack => {
                redis.cli(&["SAVE"]);
                // Something new is shown, and then Redis no longer knows it.
                thread::sleep(time / 4);
                ground.refresh();
                thread::sleep(time / 4);
                redis.restart(&[]);
            }
        }
        thread::sleep(until.saturating_duration_since(Instant::now()));
    }

    /// What it may cost, in words, and whether that holds.
    pub(super) fn goal(self, outcome: &Outcome, nodes: u32) -> (&'static str, bool) {
        let Outcome { lists, details, without_redis, .. } = *outcome;
        let (goal, is_met) = match self {
            Self::Quiet | Self::Busy => {
                ("0 details, 0 without Redis, 0 objections", details == 0 && without_redis == 0)
            }
            Self::Stopped(time) if time < Duration::from_secs(5) => {
                ("0 details, 0 objections", details == 0)
            }
            Self::Stopped(_) | Self::Emptied | Self::RolledBack => (
                "the details of one fetch, at most 5 lists, 0 objections",
                // What changes meanwhile is asked for by each list.
                lists <= 5 && details <= nodes as usize + lists * WATCHED,
            ),
        };
        (goal, is_met && outcome.objections.is_empty())
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quiet => f.write_str("quiet"),
            Self::Busy => write!(f, "{BUSY_LOOPS} busy loops"),
            Self::Stopped(time) => write!(f, "Redis stopped for {time:?}"),
            Self::Emptied => f.write_str("Redis restarted empty"),
            Self::RolledBack => f.write_str("Redis replaced by an older dump"),
        }
    }
}

/// Processes that compute and do nothing else; they end with this.
struct Loops(Vec<Child>);

impl Loops {
    fn start() -> Self {
        let start = |_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Self((0..BUSY_LOOPS).map(start).collect())
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
