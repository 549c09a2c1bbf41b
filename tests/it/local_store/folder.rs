//! The cache directory is this user's alone, or it is not used.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::files::LocalStore;
use nomad_clients::store::{BootClock, ErrorKind, How, Place};
use tempfile::TempDir;

use crate::support::bench::{Bench as _, place};
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, X, filled, records};

fn open(folder: Option<PathBuf>) -> Result<LocalStore, String> {
    let place = Place { folder, ..place("a0", "") };
    LocalStore::open(&place, BootClock::of_this_boot(None), Notifier::nobody()).map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        error.to_string()
    })
}

#[track_caller]
fn refused(folder: &Path, why: &str) {
    let said = open(Some(folder.to_owned())).unwrap_err();
    assert_eq!(said, format!("cache directory {}: {why}", folder.display()));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_missing_directory_is_made_private_and_so_is_everything_in_it() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("a/b");
    open(Some(folder.clone())).unwrap();
    assert_eq!([mode(&home.path().join("a")), mode(&folder)], [0o700; 2]);
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    own.store.count(&nomad_clients::store::Sample::of(true, std::time::Duration::ZERO, 0));
    let names = bench.names();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names {
        assert_eq!(mode(&bench.folder().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn a_directory_that_others_can_enter_is_refused_and_left_alone() {
    let home = TempDir::new().unwrap();
    for open_to_others in [0o777, 0o750, 0o701, 0o1777] {
        let folder = home.path().join("cache");
        let _ = fs::create_dir(&folder);
        fs::set_permissions(&folder, Permissions::from_mode(open_to_others)).unwrap();
        refused(&folder, &format!("is open to others (mode {open_to_others:04o}): chmod 700 it"));
        assert_eq!((mode(&folder), fs::read_dir(&folder).unwrap().count()), (open_to_others, 0));
    }
}

#[test]
fn links_and_files_are_no_directory() {
    let home = TempDir::new().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::set_permissions(at("real"), Permissions::from_mode(0o700)).unwrap();
    symlink(at("real"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::write(at("file"), "x").unwrap();
    for name in ["link", "dangling", "file"] {
        refused(&at(name), "is a file or a link, not a directory");
    }
    refused(&at("file/cache"), "cannot be created: not a directory");
    assert_eq!(fs::read(at("file")).unwrap(), b"x");
    assert!(!at("nowhere").exists() && fs::read_dir(at("real")).unwrap().next().is_none());
}

#[test]
fn another_users_directory_is_refused() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("cache");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    if fs::metadata(&folder).unwrap().uid() == 0 {
        std::os::unix::fs::chown(&folder, Some(65_534), None).unwrap();
        refused(&folder, "belongs to another user");
    } else {
        // Only root can give a folder away: /root or / are another's for everybody else.
        let said = open(Some(PathBuf::from("/"))).unwrap_err();
        assert_eq!(said, "cache directory /: belongs to another user");
    }
}

#[test]
fn without_a_home_there_is_no_directory() {
    assert_eq!(open(None).unwrap_err(), "no home directory");
}

#[test]
fn the_name_of_a_directory_shows_no_control_characters() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("a\u{1b}[31mb");
    fs::write(&folder, "").unwrap();
    let said = open(Some(folder)).unwrap_err();
    assert!(!said.contains('\u{1b}') && said.contains("[31mb"), "{said:?}");
}

#[test]
fn no_file_is_reached_through_a_link() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    let aside = bench.folder().parent().unwrap().join("aside");
    let snap = bench.path("a0", "snap");
    fs::rename(&snap, &aside).unwrap();
    symlink(&aside, &snap).unwrap();
    let (store, ear) = bench.heard();
    assert_eq!(super::seen(&*store, nomad_clients::store::Want::Records), Err(None));
    let why = format!("Verbose: cache entry ignored: cannot be opened ({})", place_of(&bench));
    assert_eq!(ear.heard(), [why]);
    drop(own);

    let flight = bench.path("a0", "flight");
    fs::remove_file(&flight).unwrap();
    fs::write(&aside, "mine").unwrap();
    symlink(&aside, &flight).unwrap();
    let mut late = Process::on(&bench);
    let enter = nomad_clients::store::Enter {
        token: &late.token,
        how: How::Get,
        refuse: &nomad_clients::store::RefusedRevs::Everything,
        waited: None,
    };
    let error = late.store.enter(&enter).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot lock the cache directory {}: ", place_of(&bench)))
    );
    assert_eq!((error.kind(), fs::read(&aside).unwrap()), (ErrorKind::ReadOnly, b"mine".to_vec()));

    fs::remove_file(&flight).unwrap();
    late.own(How::Get);
    let lock = bench.folder().join("pub.lock");
    fs::remove_file(&lock).unwrap();
    symlink(&aside, &lock).unwrap();
    let cleared = bench.store("a0").clear();
    let error = cleared.places[0].outcome.clone().unwrap_err();
    assert_eq!(error.to_string(), "too many levels of symbolic links");
}

fn place_of(bench: &LocalBench) -> String {
    bench.folder().display().to_string()
}
