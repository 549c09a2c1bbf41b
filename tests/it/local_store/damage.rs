//! Whatever happened to a file: the very bytes that were published, or a miss.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use nomad_clients::store::{How, Published, Want};

use crate::support::bench::Bench as _;
use crate::support::local_bench::{LocalBench, forge};
use crate::support::process::{Process, Records, With, X, Y, filled, records, records_of};

use super::seen;

/// A cache whose age is known to the millisecond as far as the clock of the test stands still.
fn bench() -> (LocalBench, Process) {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3), (Y, 5)]));
    bench.pass(Duration::from_secs(30));
    (bench, own)
}

/// Ages may grow while a test runs, they must not shrink.
#[track_caller]
fn equal_or_miss(own: &Process, want: Want, whole: &(Vec<u8>, u128), what: &str) -> bool {
    match seen(&*own.store, want) {
        Ok((all, age)) => {
            assert_eq!(all, whole.0, "{what}");
            assert!(age >= whole.1 && age < whole.1 + 20_000, "{what}: {age} ms old");
            true
        }
        Err(_) => false,
    }
}

#[test]
fn a_snapshot_cut_off_anywhere_is_a_miss() {
    let (bench, own) = bench();
    let whole = seen(&*own.store, Want::Records).unwrap();
    let path = bench.path("a0", "snap");
    let bytes = fs::read(&path).unwrap();
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(!equal_or_miss(&own, Want::Records, &whole, &format!("{len} bytes")));
    }
    fs::write(&path, [&bytes[..], b"]"].concat()).unwrap();
    assert_eq!(seen(&*own.store, Want::Records), Err(Some(own.token.clone())));
    fs::write(&path, &bytes).unwrap();
    assert!(equal_or_miss(&own, Want::Full, &whole, "restored"));
}

#[test]
fn a_flipped_bit_of_a_snapshot_is_a_miss() {
    let (bench, own) = bench();
    let whole = seen(&*own.store, Want::Records).unwrap();
    let path = bench.path("a0", "snap");
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            fs::write(&path, &flipped).unwrap();
            let what = format!("byte {at} of {}", String::from_utf8_lossy(&bytes));
            assert!(!equal_or_miss(&own, Want::Records, &whole, &what), "{what}");
        }
    }
}

