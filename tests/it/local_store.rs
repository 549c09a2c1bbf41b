//! The files of this machine: what is spoilt is a miss, and two processes never contradict each other.

use std::fs;
use std::time::Duration;

use nomad_clients::store::auto::Local as _;
use nomad_clients::store::{
    Class, Entered, How, KeyStats, Look, Minute, Published, Sample, State, Store as _, Want,
};

use crate::support::bench::{Bench as _, Part};
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, Records, With, X, Y, as_records, filled, records};

fn x(version: u64) -> Records {
    records(&[(X, version)])
}

/// One node published at index 5.
fn with_one() -> LocalBench {
    let bench = LocalBench::new();
    filled(&bench, "a0", 5, &x(3));
    bench
}

/// Whatever is left of the files: the very same bytes, or nothing.
#[track_caller]
fn same_or_nothing(bench: &LocalBench, all: &[u8], what: &str) -> bool {
    let process = Process::on(bench);
    let hit = process.hit();
    assert!(hit.as_ref().is_none_or(|hit| hit.all == all), "{what}");
    assert!(process.whole().is_none_or(|records| records == x(3)), "{what}");
    hit.is_some()
}

#[test]
fn d2_a_file_that_is_cut_off_is_no_answer() {
    let bench = with_one();
    let all = Process::on(&bench).hit().unwrap().all;
    for path in [bench.path("snap"), bench.full_path().unwrap()] {
        let bytes = fs::read(&path).unwrap();
        for len in 0..bytes.len() {
            fs::write(&path, &bytes[..len]).unwrap();
            let hit = same_or_nothing(&bench, &all, &format!("{len} bytes of {path:?}"));
            assert!(!hit || path != bench.path("snap"), "{len} bytes");
        }
        fs::write(&path, &bytes).unwrap();
        assert!(Process::on(&bench).whole().is_some());
    }
}

#[test]
fn d2_a_flipped_bit_is_noticed() {
    let bench = with_one();
    let all = Process::on(&bench).hit().unwrap().all;
    for path in [bench.path("snap"), bench.full_path().unwrap(), bench.folder().join("epoch")] {
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            for bit in [1, 0x10, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= bit;
                fs::write(&path, &flipped).unwrap();
                same_or_nothing(&bench, &all, &format!("bit {bit} of byte {at} of {path:?}"));
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    let bytes = fs::read(bench.path("snap")).unwrap();
    for at in bytes.len() - all.len()..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(bench.path("snap"), &flipped).unwrap();
        assert_eq!(Process::on(&bench).hit(), None, "byte {at}");
    }
}

/// Each with the reason that `-v` tells; the next run writes it anew.
#[test]
fn d2_what_is_of_elsewhere_is_ignored_and_rewritten() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(Change, &str); 5] = [
        (|header| header["v"] = 2.into(), "it is of another version"),
        (|header| header["scope"] = "0".into(), "it is of another cluster"),
        (|header| header["boot_id"] = "x".into(), "it is of another boot of this machine"),
        (|header| header["at"] = u64::MAX.into(), "it is of another boot of this machine"),
        (|header| header["count"] = "many".into(), "its header is not readable"),
    ];
    let bench = with_one();
    for (change, why) in cases {
        bench.change_header(change);
        let (store, ear) = bench.heard();
        assert_eq!(store.look(Want::Records).unwrap(), Look::Miss { refuse: None });
        let place = bench.folder();
        let told = format!("Verbose: cache entry ignored: {why} ({})", place.display());
        assert_eq!(ear.heard(), [told]);
        let mut next = Process::on(&bench);
        next.own(How::Get);
        assert_eq!((&next.flight().meta, next.put(5, &x(3))), (&None, Published::Done));
        assert_eq!(next.whole(), Some(x(3)));
    }
    for garbage in [&b""[..], b"\n", b"null\n", b"\0\xff\xfe", b"{\"v\":1}\n[]"] {
        fs::write(bench.path("snap"), garbage).unwrap();
        assert_eq!(Process::on(&bench).hit(), None, "{garbage:?}");
    }
}

/// The header is not trusted: it names a file of this folder or nothing.
#[test]
fn s14_a_header_names_no_path() {
    let bench = with_one();
    let full = bench.full_path().unwrap();
    fs::copy(&full, bench.folder().parent().unwrap().join("out.full")).unwrap();
    for name in ["../out.full", "/etc/passwd", "epoch", "a\0.full", "missing.full", ".full"] {
        bench.change_header(|header| header["full"] = name.into());
        let process = Process::on(&bench);
        assert!(process.hit().is_some(), "{name}");
        assert_eq!(process.whole(), None, "{name}");
    }
}

