//! What every store promises: the protocol's exact scenes, a handful of steps and one promise each.
//!
//! A scene ends early with `None` where a step can't happen to that kind of store.

use std::collections::BTreeMap;
use std::time::Duration;

use nomad_clients::store::meta::Meta;
use nomad_clients::store::{Class, Entered, How, Look, Published, Refuse};

use crate::support::bench::{Bench, Part};
use crate::support::process::{
    Process, Records, With, X, Y, as_records, filled, full, records, records_of,
};

const A: &str = "a0";
const B: &str = "b1";
const PAUSE: Duration = Duration::from_millis(30);

fn xy() -> Records {
    records(&[(X, 3), (Y, 5)])
}

/// X has changed.
fn x2y() -> Records {
    records(&[(X, 9), (Y, 5)])
}

fn x() -> Records {
    records(&[(X, 3)])
}

fn meta(bench: &dyn Bench) -> Option<Meta> {
    Meta::parse(&bench.meta()?)
}

fn revs(of: &[&str]) -> Refuse {
    Refuse::Revs(of.iter().map(|rev| (*rev).to_owned()).collect())
}

fn is_own(entered: &Entered) -> bool {
    matches!(entered, Entered::Own(flight) if !flight.solo)
}

/// Meta evicted, a fenced flight leaves a floor over nothing: count 0 = HLEN 0, yet not my base.
pub fn delta_needs_the_rev(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.evict(Part::Meta)?;
    assert_eq!(fenced.put(6, &xy()), Published::Fenced);
    assert_eq!(own.put_delta(9, &x2y(), &base), Published::Rebase);
    assert_eq!(own.put(9, &x2y()), Published::Done);
    assert_eq!(own.whole(), Some(x2y()));
    Some(())
}

/// The hash was evicted between ENTER and PUBLISH.
pub fn delta_needs_the_count(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.evict(Part::Hash)?;
    assert_eq!(own.put_delta(9, &x2y(), &base), Published::Rebase);
    assert_eq!(bench.lease(A).as_deref(), Some(&*own.token));
    assert_eq!(own.put(9, &x2y()), Published::Done);
    assert_eq!(own.whole(), Some(x2y()));
    Some(())
}

/// My lease ran out, another published; a delta is refused like everything else.
pub fn delta_needs_the_lease(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let late = Process::refreshing(bench);
    let base = late.base().unwrap();
    bench.lose_lease(A)?;
    let other = filled(bench, A, 9, &x2y());
    assert_eq!(late.put_delta(8, &xy(), &base), Published::Fenced);
    assert!(other.whole().is_none_or(|shown| shown == x2y()));
    Some(())
}

pub fn delta_removes_the_gone(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    let only_x = records(&[(X, 9)]);
    assert_eq!(own.put_delta(9, &only_x, &base), Published::Done);
    assert_eq!(own.whole(), Some(only_x));
    assert_eq!(bench.hash_ids()?, [X]);
    Some(())
}

pub fn whole_replaces(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::refreshing(bench);
    let only_x = records(&[(X, 9)]);
    assert_eq!(own.put(9, &only_x), Published::Done);
    assert_eq!(own.whole(), Some(only_x));
    assert_eq!(bench.hash_ids()?, [X]);
    Some(())
}

/// Nothing changed: `all` gets a new life, the full records too.
pub fn delta_of_nothing(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.shorten_hash()?;
    assert_eq!(own.put_delta(5, &x(), &base), Published::Done);
    assert_eq!(own.whole(), Some(x()));
    assert!(bench.hash_left()? > Duration::from_secs(290));
    Some(())
}

pub fn rebase_changes_nothing(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::refreshing(bench);
    let (mut base, before) = (own.base().unwrap(), bench.content());
    base.rev = "Nabc".to_owned();
    let published = own.put_delta(9, &records(&[(X, 9)]), &base);
    if published != Published::Rebase {
        return None;
    }
    assert_eq!(bench.content(), before);
    assert_eq!(bench.lease(A).as_deref(), Some(&*own.token));
    Some(())
}

/// OLDER names the floor's rev; the delta is still judged by the rev the hash was read with.
pub fn older_then_delta(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.evict(Part::Meta)?;
    fenced.put(9, &xy());
    let older = own.put_delta(8, &xy(), &base);
    assert_eq!(older, Published::Older { index: 9, rev: format!("t{}", fenced.token) });
    assert_eq!(own.put_delta(10, &x2y(), &base), Published::Rebase);
    Some(())
}

/// A floor over a valid hash names its count and hsum, so the next refresh still has a base.
pub fn floor_keeps_the_base(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    assert_eq!(fenced.put(7, &xy()), Published::Fenced);
    assert_eq!(fenced.hit(), None);
    let mut next = Process::on(bench);
    next.own(How::Get);
    assert_eq!(next.flight().meta.as_ref().map(|meta| meta.index), Some(7));
    let base = next.base().unwrap();
    assert_eq!(as_records(Some(base.clone())), Some(xy()));
    assert_eq!(next.put_delta(9, &x2y(), &base), Published::Done);
    assert_eq!(next.whole(), Some(x2y()));
    Some(())
}

