//! The cache directory: every file that is ever there has its row, and a clear does what that says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::files::LocalStore;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{
    self, BootClock, CacheMode, How, Look, Place, Published, Sample, ShownList, Store, Want,
};
use nomad_sim::{Fleet, Sim};
use redis::Value;

use super::document::{only, read, section};
use super::scenes::nodes;
use crate::support::bench::place;
use crate::support::process::{Process, X, records};
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;

/// A host on which everything happens that leaves a file.
struct Room {
    server: RedisServer,
    sandbox: Sandbox,
}

impl Room {
    fn place(&self, user: &str) -> Place {
        let place = place("a0", &format!("{}{user}", self.server.url()));
        Place { choice: CacheMode::Auto, folder: Some(self.sandbox.cache()), ..place }
    }

    fn redis(&self, user: &str) -> Arc<RedisStore> {
        Arc::new(RedisStore::new(&self.place(user), Notifier::nobody()).unwrap())
    }

    fn local(&self) -> Arc<LocalStore> {
        let boot = BootClock::of_this_boot(Some(&self.sandbox.cache()));
        Arc::new(LocalStore::open(&self.place(""), boot, Notifier::nobody()).unwrap())
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.sandbox.cache().join(format!("{}.{ending}", self.place("").scope))
    }

    /// The program asks a Nomad.
    fn new() -> Self {
        let sim = Sim::start(Fleet::recorded());
        let room =
            Self { server: RedisServer::start(), sandbox: Sandbox::local().nomad(&sim.address()) };
        room.sandbox.stdout("list");
        room
    }

    /// A large publication that was printed, its copies, and the lock of who reads it.
    fn copies(&self) {
        publish(self.redis(""), &nodes(1200));
        fs::remove_file(self.file("copy")).unwrap();
        let run = store::open(&self.place(""), &Notifier::nobody()).unwrap();
        let Ok(Look::Hit(hit)) = run.look(Want::Records) else { panic!("a miss") };
        run.printed(&hit);
    }

    /// A Redis that was silent, and one in which nothing can be dropped.
    fn trouble(&self) {
        let boot = BootClock::of_this_boot(Some(&self.sandbox.cache()));
        let redis = self.redis("");
        let note = format!("{} {} ~10000 {}\n", boot.id, (boot.now)() - 1500, redis.place());
        fs::write(self.sandbox.cache().join("redis-skip"), note).unwrap();
        // Notes are private.
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.sandbox.cache().join("redis-skip"), private).unwrap();
        assert!(redis.look(Want::Records).is_ok());
        let viewer = ["on", ">pw", "~nomad:clients*", "-@all", "+mget", "+pttl"];
        let user = [&["ACL", "SETUSER", "viewer"][..], &viewer].concat();
        assert_eq!(self.server.cli(&user), Value::Okay);
        self.redis("?user=viewer&pass=pw").void(None).unwrap();
    }

    /// What the local store leaves; whoever follows holds the lock of that.
    fn files(&self) -> Arc<LocalStore> {
        let local = self.local();
        publish(Arc::<LocalStore>::clone(&local), &records(&[(X, 5)]));
        local.count(&Sample::of(true, Duration::from_millis(1), 0));
        assert!(local.follow("me").unwrap());
        local.forget(Some(ShownList { index: 9, age: Duration::ZERO }));
        local
    }

    /// Names as the table has them, and the files.
    fn found(&self) -> BTreeMap<String, PathBuf> {
        let entries = fs::read_dir(self.sandbox.cache()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.map(|path| (general(path.file_name().unwrap().to_str().unwrap()), path)).collect()
    }
}

fn publish(store: Arc<dyn Store>, records: &crate::support::process::Records) {
    let mut process = Process::new(store, 'N');
    process.own(How::Refresh);
    assert_eq!(process.put(5, records), Published::Done);
}

