//! Through the program: what a refresh costs when nothing has changed, and what becomes of a copy
//! that is not there, or not the right one.

use nomad_sim::{Fleet, Sim};
use serde_json::{Value, json};

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;

const KEPT: &str = "nomad:clients:kept";
/// As many as a probe takes.
const NODES: u32 = 1000;

struct Room {
    redis: RedisServer,
    sim: Sim,
    sandbox: Sandbox,
}

impl Room {
    /// With a cache of so many nodes.
    fn of(nodes: u32) -> Self {
        let (redis, sim) = (RedisServer::start(), Sim::start(Fleet::generated(nodes)));
        let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
        sandbox.stdout("refresh");
        sim.asked();
        Self { redis, sim, sandbox }
    }

    /// Counts and calls of a refresh, and what Redis got besides.
    fn refreshed(&self) -> (Value, Vec<String>) {
        let mut said: Value = serde_json::from_str(&self.sandbox.stdout("refresh --json")).unwrap();
        said.as_object_mut().unwrap().remove("took_ms");
        (said, self.sim.asked())
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.redis.bytes(&["GET", key])
    }
}

fn counts(cached: u32, calls: u64) -> Value {
    json!({"total":cached,"new":0,"changed":0,"cached":cached,"gone":0,"nomad_calls":calls})
}

const FIRST: &str = "/v1/nodes?per_page=1";

#[test]
fn nothing_changed_costs_one_question_and_no_bytes() {
    let room = Room::of(NODES);
    let before = room.get("nomad:clients:all").unwrap();
    assert_eq!(room.get(KEPT).as_ref(), Some(&before));
    let input = |room: &Room| -> usize {
        let info = String::from_utf8(room.redis.bytes(&["INFO", "stats"]).unwrap()).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:"));
        line.unwrap().parse().unwrap()
    };
    let sent = input(&room);
    assert_eq!(room.refreshed(), (counts(NODES, 1), vec![format!("GET {FIRST}")]));
    assert!(input(&room) - sent < 20_000, "{} bytes for {}", input(&room) - sent, before.len());
    assert_eq!(room.get("nomad:clients:all").as_ref(), Some(&before));
    assert_eq!(room.sandbox.stdout("list --json").trim_end().as_bytes(), before);
    // Expired, but not longer than the details are kept.
    room.redis.cli(&["DEL", "nomad:clients:all"]);
    assert_eq!(room.sandbox.stdout("list --json").trim_end().as_bytes(), before);
    assert_eq!(room.sim.asked(), [format!("GET {FIRST}")]);
    let left = [KEPT, "nomad:clients:hash"].map(|key| room.redis.int(&["PTTL", key]));
    assert!(left.iter().all(|left| (290_000..=300_000).contains(left)), "{left:?}");
}

#[test]
fn full_records_are_read_for_who_wants_them() {
    let room = Room::of(NODES);
    let before = room.sandbox.stdout("list --json --full");
    room.redis.cli(&["DEL", "nomad:clients:all"]);
    assert_eq!(room.sandbox.stdout("list --json --full"), before);
    assert_eq!(room.sim.asked(), [format!("GET {FIRST}")]);
}

#[test]
fn a_copy_that_is_gone_or_wrong_is_not_used() {
    type Spoil = fn(&Room);
    let spoils: [Spoil; 3] = [
        |room| drop(room.redis.cli(&["DEL", KEPT])),
        |room| drop(room.redis.cli(&["SET", KEPT, "[]"])),
        |room| {
            room.redis.cli(&["DEL", KEPT]);
            room.redis.cli(&["HSET", KEPT, "a", "b"]);
        },
    ];
    for (at, spoil) in spoils.into_iter().enumerate() {
        let room = Room::of(NODES);
        let before = room.get("nomad:clients:all");
        spoil(&room);
        let (said, asked) = room.refreshed();
        assert_eq!((said, asked), (counts(NODES, 2), listed()), "{at}");
        let after = [KEPT, "nomad:clients:all"].map(|key| room.get(key));
        assert_eq!(after, [before.clone(), before], "{at}");
        assert_eq!(room.refreshed(), (counts(NODES, 1), vec![format!("GET {FIRST}")]), "{at}");
    }
}

/// A host with a copy of its own does not read what Redis keeps. The next one without does.
#[test]
fn a_damaged_copy_heals_when_it_is_read() {
    let room = Room::of(NODES);
    let before = room.get("nomad:clients:all").unwrap();
    let shown = room.sandbox.stdout("list --json");
    room.redis.cli(&["SETRANGE", KEPT, "100", "x"]);
    assert_eq!(room.refreshed(), (counts(NODES, 1), vec![format!("GET {FIRST}")]));
    assert_eq!(room.sandbox.stdout("list --json"), shown);
    let other = Sandbox::redis(&room.redis.url()).nomad(&room.sim.address());
    assert_eq!(other.stdout("list --json"), shown);
    assert_eq!(room.sim.asked(), listed());
    let after = [KEPT, "nomad:clients:all"].map(|key| room.get(key));
    assert_eq!(after, [Some(before.clone()), Some(before)]);
}

fn listed() -> Vec<String> {
    vec![format!("GET {FIRST}"), "list".to_owned()]
}

/// Redis before 6.2, or a user without the right to copy: dearer for Redis, not for Nomad.
#[test]
fn without_the_right_to_copy_nomad_is_not_asked_for_more() {
    let room = Room::of(NODES);
    let before = room.get("nomad:clients:all");
    room.redis.cli(&["ACL", "SETUSER", "default", "-copy"]);
    for _ in 0..2 {
        assert_eq!(room.refreshed(), (counts(NODES, 1), vec![format!("GET {FIRST}")]));
        assert_eq!(room.get("nomad:clients:all"), before);
    }
}

#[test]
fn files_are_published_anew_too() {
    let sim = Sim::start(Fleet::generated(NODES));
    let sandbox = Sandbox::local().nomad(&sim.address());
    sandbox.stdout("refresh");
    let (before, whole) = (sandbox.stdout("list --json"), sandbox.stdout("list --json --full"));
    sim.asked();
    for _ in 0..2 {
        sandbox.stdout("refresh");
        assert_eq!(sim.asked(), [format!("GET {FIRST}")]);
        assert_eq!(sandbox.stdout("list --json"), before);
        assert_eq!(sandbox.stdout("list --json --full"), whole);
    }
}

#[test]
fn a_change_is_found_and_the_copy_is_renewed() {
    let room = Room::of(NODES);
    let name = room.sim.cluster().nodes().next().unwrap().name.to_string();
    room.sim.cluster().set_meta(&name, "rack", Some("another"));
    let (said, asked) = room.refreshed();
    assert_eq!((&said["changed"], &said["nomad_calls"]), (&json!(1), &json!(3)));
    assert_eq!(asked[..2], [format!("GET {FIRST}"), "list".to_owned()]);
    assert_eq!(room.get(KEPT), room.get("nomad:clients:all"));
    assert_eq!(room.refreshed().0, counts(NODES, 1));
}

#[test]
fn a_clear_leaves_no_copy() {
    let room = Room::of(NODES);
    room.sandbox.stdout("cache clear");
    assert_eq!(room.redis.int(&["EXISTS", KEPT]), 0);
}

#[test]
fn a_small_cache_is_not_probed() {
    let small = Room::of(NODES - 1);
    assert_eq!(small.refreshed(), (counts(NODES - 1, 1), vec!["list".to_owned()]));
}
