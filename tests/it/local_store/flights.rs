//! Who fetches, who waits, and who may publish, when the lease is a lock.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::files::LocalStore;
use nomad_clients::store::{BootClock, Entered, FailureClass, How, Published, RefusedRevs};

use crate::support::bench::Bench as _;
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, Records, With, X, again, filled, records};

const SIGNED: Duration = Duration::from_secs(5);
const MS: Duration = Duration::from_millis(1);

fn x(version: u64) -> Records {
    records(&[(X, version)])
}

fn revs(of: &[&str]) -> RefusedRevs {
    RefusedRevs::Revs(of.iter().map(|rev| (*rev).to_owned()).collect())
}

#[track_caller]
fn waits(entered: Entered) -> (String, Option<String>) {
    let Entered::Wait { lease, rev } = entered else { panic!("it must wait: {entered:?}") };
    (lease, rev)
}

#[track_caller]
fn solo(process: &mut Process, entered: &Entered) {
    let Entered::Own(flight) = entered else { panic!("it must work: {entered:?}") };
    assert!(flight.lease().is_solo());
    process.flight = Some(again(flight));
}

/// Two waiters of one owner: the first learns the class, the second comes too late.
#[test]
fn a_failure_is_reported_for_two_seconds_to_those_who_waited() {
    let bench = LocalBench::new();
    for (after, class) in [(2000, Some(FailureClass::Denied)), (2001, None)] {
        let mut owner = Process::on(&bench);
        owner.own(How::Get);
        let mut waiter = Process::on(&bench);
        let (lease, rev) = waits(waiter.come(How::Get));
        assert_eq!((&lease, rev), (&owner.token, None));
        bench.pass(Duration::from_millis(1000));
        owner.store.fail(owner.flight().lease(), FailureClass::Denied);
        bench.pass(Duration::from_millis(after));
        match (waiter.enter(How::Get, &revs(&[]), Some(&lease)), class) {
            (Entered::Failed(said), Some(class)) => {
                assert_eq!(said, class);
                let again = waiter.enter(How::Get, &revs(&[]), Some(&lease));
                assert!(
                    matches!(again, Entered::Failed(FailureClass::Denied)),
                    "the next learns it, too"
                );
                let other = waiter.enter(How::Get, &revs(&[]), Some("Nother"));
                assert!(matches!(other, Entered::Own(_)), "{other:?}");
            }
            (Entered::Own(_), None) => {}
            (entered, _) => panic!("{entered:?}"),
        }
    }
}

#[test]
fn the_lock_ends_with_its_process() {
    let bench = LocalBench::new();
    let place = bench.place("a0");
    let clock = bench.clock("boot-1");
    let tell = Notifier::nobody();
    let store = LocalStore::open(&place, clock, tell).unwrap();
    let mut owner = Process::new(Arc::new(store), 'N');
    owner.own(How::Get);
    waits(Process::on(&bench).come(How::Get));
    drop(owner);
    Process::on(&bench).own(How::Get);
}

/// In a process that lives on, such as a server, everything that ends a flight frees the lock.
#[test]
fn the_lock_ends_with_its_flight() {
    let bench = LocalBench::new();
    let done = filled(&bench, "a0", 5, &x(3));
    assert_eq!(bench.lease("a0"), None);
    let fenced = Process::refreshing(&bench);
    fenced.store.clear();
    assert_eq!(fenced.put(9, &x(9)), Published::Fenced);
    assert_eq!(bench.lease("a0"), None);
    let mut own = Process::refreshing(&bench);
    assert_eq!(own.put_with(9, &x(9), With { partial: true, ..With::default() }), Published::Done);
    assert_eq!(bench.lease("a0"), None);
    own.own(How::Refresh);
    assert!(matches!(own.put(5, &x(3)), Published::Older { index: 9, .. }));
    assert_eq!(bench.lease("a0").as_ref(), Some(&own.token), "but an older index does not");
    own.store.fail(own.flight().lease(), FailureClass::Outage);
    assert_eq!(bench.lease("a0"), None);
    drop(done);
}

/// A --force works beside the lock; its publication fences the holder of the lock, whose answer is
/// newer: then nobody is shown the older.
#[test]
fn a_force_beside_the_lock_publishes_first() {
    let bench = LocalBench::new();
    let owner = Process::refreshing(&bench);
    let mut force = Process::forcing(&bench);
    let entered = force.come(How::Force);
    solo(&mut force, &entered);
    assert_eq!(force.put(8, &x(8)), Published::Done);
    assert_eq!(force.whole(), Some(x(8)));
    assert_eq!(owner.put(9, &x(9)), Published::Fenced);
    assert_eq!(force.hit(), None);
    let mut next = Process::on(&bench);
    next.own(How::Get);
    assert_eq!(next.flight().meta().map(|meta| meta.index), Some(9), "a floor");
    assert_eq!(
        next.base().map(|base| base.fulls.as_ref().unwrap().len()),
        Some(1),
        "over the records of before"
    );
}

