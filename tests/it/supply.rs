//! What comes into the program from outside: crates.io and nothing else, each package with its checksum.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The packages of this repository: they alone have no source.
const OWN: [&str; 3] = ["nomad-bench", "nomad-clients", "nomad-sim"];

#[test]
fn s21_every_package_comes_from_crates_io_with_a_checksum() {
    assert_eq!(lock_faults(&read("Cargo.lock"), &OWN), [""; 0]);
}

#[test]
fn s21_no_manifest_leads_elsewhere() {
    let manifests = files_named("Cargo.toml");
    for known in ["Cargo.toml", "tests/sim/Cargo.toml", "benches/Cargo.toml"] {
        assert!(manifests.iter().any(|path| path == known), "{known} is found");
    }
    for path in manifests {
        assert_eq!(manifest_faults(&read(&path)), [""; 0], "{path}");
    }
    // Cargo would take packages from where such a file says.
    assert!(!read(".cargo/config.toml").contains("[source"));
}

/// Whoever builds this runs no program of ours before the compiler has seen it.
#[test]
fn s21_nothing_of_ours_runs_while_it_is_built() {
    assert_eq!(files_named("build.rs"), [""; 0]);
}

#[test]
fn s21_cargo_deny_permits_what_this_permits() {
    let deny: Table = read(".cargo/deny.toml").parse().unwrap();
    let sources = deny["sources"].as_table().unwrap();
    let said = |key: &str| sources[key].as_str().unwrap();
    assert_eq!((said("unknown-registry"), said("unknown-git")), ("deny", "deny"));
    let registries = sources["allow-registry"].as_array().unwrap();
    assert_eq!(registries, &[Value::from(CRATES_IO.trim_start_matches("registry+"))]);
    assert_eq!(sources["allow-git"].as_array().unwrap(), &[]);
    assert_eq!(deny["bans"]["multiple-versions"].as_str(), Some("deny"));
    for skip in deny["bans"]["skip"].as_array().unwrap() {
        assert!(skip["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{skip:?}");
    }
}

/// What is wrong with a lockfile whose packages without a source are `own`.
fn lock_faults(lock: &str, own: &[&str]) -> Vec<String> {
    let lock: Table = lock.parse().unwrap();
    let (mut faults, mut found) = (Vec::new(), Vec::new());
    for package in lock["package"].as_array().unwrap() {
        let text = |key: &str| package.get(key).and_then(Value::as_str);
        let name = text("name").unwrap();
        let checksum = text("checksum").unwrap_or_default();
        match text("source") {
            None => found.push(name),
            Some(CRATES_IO) if checksum.len() == 64 => {}
            Some(CRATES_IO) => faults.push(format!("{name} has no checksum")),
            Some(other) => faults.push(format!("{name} comes from {other}")),
        }
    }
    if found != own {
        faults.push(format!("{found:?} have no source, and not {own:?}"));
    }
    faults
}

/// What in a manifest would bring in other code than crates.io or this repository has.
fn manifest_faults(manifest: &str) -> Vec<String> {
    let manifest: Table = manifest.parse().unwrap();
    let mut faults = Vec::new();
    visit(&mut faults, "", &Value::Table(manifest));
    faults
}

fn visit(faults: &mut Vec<String>, at: &str, value: &Value) {
    let Value::Table(table) = value else { return };
    for (key, inner) in table {
        let at = format!("{at}{key}");
        let leaves = |path: &str| path.starts_with('/') || path.matches("..").count() > 2;
        match (key.as_str(), inner) {
            ("patch" | "replace" | "git" | "registry" | "registry-index", _) => faults.push(at),
            ("build", Value::String(_)) => faults.push(at),
            ("path", Value::String(path)) if leaves(path) => faults.push(at),
            (_, inner) => visit(faults, &format!("{at}."), inner),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The files of this name in the repository, not in what was built.
fn files_named(name: &str) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        for path in paths {
            let last = path.file_name().unwrap();
            if path.is_dir() && !["target", ".git", "fixtures"].iter().any(|skip| last == *skip) {
                folders.push(path);
            } else if last == name {
                found.push(shown(&path));
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// A deliberate violation of each kind is noticed.
mod violations {
    use super::{CRATES_IO, lock_faults, manifest_faults};

    #[test]
    fn s21_of_the_lockfile() {
        let package =
            |name: &str, rest: &str| format!("[[package]]\nname = \"{name}\"\n{rest}\n\n");
        let sum = format!("source = \"{CRATES_IO}\"\nchecksum = \"{}\"", "0".repeat(64));
        let good = package("a", "") + &package("b", &sum);
        assert_eq!(lock_faults(&good, &["a"]), [""; 0]);
        assert_eq!(lock_faults(&good, &[]), ["[\"a\"] have no source, and not []"]);
        let bare = package("b", &format!("source = \"{CRATES_IO}\""));
        assert_eq!(lock_faults(&bare, &[]), ["b has no checksum"]);
        let git = package("b", "source = \"git+https://example.com/b#1\"");
        assert_eq!(lock_faults(&git, &[]), ["b comes from git+https://example.com/b#1"]);
    }

    #[test]
    fn s21_of_a_manifest() {
        for (manifest, faults) in [
            ("[dependencies]\na = \"1\"\nb = { path = \"../sim\" }", &[][..]),
            ("[dependencies]\na = { git = \"https://example.com/a\" }", &["dependencies.a.git"]),
            ("[dependencies]\na = { path = \"/tmp/a\" }", &["dependencies.a.path"]),
            ("[dependencies]\na = { path = \"../../../a\" }", &["dependencies.a.path"]),
            (
                "[dev-dependencies]\na = { version = \"1\", registry = \"r\" }",
                &["dev-dependencies.a.registry"],
            ),
            ("[patch.crates-io]\na = { path = \"a\" }", &["patch"]),
            ("[package]\nbuild = \"make.rs\"", &["package.build"]),
            (
                "[target.'cfg(unix)'.dependencies]\na.git = \"x\"",
                &["target.cfg(unix).dependencies.a.git"],
            ),
        ] {
            assert_eq!(manifest_faults(manifest), faults, "{manifest}");
        }
    }
}
