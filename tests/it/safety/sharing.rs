//! S10: who shares the cache with whom, and the rights that docs/cache.md tells to give.

use nomad_sim::Fleet;
use redis::Value;

use super::Room;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Sandbox, failure};

const READER: &str = "6f1c36aa-1111-4000-8000-000000000001";
const OTHER: &str = "6f1c36aa-2222-4000-8000-000000000002";

const DENIED: &str = "error: permission denied: token needs node:read (NOMAD)\nhint: set NOMAD_TOKEN or --token-file to a valid token with node:read; log in again if yours has expired\n";

const NO_TOKEN: &str = "error: permission denied: no token was sent (NOMAD)\nhint: set NOMAD_TOKEN or --token-file to a token with node:read\n";

impl Room {
    /// A cluster in which only this token may read nodes.
    fn guarded() -> Self {
        let room = Self::new();
        room.sim.cluster().tokens = Some([READER.to_owned()].into());
        room
    }

    fn with_token(&self, token: &str) -> Sandbox {
        let sandbox = Sandbox::redis(&self.redis.url()).nomad(&self.sim.address());
        if token.is_empty() { sandbox } else { sandbox.with("NOMAD_TOKEN", token) }
    }

    /// A hit would be a leak.
    #[track_caller]
    fn denies(&self, sandbox: &Sandbox, args: &str) {
        self.says(DENIED, sandbox, args);
    }

    #[track_caller]
    fn says(&self, text: &str, sandbox: &Sandbox, args: &str) {
        let stderr = text.replace("NOMAD)", &format!("{})", self.sim.address()));
        assert_eq!(sandbox.run(args), failure(4, &stderr), "{args}");
    }
}

#[test]
fn s10_the_nodes_of_one_token_are_never_shown_to_another() {
    let room = Room::guarded();
    let reader = room.with_token(READER);
    let all = reader.stdout("list --json");
    for token in [OTHER, ""] {
        let other = room.with_token(token);
        for args in [
            "list --json",
            "list --full --json",
            "show worker-1",
            "refresh",
            "list --stale-if-error 1h",
        ] {
            room.says(if token.is_empty() { NO_TOKEN } else { DENIED }, &other, args);
        }
        let stats = other.stdout("cache stats --json");
        assert!(stats.contains("\"state\":\"cold\""), "{stats}");
    }
    room.sim.asked();
    assert_eq!(reader.stdout("list --json"), all);
    assert_eq!(room.sim.asked(), Vec::<String>::new(), "the others have spoilt nothing");
    // Two tokens that may both read have two caches.
    room.sim.cluster().tokens = Some([READER.to_owned(), OTHER.to_owned()].into());
    let other = room.with_token(OTHER);
    assert_eq!(other.stdout("list --json"), all);
    assert_eq!(room.sim.asked().len(), 6);
    assert_eq!(other.stdout("list --json") + &reader.stdout("list --json"), all.repeat(2));
    assert_eq!(room.sim.asked().len(), 0);
}

/// From the next run on it sees nothing; who still may is served from the cache.
#[test]
fn s10_a_revoked_token_sees_nothing_any_more() {
    let room = Room::guarded();
    room.sim.cluster().tokens = Some([READER.to_owned(), OTHER.to_owned()].into());
    let (reader, other) = (room.with_token(READER), room.with_token(OTHER));
    let all = reader.stdout("list --json");
    assert_eq!(other.stdout("list --json"), all);
    room.sim.cluster().tokens = Some([OTHER.to_owned()].into());
    assert_eq!(reader.stdout("list --json"), all, "Nomad has not been asked");
    room.denies(&reader, "refresh");
    room.sim.asked();
    for args in ["list --json", "show worker-1 --json", "list --json --stale-if-error 1h"] {
        room.denies(&reader, args);
    }
    room.sim.asked();
    assert_eq!(other.stdout("list --json"), all);
    assert_eq!(room.sim.asked(), Vec::<String>::new(), "the other's cache is as it was");
}

/// The page of a node asks Nomad beside a fresh cache.
#[test]
fn s10_a_token_that_is_refused_the_events_of_a_node_sees_nothing_any_more() {
    let room = Room::guarded();
    let reader = room.with_token(READER);
    reader.stdout("list --json");
    room.sim.cluster().tokens = Some([OTHER.to_owned()].into());
    reader.stdout("show worker-1");
    room.denies(&reader, "list --json");
}

/// That is what it is for, so it is opt-in on both sides, and the help says what it means.
#[test]
fn s10_sharing_with_the_whole_cluster_is_opt_in() {
    let room = Room::guarded();
    let reader = room.with_token(READER);
    let all = reader.stdout("list --json --share cluster");
    assert_eq!(room.with_token(OTHER).stdout("list --json --share cluster"), all);
    assert_eq!(
        room.with_token("").with("NOMAD_CLIENTS_SHARE", "cluster").stdout("list --json"),
        all
    );
    assert_eq!(room.sim.asked().len(), 6);
    room.denies(&room.with_token(OTHER), "list --json");
    room.denies(&room.with_token(OTHER), "list --json --share cluster --refresh");
    assert_eq!(reader.stdout("list --json --share cluster"), all, "who was refused spoils nothing");
    let help = reader.stdout("list --help");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("everyone who can read that Redis sees the nodes"), "{help}");
}