#[test]
fn an_answer_ages_by_the_clock_of_the_boot() {
    let bench = with_one();
    bench.skip(Duration::from_secs(40));
    let age = Process::on(&bench).hit().unwrap().age;
    assert!((40..45).contains(&age.as_secs()), "{age:?}");
    bench.skip(Duration::from_secs(21));
    assert_eq!(Process::on(&bench).hit(), None);
    let mut next = Process::on(&bench);
    next.own(How::Get);
    assert_eq!(as_records(next.base()), Some(x(3)), "its details are still good");
    next.store.release(next.flight());
    bench.skip(Duration::from_secs(240));
    next.own(How::Get);
    assert_eq!(as_records(next.base()), None);
}

#[test]
fn who_waits_is_served_by_what_he_waited_for() {
    let bench = LocalBench::new();
    let (mut owner, mut waiter) = (Process::on(&bench), Process::on(&bench));
    owner.own(How::Get);
    let Entered::Wait { lease, rev } = waiter.come(How::Get) else { panic!("it must wait") };
    assert_eq!((&lease, rev), (&owner.token, None));
    assert_eq!(owner.put(5, &x(3)), Published::Done);
    let refuse = nomad_clients::store::Refuse::Revs(Vec::new());
    let entered = waiter.enter(How::Get, &refuse, Some(&lease));
    assert!(matches!(entered, Entered::Hit { rev } if rev == owner.token));
    assert_eq!(waiter.whole(), Some(x(3)));
}

/// The kernel frees the lock of an owner that dies.
#[test]
fn the_lease_of_a_dead_owner_is_free() {
    let bench = LocalBench::new();
    let mut owner = Process::on(&bench);
    owner.own(How::Get);
    assert!(matches!(Process::on(&bench).come(How::Get), Entered::Wait { .. }));
    drop(owner);
    Process::on(&bench).own(How::Get);
}

#[test]
fn a_refresh_takes_only_what_began_after_it() {
    let bench = with_one();
    let mut owner = Process::refreshing(&bench);
    let mut refresh = Process::on(&bench);
    let Entered::Wait { lease, rev } = refresh.come(How::Refresh) else { panic!("it must wait") };
    assert_eq!(owner.put(6, &x(6)), Published::Done);
    let refuse = nomad_clients::store::Refuse::Revs(rev.into_iter().chain([lease]).collect());
    let entered = refresh.enter(How::Refresh, &refuse, None);
    assert!(matches!(entered, Entered::Own(_)), "{entered:?}");
    refresh.store.release(refresh.flight());
    owner = Process::refreshing(&bench);
    assert_eq!(owner.put(7, &x(7)), Published::Done);
    let entered = refresh.enter(How::Refresh, &refuse, None);
    assert!(matches!(entered, Entered::Hit { rev } if rev == owner.token));
}

/// Whoever is overtaken leaves a floor if it knows more, and hides what it can't tell apart.
#[test]
fn floors() {
    // Index of the late one; what the next flight starts from, and whether a hit remains.
    for (late, floor, stays) in [(9, 9, false), (7, 7, true), (6, 7, false)] {
        let bench = with_one();
        let (mut owner, mut force) = (Process::refreshing(&bench), Process::forcing(&bench));
        force.come(How::Force);
        assert_eq!(force.put(7, &x(7)), Published::Done);
        assert_eq!(owner.put(late, &x(late)), Published::Fenced);
        assert_eq!(owner.whole(), stays.then(|| x(7)), "{late}");
        owner.store.release(owner.flight());
        owner.own(How::Refresh);
        assert_eq!(owner.flight().meta.as_ref().unwrap().index, floor);
        assert_eq!(as_records(owner.base()), Some(x(7)), "{late}");
    }
}

#[test]
fn a_floor_refuses_the_older_until_it_is_disproved() {
    let bench = with_one();
    let (owner, mut force) = (Process::refreshing(&bench), Process::forcing(&bench));
    force.come(How::Force);
    force.put(7, &x(7));
    assert_eq!(owner.put(9, &x(9)), Published::Fenced);
    owner.store.release(owner.flight());
    let next = Process::refreshing(&bench);
    let rev = format!("t{}", owner.token);
    assert_eq!(next.put(8, &x(8)), Published::Older { index: 9, rev: rev.clone() });
    let reset = With { reset: Some(&rev), ..With::default() };
    assert_eq!(next.put_with(8, &x(8), reset), Published::Done);
    assert_eq!(next.whole(), Some(x(8)));
}