/// `<scope>.<rev>.full` for a name of that kind.
fn general(name: &str) -> String {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(ending) = [".tmp", ".new"].iter().find(|ending| name.ends_with(*ending)) {
        return format!("*{ending}");
    }
    let Some((scope, rest)) = name.split_at_checked(32).filter(|(scope, _)| is_hex(scope)) else {
        return name.to_owned();
    };
    assert_eq!(scope.len(), 32);
    match rest.split_at_checked(18) {
        Some((rev, ".full")) if rev.starts_with(".N") => "<scope>.<rev>.full".to_owned(),
        _ => match rest.strip_prefix('-').and_then(|rest| rest.split_once('.')) {
            Some((prefix, ending)) if is_hex(prefix) => format!("<scope>-<prefix>.{ending}"),
            _ => format!("<scope>{rest}"),
        },
    }
}

/// What a clear does with each file of the table.
fn rows() -> BTreeMap<String, String> {
    let rows = section("The local files").table("file").into_iter();
    rows.map(|row| (only(&row[0]), row[2].clone())).collect()
}

#[test]
fn every_file_has_its_row_and_a_clear_does_what_that_says() {
    let room = Room::new();
    // To drop what is cached is to drop the copies, too.
    room.trouble();
    room.copies();
    let _follows = room.files();
    for ending in ["tmp", "new"] {
        let unfinished = room.sandbox.cache().join(format!("epoch.0123456789abcdef.{ending}"));
        fs::write(unfinished, "half").unwrap();
    }
    let found = room.found();
    let mut names: BTreeSet<String> = found.keys().cloned().collect();
    // Only where the system has no name for a boot.
    assert!(read("src/host/boot.rs").contains("const NAME: &str = \"boot\";"));
    names.insert("boot".to_owned());
    let rows = rows();
    assert_eq!(names, rows.keys().cloned().collect(), "what is there, what the page names");
    for (name, path) in &found {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert!(mode == expected || name.starts_with('*'), "{name}: {mode:o}");
    }
    let epoch = || fs::read(room.sandbox.cache().join("epoch")).unwrap();
    let before = epoch();
    let cleared = store::open(&room.place(""), &Notifier::nobody()).unwrap().clear();
    assert!(cleared.places.iter().all(|place| place.outcome.is_ok()), "{cleared:?}");
    let left = room.found();
    for (name, clear) in &rows {
        let is_left = left.contains_key(name);
        let as_said = match clear.as_str() {
            "removes it" => !is_left,
            "keeps it" => is_left || name == "boot",
            "replaces it" => is_left && epoch() != before,
            other => panic!("{name}: {other}"),
        };
        assert!(as_said, "a clear {clear}: {name}");
    }
}

/// The first line of a file.
fn first_line(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    String::from_utf8(bytes.split(|byte| *byte == b'\n').next().unwrap().to_vec()).unwrap()
}

#[test]
fn headers_have_the_fields_of_the_page() {
    let room = Room::new();
    room.copies();
    publish(room.local(), &records(&[(X, 5)]));
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&first_line(&room.file("snap"))).unwrap();
    let page = section("The local files");
    let line = first_line(&room.file("snap"));
    let place = |key: &String| line.find(&format!("\"{key}\":")).unwrap();
    let mut keys: Vec<String> = header.keys().cloned().collect();
    keys.sort_by_key(place);
    assert!(page.holds(&format!("**Header** (JSON): {}.", keys.join(", "))), "{keys:?}");
    let copy = first_line(&room.file("copy"));
    let form = "copy1|scope|epoch|rev|len|sum|own len|own sum";
    assert!(section("Copies on the host").holds(&format!("`{form}`")));
    let fields: Vec<&str> = copy.split('|').collect();
    assert_eq!(fields.len(), form.split('|').count());
    let length = fs::metadata(room.file("copy")).unwrap().len() - copy.len() as u64 - 1;
    assert_eq!(
        [fields[0], fields[4], fields[6]],
        ["copy1", &length.to_string(), &length.to_string()]
    );
}
