//! What is cached, the folder it may be in, and that nothing is changed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nomad_sim::{Fleet, Sim};

use crate::support::redis_server::RedisServer;
use crate::support::requirements::Mounted;
use crate::support::sandbox::Sandbox;

use super::Room;

/// The lines of the cache, as the text has them.
fn cache(room: &Room, args: &str) -> Vec<String> {
    let said = room.run(&format!("doctor {args}"));
    let (_, rest) = said.stdout.split_once("\nCache\n").unwrap();
    rest.lines()
        .take_while(|line| line.starts_with(' '))
        .map(|line| line.trim().to_owned())
        .collect()
}

fn line(lines: &[String], name: &str) -> String {
    let found = lines.iter().find_map(|line| line[9..].strip_prefix(&format!("{name:13}")));
    found.unwrap_or_else(|| panic!("no {name}: {lines:#?}")).to_owned()
}

#[test]
fn hot_stale_and_cold_say_why() {
    let room = Room::new();
    let state = |args: &str| line(&cache(&room, args), "state");
    let cold = "COLD: nothing is cached for this address and token: the next run asks Nomad for everything";
    assert_eq!(state(""), cold);
    room.sandbox.stdout("list");
    assert_eq!(state(""), "HOT: 5 nodes, TIME old, served for TIME more without asking Nomad");
    room.redis.cli(&["DEL", "nomad:clients:all"]);
    let stale = "STALE: 5 nodes, TIME old, no longer served (--ttl 60s): the next run asks Nomad what has changed";
    assert_eq!(state(""), stale);
    let never = "STALE: with --ttl 0s nothing is ever fresh";
    assert_eq!(state("--ttl 0s"), never);
    room.sandbox.stdout("cache clear");
    assert_eq!(state(""), cold);
}

#[test]
fn what_moved_in_nomad_since_is_reported() {
    let room = Room::new();
    room.sandbox.stdout("list");
    room.sim.cluster().set_eligible("worker-1", false);
    let moved = "something has changed there since it was cached (index 17, now 18): list --refresh shows it at once";
    assert_eq!(line(&cache(&room, ""), "nomad"), moved);
}

#[test]
fn a_key_of_the_wrong_type_is_a_problem() {
    let room = Room::new();
    room.sandbox.stdout("list");
    room.redis.cli(&["DEL", "nomad:clients:all"]);
    room.redis.cli(&["LPUSH", "nomad:clients:all", "x"]);
    let problem = "problem cache/key: nomad:clients:all: list, SIZE, unexpected type; not served → run nomad-clients cache clear; if it comes back, another program uses this name: choose another with --cache-prefix";
    let why = "warning cache/state: not served: wrong type → run nomad-clients refresh, or wait for the next run: both rewrite it";
    room.finds("", 1, &[problem, why]);
    // What is advised cures it.
    room.sandbox.stdout("cache clear");
    room.finds("", 0, &[]);
}

#[test]
fn a_key_that_never_expires_is_not_served() {
    let room = Room::new();
    room.sandbox.stdout("list");
    room.redis.cli(&["PERSIST", "nomad:clients:all"]);
    let warning = "warning cache/key: nomad:clients:all: string, SIZE, never expires, this cluster; not served → run nomad-clients cache clear: another program wrote it";
    let why = "warning cache/state: not served: unexpected TTL → run nomad-clients refresh, or wait for the next run: both rewrite it";
    room.finds("", 0, &[warning, why]);
}

#[test]
fn a_value_that_somebody_changed_is_not_served() {
    let room = Room::new();
    room.sandbox.stdout("list");
    room.redis.cli(&["SETRANGE", "nomad:clients:all", "5", "x"]);
    let why = "warning cache/state: not served: wrong checksum → run nomad-clients refresh, or wait for the next run: both rewrite it";
    room.finds("", 0, &[why]);
}

