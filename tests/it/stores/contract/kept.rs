//! Scenes of publishing anew what is kept.

use nomad_clients::store::{How, Published};

use crate::support::bench::{Bench, Part};
use crate::support::process::{Process, X, Y, records};

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
