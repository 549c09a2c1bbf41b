//! What is written, cleared, forgotten and counted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use nomad_clients::clock;
use nomad_clients::model::notice::Notifier;
use nomad_clients::store::ShownList;
use nomad_clients::store::{CacheState, Entered, FailureClass, How, Published, Sample, Want};

use crate::support::bench::{Bench as _, Part};
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, Records, With, X, Y, filled, records, records_of};

use super::seen;

#[test]
fn full_records_are_written_only_if_one_has_changed() {
    let bench = LocalBench::new();
    let both = records(&[(X, 3), (Y, 5)]);
    filled(&bench, "a0", 5, &both);
    let before = bench.fulls();
    let inode = fs::metadata(&before[0]).unwrap().ino();
    let same = Process::refreshing(&bench);
    let base = same.base().unwrap();
    assert_eq!(same.put_delta(6, &both, &base), Published::Done);
    assert_eq!((bench.fulls(), fs::metadata(&before[0]).unwrap().ino()), (before.clone(), inode));
    assert_eq!(same.whole(), Some(both));

    let changed = Process::refreshing(&bench);
    let base = changed.base().unwrap();
    assert_eq!(changed.put_delta(7, &records(&[(X, 9), (Y, 5)]), &base), Published::Done);
    let after = bench.fulls();
    assert!(after.len() == 1 && after != before, "{after:?}");
    assert_eq!(changed.whole(), Some(records(&[(X, 9), (Y, 5)])));

    let lost = Process::refreshing(&bench);
    let base = lost.base().unwrap();
    fs::remove_file(&after[0]).unwrap();
    let again = lost.put_delta(8, &records(&[(X, 9), (Y, 5)]), &base);
    assert!(matches!(again, Published::Rebase(_)), "what is gone cannot be written again");
    assert_eq!(lost.put(8, &records(&[(X, 9), (Y, 5)])), Published::Done);
    assert_eq!(lost.whole(), Some(records(&[(X, 9), (Y, 5)])));
}

#[test]
fn a_partial_publication_serves_those_who_waited_for_it() {
    let bench = LocalBench::new();
    let mut owner = Process::on(&bench);
    owner.own(How::Get);
    let mut waiter = Process::on(&bench);
    waiter.come(How::Get);
    owner.put_with(5, &records(&[(X, 3)]), With { partial: true, ..With::default() });
    let lease = owner.token.clone();
    let everything = nomad_clients::store::RefusedRevs::Everything;
    let entered = waiter.enter(How::Get, &everything, Some(&lease));
    assert!(matches!(entered, Entered::Failed(FailureClass::Partial)));
    assert!(waiter.store.partial(&lease).unwrap().is_some());
    assert_eq!(waiter.store.last(Want::Full), None, "it is no answer for an outage");
    let newer = Process::refreshing(&bench);
    assert_eq!(newer.put(6, &records(&[(X, 3), (Y, 5)])), Published::Done);
    assert_eq!(waiter.store.partial(&lease).unwrap(), None);
    assert_eq!(waiter.store.last(Want::Full).map(|last| (last.index, last.count)), Some((6, 2)));
}

#[test]
fn a_clear_takes_everything_of_all_clusters() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    let other = filled(&bench, "b1", 5, &records_of("b1", &[(X, 3)]));
    own.store.count(&Sample::of(true, Duration::ZERO, 0));
    let epoch = fs::read(bench.folder().join("epoch")).unwrap();
    fs::write(bench.folder().join("killed.tmp"), "x").unwrap();
    let cleared = own.store.clear();
    let [place] = &cleared.places[..] else { panic!("{cleared:?}") };
    assert_eq!(place.place, bench.folder().display().to_string());
    assert!(place.outcome.is_ok());
    assert_eq!([own.hit(), other.hit()], [None, None]);
    assert_eq!([own.store.last(Want::Full), other.store.last(Want::Full)], [None, None]);
    let endings: BTreeSet<String> =
        bench.names().iter().map(|name| name.rsplit('.').next().unwrap().to_owned()).collect();
    assert_eq!(endings, ["epoch", "flight", "lock", "stats"].map(str::to_owned).into());
    assert_ne!(fs::read(bench.folder().join("epoch")).unwrap(), epoch);
}

/// Whatever a flight knew before the clear, and whatever is there after it.
#[test]
fn a_clear_fences_every_flight() {
    let bench = LocalBench::new();
    filled(&bench, "a0", 5, &records(&[(X, 3)]));
    let late = Process::refreshing(&bench);
    let mut force = Process::forcing(&bench);
    force.come(How::Force);
    bench.store("b1").clear();
    assert_eq!(late.put(9, &records(&[(X, 9)])), Published::Fenced);
    assert_eq!(force.put(9, &records(&[(X, 9)])), Published::Fenced);
    assert_eq!(late.hit(), None);
    let mut next = Process::on(&bench);
    next.own(How::Get);
    assert_eq!(next.put(9, &records(&[(X, 9)])), Published::Done);
    assert_eq!(late.whole(), Some(records(&[(X, 9)])));
}

#[test]
fn without_an_epoch_nothing_is_valid_and_the_next_makes_one() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    bench.evict(Part::Epoch).unwrap();
    assert_eq!((own.hit(), own.store.last(Want::Full)), (None, None));
    let mut next = Process::on(&bench);
    next.own(How::Get);
    let epoch = fs::read_to_string(bench.folder().join("epoch")).unwrap();
    assert!(epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit()), "{epoch}");
    assert_eq!(next.flight().epoch(), epoch);
    assert_eq!(own.hit(), None);
}