/// What a fenced process printed is never contradicted by an older hit.
pub fn floor_refuses_the_older(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let fenced = Process::refreshing(bench);
    bench.lose_lease(A)?;
    let own = Process::refreshing(bench);
    fenced.put(9, &records(&[(X, 9)]));
    assert!(matches!(own.put(5, &x()), Published::Older { index: 9, .. }));
    Some(())
}

/// The meta of another scope is gone, its hash is not: a floor must not adopt it.
pub fn no_floor_over_an_orphan_hash(bench: &dyn Bench) -> Option<()> {
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
pub fn base_is_verified(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::refreshing(bench);
    own.store.clear();
    filled(bench, B, 5, &records_of(B, &[(X, 3)]));
    assert_eq!(as_records(own.base()), None);
    Some(())
}

pub fn foreign_edit_is_noticed(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let mut own = Process::on(bench);
    bench.edit(X, &full(X, 3, "evil"))?;
    assert!(own.hit().is_some());
    assert_eq!(own.whole(), None);
    own.own(How::Refresh);
    assert_eq!(as_records(own.base()), None);
    Some(())
}

pub fn foreign_exchange_is_noticed(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::on(bench);
    bench.edit(X, &full(Y, 5, A))?;
    bench.edit(Y, &full(X, 3, A))?;
    assert!(own.hit().is_some());
    assert_eq!(own.whole(), None);
    Some(())
}

/// Two --force under one lease: the first publishes, the second is fenced.
pub fn one_publication_per_lease(bench: &dyn Bench) -> Option<()> {
    let (mut first, mut second) = (Process::forcing(bench), Process::forcing(bench));
    first.own(How::Force);
    let entered = second.come(How::Force);
    if !matches!(&entered, Entered::Own(flight) if flight.solo) {
        return None;
    }
    assert_eq!(second.put(9, &records(&[(X, 9)])), Published::Done);
    assert_eq!(first.put(5, &x()), Published::Fenced);
    Some(())
}

/// A --force that began before the --refresh publishes under the other one's lease: not good
/// enough for the --refresh.
pub fn refresh_and_two_forces(bench: &dyn Bench) -> Option<()> {
    let (mut first, mut second) = (Process::forcing(bench), Process::forcing(bench));
    first.come(How::Force);
    if !matches!(second.come(How::Force), Entered::Own(flight) if flight.solo) {
        return None;
    }
    let mut refresh = Process::on(bench);
    let Entered::Wait { lease, rev } = refresh.come(How::Refresh) else { panic!("it must wait") };
    assert_eq!((&*lease, rev), (&*first.token, None));
    assert_eq!(second.put(5, &x()), Published::Done);
    assert!(is_own(&refresh.enter(How::Refresh, &revs(&["", &lease]), Some(&lease))));
    Some(())
}

pub fn lease_ends_with_its_publication(bench: &dyn Bench) -> Option<()> {
    let own = filled(bench, A, 5, &x());
    assert_eq!(bench.lease(A), None);
    assert_eq!(own.put(9, &records(&[(X, 9)])), Published::Fenced);
    Some(())
}

pub fn failure_is_for_waiters(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    let mut waiter = Process::on(bench);
    let Entered::Wait { lease, .. } = waiter.come(How::Get) else { panic!("it must wait") };
    owner.store.fail(owner.flight(), Class::Outage);
    let entered = waiter.enter(How::Get, &revs(&[]), Some(&lease));
    assert!(matches!(entered, Entered::Failed(Class::Outage)), "{entered:?}");
    assert!(is_own(&Process::on(bench).enter(How::Get, &revs(&[]), Some("Nother"))));
    Some(())
}

/// Rows for those who wait, a base for the next, a hit for nobody.
pub fn partial_serves_waiters_only(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    let mut waiter = Process::on(bench);
    let Entered::Wait { lease, .. } = waiter.come(How::Get) else { panic!("it must wait") };
    let partial = With { partial: true, ..With::default() };
    assert_eq!(owner.put_with(5, &x(), partial), Published::Done);
    assert_eq!(owner.hit(), None);
    let entered = waiter.enter(How::Get, &revs(&[]), Some(&lease));
    assert!(matches!(entered, Entered::Failed(Class::Partial)), "{entered:?}");
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

pub fn a_lost_lease_is_not_renewed(bench: &dyn Bench) -> Option<()> {
    let mut late = Process::on(bench);
    late.own(How::Get);
    assert!(late.store.renew(late.flight()).unwrap());
    bench.lose_lease(A)?;
    assert!(!late.store.renew(late.flight()).unwrap());
    assert_eq!(bench.lease(A), None);
    let mut other = Process::on(bench);
    other.own(How::Get);
    assert!(!late.store.renew(late.flight()).unwrap());
    late.store.release(late.flight());
    late.store.fail(late.flight(), Class::Outage);
    assert_eq!(bench.lease(A), Some(other.token));
    Some(())
}

pub fn a_released_lease_is_free(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    owner.store.release(owner.flight());
    Process::on(bench).own(How::Get);
    Some(())
}

pub fn an_endless_lease_is_taken(bench: &dyn Bench) -> Option<()> {
    let mut first = Process::on(bench);
    bench.set_lease(A, "Nabc", None)?;
    first.own(How::Get);
    bench.set_lease(A, "Nabc", Some(Duration::from_secs(10_000)))?;
    Process::on(bench).own(How::Get);
    Some(())
}

/// An epoch that is not hex could never be matched by a meta again: ENTER makes a new one.
pub fn a_spoilt_epoch_heals(bench: &dyn Bench) -> Option<()> {
    for (round, junk) in [&b""[..], b"null", b"\x00\xff", b"zz"].into_iter().enumerate() {
        let index = 5 + 10 * round as u64;
        filled(bench, A, index, &x());
        let mut next = Process::on(bench);
        bench.spoil_epoch(junk)?;
        assert_eq!(next.hit(), None);
        next.own(How::Get);
        assert_eq!(next.put(index + 1, &records(&[(X, 9)])), Published::Done);
        assert_eq!(next.whole(), Some(records(&[(X, 9)])));
    }
    Some(())
}

pub fn an_evicted_epoch_voids_everything(bench: &dyn Bench) -> Option<()> {
    let shown = filled(bench, A, 5, &x());
    let late = Process::refreshing(bench);
    bench.evict(Part::Epoch)?;
    assert_eq!(shown.hit(), None);
    assert_eq!(late.put(9, &records(&[(X, 9)])), Published::Fenced);
    late.store.release(late.flight());
    let mut next = Process::on(bench);
    next.own(How::Get);
    assert_eq!(next.flight().meta, None);
    Some(())
}

pub fn clear_beats_a_flight(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::on(bench);
    owner.own(How::Get);
    let cleared = bench.store(A).clear();
    assert!(cleared.places.iter().all(|place| place.outcome.is_ok()));
    assert_eq!(owner.put(5, &x()), Published::Fenced);
    assert_eq!(owner.hit(), None);
    Some(())
}

pub fn clear_beats_a_flight_of_another_scope(bench: &dyn Bench) -> Option<()> {
    let mut owner = Process::new(bench.store(B), 'N');
    owner.own(How::Get);
    let mut other = Process::on(bench);
    other.store.clear();
    other.own(How::Get);
    assert_eq!(owner.put(5, &records_of(B, &[(X, 3)])), Published::Fenced);
    assert_eq!(owner.hit(), None);
    Some(())
}

pub fn two_scopes_side_by_side(bench: &dyn Bench) -> Option<()> {
    let first = filled(bench, A, 5, &x());
    let second = filled(bench, B, 5, &records_of(B, &[(X, 3)]));
    assert_eq!(first.whole(), Some(x()));
    assert_eq!(second.whole(), Some(records_of(B, &[(X, 3)])));
    Some(())
}

pub fn a_rolled_back_epoch_is_cleared_again(bench: &dyn Bench) -> Option<()> {
    let knows = filled(bench, A, 5, &x());
    let saved = bench.save()?;
    knows.store.clear();
    bench.restore(&saved);
    let stranger = Process::new(bench.elsewhere(A)?, 'N');
    assert!(stranger.hit().is_some(), "another host knows nothing of the clear");
    assert_eq!(knows.hit(), None);
    assert_eq!(bench.content(), [None, None, None, None]);
    Some(())
}

/// What takes its time between the list and the publication is age.
pub fn the_way_counts_as_age(bench: &dyn Bench) -> Option<()> {
    let mut own = Process::on(bench);
    own.own(How::Get);
    let list_sent = Some(bench.now());
    bench.pass(PAUSE);
    assert_eq!(own.put_with(5, &x(), With { list_sent, ..With::default() }), Published::Done);
    let shown = own.hit().unwrap();
    assert!(shown.age >= PAUSE, "{:?}", shown.age);
    assert!(shown.since < Duration::from_secs(5) && shown.age < Duration::from_secs(5));
    bench.pass(PAUSE);
    let later = own.hit().unwrap();
    assert!(later.since >= PAUSE - Duration::from_millis(1), "{:?}", later.since);
    assert!(later.age >= 2 * PAUSE - Duration::from_millis(1), "{:?}", later.age);
    Some(())
}

/// A publication falls into the middle of LOOK.
pub fn age_is_never_too_low(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    bench.pass(PAUSE);
    let mut next = Process::on(bench);
    next.own(How::Refresh);
    let event = Box::new(move || assert_eq!(next.put(9, &records(&[(X, 9)])), Published::Done));
    let Look::Hit(shown) = bench.look_around(A, event)? else { panic!("a miss") };
    assert_eq!(shown.index, 9);
    assert!(shown.age >= PAUSE - Duration::from_millis(1), "{:?}", shown.age);
    Some(())
}

pub fn all_without_expiry_is_no_hit(bench: &dyn Bench) -> Option<()> {
    let own = filled(bench, A, 5, &x());
    bench.persist_all()?;
    let refuse = Some(own.token.clone());
    let look = own.store.look(nomad_clients::store::Want::Records).unwrap();
    assert_eq!(look, Look::Miss { refuse });
    Some(())
}
