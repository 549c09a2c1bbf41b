//! A Redis that lacks a command: reading works, and nothing can ever be cached in it.

use super::Room;
use crate::support::redis_server::RedisServer;
use crate::support::redis_server::without_redis;

fn without(command: &str) -> (RedisServer, Room) {
    let redis = RedisServer::start_with(&["--rename-command", command, ""]);
    let room = Room::new(&redis.url());
    (redis, room)
}

/// The first run finds it out, those that follow are answered from the files of this machine.
#[test]
fn without_scripts_the_files_are_the_cache() {
    let (redis, room) = without("EVAL");
    let said = format!(
        "warning: {}\n",
        without_redis(&redis.url(), "use", "EVAL is not supported (a proxy?)")
    );
    room.lists("list --json", &said, 6);
    room.lists("list --json", &said, 0);
    // The mark is gone, and so it is found out again: what the files hold stays.
    std::fs::remove_file(room.sandbox.cache().join("redis-skip")).unwrap();
    room.lists("list --json", &said, 0);
}

/// It shows only when everything was fetched, which is kept.
#[test]
fn without_a_command_of_the_last_script_the_files_are_the_cache() {
    let (redis, room) = without("HSET");
    let lacks = "a command of the scripts is not supported (a proxy?)";
    let what = format!("cannot write to Redis at {} ({lacks})", redis.socket().display());
    room.lists("list --json", &format!("warning: the answer could not be cached: {what}\n"), 6);
    let said = format!("warning: {}\n", without_redis(&redis.url(), "use", lacks));
    room.lists("list --json", &said, 0);
}
