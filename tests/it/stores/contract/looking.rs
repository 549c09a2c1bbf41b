//! Scenes of looking: what is shown, and how old it is said to be.

use std::time::Duration;

use nomad_clients::store::{How, Look, Published};

use crate::support::bench::{Bench, Part};
use crate::support::process::{Process, With, X, Y, as_records, filled, full, records, records_of};

use crate::support::sealed::sealed;

use super::{A, B, PAUSE, x, xy};

pub(crate) fn foreign_edit_is_noticed(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let mut own = Process::on(bench);
    bench.edit(X, &full(X, 3, "evil"))?;
    assert!(own.hit().is_some());
    assert_eq!(own.whole(), None);
    own.own(How::Refresh);
    assert_eq!(as_records(own.base()), None);
    Some(())
}

pub(crate) fn foreign_exchange_is_noticed(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &xy());
    let own = Process::on(bench);
    bench.edit(X, &sealed(&full(Y, 5, A)))?;
    bench.edit(Y, &sealed(&full(X, 3, A)))?;
    assert!(own.hit().is_some());
    assert_eq!(own.whole(), None);
    Some(())
}

/// Its record is right, what follows is not.
pub(crate) fn a_record_without_its_sum_is_noticed(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::on(bench);
    let open = full(X, 3, A);
    let more = [&open[..open.len() - 1], br#","os":"evil"}"#].concat();
    bench.edit(X, &more)?;
    assert_eq!(own.whole(), None);
    Some(())
}

/// Sealed as it should be, and newer or older than the list.
pub(crate) fn a_record_of_another_list_is_noticed(bench: &dyn Bench) -> Option<()> {
    filled(bench, A, 5, &x());
    let own = Process::on(bench);
    bench.edit(X, &sealed(&full(X, 4, A)))?;
    assert_eq!(own.whole(), None);
    Some(())
}

/// An epoch that is not hex could never be matched by a meta again: ENTER makes a new one.
pub(crate) fn a_spoilt_epoch_heals(bench: &dyn Bench) -> Option<()> {
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

pub(crate) fn an_evicted_epoch_voids_everything(bench: &dyn Bench) -> Option<()> {
    let shown = filled(bench, A, 5, &x());
    let late = Process::refreshing(bench);
    bench.evict(Part::Epoch)?;
    assert_eq!(shown.hit(), None);
    assert_eq!(late.put(9, &records(&[(X, 9)])), Published::Fenced);
    late.store.release(late.flight().lease());
    let mut next = Process::on(bench);
    next.own(How::Get);
    assert_eq!(next.flight().meta(), None);
    Some(())
}

pub(crate) fn two_scopes_side_by_side(bench: &dyn Bench) -> Option<()> {
    let first = filled(bench, A, 5, &x());
    let second = filled(bench, B, 5, &records_of(B, &[(X, 3)]));
    assert_eq!(first.whole(), Some(x()));
    assert_eq!(second.whole(), Some(records_of(B, &[(X, 3)])));
    Some(())
}

pub(crate) fn a_rolled_back_epoch_is_cleared_again(bench: &dyn Bench) -> Option<()> {
    let knows = filled(bench, A, 5, &x());
    let saved = bench.save()?;
    knows.store.clear();
    bench.restore(&saved);
    let stranger = Process::new(bench.elsewhere(A)?, 'N');
    assert!(stranger.hit().is_some(), "another host knows nothing of the clear");
    assert_eq!(knows.hit(), None);
    assert_eq!(bench.content(), [None, None, None, None, None]);
    Some(())
}

/// What takes its time between the list and the publication is age.
pub(crate) fn the_way_counts_as_age(bench: &dyn Bench) -> Option<()> {
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
pub(crate) fn age_is_never_too_low(bench: &dyn Bench) -> Option<()> {
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

pub(crate) fn all_without_expiry_is_no_hit(bench: &dyn Bench) -> Option<()> {
    let own = filled(bench, A, 5, &x());
    bench.persist_all()?;
    let refuse = Some(own.token.clone());
    let look = own.store.look(nomad_clients::store::Want::Records).unwrap();
    assert_eq!(look, Look::Miss { refuse });
    Some(())
}