/// The line of docs/cache.md that begins so, as somebody would paste them.
fn printed(user: &str) -> Vec<String> {
    let guide = include_str!("../../../docs/cache.md");
    let start = format!("ACL SETUSER {user} ");
    let line = guide.lines().find(|line| line.starts_with(&start)).expect("the guide tells it");
    line.replace("PASSWORD", "pw-canary").split(' ').map(str::to_owned).collect()
}

/// A sandbox of the user that these words make.
fn member(room: &Room, user: &str, words: &[String]) -> Sandbox {
    assert_eq!(room.redis.cli(words), Value::Okay);
    let url = format!("{}?user={user}&pass=pw-canary", room.redis.url());
    Sandbox::redis(&url).nomad(&room.sim.address())
}

/// What Redis has refused, command by command.
fn refused(redis: &RedisServer) -> Vec<Value> {
    let Value::Array(log) = redis.cli(&["ACL", "LOG"]) else { panic!("a list") };
    log
}

/// Every command that works with Redis, also on nodes that change, go, or stay as they are; what they
/// said on stderr.
fn everything(room: &Room, sandbox: &Sandbox) -> String {
    let names: Vec<String> = room.sim.cluster().nodes().map(|node| node.name.to_string()).collect();
    let run = |args: &str| sandbox.run(args).stderr;
    let mut said = run("list --json") + &run("list --full --json");
    room.sim.cluster().set_eligible(&names[1], false);
    said += &(run("refresh") + &run("refresh") + &run("list --force") + &run("cache stats"));
    room.sim.cluster().purge(&names[4]);
    said + &run("list --refresh") + &run("cache clear")
}

/// So many that a copy of the answer is kept beside it.
fn many() -> Fleet {
    Fleet::generated(250)
}

/// With them everything works in silence, and Redis has refused nothing but what is optional.
#[test]
fn s10_the_rights_in_the_readme_are_enough_to_fill() {
    let room = Room::of(many());
    let sandbox = member(&room, "nc", &printed("nc"));
    let more = ["+role", "+wait", "+memory|usage", "+info"];
    assert_eq!(room.redis.cli(&[&["ACL", "SETUSER", "nc"][..], &more].concat()), Value::Okay);
    assert_eq!(everything(&room, &sandbox), "");
    assert_eq!(refused(&room.redis), Vec::new());
    assert_eq!(sandbox.stdout("list --json"), sandbox.stdout("list --json"));
}

/// Without any one of them Redis refuses something.
#[test]
fn s10_the_rights_in_the_readme_are_no_more_than_are_needed() {
    let words = printed("nc");
    let rights: Vec<&String> = words.iter().filter(|word| word.starts_with('+')).collect();
    assert!(rights.len() > 10, "{words:?}");
    for right in rights {
        let room = if right == "+copy" { Room::of(many()) } else { Room::new() };
        let fewer: Vec<String> = words.iter().filter(|word| *word != right).cloned().collect();
        let sandbox = member(&room, "nc", &fewer);
        let more = ["+role", "+wait", "+memory|usage", "+info"];
        room.redis.cli(&[&["ACL", "SETUSER", "nc"][..], &more].concat());
        everything(&room, &sandbox);
        assert_ne!(refused(&room.redis), Vec::new(), "{right}");
    }
}

/// Who may only read is answered from what others have cached, and can change nothing.
#[test]
fn s10_the_rights_in_the_readme_are_enough_to_read() {
    let room = Room::new();
    let all = room.sandbox.stdout("list --json");
    let full = room.sandbox.stdout("list --json --full");
    let viewer = member(&room, "viewer", &printed("viewer"));
    room.sim.asked();
    assert_eq!(viewer.stdout("list --json"), all);
    assert_eq!(viewer.stdout("list --json --full"), full);
    viewer.stdout("show worker-1 --json");
    assert_eq!(room.sim.asked(), Vec::<String>::new());
    let denied = viewer.run("cache clear");
    assert_eq!((denied.code, denied.stdout.as_str()), (4, ""), "{}", denied.stderr);
    assert_eq!(room.sandbox.stdout("list --json"), all, "nothing was cleared");
    // On a miss it asks Nomad for itself, says what is missing, and leaves nothing in Redis.
    room.redis.cli(&["FLUSHALL"]);
    let said = viewer.run("list --json");
    assert_eq!((said.stdout, said.code), (all, 0));
    let warning = "warning: the answer could not be cached: Redis does not permit eval (the user ";
    assert!(said.stderr.starts_with(warning), "{}", said.stderr);
    assert_eq!(room.redis.int(&["DBSIZE"]), 0);
}
