//! Scenes of publishing: deltas, floors, bases, partial results.

use std::collections::BTreeMap;
use std::time::Duration;

use nomad_clients::store::{Entered, FailureClass, How, Published};

use crate::support::bench::{Bench, Part};
use crate::support::process::{Process, With, X, as_records, filled, records, records_of};

use super::{A, B, meta, revs, x, x2y, xy};

/// Meta evicted, a fenced flight leaves a floor over nothing: count 0 = HLEN 0, yet not my base.
pub(crate) fn delta_needs_the_rev(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.evict(Part::Meta)?;
    assert_eq!(fenced.put(6, &xy()), Published::Fenced);
    assert!(matches!(own.put_delta(9, &x2y(), &base), Published::Rebase(_)));
    assert_eq!(own.put(9, &x2y()), Published::Done);
    assert_eq!(own.whole(), Some(x2y()));
    Some(())
}

/// The hash was evicted between ENTER and PUBLISH.
pub(crate) fn delta_needs_the_count(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.evict(Part::Hash)?;
    let published = own.put_delta(9, &x2y(), &base);
    if published == Published::Done {
        assert_eq!(own.whole(), Some(x2y()), "it was no delta");
        return None;
    }
    assert!(matches!(published, Published::Rebase(_)));
    assert_eq!(bench.lease(A).as_deref(), Some(&*own.token));
    assert_eq!(own.put(9, &x2y()), Published::Done);
    assert_eq!(own.whole(), Some(x2y()));
    Some(())
}

/// My lease ran out, another published; a delta is refused like everything else.
pub(crate) fn delta_needs_the_lease(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let late = Process::refreshing(bench);
    let base = late.base().unwrap();
    bench.lose_lease(A)?;
    let other = filled(bench, A, 9, &x2y());
    assert_eq!(late.put_delta(8, &xy(), &base), Published::Fenced);
    assert!(other.whole().is_none_or(|shown| shown == x2y()));
    Some(())
}

pub(crate) fn delta_removes_the_gone(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    let only_x = records(&[(X, 9)]);
    assert_eq!(own.put_delta(9, &only_x, &base), Published::Done);
    assert_eq!(own.whole(), Some(only_x));
    assert_eq!(bench.hash_ids()?, [X]);
    Some(())
}

pub(crate) fn whole_replaces(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::refreshing(bench);
    let only_x = records(&[(X, 9)]);
    assert_eq!(own.put(9, &only_x), Published::Done);
    assert_eq!(own.whole(), Some(only_x));
    assert_eq!(bench.hash_ids()?, [X]);
    Some(())
}

/// Nothing changed: `all` gets a new life, the full records too.
pub(crate) fn delta_of_nothing(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.shorten_hash()?;
    assert_eq!(own.put_delta(5, &x(), &base), Published::Done);
    assert_eq!(own.whole(), Some(x()));
    assert!(bench.hash_left()? > Duration::from_secs(290));
    Some(())
}

pub(crate) fn rebase_changes_nothing(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::refreshing(bench);
    let (mut base, before) = (own.base().unwrap(), bench.content());
    base.rev = "Nabc".to_owned();
    let published = own.put_delta(9, &records(&[(X, 9)]), &base);
    if !matches!(published, Published::Rebase(_)) {
        return None;
    }
    assert_eq!(bench.content(), before);
    assert_eq!(bench.lease(A).as_deref(), Some(&*own.token));
    Some(())
}

/// OLDER names the floor's rev; the delta is still judged by the rev the hash was read with.
pub(crate) fn older_then_delta(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.evict(Part::Meta)?;
    fenced.put(9, &xy());
    let older = own.put_delta(8, &xy(), &base);
    let floor = format!("t{}", fenced.token);
    assert!(matches!(older, Published::Older { index: 9, rev, .. } if rev == floor));
    assert!(matches!(own.put_delta(10, &x2y(), &base), Published::Rebase(_)));
    Some(())
}

/// A floor over a valid hash names its count and hsum, so the next refresh still has a base.
pub(crate) fn floor_keeps_the_base(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    assert_eq!(fenced.put(7, &xy()), Published::Fenced);
    assert_eq!(fenced.hit(), None);
    let mut next = Process::on(bench);
    next.own(How::Get);
    assert_eq!(next.flight().meta().map(|meta| meta.index), Some(7));
    let base = next.base().unwrap();
    assert_eq!(as_records(Some(base.clone())), Some(xy()));
    assert_eq!(next.put_delta(9, &x2y(), &base), Published::Done);
    assert_eq!(next.whole(), Some(x2y()));
    Some(())
}

/// What a fenced process printed is never contradicted by an older hit.
pub(crate) fn floor_refuses_the_older(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    let own = Process::refreshing(bench);
    fenced.put(9, &records(&[(X, 9)]));
    assert!(matches!(own.put(5, &x()), Published::Older { index: 9, .. }));
    Some(())
}

/// The meta of another scope is gone, its hash is not: a floor must not adopt it.
pub(crate) fn no_floor_over_an_orphan_hash(bench: &dyn Bench) -> Option<()> {
    filled(bench, B, 5, &records_of(B, &[(X, 3)]));
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    bench.evict(Part::Meta)?;
    fenced.put(7, &x());
    let floor = meta(bench).unwrap();
    assert_eq!(floor.scope, fenced_scope());
    assert_eq!((floor.count, bench.hash_ids()), (0, None));
    Some(())
}

fn fenced_scope() -> String {
    crate::support::bench::scope(A).to_string()
}

/// Between ENTER and the base everything was cleared and another cluster took the literal keys.
pub(crate) fn base_is_verified(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::refreshing(bench);
    own.store.clear();
    filled(bench, B, 5, &records_of(B, &[(X, 3)]));
    assert_eq!(as_records(own.base()), None);
    Some(())
}

/// Rows for those who wait, a base for the next, a hit for nobody.
pub(crate) fn partial_serves_waiters_only(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    let mut waiter = Process::on(bench);
    let Entered::Wait { lease, .. } = waiter.come(How::Get) else { panic!("it must wait") };
    let partial = With { partial: true, ..With::default() };
    assert_eq!(owner.put_with(5, &x(), partial), Published::Done);
    assert_eq!(owner.hit(), None);
    let entered = waiter.enter(How::Get, &revs(&[]), Some(&lease));
    assert!(matches!(entered, Entered::Failed(FailureClass::Partial)), "{entered:?}");
    let shown = waiter.store.partial(&lease).unwrap().unwrap();
    assert_eq!((shown.index, shown.all.len()), (5, 0));
    assert_eq!(shown.fulls.map(BTreeMap::from_iter), Some(x()));
    assert_eq!(waiter.store.partial("Nother").unwrap(), None);
    let mut next = Process::on(bench);
    next.own(How::Get);
    let base = next.base().unwrap();
    assert_eq!(as_records(Some(base.clone())), Some(x()));
    assert_eq!(next.put_delta(5, &xy(), &base), Published::Done);
    assert_eq!(next.whole(), Some(xy()));
    Some(())
}

/// What a partial publication announced is void with its epoch.
pub(crate) fn a_partial_publication_ends_with_its_epoch(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    owner.put_with(5, &x(), With { partial: true, ..With::default() });
    assert!(owner.store.partial(&owner.token).unwrap().is_some());
    bench.spoil_epoch(b"abcd")?;
    assert_eq!(owner.store.partial(&owner.token).unwrap(), None);
    Some(())
}