#[test]
fn damaged_full_records_are_a_miss_for_those_who_want_them() {
    let (bench, own) = bench();
    let [path] = &bench.fulls()[..] else { panic!("{:?}", bench.names()) };
    let bytes = fs::read(path).unwrap();
    let mut next = Process::on(&bench);
    next.own(How::Refresh);
    let refused = Err(Some(own.token.clone()));
    let damaged = |bytes: Option<&[u8]>, what: &str| {
        match bytes {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        assert_eq!(seen(&*own.store, Want::Full), refused, "{what}");
        assert!(seen(&*own.store, Want::Records).is_ok(), "{what}");
        assert!(next.base().is_none(), "{what}");
    };
    for len in 0..bytes.len() - 1 {
        damaged(Some(&bytes[..len]), &format!("{len} bytes"));
    }
    for at in 0..bytes.len() - 1 {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        damaged(Some(&flipped), &format!("byte {at}"));
    }
    damaged(None, "missing");
    fs::write(path, &bytes).unwrap();
    assert!(own.whole().is_some() && next.base().is_some());
}

/// What is said of a file that is ignored, and that the next publication heals it.
#[track_caller]
fn ignored(spoil: impl FnOnce(&LocalBench, &Path), why: &str) {
    let (bench, _own) = bench();
    spoil(&bench, &bench.path("a0", "snap"));
    let (store, ear) = bench.heard();
    assert_eq!(seen(&*store, Want::Records), Err(None));
    let place = bench.folder();
    let said = format!("Verbose: cache entry ignored: {why} ({})", place.display());
    assert_eq!(ear.heard(), [said]);
    let mut next = Process::on(&bench);
    next.own(How::Get);
    assert_eq!(next.flight().meta(), None);
    assert_eq!(next.put(4, &records(&[(X, 9)])), Published::Done);
    assert_eq!(next.whole(), Some(records(&[(X, 9)])));
    assert_eq!(bench.fulls().len(), 1, "nothing of the old one is left: {:?}", bench.names());
}

fn written(bytes: &'static [u8]) -> impl FnOnce(&LocalBench, &Path) {
    move |_, path| fs::write(path, bytes).unwrap()
}

#[test]
fn what_is_no_snapshot_is_ignored_and_rewritten() {
    ignored(written(b""), "no header line");
    ignored(written(&[0; 5000]), "no header line");
    ignored(written(b"null\n[]"), "unreadable header");
    ignored(written(b"\n[]"), "unreadable header");
    ignored(written(&[b'\n'; 100]), "unreadable header");
    let deep = |_: &LocalBench, path: &Path| {
        fs::write(path, ["[".repeat(4000), "\n".to_owned()].concat()).unwrap();
    };
    ignored(deep, "unreadable header");
    ignored(|_, path| forge(path, r#""v":3"#, r#""v":2"#), "written by another version");
    let age = |_: &LocalBench, path: &Path| forge(path, r#""ttl":60000"#, r#""ttl":-1"#);
    ignored(age, "unreadable header");
}

#[test]
fn a_snapshot_of_another_boot_or_of_the_future_is_ignored() {
    let elsewhere = "written before the last boot";
    ignored(|_, path| forge(path, r#""boot_id":"boot-1""#, r#""boot_id":"boot-2""#), elsewhere);
    ignored(|_, path| forge(path, r#""at":"#, r#""at":9"#), elsewhere);
}

#[test]
fn a_snapshot_of_another_cluster_is_ignored() {
    let copied = |bench: &LocalBench, path: &Path| {
        filled(bench, "b1", 5, &records_of("b1", &[(X, 3)]));
        fs::copy(bench.path("b1", "snap"), path).unwrap();
        bench.store("b1").look(Want::Full).unwrap();
        for name in bench.names() {
            let path = bench.folder().join(name);
            if path.extension().is_some_and(|ending| ending == "full") {
                fs::remove_file(path).unwrap();
            }
        }
    };
    ignored(copied, "belongs to another cluster");
}

#[test]
fn a_huge_file_is_not_read() {
    let huge = |_: &LocalBench, path: &Path| {
        File::options().write(true).open(path).unwrap().set_len((256 << 20) + 4097).unwrap();
    };
    ignored(huge, "larger than 256 MB");
}

#[test]
fn a_directory_in_place_of_a_snapshot_is_ignored_and_the_publication_fails_cleanly() {
    let (bench, _) = bench();
    let path = bench.path("a0", "snap");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let (store, ear) = bench.heard();
    assert_eq!(seen(&*store, Want::Records), Err(None));
    let place = bench.folder().display().to_string();
    assert_eq!(ear.heard(), [format!("Verbose: cache entry ignored: not a file ({place})")]);
    let mut next = Process::new(store, 'N');
    next.own(How::Get);
    ear.heard();
    let error = next.try_put_with(9, &Records::new(), With::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot write the cache directory {place}: is a directory")
    );
    let told = ear.heard();
    assert!(
        told.contains(&format!("Warning: the answer could not be cached: {error}")),
        "{told:?}"
    );
    assert!(bench.names().iter().all(|name| !name.ends_with(".tmp")), "{:?}", bench.names());
    assert!(bench.lease("a0").is_none(), "the lease is given back");
}

/// The header is not trusted: it names a file of this folder or nothing.
#[test]
fn a_header_leads_to_no_other_directory() {
    let (bench, own) = bench();
    let [full] = &bench.fulls()[..] else { panic!("{:?}", bench.names()) };
    let aside = bench.folder().parent().unwrap().join("aside.full");
    fs::copy(full, &aside).unwrap();
    let name = full.file_name().unwrap().to_str().unwrap();
    forge(&bench.path("a0", "snap"), name, "../aside.full");
    assert_eq!(seen(&*own.store, Want::Full), Err(Some(own.token.clone())));
    forge(&bench.path("a0", "snap"), "../aside.full", name);
    assert!(own.whole().is_some());
}