#[test]
fn a_force_beside_the_lock_is_fenced_by_what_came_meanwhile() {
    let bench = LocalBench::new();
    let owner = Process::refreshing(&bench);
    let mut force = Process::forcing(&bench);
    let entered = force.come(How::Force);
    solo(&mut force, &entered);
    assert_eq!(owner.put(9, &x(9)), Published::Done);
    assert_eq!(force.put(9, &x(9)), Published::Fenced);
    assert_eq!(owner.whole(), Some(x(9)), "the same index: nothing is invalidated");
    let entered = force.come(How::Force);
    assert!(
        matches!(entered, Entered::Own(flight) if !flight.lease().is_solo()),
        "nobody holds the lock"
    );
}

/// Only the holder of the lock may publish over a floor that appeared meanwhile, and only with an
/// index that is not older.
#[test]
fn a_floor_binds_the_holder_of_the_lock_and_fences_all_others() {
    let bench = LocalBench::new();
    filled(&bench, "a0", 5, &x(5));
    let owner = Process::refreshing(&bench);
    let [mut first, mut second, mut third] = [(); 3].map(|()| Process::forcing(&bench));
    for force in [&mut first, &mut second, &mut third] {
        let entered = force.come(How::Force);
        solo(force, &entered);
    }
    assert_eq!(first.put(6, &x(6)), Published::Done);
    assert_eq!(second.put(8, &x(8)), Published::Fenced);
    assert_eq!(first.hit(), None, "8 was printed");
    assert_eq!(third.put(9, &x(9)), Published::Fenced);
    assert!(
        matches!(owner.put(8, &x(8)), Published::Older { index: 9, rev, .. } if rev == format!("t{}", third.token))
    );
    assert_eq!(owner.put(9, &x(9)), Published::Done);
    assert_eq!(owner.whole(), Some(x(9)));
}

/// The second list of a fenced flight disproved the index that is there: nothing that is there or
/// under way may be shown after its answer.
#[test]
fn a_disproved_index_is_void_for_everybody() {
    let bench = LocalBench::new();
    let old = filled(&bench, "a0", 50, &x(50));
    let holder = Process::refreshing(&bench);
    let mut force = Process::forcing(&bench);
    let entered = force.come(How::Force);
    solo(&mut force, &entered);
    assert_eq!(holder.put(51, &x(51)), Published::Done);
    let owner = Process::refreshing(&bench);
    let reset = With { reset: Some(&old.token), ..With::default() };
    assert_eq!(force.put_with(7, &x(7), reset), Published::Fenced);
    assert_eq!(old.hit(), None);
    assert_eq!(owner.put(52, &x(52)), Published::Fenced);
    assert_eq!(old.hit(), None);
    let mut next = Process::on(&bench);
    next.own(How::Get);
    assert_eq!(next.put(52, &x(7)), Published::Done);
    assert_eq!(next.whole(), Some(x(7)));
    assert_eq!(bench.fulls().len(), 1);
}

/// Older than what is there, and confirmed by a second list: a restored cluster is not locked out.
#[test]
fn a_lower_index_replaces_what_it_disproved() {
    let bench = LocalBench::new();
    let old = filled(&bench, "a0", 50, &x(50));
    let own = Process::refreshing(&bench);
    assert!(
        matches!(own.put(7, &x(7)), Published::Older { index: 50, rev, .. } if rev == old.token)
    );
    let reset = With { reset: Some(&old.token), ..With::default() };
    assert_eq!(own.put_with(7, &x(7), reset), Published::Done);
    assert_eq!(own.whole(), Some(x(7)));
}

#[test]
fn a_refresh_is_served_by_a_flight_that_began_after_it_and_by_no_other() {
    let bench = LocalBench::new();
    let old = filled(&bench, "a0", 5, &x(5));
    assert!(matches!(Process::on(&bench).come(How::Get), Entered::Hit { rev } if rev == old.token));
    let owner = Process::refreshing(&bench);
    let mut refresh = Process::on(&bench);
    let (lease, rev) = waits(refresh.come(How::Refresh));
    assert_eq!((&lease, rev.as_ref()), (&owner.token, Some(&old.token)));
    let refuse = revs(&[&old.token, &lease]);
    assert_eq!(owner.put(6, &x(6)), Published::Done);
    let mut again = Process::on(&bench);
    again.own(How::Refresh);
    let found = refresh.enter(How::Refresh, &refuse, Some(&lease));
    assert_eq!(waits(found), (again.token.clone(), Some(owner.token)));
    assert_eq!(again.put(7, &x(7)), Published::Done);
    let served = refresh.enter(How::Refresh, &refuse, Some(&again.token));
    assert!(matches!(&served, Entered::Hit { rev } if *rev == again.token), "{served:?}");
    assert!(!matches!(refresh.come(How::Refresh), Entered::Hit { .. }), "a newcomer takes nothing");
}

