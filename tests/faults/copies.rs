//! Copies are what was written, or nothing: spoilt, cut off, foreign, linked, or on a full disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use super::{CopiedBytes, CopiedRev, Copies, CopyKind, KEEP, UNFINISHED};
use crate::host::fault::{Fault, plan};
use crate::host::folder::Folder;

const ALL: &[u8] = br#"[{"id":"a"},{"id":"b"}]"#;
const SCOPE: &str = "5c09e";

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        Folder::open(&home.folder()).unwrap();
        home
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn copies(&self) -> Copies {
        Copies::new(&self.folder(), SCOPE)
    }

    fn file(&self, kind: CopyKind) -> PathBuf {
        self.folder().join(self.copies().files.name(kind))
    }

    /// With both copies.
    fn filled() -> Self {
        let home = Self::new();
        home.copies().write(rev(ALL), bytes(ALL), None);
        assert_eq!(home.read(CopyKind::All), Some(ALL.to_vec()));
        assert_eq!(home.read(CopyKind::Full), Some(b"{}\n{\"x\":1}\n".to_vec()));
        home
    }

    fn read(&self, kind: CopyKind) -> Option<Vec<u8>> {
        let open = || self.copies().open(kind, &rev(ALL));
        let read = open().and_then(super::OpenCopy::read);
        let streamed = open().and_then(super::OpenCopy::checked).map(|file| {
            let mut out = Vec::new();
            file.write_to(&mut out).unwrap();
            out
        });
        assert_eq!(read, streamed, "all ways to read agree");
        let lines = open().and_then(super::OpenCopy::lines);
        let same = lines.map(|lines| [lines.join(&b'\n'), b"\n".to_vec()].concat());
        assert!(kind == CopyKind::All || read == same, "all ways to read agree");
        read
    }

    fn names(&self) -> Vec<String> {
        let mut names = Folder::existing(&self.folder()).unwrap().names();
        names.retain(|name| !name.starts_with('.') && name != "pub.lock");
        names.sort();
        names
    }
}

fn rev(all: &[u8]) -> CopiedRev {
    let (epoch, rev) = ("ab".to_owned(), "N1".to_owned());
    CopiedRev { epoch, rev, len: all.len() as u64, sum: format!("{:016x}", xxh3_64(all)) }
}