#[test]
fn the_keys_of_another_cluster_are_distinguished() {
    let room = Room::new();
    let other = Sim::start(Fleet::recorded());
    Sandbox::redis(&room.redis.url()).nomad(&other.address()).stdout("list");
    let lines = cache(&room, "");
    assert_eq!(
        lines[..6],
        [
            "ok       key          nomad:clients:all: string, SIZE, TIME left, another cluster or token",
            "ok       key          nomad:clients:hash: hash, SIZE, TIME left, another cluster or token",
            "ok       key          nomad:clients:kept: string, SIZE, TIME left, another cluster or token",
            "ok       key          nomad:clients:meta: string, SIZE, TIME left, another cluster or token",
            "ok       key          nomad:clients:epoch: string, SIZE, TIME left, shared by all clusters",
            "ok       state        COLD: nothing is cached for this address and token; the plain names belong to another cluster",
        ]
    );
    // Then ours have names of their own.
    room.sandbox.stdout("list");
    let lines = cache(&room, "");
    let ours = lines.iter().filter(|line| line.ends_with(" left, this cluster")).count();
    assert_eq!(
        (ours, line(&lines, "state").starts_with("HOT: 5 nodes, ")),
        (4, true),
        "{lines:#?}"
    );
}

#[test]
fn many_misses_are_worth_a_warning() {
    let room = Room::new();
    for _ in 0..10 {
        room.sandbox.stdout("refresh");
    }
    let warning = "warning cache/last hour: 0 % of 10 runs from the cache; the others in TIME → let nomad-clients serve keep the cache fresh, or set a longer --ttl";
    room.finds("", 0, &[warning]);
}

#[test]
fn a_directory_that_is_open_to_others() {
    let room = Room::new();
    let folder = room.sandbox.cache();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let problem = "problem files/directory: cache directory HOME/.cache/nomad-clients: is open to others (mode 0755): chmod 700 it → chown it to this user and chmod 700 it, or remove it: HOME/.cache/nomad-clients";
    let skipped = "skipped files/mode writable space: needs directory";
    let unknown = "skipped cache/state: unknown: nothing is cached yet, or a check above failed";
    // Nobody misses the files while Redis answers.
    let check = |problem: &str| {
        let warning = problem.replacen("problem", "warning", 1);
        room.finds("", 0, &[&warning, skipped, NOBODY]);
        room.finds("--cache local", 1, &[problem, skipped, unknown]);
    };
    check(problem);
    std::fs::remove_dir(&folder).unwrap();
    let problem = "problem files/directory: cache directory HOME/.cache/nomad-clients: is a file or a link, not a directory → remove it, or set XDG_CACHE_HOME to a real directory: HOME/.cache/nomad-clients";
    std::os::unix::fs::symlink(room.sandbox.home(), &folder).unwrap();
    check(problem);
    std::fs::remove_file(&folder).unwrap();
    room.sandbox.write(".cache/nomad-clients", "a file");
    check(problem);
    std::fs::remove_dir_all(room.sandbox.home().join(".cache")).unwrap();
    room.sandbox.write(".cache", "a file");
    let problem = "problem files/directory: cannot create HOME/.cache/nomad-clients: HOME/.cache is not a directory → make it writable for this user, or set XDG_CACHE_HOME";
    check(problem);
    let mute = Room::new().with_url(&crate::support::fake_redis::nobody());
    mute.sandbox.write(".cache", "a file");
    let said = mute.run("doctor --json");
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert!(super::troubles(&said.stdout).contains(&problem.to_owned()), "{}", said.stdout);
}

const NOBODY: &str = "skipped cache/last hour: no requests";

/// A relative one is none: every folder that somebody stands in would get a cache of its own.
#[test]
fn no_home_directory() {
    let room = Room::new();
    let room = Room { sandbox: room.sandbox.with("HOME", "here"), ..room };
    let warning =
        "warning files/directory: this user has no home directory → set HOME or XDG_CACHE_HOME";
    room.finds("", 0, &[warning, "skipped files/mode writable space: needs directory", NOBODY]);
    let file = r#"{"link":"configuration","check":"file","state":"ok","said":"none: this user has no home directory","advice":null}"#;
    assert!(room.run("doctor --json").stdout.contains(file));
}

