//! A publication that fails in each way: what was printed is kept on this host, and neither forgotten
//! nor fetched again.

use std::time::Duration;

use nomad_sim::{Fault, Fleet, Sim, Times, Where};
use redis::Value;

use crate::redis_rows::trouble::{ACL, until};
use crate::support::redis_server::RedisServer;
use crate::support::relay::{Question, Relay, Treatment};
use crate::support::sandbox::Sandbox;
use crate::support::served::Served;

/// Two hosts of one cluster and one Redis; the other one has filled it.
struct Room {
    sim: Sim,
    redis: RedisServer,
    elsewhere: Sandbox,
}

impl Room {
    fn new() -> Self {
        let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
        let elsewhere = Sandbox::redis(&redis.url()).nomad(&sim.address());
        elsewhere.stdout("list");
        Self { sim, redis, elsewhere }
    }

    fn here(&self, url: &str) -> Sandbox {
        Sandbox::redis(url).nomad(&self.sim.address())
    }

    fn user(&self, rules: &[&str]) -> Sandbox {
        let fixed = ["ACL", "SETUSER", "nc", "on", ">pw", "-@all"];
        assert_eq!(self.redis.cli(&[&fixed[..], rules].concat()), Value::Okay);
        self.here(&format!("{}?user=nc&pass=pw", self.redis.url()))
    }

    /// Something changes in the cluster.
    fn moves(&self, rack: &str) {
        self.sim.cluster().set_meta("worker-3", "rack", Some(rack));
        self.sim.asked();
    }

    /// The list that is printed without any question to Nomad.
    #[track_caller]
    fn cached(&self, here: &Sandbox) -> String {
        let said = here.run("list --json");
        assert_eq!((said.code, self.sim.asked()), (0, Vec::new()), "{}", said.stderr);
        said.stdout
    }

