//! How old an answer is, by the clock of this boot and no other.

use std::time::Duration;

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::{Entered, How, Look, Place, Published, Want};

use crate::support::bench::Bench as _;
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, With, X, filled, records};

use super::seen;

const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

#[test]
fn an_answer_is_fresh_for_its_ttl() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    bench.pass(MINUTE);
    let Look::Hit(hit) = own.store.look(Want::Records).unwrap() else { panic!("a miss") };
    assert_eq!(hit.since, MINUTE);
    assert!(hit.age >= MINUTE && hit.age < MINUTE + Duration::from_secs(5), "{:?}", hit.age);
    bench.pass(MS);
    assert_eq!(seen(&*own.store, Want::Records), Err(None));
    assert!(matches!(Process::on(&bench).come(How::Get), Entered::Own(_)));
}

#[test]
fn a_run_with_a_shorter_ttl_refuses_what_others_still_use() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    bench.pass(Duration::from_secs(20));
    let shorter = |ttl| {
        let place = Place { ttl: Duration::from_secs(ttl), ..bench.place("a0") };
        seen(&*bench.open(&place, Notifier::nobody()), Want::Records)
    };
    let refused = Err(Some(own.token));
    assert_eq!([shorter(19), shorter(0)], [refused.clone(), refused]);
    assert!(shorter(20).is_ok());
}

/// Time asleep counts: only the clock of the boot goes on then.
#[test]
fn what_passes_between_list_and_publication_is_age() {
    let bench = LocalBench::new();
    let mut own = Process::on(&bench);
    own.own(How::Get);
    bench.pass(Duration::from_secs(4));
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    let (_, age) = seen(&*own.store, Want::Records).unwrap();
    assert!((4000..9000).contains(&age), "{age}");
}

#[test]
fn a_base_is_kept_for_the_detail_ttl() {
    let bench = LocalBench::new();
    filled(&bench, "a0", 5, &records(&[(X, 3)]));
    let entered_after = |time: Duration| {
        bench.pass(time);
        let mut next = Process::on(&bench);
        next.own(How::Get);
        let base = next.base().is_some();
        assert_eq!(next.flight().meta().is_some(), base);
        base
    };
    assert!(entered_after(5 * MINUTE));
    assert!(!entered_after(MS));
}

/// However often it is published anew.
#[test]
fn what_a_list_has_proved_is_kept_for_the_detail_ttl() {
    let bench = LocalBench::new();
    let mut own = Process::on(&bench);
    own.own(How::Get);
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    for minute in 1..=5 {
        bench.pass(MINUTE);
        let next = Process::refreshing(&bench);
        let kept = next.base().unwrap();
        assert_eq!((next.put_again(&kept), minute), (Published::Done, minute));
    }
    bench.pass(MS);
    let next = Process::refreshing(&bench);
    let kept = next.base().unwrap();
    assert!(matches!(next.put_again(&kept), Published::Rebase(_)));
}

/// What only grows too old while a fetch runs was not replaced by anybody.
#[test]
fn a_base_that_ends_during_the_fetch_fences_nobody() {
    let bench = LocalBench::new();
    filled(&bench, "a0", 5, &records(&[(X, 3)]));
    bench.pass(5 * MINUTE - Duration::from_secs(3));
    let mut own = Process::on(&bench);
    own.own(How::Get);
    assert!(own.flight().meta().is_some());
    bench.pass(Duration::from_secs(4));
    assert_eq!(own.put(6, &records(&[(X, 9)])), Published::Done);
    assert_eq!(own.whole(), Some(records(&[(X, 9)])));
}

/// The details live at least as long as the answer.
#[test]
fn a_detail_ttl_below_the_ttl_is_the_ttl() {
    let bench = LocalBench::new();
    let place = Place { detail_ttl: Duration::from_secs(1), ..bench.place("a0") };
    let mut own = Process::new(bench.open(&place, Notifier::nobody()), 'N');
    own.own(How::Get);
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    bench.pass(Duration::from_secs(30));
    own.own(How::Refresh);
    assert!(own.base().is_some());
    own.store.release(own.flight().lease());
    let Entered::Hit { rev } = own.come(How::Get) else { panic!("it is fresh") };
    assert_eq!(rev, own.token);
}

/// Ages are relative to what the file says, so they survive the process but not the boot.
#[test]
fn another_boot_starts_cold() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[(X, 3)]));
    let store = nomad_clients::store::files::LocalStore::open(
        &bench.place("a0"),
        bench.clock("boot-2"),
        Notifier::nobody(),
    );
    assert_eq!(seen(&store.unwrap(), Want::Records), Err(None));
    assert!(own.hit().is_some());
}

#[test]
fn an_empty_cluster_is_an_answer() {
    let bench = LocalBench::new();
    let own = filled(&bench, "a0", 5, &records(&[]));
    let Look::Hit(hit) = own.store.look(Want::Full).unwrap() else { panic!("a miss") };
    assert_eq!((hit.all.as_slice(), hit.count, hit.fulls), (&b"[]"[..], 0, Some(Vec::new())));
    assert_eq!(bench.fulls(), Vec::<std::path::PathBuf>::new());
    let mut next = Process::on(&bench);
    next.own(How::Refresh);
    let base = next.base().unwrap();
    let x = records(&[(X, 3)]);
    assert_eq!(
        next.put_with(6, &x, With { base: Some(&base), ..With::default() }),
        Published::Done
    );
    assert_eq!(next.whole(), Some(x));
}