fn bytes(all: &[u8]) -> CopiedBytes {
    let fulls = vec![Arc::new(b"{}".to_vec()), Arc::new(br#"{"x":1}"#.to_vec())];
    CopiedBytes { all: Some(all.to_vec().into()), fulls: Some(fulls) }
}

#[test]
fn a_copy_says_where_it_is_from_and_is_private() {
    let home = Home::filled();
    let text = fs::read_to_string(home.file(CopyKind::All)).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    let sum = rev(ALL).sum;
    assert_eq!(head, format!("copy1|{SCOPE}|ab|N1|23|{sum}|23|{sum}"));
    assert_eq!(rest.as_bytes(), ALL);
    assert_eq!(
        fs::metadata(home.file(CopyKind::Full)).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(home.names(), ["5c09e.copy", "5c09e.copy-full"]);
    home.copies().remove();
    assert_eq!(home.names(), [""; 0]);
    assert!(!home.copies().exist());
}

/// What is not exactly what was written is no copy, whichever byte it is.
#[test]
fn a_spoilt_copy_is_none() {
    let home = Home::filled();
    for kind in [CopyKind::All, CopyKind::Full] {
        let whole = fs::read(home.file(kind)).unwrap();
        // Where the copy came from decides nothing.
        let names = whole.iter().enumerate().filter(|(_, byte)| **byte == b'|').map(|(at, _)| at);
        let names: Vec<_> = names.collect();
        for at in (0..whole.len()).filter(|at| !(names[1] + 1..names[3]).contains(at)) {
            let mut spoilt = whole.clone();
            spoilt[at] ^= 1;
            fs::write(home.file(kind), spoilt).unwrap();
            assert_eq!(home.read(kind), None, "{kind:?} byte {at}");
            fs::write(home.file(kind), &whole[..at]).unwrap();
            assert_eq!(home.read(kind), None, "{kind:?} cut at {at}");
        }
        fs::write(home.file(kind), [&whole[..], b"x"].concat()).unwrap();
        assert_eq!(home.read(kind), None, "{kind:?} and more");
        fs::write(home.file(kind), &whole).unwrap();
        assert!(home.read(kind).is_some());
    }
}

#[test]
fn a_copy_of_other_bytes_is_none() {
    let home = Home::filled();
    let sum = rev(b"[]").sum;
    for kind in [CopyKind::All, CopyKind::Full] {
        let open = |of| home.copies().open(kind, &of).is_some();
        assert!(open(rev(ALL)));
        let len = rev(ALL).len + 1;
        assert!(!open(CopiedRev { len, ..rev(ALL) }));
        assert!(!open(CopiedRev { sum: sum.clone(), ..rev(ALL) }));
    }
    let foreign = Copies::new(&home.folder(), "0the2");
    fs::copy(home.file(CopyKind::All), home.folder().join("0the2.copy")).unwrap();
    assert!(foreign.exist());
    assert!(foreign.open(CopyKind::All, &rev(ALL)).is_none(), "of another cluster");
}

/// The records are the same bytes, so they are right in any case.
#[test]
fn full_records_are_not_those_of_before_a_clear_or_a_force() {
    let home = Home::filled();
    let of = |epoch: &str, rev_name: &str| {
        let of = CopiedRev { epoch: epoch.to_owned(), rev: rev_name.to_owned(), ..rev(ALL) };
        let open = |kind| home.copies().open(kind, &of).is_some();
        (open(CopyKind::All), open(CopyKind::Full))
    };
    assert_eq!([of("ab", "N1"), of("ab", "N2")], [(true, true); 2], "nothing has changed since");
    assert_eq!([of("cd", "N2"), of("ab", "F2")], [(true, false); 2]);
    let forced = CopiedRev { rev: "F2".to_owned(), ..rev(ALL) };
    let fulls = Some(vec![Arc::new(br#"{"y":2}"#.to_vec())]);
    home.copies().write(forced, CopiedBytes { all: None, fulls }, None);
    assert_eq!([of("ab", "F2"), of("ab", "N3")], [(true, true); 2]);
    assert_eq!(home.read(CopyKind::Full).unwrap(), b"{\"y\":2}\n");
}

/// It takes long on a slow disk: others need the lock for their notes.
#[test]
fn a_copy_is_written_without_the_lock_of_the_notes() {
    let home = Home::new();
    let folder = Folder::existing(&home.folder()).unwrap();
    let held = folder.writing(Duration::ZERO).unwrap();
    home.copies().write(rev(ALL), bytes(ALL), None);
    assert!(home.read(CopyKind::All).is_some() && home.read(CopyKind::Full).is_some());
    drop(held);
}

/// Tokens come and go, and each has its own scope.
#[test]
fn old_copies_of_other_scopes_and_unfinished_ones_go() {
    let home = Home::filled();
    let at = |name: &str| home.folder().join(name);
    let age = |name: &str, age: Duration| {
        fs::write(at(name), b"x").unwrap();
        let file = fs::File::options().write(true).open(at(name)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    };
    let [young, old] = [KEEP / 2, KEEP * 2];
    age("0the2.copy", old);
    age("0the2.copy-full", young);
    age("0the2.snap", old);
    age("5c09e.copy-full", old);
    age("5c09e.copy.00.new", old);
    age("0the2.copy.00.new", young);
    home.copies().write(rev(b"[]"), CopiedBytes { all: bytes(b"[]").all, fulls: None }, None);
    let left =
        ["0the2.copy-full", "0the2.copy.00.new", "0the2.snap", "5c09e.copy", "5c09e.copy-full"];
    assert_eq!(home.names(), left);
}

/// Links, files that others can write, and directories.
#[test]
fn what_others_could_have_put_there_is_none() {
    let home = Home::filled();
    let file = home.file(CopyKind::All);
    let elsewhere = home.0.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_eq!(home.read(CopyKind::All), None);
    fs::remove_file(&file).unwrap();
    fs::hard_link(&elsewhere, &file).unwrap();
    assert_eq!(home.read(CopyKind::All), None);
    fs::remove_file(&elsewhere).unwrap();
    assert!(home.read(CopyKind::All).is_some());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o622)).unwrap();
    assert_eq!(home.read(CopyKind::All), None);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(home.read(CopyKind::All), None);
    fs::set_permissions(home.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(home.read(CopyKind::Full), None);
}

/// Whoever is killed, or has no space, leaves the old copy or none, and nothing else.
#[test]
fn a_full_disk_is_no_error() {
    for fault in [Fault::Full, Fault::Killed] {
        let home = Home::filled();
        let newer = b"[]".as_slice();
        for steps in 0..20 {
            plan(Some((fault, steps)));
            home.copies().files.write(&rev(newer), &bytes(newer));
            let is_done = plan(None).is_some();
            let copies = home.copies();
            let new = copies.open(CopyKind::All, &rev(newer)).map(|copy| copy.read().unwrap());
            assert!(new.is_none_or(|new| new == newer), "{fault:?} {steps}");
            assert!(!is_done || copies.open(CopyKind::Full, &rev(newer)).is_some());
            copies.files.write(&rev(ALL), &bytes(ALL));
            assert!(home.read(CopyKind::All).is_some() && home.read(CopyKind::Full).is_some());
            let mut names = home.names();
            // Whoever is killed removes nothing.
            names.retain(|name| fault == Fault::Full || !name.ends_with(UNFINISHED));
            assert_eq!(names, ["5c09e.copy", "5c09e.copy-full"], "{fault:?} {steps}");
        }
    }
    let nowhere = Copies::new(&PathBuf::from("/nowhere/at/all"), SCOPE);
    nowhere.write(rev(ALL), bytes(ALL), None);
}

#[test]
fn one_reads_and_the_others_wait_for_its_copy() {
    let home = Home::new();
    let find = |copies: &Copies| copies.open(CopyKind::All, &rev(ALL))?.read();
    let long = Duration::from_secs(60);
    let first = home.copies();
    let turn = first.turn(long, || find(&first)).unwrap_err();
    assert!(turn.is_some(), "the first one reads");
    let second = home.copies();
    let late = second.turn(Duration::ZERO, || find(&second)).unwrap_err();
    assert!(late.is_none(), "whoever has no time left reads without the lock");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.turn(long, || find(&second)));
        first.write(rev(ALL), bytes(ALL), turn);
        assert_eq!(waiting.join().unwrap().unwrap(), ALL);
    });
    home.copies().remove();
    let third = home.copies();
    assert!(third.turn(long, || find(&third)).unwrap_err().is_some(), "the lock is free again");
}
