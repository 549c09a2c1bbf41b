//! What listens where a Redis should be, and is none that could hold the cache.

use std::io::{Read as _, Write as _};

use crate::support::fake_redis::FakeRedis;
use crate::support::redis_server::RedisServer;

use super::redis::{NOTHING, UNKNOWN, unreached};
use super::{GOOD, Room};

const FROM_VERSION: &str = "skipped redis/latency commands keys writes memory: needs version";

#[test]
fn an_http_server() {
    let http = FakeRedis::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let http_server = "an HTTP server, not a Redis server → pass the address of a Redis with --redis or REDIS_URL; its usual port is 6379";
    unreached(&http.url(), http_server);
    // Many wait for the end of a request, and then answer.
    let patient = FakeRedis::new(|mut client| {
        let (mut asked, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = client.read(&mut part) {
            asked.extend_from_slice(&part[..length]);
            if asked.ends_with(b"\r\n\r\n") {
                let _ = client.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n");
            }
        }
    });
    unreached(&patient.url(), http_server);
    let room = Room::new();
    unreached(&room.sim.address().replace("http:", "redis:"), http_server);
}

#[test]
fn part_of_a_cluster() {
    let room = Room::with_redis(&["--cluster-enabled", "yes"]);
    let version = super::version(&room);
    let problem = format!(
        "problem redis/version: redis {version}, part of a Redis Cluster, which is not supported → pass a Redis that is not a cluster with --redis"
    );
    room.finds("", 1, &[&problem, FROM_VERSION, UNKNOWN]);
}

#[test]
fn a_sentinel_is_named() {
    let (sentinel, room) = (RedisServer::sentinel(), Room::new());
    let version = super::version(&room);
    let room = room.with_url(&sentinel.url());
    let problem = format!(
        "problem redis/version: redis {version}, a Sentinel, which holds no data → pass the address of its primary with --redis"
    );
    room.finds("", 1, &[&problem, FROM_VERSION, UNKNOWN]);
}

/// Nobody can be given what this server does not have.
#[test]
fn a_command_that_the_server_lacks_is_named() {
    let lacking =
        |command: &str| Room::with_redis(&[&GOOD[..], &["--rename-command", command, ""]].concat());
    let problem = |name: &str| {
        format!(
            "problem redis/commands: this server has no {name}: nothing can be cached → remove its rename-command from redis.conf, or use a Redis without a proxy in front; else use --cache local"
        )
    };
    let room = lacking("EVAL");
    room.finds("", 1, &[&problem("eval"), NOTHING]);
    let copy = "warning redis/commands: this server has no copy: a refresh that finds nothing changed sends all records to Redis again → remove its rename-command from redis.conf, or upgrade Redis";
    lacking("COPY").finds("", 0, &[copy, NOTHING]);
    // A run leaves a mark.
    room.sandbox.run("list");
    let mark = "warning redis/unfit: EVAL was not supported TIME ago; runs on this machine skip Redis for TIME → see the commands below; once they are there, wait TIME";
    room.finds("", 1, &[mark, &problem("eval"), NOTHING]);
}