/// Only root may mount; what is said of a full disk is also tried where it is decided.
#[test]
fn a_disk_that_is_full_or_nearly() {
    let room = Room::new();
    let folder = room.sandbox.cache();
    std::fs::create_dir_all(&folder).unwrap();
    let Some(_mounted) =
        Mounted::tmpfs("a_disk_that_is_full_or_nearly", &folder, "size=64k,mode=700")
    else {
        return;
    };
    let advice = "free some space, or set XDG_CACHE_HOME to another disk";
    room.finds("", 0, &[&format!("warning files/space: SIZE free → {advice}"), NOBODY]);
    std::fs::write(folder.join("ballast"), vec![0; 1 << 20]).unwrap_err();
    room.finds("", 0, &[&format!("warning files/space: the disk is full → {advice}"), NOBODY]);
}

#[test]
fn the_files_have_a_state_too() {
    let room = Room::new();
    let missing = "skipped cache/state: unknown: nothing is cached yet, or a check above failed";
    room.finds("--cache local", 0, &[missing]);
    room.sandbox.stdout("list --cache local");
    let state = line(&cache(&room, "--cache local"), "state");
    assert_eq!(state, "HOT: 5 nodes, TIME old, served for TIME more without asking Nomad");
    let snap = std::fs::read_dir(room.sandbox.cache()).unwrap().map(|entry| entry.unwrap().path());
    let snap = snap.into_iter().find(|path| path.extension().is_some_and(|end| end == "snap"));
    std::fs::write(snap.unwrap(), "junk").unwrap();
    let said = room.run("doctor --cache local --json");
    let found = super::troubles(&said.stdout);
    assert!(found[0].starts_with("warning cache/state: not served: "), "{found:?}");
    assert_eq!((found.len(), said.code), (1, 0));
}

/// Every file below the folder, with its bytes and when it was written.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    let file = |entry: std::fs::DirEntry| {
        let written = entry.metadata().unwrap().modified().unwrap();
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        (entry.file_name().into_string().unwrap(), (bytes, written))
    };
    entries.map(|entry| file(entry.unwrap())).collect()
}

/// How often anything was written since this Redis began.
fn writes(redis: &RedisServer) -> String {
    let info = String::from_utf8(redis.bytes(&["INFO", "persistence"]).unwrap()).unwrap();
    let line = info.lines().find(|line| line.starts_with("rdb_changes_since_last_save:"));
    line.unwrap().to_owned()
}

#[test]
fn nothing_is_changed() {
    let room = Room::new();
    room.sandbox.stdout("doctor");
    assert_eq!(
        (writes(&room.redis), files(room.sandbox.home()).len()),
        ("rdb_changes_since_last_save:0".to_owned(), 0)
    );
    room.sandbox.stdout("list");
    room.sandbox.stdout("list --cache local");
    let count = |redis: &RedisServer| redis.int(&["DBSIZE"]);
    // The statistics of the run before are written when nobody waits for them any more.
    crate::redis_rows::trouble::until("the run is counted", || count(&room.redis) == 6);
    let before = (writes(&room.redis), files(&room.sandbox.cache()));
    assert!(before.1.len() > 2);
    for args in ["doctor", "doctor --cache local", "doctor --cache redis --json", "doctor --ttl 0s"]
    {
        room.sandbox.stdout(args);
    }
    assert_eq!((writes(&room.redis), files(&room.sandbox.cache())), before);
    let asked: Vec<String> =
        room.sim.asked().into_iter().filter(|asked| asked.starts_with("node ")).collect();
    assert_eq!(asked.len(), 10, "no detail was asked for");
}

/// One measure for both.
#[test]
fn each_key_is_as_large_as_the_statistics_say() {
    let room = Room::new();
    room.sandbox.stdout("list");
    let (stats, doctor) = (room.sandbox.stdout("cache stats"), room.sandbox.stdout("doctor"));
    // `Key  nomad:clients:all (string, 3.7 KiB, 59s left)`
    let keys: Vec<_> = stats.lines().filter_map(|line| line.strip_prefix("Key ")).collect();
    assert!(keys.len() >= 4, "{stats}");
    for key in keys {
        let (name, rest) = key.trim().split_once(" (").unwrap();
        let mut parts = rest.split(", ");
        let said = format!("{name}: {}, {}, ", parts.next().unwrap(), parts.next().unwrap());
        assert!(doctor.contains(&said), "{said} is not in {doctor}");
    }
}
