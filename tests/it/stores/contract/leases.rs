//! Scenes of leases: who may fill, and who may not any more.

use std::time::Duration;

use nomad_clients::store::Want;
use nomad_clients::store::{Entered, FailureClass, How, Published};

use crate::support::bench::Bench;
use crate::support::process::{Process, X, filled, records, records_of};

use super::{A, B, is_own, revs, x};

/// Two --force under one lease: the first publishes, the second is fenced.
pub(crate) fn one_publication_per_lease(bench: &dyn Bench) -> Option<()> {
    let (mut first, mut second) = (Process::forcing(bench), Process::forcing(bench));
    first.own(How::Force);
    let entered = second.come(How::Force);
    if !matches!(&entered, Entered::Own(flight) if flight.lease().is_solo()) {
        return None;
    }
    assert!(second.store.renew(second.flight().lease()).unwrap(), "it has nothing to lose");
    assert_eq!(second.put(9, &records(&[(X, 9)])), Published::Done);
    assert_eq!(first.put(5, &x()), Published::Fenced);
    Some(())
}

/// A --force that began before the --refresh publishes under the other one's lease: not good
/// enough for the --refresh.
pub(crate) fn refresh_and_two_forces(bench: &dyn Bench) -> Option<()> {
    let (mut first, mut second) = (Process::forcing(bench), Process::forcing(bench));
    first.come(How::Force);
    if !matches!(second.come(How::Force), Entered::Own(flight) if flight.lease().is_solo()) {
        return None;
    }
    let mut refresh = Process::on(bench);
    let Entered::Wait { lease, rev } = refresh.come(How::Refresh) else { panic!("it must wait") };
    assert_eq!((&*lease, rev), (&*first.token, None));
    assert_eq!(second.put(5, &x()), Published::Done);
    let refuse = revs(&["", &lease]);
    let mut entered = refresh.enter(How::Refresh, &refuse, Some(&lease));
    if matches!(entered, Entered::Wait { .. }) {
        // Where a lease is a lock, it ends with its owner.
        assert_eq!(first.put(5, &x()), Published::Fenced);
        entered = refresh.enter(How::Refresh, &refuse, Some(&lease));
    }
    assert!(is_own(&entered), "{entered:?}");
    Some(())
}

pub(crate) fn lease_ends_with_its_publication(bench: &dyn Bench) -> Option<()> {
    let own = filled(bench, A, 5, &x());
    assert_eq!(bench.lease(A), None);
    assert_eq!(own.put(9, &records(&[(X, 9)])), Published::Fenced);
    Some(())
}

pub(crate) fn failure_is_for_waiters(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    let mut waiter = Process::on(bench);
    let Entered::Wait { lease, .. } = waiter.come(How::Get) else { panic!("it must wait") };
    owner.store.fail(owner.flight().lease(), FailureClass::Outage);
    let entered = waiter.enter(How::Get, &revs(&[]), Some(&lease));
    assert!(matches!(entered, Entered::Failed(FailureClass::Outage)), "{entered:?}");
    assert!(is_own(&Process::on(bench).enter(How::Get, &revs(&[]), Some("Nother"))));
    Some(())
}

pub(crate) fn a_lost_lease_is_not_renewed(bench: &dyn Bench) -> Option<()> {
    let mut late = Process::on(bench);
    late.own(How::Get);
    assert!(late.store.renew(late.flight().lease()).unwrap());
    bench.lose_lease(A)?;
    assert!(!late.store.renew(late.flight().lease()).unwrap());
    assert_eq!(bench.lease(A), None);
    let mut other = Process::on(bench);
    other.own(How::Get);
    assert!(!late.store.renew(late.flight().lease()).unwrap());
    late.store.release(late.flight().lease());
    late.store.fail(late.flight().lease(), FailureClass::Outage);
    assert_eq!(bench.lease(A), Some(other.token));
    Some(())
}

pub(crate) fn a_released_lease_is_free(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    owner.store.release(owner.flight().lease());
    Process::on(bench).own(How::Get);
    Some(())
}

pub(crate) fn an_endless_lease_is_taken(bench: &dyn Bench) -> Option<()> {
    let mut first = Process::on(bench);
    bench.set_lease(A, "Nabc", None)?;
    first.own(How::Get);
    bench.set_lease(A, "Nabc", Some(Duration::from_secs(10_000)))?;
    Process::on(bench).own(How::Get);
    Some(())
}

pub(crate) fn clear_beats_a_flight(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    let cleared = bench.store(A).clear();
    assert!(cleared.places.iter().all(|place| place.outcome.is_ok()));
    assert_eq!(owner.put(5, &x()), Published::Fenced);
    assert_eq!(owner.hit(), None);
    Some(())
}

pub(crate) fn clear_beats_a_flight_of_another_scope(bench: &dyn Bench) -> Option<()> {
    bench.holds_scopes()?;
    let mut owner = Process::new(bench.store(B), 'N');
    owner.own(How::Get);
    let mut other = Process::on(bench);
    other.store.clear();
    other.own(How::Get);
    assert_eq!(owner.put(5, &records_of(B, &[(X, 3)])), Published::Fenced);
    assert_eq!(owner.hit(), None);
    Some(())
}

/// Nomad has refused a token: nobody who has it is shown anything, whatever is under way.
pub(crate) fn a_refused_credential_voids_its_scope_only(bench: &dyn Bench) -> Option<()> {
    let own = filled(bench, A, 5, &x());
    let other = filled(bench, B, 5, &records_of(B, &[(X, 3)]));
    bench.store(B).void(None).unwrap();
    assert_eq!((other.hit(), other.store.last(Want::Full)), (None, None));
    assert_eq!(own.whole(), Some(x()));
    let other = filled(bench, B, 5, &records_of(B, &[(X, 3)]));
    let late = Process::refreshing(bench);
    bench.store(A).void(None).unwrap();
    assert_eq!((own.hit(), own.store.last(Want::Full)), (None, None));
    assert_eq!(other.whole(), Some(records_of(B, &[(X, 3)])));
    assert_eq!(late.put(9, &records(&[(X, 9)])), Published::Fenced);
    assert_eq!(own.hit(), None);
    let mut next = Process::on(bench);
    next.own(How::Get);
    assert_eq!(next.put(9, &records(&[(X, 9)])), Published::Done);
    assert_eq!(own.whole(), Some(records(&[(X, 9)])));
    Some(())
}

pub(crate) fn a_refused_flight_is_told_to_those_who_wait(bench: &dyn Bench) -> Option<()> {
    let mut own = Process::on(bench);
    own.own(How::Get);
    let mut waiter = Process::on(bench);
    assert!(matches!(waiter.come(How::Get), Entered::Wait { .. }));
    own.store.void(Some(own.flight().lease())).unwrap();
    own.store.fail(own.flight().lease(), FailureClass::Denied);
    let entered = waiter.enter(How::Get, &revs(&[]), Some(&own.token));
    assert!(matches!(entered, Entered::Failed(FailureClass::Denied)), "{entered:?}");
    Some(())
}