    /// A run prints something new and can't publish it; what it says about that. Those that follow
    /// print the same.
    #[track_caller]
    fn keeps(&self, here: &Sandbox) -> String {
        self.moves("new");
        let new = here.run("list --json --refresh");
        assert!(new.code == 0 && new.stdout.contains(r#""rack":"new""#), "{}", new.stdout);
        self.sim.asked();
        for _ in 0..2 {
            assert!(self.cached(here) == new.stdout, "something else than before");
        }
        new.stderr
    }

    /// The same, and the warning; then another host publishes something newer, which is shown.
    #[track_caller]
    fn keeps_until(&self, here: &Sandbox, why: &str, heal: impl FnOnce(&RedisServer)) {
        assert_eq!(self.keeps(here), format!("warning: the answer could not be cached: {why}\n"));
        heal(&self.redis);
        self.moves("newer");
        let newer = self.elsewhere.stdout("list --json --refresh");
        self.sim.asked();
        assert!(self.cached(here) == newer, "Redis has something newer");
    }
}

/// The text of PUBLISH begins with its name.
fn is_publish(question: &Question) -> bool {
    let words = &question.commands[0];
    words.get(1).is_some_and(|script| script.starts_with(b"-- PUBLISH"))
}

#[test]
fn a_viewer() {
    let room = Room::new();
    let viewer =
        room.user(&["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange", "+hgetall"]);
    let why = format!("Redis does not permit eval (the user needs {ACL})");
    room.keeps_until(&viewer, &why, |_| ());
}

#[test]
fn a_replica() {
    let room = Room::new();
    room.redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    room.keeps_until(&room.here(&room.redis.url()), "Redis is a read-only replica", |redis| {
        redis.cli(&["REPLICAOF", "NO", "ONE"]);
    });
}

#[test]
fn a_full_redis() {
    let room = Room::new();
    room.redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    room.keeps_until(&room.here(&room.redis.url()), "Redis is out of memory", |redis| {
        redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    });
}

#[test]
fn a_redis_that_cannot_save() {
    let room = Room::new();
    let dump = room.redis.folder().join("dump.rdb");
    room.redis.cli(&["CONFIG", "SET", "save", "3600 1"]);
    room.redis.cli(&["SET", "other", "1"]);
    std::fs::create_dir(&dump).unwrap();
    room.redis.cli(&["BGSAVE"]);
    let info = || String::from_utf8(room.redis.bytes(&["INFO", "persistence"]).unwrap()).unwrap();
    until("the save fails", || info().contains("rdb_last_bgsave_status:err"));
    let why = "Redis cannot save and rejects writes (MISCONF)";
    room.keeps_until(&room.here(&room.redis.url()), why, |redis| {
        redis.cli(&["CONFIG", "SET", "save", ""]);
    });
}

#[test]
fn a_user_without_hset() {
    let room = Room::new();
    let rules: Vec<&str> = ACL.split(' ').filter(|rule| *rule != "+hset").collect();
    let why = format!("Redis does not permit a command of the script (the user needs {ACL})");
    room.keeps_until(&room.user(&rules), &why, |_| ());
}

#[test]
fn a_publication_that_takes_too_long() {
    let room = Room::new();
    let late = Duration::from_secs(60);
    let relay = Relay::start(room.redis.socket(), move |question| match is_publish(question) {
        true => Treatment::Late(late),
        false => Treatment::Pass,
    });
    let said = room.keeps(&room.here(&relay.url()));
    assert!(said.starts_with("warning: the answer could not be cached: cannot write to Redis at "));
    assert!(said.contains("(timed out after "), "{said}");
}

/// It may have arrived: then it is the same under the same name.
#[test]
fn a_connection_that_is_lost_before_or_after_the_publication() {
    for arrives in [false, true] {
        let room = Room::new();
        let relay = Relay::start(room.redis.socket(), move |question| match is_publish(question) {
            true if arrives => Treatment::Cut(0),
            true => Treatment::Only(0),
            false => Treatment::Pass,
        });
        let url = relay.url();
        let socket = url.strip_prefix("unix://").unwrap();
        let why = format!("cannot write to Redis at {socket} (connection lost)");
        room.keeps_until(&room.here(&url), &why, |redis| {
            let lease = "nomad:clients:lease:*";
            until("its lease ends", || redis.cli(&["KEYS", lease]) == Value::Array(Vec::new()));
        });
    }
}

/// A refresh that fails takes nothing away.
#[test]
fn a_refresh_that_fails_afterwards() {
    let room = Room::new();
    let relay = Relay::start(room.redis.socket(), |question| match is_publish(question) {
        true => Treatment::Only(0),
        false => Treatment::Pass,
    });
    let here = room.here(&relay.url());
    room.keeps(&here);
    let new = room.cached(&here);
    room.sim.fault(Where::List, Times::ALWAYS, Fault::status(500, ""));
    let lease = || room.redis.cli(&["KEYS", "nomad:clients:lease:*"]);
    until("the lease ends", || lease() == Value::Array(Vec::new()));
    assert_eq!(here.run("list --refresh").code, 5);
    room.sim.asked();
    assert!(room.cached(&here) == new, "something else than before");
}

/// The files are the cache, and Redis is not asked any more for a while.
#[test]
fn a_redis_without_scripts() {
    let mut room = Room::new();
    assert_eq!(room.redis.cli(&["SAVE"]), Value::Okay);
    room.redis.restart(&["--rename-command", "EVAL", "HIDDEN"]);
    let here = room.here(&room.redis.url());
    assert!(
        room.keeps(&here).contains("(EVAL is not supported (a proxy?)); using the local cache")
    );
}

/// Of a refresh that fetched only what had changed, too.
#[test]
fn what_is_kept_is_counted() {
    let room = Room::new();
    let here = room.here(&room.redis.url());
    here.stdout("list");
    room.redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    room.keeps(&here);
    let said = here.run("list -v");
    assert!(said.stderr.contains("\n5 clients · "), "{}", said.stderr);
    let full = here.run("list --json --full");
    assert!(full.code == 0 && full.stdout.contains(r#""rack":"new""#), "{}", full.stdout);
    assert!(room.sim.asked().len() <= 2, "not everything again");
}

/// The whole answer is kept, and a base for the next.
#[test]
fn what_is_kept_has_details_and_is_a_base() {
    let room = Room::new();
    let viewer =
        room.user(&["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange", "+hgetall"]);
    room.keeps(&viewer);
    let full = viewer.stdout("list --json --full");
    assert!(full.contains(r#""attributes":{"#) && full.contains(r#""rack":"new""#), "{full}");
    assert_eq!(room.sim.asked(), [""; 0]);
    room.moves("newer");
    assert_eq!(viewer.run("refresh").stdout, "Updated: 0 new, 1 changed, 4 cached\n");
    assert_eq!(room.sim.asked(), ["list", "node worker-3"]);
}

/// A clear on another host ends what this one has kept.
#[test]
fn a_clear_ends_what_is_kept() {
    let room = Room::new();
    let viewer =
        room.user(&["~nomad:clients*", "+mget", "+pttl", "+strlen", "+getrange", "+hgetall"]);
    room.keeps(&viewer);
    room.elsewhere.stdout("cache clear");
    assert_eq!(viewer.run("list").code, 0);
    assert_eq!(room.sim.asked()[0], "list");
}

#[test]
fn a_clear_does_not_lower_what_was_shown() {
    let room = Room::new();
    let noted = || {
        let files = std::fs::read_dir(room.elsewhere.cache()).unwrap().flatten();
        let mut notes =
            files.filter(|file| file.path().extension().is_some_and(|it| it == "shown"));
        std::fs::read_to_string(notes.next().unwrap().path()).unwrap()
    };
    let before = noted();
    assert!(before.starts_with("v1 ") && !before.starts_with("v1 0 "), "{before}");
    room.elsewhere.stdout("cache clear");
    assert_eq!(noted(), before);
}

/// Redis goes back to what it held before `serve` showed something newer.
#[test]
fn what_serve_has_shown_counts() {
    let mut room = Room::new();
    assert_eq!(room.redis.cli(&["SAVE"]), Value::Okay);
    let here = room.here(&room.redis.url());
    room.moves("new");
    room.elsewhere.stdout("refresh");
    let served = Served::start(&here, "--no-follow");
    let is_new = |text: &str| text.contains(r#""rack":"new""#);
    assert!(is_new(served.get("/api/clients").text()));
    for _ in 0..2 {
        room.redis.restart(&[]);
        assert!(is_new(served.get("/api/clients").text()), "something older");
    }
    room.redis.restart(&[]);
    room.sim.asked();
    assert!(is_new(&here.stdout("list --json")), "something older than serve");
    assert_eq!(room.sim.asked()[0], "list");
}

/// Redis goes back to what it held before a refresh.
#[test]
fn a_restart_from_an_older_dump() {
    let mut room = Room::new();
    assert_eq!(room.redis.cli(&["SAVE"]), Value::Okay);
    let here = room.here(&room.redis.url());
    room.moves("new");
    let new = here.stdout("list --json --refresh");
    room.redis.restart(&[]);
    room.sim.asked();
    assert!(here.stdout("list --json") == new, "something older");
    assert_eq!(room.sim.asked()[0], "list");
    assert!(room.cached(&here) == new && room.cached(&room.elsewhere) == new);
}