/// A restored cluster, told by one that was overtaken: nothing that is there can be trusted.
#[test]
fn a_fenced_reset_removes_what_is_there() {
    let bench = with_one();
    let (owner, mut force) = (Process::refreshing(&bench), Process::forcing(&bench));
    force.come(How::Force);
    force.put(7, &x(7));
    let reset = With { reset: Some("N"), ..With::default() };
    assert_eq!(owner.put_with(2, &x(2), reset), Published::Fenced);
    assert_eq!((owner.hit(), bench.header()), (None, None));
}

#[test]
fn clear_beats_a_flight_and_what_it_leaves_serves_nobody() {
    let bench = with_one();
    let owner = Process::refreshing(&bench);
    assert!(bench.store("b1").clear().places[0].outcome.is_ok());
    let mine = bench.path("flight").file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(bench.names(), [mine, "epoch".to_owned(), "pub.lock".to_owned()]);
    assert_eq!(owner.put(9, &x(9)), Published::Fenced);
    assert_eq!((owner.hit(), owner.store.last()), (None, None));
}

#[test]
fn a_failure_is_told_for_two_seconds() {
    let bench = LocalBench::new();
    let refuse = nomad_clients::store::Refuse::Revs(Vec::new());
    for (later, told) in [(1900, true), (2100, false)] {
        let mut owner = Process::on(&bench);
        owner.own(How::Get);
        owner.store.fail(owner.flight(), Class::NotNomad);
        bench.skip(Duration::from_millis(later));
        let mut waiter = Process::on(&bench);
        let entered = waiter.enter(How::Get, &refuse, Some(&owner.token));
        assert_eq!(matches!(entered, Entered::Failed(Class::NotNomad)), told, "{entered:?}");
    }
}

#[test]
fn forget_removes_one_scope() {
    let bench = with_one();
    let other = filled(&bench, "b1", 5, &records(&[(Y, 1)]));
    bench.heard().0.forget();
    assert_eq!((Process::on(&bench).hit(), bench.header()), (None, None));
    assert!(other.whole().is_some());
    bench.evict(Part::Epoch).unwrap();
    bench.heard().0.forget();
}

#[test]
fn counts_are_of_the_last_hour_and_trimmed() {
    let bench = with_one();
    let (store, _) = bench.heard();
    let hit = Sample { hit: true, took: Duration::from_micros(7), nomad_calls: 9 };
    let miss = Sample { hit: false, ..hit };
    let old = "1 h 5 0\nnonsense\n".repeat(4096);
    fs::write(bench.path("stats"), &old).unwrap();
    store.count(&hit);
    let trimmed = fs::read_to_string(bench.path("stats")).unwrap();
    assert_eq!(trimmed.lines().count(), 1, "beyond 64 KB only the last hour stays");
    [hit, miss, miss].iter().for_each(|sample| store.count(sample));
    let minutes = store.stats().unwrap().minutes;
    let sum = |of: fn(&Minute) -> u64| minutes.iter().map(of).sum::<u64>();
    assert_eq!((sum(|m| m.hits), sum(|m| m.hit_us)), (2, 14));
    assert_eq!((sum(|m| m.misses), sum(|m| m.miss_us), sum(|m| m.nomad_calls)), (2, 14, 18));
}

#[test]
fn stats_follow_the_snapshot() {
    let bench = LocalBench::new();
    let (store, _) = bench.heard();
    assert_eq!(store.stats().unwrap().state, State::Cold);
    filled(&bench, "a0", 5, &x(3));
    let stats = store.stats().unwrap();
    assert_eq!((stats.kind, &*stats.place), ("local", bench.folder().to_str().unwrap()));
    assert_eq!((stats.state, stats.nodes, stats.memory), (State::Hot, Some(1), None));
    assert!(stats.fresh_for.unwrap() > Duration::from_secs(50));
    let sizes = [bench.path("snap"), bench.full_path().unwrap()];
    let file = |(path, key): (&std::path::PathBuf, &KeyStats)| {
        assert_eq!(key.key, path.file_name().unwrap().to_str().unwrap());
        assert_eq!((key.kind, key.bytes), ("file", fs::metadata(path).unwrap().len()));
    };
    assert_eq!(stats.keys.len(), 2);
    sizes.iter().zip(&stats.keys).for_each(file);
    bench.skip(Duration::from_secs(100));
    let stats = store.stats().unwrap();
    assert_eq!((stats.state, stats.nodes, stats.fresh_for), (State::Stale, Some(1), None));
    assert!(stats.age.unwrap() >= Duration::from_secs(100));
    assert_eq!(stats.keys[0].ttl, Some(Duration::ZERO));
}
