//! Every step of the protocol at a real Redis, against the table of steps, and all that follows from
//! what Redis is asked: keys, scripts, rights.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nomad_clients::clock;
use nomad_clients::model::node::NodeId;
use nomad_clients::model::notice::Notifier;
use nomad_clients::model::rows;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{
    BootClock, CacheMode, FailureClass, How, Lease, Look, Place, Published, Sample, Store as _,
    Want,
};
use redis::Value;
use tempfile::TempDir;

use super::document::{only, quoted, section, times};
use super::watched::{Command, SCOPES, short, watched};
use crate::redis_rows::trouble::mute_replica;
use crate::support::bench::place;
use crate::support::process::{Process, Records, With, X, Y, records};
use crate::support::redis_server::RedisServer;

/// A Redis, the rows of the table that were seen at it, and everything it was asked.
struct Stage {
    server: RedisServer,
    rows: BTreeMap<String, Vec<String>>,
    seen: BTreeSet<String>,
    commands: Vec<Command>,
}

/// The cache directory of a host.
struct Host(TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(TempDir::new().unwrap());
        std::fs::DirBuilder::new().mode(0o700).create(host.folder()).unwrap();
        host
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("cache")
    }
}

impl Stage {
    fn new() -> Self {
        let rows = section("Steps").table("step").into_iter();
        let rows = rows.map(|row| (row[0].clone(), quoted(&row[2]))).collect();
        let (seen, commands) = (BTreeSet::new(), Vec::new());
        Self { server: RedisServer::start(), rows, seen, commands }
    }

    /// A run of a host without a cache directory.
    fn bare(&self, scope: &str) -> Process {
        Process::new(Arc::new(open(&place(scope, &self.server.url()))), 'N')
    }

    fn place(&self, host: &Host) -> Place {
        let place = place("a0", &self.server.url());
        Place { choice: CacheMode::Auto, folder: Some(host.folder()), ..place }
    }

    fn look(&self, host: &Host, want: Want) -> Look {
        open(&self.place(host)).look(want).unwrap()
    }

    /// What `act` sends is these rows of the table, in this order.
    #[track_caller]
    fn sends(&mut self, steps: &[&str], act: impl FnOnce(&Self)) {
        let commands = watched(&self.server, || act(self));
        let mut texts: Vec<String> =
            commands.iter().filter(|command| !command.in_script).map(Command::text).collect();
        // One for each minute.
        texts.dedup_by(|next, text| next == text && text.starts_with("HMGET stats"));
        let row = |step: &&str| self.rows.get(*step).unwrap_or_else(|| panic!("no row {step}"));
        let expected: Vec<String> = steps.iter().flat_map(row).cloned().collect();
        assert_eq!(texts, expected, "{steps:?}");
        self.seen.extend(steps.iter().map(ToString::to_string));
        self.commands.extend(commands);
    }

    /// Publishes as a run of `scope`.
    #[track_caller]
    fn publishes(&mut self, scope: &str, index: u64, records: &Records) {
        let mut process = self.bare(scope);
        process.own(How::Refresh);
        self.sends(&["PUBLISH"], |_| {
            assert_eq!(process.put(index, records), Published::Done);
        });
    }
}

fn open(place: &Place) -> RedisStore {
    RedisStore::new(place, Notifier::nobody()).unwrap()
}

