//! Scenes of publishing anew what is kept.

use std::time::Duration;

use nomad_clients::store::{How, Published, Want};

use crate::support::bench::{Bench, Part};
use crate::support::process::{Process, With, X, Y, as_records, records};

use super::{A, x2y, xy};

/// A publication that is kept.
fn kept(bench: &dyn Bench) {
    assert_eq!(Process::refreshing(bench).put(5, &xy()), Published::Done);
}

pub(crate) fn what_is_kept_is_published_with_a_new_rev(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let before = Process::on(bench).hit().unwrap();
    for _ in 0..2 {
        let again = Process::refreshing(bench);
        let kept = again.base().unwrap();
        assert_eq!(kept.all, before.all);
        assert_eq!(again.put_again(&kept), Published::Done);
        let hit = again.hit().unwrap();
        assert_eq!((hit.rev.as_str(), hit.index, hit.count), (again.flight().watch(), 5, 2));
        assert_eq!((hit.all, again.whole()), (kept.all, Some(xy())));
        assert_eq!(bench.lease(A), None);
    }
    Some(())
}

pub(crate) fn after_a_change_only_the_new_is_kept(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    assert_eq!(own.put_delta(6, &x2y(), &base), Published::Done);
    let next = Process::refreshing(bench);
    let kept = next.base().unwrap();
    assert_eq!((kept.is_kept, kept.all), (true, own.hit().unwrap().all));
    Some(())
}

/// What an older copy does not know would stay.
pub(crate) fn a_node_that_comes_and_goes_leaves_nothing(bench: &dyn Bench) -> Option<()> {
    let x = records(&[(X, 3)]);
    assert_eq!(Process::refreshing(bench).put(5, &x), Published::Done);
    for (index, records) in [(6, &xy()), (7, &x)] {
        let own = Process::refreshing(bench);
        let base = own.base().unwrap();
        assert_eq!(own.put_delta(index, records, &base), Published::Done);
        assert_eq!(own.whole().as_ref(), Some(records));
    }
    Some(())
}

/// Nothing is written, and the flight goes on.
pub(crate) fn without_its_records_it_is_refused(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    let kept = own.base().unwrap();
    bench.evict(Part::Hash)?;
    let before = bench.content();
    assert!(matches!(own.put_again(&kept), Published::Rebase(_)));
    assert_eq!(bench.content(), before);
    assert_eq!(own.put(6, &records(&[(Y, 9)])), Published::Done);
    Some(())
}

pub(crate) fn a_clear_fences_what_is_kept(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    let kept = own.base().unwrap();
    own.store.clear();
    assert_eq!((own.put_again(&kept), own.hit()), (Published::Fenced, None));
    let mut next = Process::on(bench);
    next.own(How::Get);
    assert!(next.base().is_none_or(|base| !base.is_kept && *base.all == *b"[]"));
    Some(())
}

/// As for every fenced one: whoever prints something else than the cache has leaves nothing to show.
pub(crate) fn a_newer_one_fences_what_is_kept(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    let kept = own.base().unwrap();
    let mut force = Process::forcing(bench);
    force.come(How::Force);
    assert_eq!(force.put(6, &x2y()), Published::Done);
    assert_eq!((own.put_again(&kept), own.hit()), (Published::Fenced, None));
    Some(())
}

/// Of the same length, so that only the sum tells.
fn spoilt(bench: &dyn Bench) -> Option<()> {
    let (mut all, left) = bench.kept()?;
    all[50] ^= 1;
    bench.set_kept(&all, left)
}

pub(crate) fn a_spoilt_copy_is_no_base(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    spoilt(bench)?;
    let base = own.base().unwrap();
    assert!(!base.is_kept, "the full records serve instead");
    assert_eq!(as_records(Some(base)), Some(xy()));
    Some(())
}

/// The base came from the full records: nothing has changed, and nothing is copied all the same.
pub(crate) fn a_spoilt_copy_is_not_published(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    spoilt(bench)?;
    let base = own.base().unwrap();
    assert_eq!(own.put_delta(5, &xy(), &base), Published::Done);
    let hit = own.hit().unwrap();
    assert_eq!(
        (Some(&*hit.all), own.whole()),
        (bench.kept().as_ref().map(|(all, _)| all), Some(xy()))
    );
    Some(())
}

/// A list that finds no change would be published over nothing.
pub(crate) fn without_its_full_records_it_is_no_base(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    bench.kept()?;
    bench.evict(Part::Hash)?;
    let own = Process::refreshing(bench);
    assert!(own.store.base(own.flight(), Want::Records).is_none());
    Some(())
}

/// For so long its list proves something, however often it is published unasked; a new list proves it
/// anew.
pub(crate) fn it_ends_when_its_list_is_as_old_as_details_may_be(bench: &dyn Bench) -> Option<()> {
    let soon = Duration::from_secs(100);
    kept(bench);
    let (all, left) = bench.kept()?;
    assert!(left > Duration::from_secs(290), "{left:?}");
    bench.set_kept(&all, soon);
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    assert_eq!(own.put_again(&base), Published::Done);
    assert!(bench.kept()?.1 <= soon);
    assert!(bench.hash_left()? > Duration::from_secs(290));
    let listed = Process::refreshing(bench);
    let base = listed.base().unwrap();
    assert_eq!(listed.put_delta(5, &xy(), &base), Published::Done);
    assert!(bench.kept()?.1 > Duration::from_secs(290));
    Some(())
}

/// Then no list proves it any more; one may find that nothing has changed all the same.
pub(crate) fn what_is_not_kept_any_more_is_not_published_unasked(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    bench.kept()?;
    let own = Process::refreshing(bench);
    let base = own.base().unwrap();
    bench.evict(Part::Kept)?;
    assert!(matches!(own.put_again(&base), Published::Rebase(_)));
    assert_eq!(own.put_delta(6, &xy(), &base), Published::Done);
    let hit = own.hit().unwrap();
    assert_eq!(
        (Some(&*hit.all), own.whole()),
        (bench.kept().as_ref().map(|(all, _)| all), Some(xy()))
    );
    Some(())
}

/// No copy is left behind by whatever ends the publication it was made of.
pub(crate) fn it_ends_with_its_publication(bench: &dyn Bench) -> Option<()> {
    let ends: [fn(&dyn Bench) -> Option<()>; 4] = [cleared, voided, partial, reset];
    for (at, end) in ends.into_iter().enumerate() {
        kept(bench);
        bench.kept()?;
        end(bench)?;
        assert_eq!(bench.kept(), None, "{at}");
        bench.store(A).clear();
    }
    Some(())
}

fn cleared(bench: &dyn Bench) -> Option<()> {
    bench.store(A).clear();
    Some(())
}

fn voided(bench: &dyn Bench) -> Option<()> {
    bench.store(A).void(None).unwrap();
    Some(())
}

fn partial(bench: &dyn Bench) -> Option<()> {
    let partial = With { partial: true, ..With::default() };
    assert_eq!(Process::refreshing(bench).put_with(6, &xy(), partial), Published::Done);
    Some(())
}

/// A lower list that was confirmed, and can't be published.
fn reset(bench: &dyn Bench) -> Option<()> {
    let own = Process::refreshing(bench);
    let rev = own.flight().meta()?.rev.clone();
    bench.lose_lease(A)?;
    let lower = With { reset: Some(&rev), ..With::default() };
    assert_eq!(own.put_with(3, &xy(), lower), Published::Fenced);
    Some(())
}
