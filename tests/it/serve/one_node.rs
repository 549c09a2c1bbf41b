//! `/api/clients/NODE` reads one full record, and only the one that belongs to the list.

use redis::Value;

use super::Room;

const HASH: &str = "nomad:clients:hash";

fn stored(room: &Room, name: &str) -> Vec<u8> {
    let id = room.sim.cluster().id(name);
    room.redis.bytes(&["HGET", HASH, &id]).unwrap()
}

fn store(room: &Room, name: &str, full: &[u8]) {
    let id = room.sim.cluster().id(name);
    room.redis.cli(&[b"HSET", HASH.as_bytes(), id.as_bytes(), full]);
}

fn commands(room: &Room) -> String {
    let Value::BulkString(stats) = room.redis.cli(&["INFO", "commandstats"]) else {
        panic!("no statistics")
    };
    String::from_utf8(stats).unwrap()
}

#[test]
fn one_field_of_the_hash_is_read_for_each_request() {
    let room = Room::new();
    let show = room.sandbox.stdout("show worker-2 --json");
    room.served.get("/api/clients");
    room.redis.cli(&["CONFIG", "RESETSTAT"]);
    for turn in 1..3 {
        let response = room.served.get("/api/clients/worker-2");
        assert_eq!((response.status, response.text()), (200, show.as_str()));
        assert_eq!((response.header("x-cache"), response.header("etag")), ("HIT", ""));
        let commands = commands(&room);
        assert!(commands.contains(&format!("cmdstat_hmget:calls={turn},")), "{commands}");
        assert!(!commands.contains("cmdstat_hgetall"), "{commands}");
    }
    assert_eq!(room.served.get("/api/clients/nobody").status, 404);
    assert!(commands(&room).contains("cmdstat_hmget:calls=2,"), "there is nothing to read");
}

#[test]
fn with_all_full_records_in_memory_none_is_read() {
    let room = Room::new();
    let show = room.sandbox.stdout("show worker-2 --json");
    room.served.get("/api/clients?full=true");
    room.redis.cli(&["CONFIG", "RESETSTAT"]);
    assert_eq!(room.served.get("/api/clients/worker-2").text(), show);
    let commands = commands(&room);
    assert!(!commands.contains("cmdstat_hmget") && !commands.contains("hgetall"), "{commands}");
}

#[test]
fn a_record_that_does_not_belong_to_the_list_is_not_shown() {
    let room = Room::new();
    room.sandbox.stdout("list");
    let older = stored(&room, "worker-2");
    room.sim.cluster().set_meta("worker-2", "turn", Some("1"));
    room.sandbox.stdout("refresh");
    let show = room.sandbox.stdout("show worker-2 --json");
    let good = String::from_utf8(stored(&room, "worker-2")).unwrap();
    let damaged = good.replace("\"kernel.name\":\"linux\"", "\"kernel.name\":\"minix\"");
    assert_ne!(damaged, good);
    let spoilt = [older, stored(&room, "worker-1"), damaged.into(), b"{}".to_vec(), Vec::new()];
    for spoilt in spoilt {
        // With the full records of another publication in memory, or with none.
        room.served.get("/api/clients");
        store(&room, "worker-2", &spoilt);
        let response = room.served.get("/api/clients/worker-2");
        let text = String::from_utf8_lossy(&spoilt).into_owned();
        assert_eq!((response.status, response.text()), (200, show.as_str()), "{text}");
        room.sandbox.stdout("cache clear");
        room.sandbox.stdout("list");
    }
}