/// So many nodes, each of about 1 KB.
pub(super) fn nodes(count: u64) -> Records {
    let node = |at: u64| {
        let id = format!("6f1c36aa-0000-4000-8000-{at:012x}");
        let full = format!(r#"{{"id":"{id}","version":1,"pad":"{}"}}"#, "x".repeat(1000));
        (NodeId::parse(&id).unwrap(), full.into_bytes().into())
    };
    (0..count).map(node).collect()
}

const LOOK: &str = "LOOK";
const NO_COPY: &str = "LOOK, besides, without a copy on this host";
const FULL: &str = "LOOK, besides, for full records";

fn looking(stage: &mut Stage) {
    stage.publishes("a0", 5, &records(&[(X, 3), (Y, 5)]));
    stage.sends(&[LOOK, NO_COPY], |stage| assert!(stage.bare("a0").hit().is_some()));
    stage.sends(&[LOOK, NO_COPY, FULL, "read the full records"], |stage| {
        assert!(stage.bare("a0").whole().is_some());
    });
    let all = stage.bare("a0").hit().unwrap().all;
    let (_, record) = rows::split(&all).unwrap()[0];
    stage.sends(&["read one full record"], |stage| {
        assert!(stage.bare("a0").store.full(record).is_some());
    });
    stage.publishes("a0", 6, &nodes(100));
    let (host, other) = (Host::new(), Host::new());
    let is_hit = |look: Look| assert!(matches!(look, Look::Hit(_) | Look::File(..)), "{look:?}");
    stage.sends(&[LOOK, NO_COPY, "read `all`"], |stage| is_hit(stage.look(&host, Want::Stream)));
    stage.sends(&[LOOK], |stage| is_hit(stage.look(&host, Want::Stream)));
    stage.sends(&[LOOK, FULL, "read the full records"], |stage| {
        is_hit(stage.look(&host, Want::Full));
    });
    stage.sends(&[LOOK, FULL], |stage| is_hit(stage.look(&host, Want::Full)));
    stage.sends(&[LOOK, NO_COPY, FULL, "read everything"], |stage| {
        is_hit(stage.look(&other, Want::Full));
    });
    stage.sends(&["read the last publication", "BASE"], |stage| {
        assert!(stage.bare("a0").store.last(Want::Records).is_some());
    });
}

fn flying(stage: &mut Stage) {
    stage.publishes("a0", 7, &records(&[(X, 3), (Y, 5)]));
    let mut own = stage.bare("a0");
    stage.sends(&["ENTER"], |_| own.own(How::Refresh));
    stage.sends(&["BASE"], |_| {
        assert!(own.store.base(own.flight(), Want::Records).is_some());
    });
    let mut base = None;
    stage.sends(&["BASE with full records"], |_| base = own.base());
    let base = base.unwrap();
    stage.sends(&["RENEW"], |_| assert!(own.store.renew(own.flight().lease()).unwrap()));
    stage.sends(&["PUBLISH"], |_| {
        let same = own.put_delta(7, &records(&[(X, 3), (Y, 5)]), &base);
        assert_eq!(same, Published::Done);
    });
    let mut own = stage.bare("a0");
    own.own(How::Refresh);
    let base = own.base().unwrap();
    stage.sends(&["PUBLISH"], |_| {
        assert_eq!(own.put_delta(8, &records(&[(X, 8)]), &base), Published::Done);
    });
    let mut lost = stage.bare("a0");
    lost.own(How::Refresh);
    stage.sends(&["RELEASE"], |_| lost.store.release(lost.flight().lease()));
    stage.sends(&["PUBLISH"], |_| {
        assert_eq!(lost.put(9, &records(&[(X, 9)])), Published::Fenced);
    });
    let mut part = stage.bare("a0");
    part.own(How::Refresh);
    let from = "BASE of a partial publication or a floor";
    stage.sends(&[from], |_| assert!(part.base().is_some()));
    stage.sends(&["PUBLISH"], |_| {
        let with = With { partial: true, ..With::default() };
        assert_eq!(part.put_with(10, &records(&[(X, 10)]), with), Published::Done);
    });
    stage.sends(&["read a partial publication", from], |stage| {
        let partial = stage.bare("a0").store.partial(&part.token);
        assert!(partial.unwrap().is_some());
    });
    let mut failed = stage.bare("a0");
    failed.own(How::Refresh);
    let lease = Lease::new(failed.token.clone());
    stage.sends(&["FAIL"], |_| failed.store.fail(&lease, FailureClass::Outage));
    stage.publishes("a0", 11, &records(&[(X, 11)]));
    // The literal names are another's.
    stage.publishes("b0", 5, &records(&[(X, 5)]));
    stage.sends(&["VOID"], |stage| stage.bare("b0").store.void(None).unwrap());
    stage.publishes("b0", 5, &records(&[(X, 5)]));
}

fn clearing(stage: &mut Stage) {
    let epoch = stage.server.bytes(&["GET", "nomad:clients:epoch"]).unwrap();
    let host = Host::new();
    let run = |stage: &Stage| open(&stage.place(&host));
    stage.sends(&["CLEAR"], |stage| {
        assert!(run(stage).clear().places.iter().all(|place| place.outcome.is_ok()));
    });
    stage.server.cli(&[b"SET".as_slice(), b"nomad:clients:epoch", &epoch]);
    let again = ["CLEAR again, is it needed", "CLEAR again"];
    stage.sends(&[LOOK, NO_COPY, again[0], again[1]], |stage| {
        assert_eq!(run(stage).look(Want::Records).unwrap(), Look::Miss { refuse: None });
    });
    let _replica = mute_replica(&stage.server);
    let clear = ["CLEAR", "CLEAR, replicas"];
    stage.sends(&clear, |stage| {
        // The replica may have acknowledged something.
        run(stage).clear();
    });
}

fn serving(stage: &mut Stage) {
    stage.publishes("a0", 5, &records(&[(X, 3)]));
    stage.sends(&["follow Nomad"], |stage| {
        assert!(stage.bare("a0").store.follow("me").unwrap());
    });
    stage.sends(&["follow no more"], |stage| stage.bare("a0").store.unfollow("me"));
    let counts = |stage: &Stage, sample: &Sample, field: &str| {
        let run = stage.bare("a0");
        run.store.present().unwrap();
        run.store.count(sample);
        let minute = clock::unix_seconds() / 60;
        let keys = [minute - 1, minute, minute + 1].map(|minute| {
            format!("nomad:clients:stats:{}:{minute}", crate::support::bench::scope("a0"))
        });
        let until = Instant::now() + Duration::from_secs(20);
        let is_there = |key: &String| {
            stage.server.int(&["HEXISTS", key, field]) == 1 && stage.server.int(&["TTL", key]) > 0
        };
        while !keys.iter().any(is_there) {
            assert!(Instant::now() < until, "the counters never came");
        }
    };
    for (step, sample, field) in [
        ("count a hit", Sample::of(true, Duration::from_millis(1), 0), "hits"),
        ("count a miss", Sample::of(false, Duration::from_millis(1), 3), "misses"),
    ] {
        let before = stage.commands.len();
        let commands = watched(&stage.server, || counts(stage, &sample, field));
        // What the test itself asks is not counted.
        let own = ["HEXISTS", "TTL"];
        stage.commands.extend(commands.into_iter().filter(|it| !own.contains(&it.name())));
        let texts: Vec<String> = stage.commands[before..].iter().map(Command::text).collect();
        assert_eq!(texts, [&stage.rows[LOOK][..], &stage.rows[step]].concat(), "{step}");
        stage.seen.insert(step.to_owned());
    }
    let asked =
        ["statistics", "statistics, the keys", "statistics, the age", "statistics, the memory"];
    stage.sends(&asked, |stage| drop(stage.bare("a0").store.stats().unwrap()));
}

/// Another run has found it silent.
fn probing(stage: &mut Stage) {
    let (host, probe) = (Host::new(), "probe of a Redis that is avoided");
    let store = open(&stage.place(&host));
    let boot = BootClock::of_this_boot(Some(&host.folder()));
    let note = format!("{} {} ~10000 {}\n", boot.id, (boot.now)() - 1500, store.place());
    std::fs::write(host.folder().join("redis-skip"), note).unwrap();
    stage.sends(&[probe, LOOK, NO_COPY], |_| drop(store.look(Want::Records).unwrap()));
}

fn played() -> Stage {
    let mut stage = Stage::new();
    for act in [looking, flying, clearing, serving, probing] {
        act(&mut stage);
    }
    stage
}

#[test]
fn every_step_sends_what_its_row_says() {
    let stage = played();
    let rows: BTreeSet<String> = stage.rows.keys().cloned().collect();
    assert_eq!(stage.seen, rows, "rows that were played, rows of the table");
    check_expiries(&stage);
    check_rights(&stage);
    super::scripts::check(&stage.commands);
}

/// `P:<scope>:meta` is `own:meta`.
fn keys_of_the_page() -> BTreeMap<String, (String, BTreeSet<u64>)> {
    let row = |row: Vec<String>| {
        let key = only(&row[0]).replace("P:<scope>:", "own:");
        let name = key.replace("P:", "").replace(":<scope>", "").replace(":<minute>", "");
        (name, (row[1].clone(), times(&row[2]).into_iter().collect()))
    };
    section("Keys").table("key").into_iter().map(row).collect()
}

fn check_expiries(stage: &Stage) {
    let mut seen: BTreeMap<String, (String, BTreeSet<u64>)> = BTreeMap::new();
    let hashes: BTreeSet<String> = stage
        .commands
        .iter()
        .filter(|it| it.name().starts_with('H'))
        .map(|it| short(&it.words[1]).unwrap())
        .collect();
    for (key, kind, ms) in stage.commands.iter().filter_map(Command::expiry) {
        let is_hash = hashes.contains(&key);
        assert!(kind != Some("string") || !is_hash, "{key} is of two types");
        let kind = if is_hash { "hash" } else { "string" };
        seen.entry(key).or_insert_with(|| (kind.to_owned(), BTreeSet::new())).1.insert(ms);
    }
    assert_eq!(seen, keys_of_the_page(), "what was set, what the page says");
}

/// Everything that is there after publications has a row, its type, and an expiry no longer than that.
#[test]
fn every_key_has_its_type_and_expiry() {
    let stage = Stage::new();
    for scope in SCOPES {
        let mut process = stage.bare(scope);
        process.own(How::Refresh);
        assert_eq!(process.put(5, &records(&[(X, 3)])), Published::Done);
        process.own(How::Refresh);
        assert!(process.store.follow("me").unwrap());
    }
    let Value::Array(keys) = stage.server.cli(&["KEYS", "*"]) else { panic!("no keys") };
    let page = keys_of_the_page();
    let mut found = BTreeSet::new();
    for key in keys {
        let Value::BulkString(key) = key else { panic!("{key:?}") };
        let key = String::from_utf8(key).unwrap();
        let (kind, left) = (stage.server.cli(&["TYPE", &key]), stage.server.int(&["PTTL", &key]));
        let name = short(&key).unwrap_or_else(|| panic!("{key} is no key of the page"));
        let (expected, times) = &page[&name];
        assert_eq!(kind, Value::SimpleString(expected.clone()), "{key}");
        let most = i64::try_from(*times.iter().max().unwrap()).unwrap();
        // It may have expired since.
        assert!((1..=most).contains(&left) || left == -2, "{key}: {left}");
        found.insert(name);
    }
    let lasting =
        |(_, (_, times)): &(&String, &(String, BTreeSet<u64>))| *times.first().unwrap() >= 60_000;
    let lasting = page.iter().filter(lasting).map(|(name, _)| name.clone());
    let missing: Vec<_> = lasting.filter(|name| !found.contains(name) && name != "stats").collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// The rights of a block of the page: `ACL SETUSER … +a +b`.
fn rights(block: &str) -> BTreeSet<String> {
    block.split(' ').filter_map(|word| word.strip_prefix('+')).map(str::to_owned).collect()
}

fn check_rights(stage: &Stage) {
    let page = section("Rights");
    let [member, viewer] = page.blocks("text").try_into().unwrap();
    let acl = member.split_once(">PASSWORD ").unwrap().1;
    assert_eq!(acl, nomad_clients::store::error::ACL);
    let used: BTreeSet<String> = stage.commands.iter().map(|it| it.name().to_lowercase()).collect();
    let optional: BTreeSet<String> = ["role", "wait", "memory", "info"].map(str::to_owned).into();
    let needed: BTreeSet<String> = used.difference(&optional).cloned().collect();
    assert_eq!(needed, rights(&member), "what was sent, what the page grants");
    assert!(optional.is_subset(&used) && page.holds("`+role +wait`"), "{used:?}");
    assert!(page.holds("`+memory|usage +info`"));
    check_viewer(stage, &viewer);
}

/// A viewer reads everything, and nothing of what it is granted is granted in vain.
fn check_viewer(stage: &Stage, block: &str) {
    let mut owner = stage.bare("a0");
    owner.own(How::Force);
    assert_eq!(owner.put(20, &nodes(100)), Published::Done);
    let granted = rights(block);
    let reads = |without: Option<&str>| {
        let allowed = granted.iter().filter(|right| Some(right.as_str()) != without);
        let allowed = allowed.map(|right| format!("+{right}"));
        let user = ["ACL", "SETUSER", "viewer", "reset", "on", ">pw", "%R~nomad:clients*", "-@all"];
        let user = user.map(str::to_owned).into_iter().chain(allowed);
        assert_eq!(stage.server.cli(&user.collect::<Vec<_>>()), Value::Okay);
        let url = format!("{}?user=viewer&pass=pw", stage.server.url());
        let store = open(&place("a0", &url));
        let is_hit = |want| matches!(store.look(want), Ok(Look::Hit(_)));
        is_hit(Want::Records) && is_hit(Want::Full) && store.last(Want::Full).is_some()
    };
    assert!(reads(None), "{block}");
    for right in &granted {
        assert!(!reads(Some(right)), "a viewer needs no {right}");
    }
}
