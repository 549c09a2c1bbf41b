//! Scenes of publishing anew what is kept.

use nomad_clients::store::{How, Published};

use crate::support::bench::{Bench, Part};
use crate::support::process::{Process, With, X, Y, full, records};

use super::{A, x2y, xy};

const KEEP: With<'static> =
    With { base: None, reset: None, partial: false, list_sent: None, keep: true };

/// A publication that is kept.
fn kept(bench: &dyn Bench) {
    assert_eq!(Process::refreshing(bench).put_with(5, &xy(), KEEP), Published::Done);
}

pub(crate) fn what_is_kept_is_published_with_a_new_rev(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let before = Process::on(bench).hit().unwrap();
    for _ in 0..2 {
        let again = Process::refreshing(bench);
        let kept = again.kept(X).unwrap();
        assert_eq!((&kept.all, &kept.first), (&before.all, &full(X, 3, A)));
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
    let with = With { base: Some(&base), ..KEEP };
    assert_eq!(own.put_with(6, &x2y(), with), Published::Done);
    let next = Process::refreshing(bench);
    let kept = next.kept(X).unwrap();
    assert_eq!((kept.all, kept.first), (own.hit().unwrap().all, full(X, 9, A)));
    assert!(next.kept("6f1c36aa-0000-4000-8000-0000000000ff").is_none(), "no such node");
    Some(())
}

/// Nothing is written, and the flight goes on.
pub(crate) fn without_its_records_it_is_refused(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    let kept = own.kept(X).unwrap();
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
    let kept = own.kept(X).unwrap();
    own.store.clear();
    assert_eq!((own.put_again(&kept), own.hit()), (Published::Fenced, None));
    let mut next = Process::on(bench);
    next.own(How::Get);
    assert!(next.kept(X).is_none());
    Some(())
}

/// As for every fenced one: whoever prints something else than the cache has leaves nothing to show.
pub(crate) fn a_newer_one_fences_what_is_kept(bench: &dyn Bench) -> Option<()> {
    kept(bench);
    let own = Process::refreshing(bench);
    let kept = own.kept(X).unwrap();
    let mut force = Process::forcing(bench);
    force.come(How::Force);
    assert_eq!(force.put_with(6, &x2y(), KEEP), Published::Done);
    assert_eq!((own.put_again(&kept), own.hit()), (Published::Fenced, None));
    Some(())
}