/// The owner publishes after this one has looked, and before it tries the lock.
#[test]
fn who_takes_the_lock_looks_again() {
    let bench = LocalBench::new();
    filled(&bench, "a0", 5, &x(5));
    bench.pass(Duration::from_secs(61));
    let owner = Process::refreshing(&bench);
    let (token, calls) = (owner.token.clone(), AtomicUsize::new(0));
    let clock = bench.clock("boot-1");
    let usual = clock.now;
    // The first question for the time stands before the file is read, the second after it.
    let now = move || {
        if calls.fetch_add(1, Ordering::Relaxed) == 1 {
            assert_eq!(owner.put(6, &x(6)), Published::Done);
        }
        usual()
    };
    let clock = BootClock { now: Arc::new(now), id: clock.id };
    let store = LocalStore::open(&bench.place("a0"), clock, Notifier::nobody()).unwrap();
    let entered = Process::new(Arc::new(store), 'N').come(How::Get);
    assert!(matches!(&entered, Entered::Hit { rev } if *rev == token), "{entered:?}");
}

/// Between taking the lock and signing: what is read there names nobody, and the flight's list
/// begins after whoever reads it.
#[test]
fn an_owner_that_has_not_signed_yet_serves_a_refresh() {
    let bench = LocalBench::new();
    let old = filled(&bench, "a0", 5, &x(5));
    let file = File::options().write(true).open(bench.path("a0", "flight")).unwrap();
    file.try_lock().unwrap();
    bench.pass(2 * SIGNED);
    let mut refresh = Process::on(&bench);
    let (lease, rev) = waits(refresh.come(How::Refresh));
    assert_eq!((&lease, rev.as_ref()), (&old.token, Some(&old.token)));
    drop(file);
    let owner = Process::refreshing(&bench);
    assert_eq!(owner.put(6, &x(6)), Published::Done);
    let served = refresh.enter(How::Refresh, &revs(&[&old.token, &lease]), Some(&lease));
    assert!(matches!(served, Entered::Hit { rev } if rev == owner.token));
}

/// A process that was stopped keeps its lock. Nobody waits for it longer than for a lease of Redis,
/// and when it wakes it publishes nothing.
#[test]
fn nobody_waits_for_a_stopped_owner() {
    let bench = LocalBench::new();
    filled(&bench, "a0", 5, &x(5));
    let stopped = Process::refreshing(&bench);
    let [mut get, mut refresh] = [(); 2].map(|()| Process::on(&bench));
    let (lease, _) = waits(get.come(How::Refresh));
    bench.pass(SIGNED - Duration::from_secs(2));
    waits(get.enter(How::Get, &RefusedRevs::Everything, Some(&lease)));
    assert!(stopped.store.renew(stopped.flight().lease()).unwrap());
    bench.pass(SIGNED - Duration::from_secs(2));
    waits(get.enter(How::Get, &RefusedRevs::Everything, Some(&lease)));
    waits(refresh.come(How::Refresh));
    bench.pass(Duration::from_secs(2) + MS);
    let entered = get.enter(How::Get, &RefusedRevs::Everything, Some(&lease));
    solo(&mut get, &entered);
    assert_eq!(get.put(7, &x(7)), Published::Done);
    assert_eq!(get.whole(), Some(x(7)));
    let rev = get.hit().unwrap().rev;
    assert!(rev.starts_with('F'), "{rev}: no refresh takes it for a flight that began after it");
    let refuse = revs(&[&lease]);
    let entered = refresh.enter(How::Refresh, &refuse, Some(&lease));
    assert!(matches!(entered, Entered::Own(_)), "{entered:?}");
    assert!(!stopped.store.renew(stopped.flight().lease()).unwrap());
    assert_eq!(bench.lease("a0"), None);
    assert_eq!(stopped.put(9, &x(9)), Published::Fenced);
    assert_eq!(get.hit(), None, "9 was printed");
}

#[test]
fn a_flight_that_slept_publishes_nothing() {
    let bench = LocalBench::new();
    let own = Process::refreshing(&bench);
    bench.pass(SIGNED + MS);
    assert_eq!(own.put(5, &x(5)), Published::Fenced);
    assert_eq!(own.hit(), None);
}

/// 16 cold callers, one fetch.
#[test]
fn a_herd_fetches_once() {
    const HERD: usize = 16;
    let bench = LocalBench::new();
    let (fetched, began) = (AtomicUsize::new(0), Barrier::new(HERD));
    std::thread::scope(|scope| {
        for _ in 0..HERD {
            scope.spawn(|| {
                let mut own = Process::on(&bench);
                began.wait();
                let deadline = Instant::now() + Duration::from_secs(20);
                let mut waited = None;
                while Instant::now() < deadline {
                    match own.enter(How::Get, &revs(&[]), waited.as_deref()) {
                        Entered::Own(_) => {
                            fetched.fetch_add(1, Ordering::Relaxed);
                            assert_eq!(own.put(5, &x(5)), Published::Done);
                        }
                        Entered::Hit { .. } => return assert_eq!(own.whole(), Some(x(5))),
                        Entered::Wait { lease, .. } => waited = Some(lease),
                        other => panic!("{other:?}"),
                    }
                    std::thread::yield_now();
                }
                panic!("it waited in vain");
            });
        }
    });
    assert_eq!(fetched.into_inner(), 1);
}