#[test]
fn a_writer_removes_what_a_killed_process_left() {
    let bench = LocalBench::new();
    let own = Process::refreshing(&bench);
    for name in ["a.snap.0123.tmp", "epoch.4567.tmp"] {
        fs::write(bench.folder().join(name), "x").unwrap();
    }
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    assert!(bench.names().iter().all(|name| !name.ends_with(".tmp")), "{:?}", bench.names());
}

/// Somebody who is stopped while he writes costs the others their publication, not their answer.
#[test]
fn a_lock_that_somebody_keeps_is_waited_for_only_for_a_while() {
    let bench = LocalBench::new();
    let own = Process::refreshing(&bench);
    let keeper = File::options().write(true).open(bench.folder().join("pub.lock")).unwrap();
    keeper.try_lock().unwrap();
    let began = std::time::Instant::now();
    let error = own.try_put_with(5, &Records::new(), With::default()).unwrap_err();
    let place = bench.folder().display().to_string();
    let what =
        format!("cannot write the cache directory {place}: pub.lock is held by another process");
    assert_eq!(error.to_string(), what);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(bench.lease("a0"), None);
}

/// A process of this host reaches Redis, which has a list of this index, or none.
pub(super) fn redis_shows(bench: &LocalBench, index: Option<u64>) {
    let shown = index.map(|index| ShownList { index, age: Duration::from_secs(1) });
    bench.open(&bench.place("a0"), Notifier::nobody()).forget(shown);
}

#[test]
fn what_is_in_redis_is_forgotten_here() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    let other = filled(&bench, "b1", 5, &records_of("b1", &[(X, 3)]));
    let epoch = fs::read(bench.folder().join("epoch")).unwrap();
    bench.pass(Duration::from_secs(1));
    redis_shows(&bench, Some(6));
    assert_eq!((own.hit(), own.store.last(Want::Full)), (None, None));
    assert!(bench.path("a0", "snap").exists(), "it is a base");
    bench.open(&bench.place("a0"), Notifier::nobody()).drop_snapshot();
    assert!(!bench.path("a0", "snap").exists() && bench.fulls().len() == 1);
    assert_eq!(other.whole(), Some(records_of("b1", &[(X, 3)])));
    assert_eq!(fs::read(bench.folder().join("epoch")).unwrap(), epoch);
}

fn sample(hit: bool, took: u64, nomad_calls: u64) -> Sample {
    Sample::of(hit, Duration::from_micros(took), nomad_calls)
}

#[test]
fn runs_are_counted_and_old_lines_dropped() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    let minute = clock::unix_seconds() / 60;
    let path = bench.path("a0", "stats");
    let junk = format!("{} 1 5 0 0 0\nnonsense\n{minute} 1 x 0 0 0\n\n", minute - 60);
    fs::write(&path, &junk).unwrap();
    own.store.count(&sample(true, 1500, 0));
    own.store.count(&sample(true, 500, 0));
    own.store.count(&sample(false, 90_000, 7));
    own.store.count(&Sample { follow_calls: 4, ..Sample::default() });
    let sum = || {
        let sum = Sample::sum(&own.store.stats().unwrap().minutes);
        let (hit_us, miss_us) = (sum.hit_time.as_micros(), sum.miss_time.as_micros());
        (sum.hits, hit_us, sum.misses, miss_us, sum.nomad_calls, sum.follow_calls)
    };
    assert_eq!(sum(), (2, 2000, 1, 90_000, 7, 4));
    fs::write(&path, format!("{} 1 5 0 0 0\n", minute - 60).repeat(10_000)).unwrap();
    own.store.count(&sample(true, 3, 0));
    assert!(fs::metadata(&path).unwrap().len() < 100, "the lines of before the last hour are gone");
    assert_eq!(sum(), (1, 3, 0, 0, 0, 0));
}

#[test]
fn stats_report_state_age_and_files() {
    let bench = LocalBench::new();
    let cold = bench.store("a0").stats().unwrap();
    assert_eq!(
        (cold.kind, cold.state, cold.nodes, cold.age),
        ("local", CacheState::Cold, None, None)
    );
    assert_eq!(cold.place, bench.folder().display().to_string());
    let own = filled(&bench, "a0", 5, &records(&[(X, 3), (Y, 5)]));
    bench.pass(Duration::from_secs(20));
    let hot = own.store.stats().unwrap();
    assert_eq!((hot.state, hot.nodes), (CacheState::Hot, Some(2)));
    let (age, left) = (hot.age.unwrap().as_secs(), hot.fresh_for.unwrap().as_secs());
    assert!((20..30).contains(&age) && (30..=40).contains(&left), "{age} {left}");
    let keys: Vec<_> =
        hot.keys.iter().map(|key| (&*key.kind, key.bytes, key.key.clone())).collect();
    let of = |path: &std::path::Path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        ("file", Some(fs::metadata(path).unwrap().len()), name)
    };
    assert_eq!(keys, [of(&bench.path("a0", "snap")), of(&bench.fulls()[0])]);
    let ttl = |at: usize| hot.keys[at].ttl.unwrap().as_secs();
    assert!((30..=40).contains(&ttl(0)) && (270..=280).contains(&ttl(1)), "{:?}", hot.keys);
    bench.pass(Duration::from_secs(60));
    let stale = own.store.stats().unwrap();
    assert_eq!((stale.state, stale.nodes, stale.fresh_for), (CacheState::Stale, Some(2), None));
    assert!((80..90).contains(&stale.age.unwrap().as_secs()));
    assert_eq!(seen(&*own.store, Want::Records), Err(None));
}
