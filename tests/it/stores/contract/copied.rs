//! Scenes of publications that are too large for LOOK: a host that has a copy of one asks for no bytes.

use nomad_clients::store::{How, Look, Published, Want};

use crate::support::bench::{Bench, Part};
use crate::support::process::{Process, Records, X, Y, filled, large};

use super::A;

/// A publication of which this host has a copy, as its process is over.
fn copied(bench: &dyn Bench) -> String {
    filled(bench, A, 5, &large(&[(X, 3)])).token
}

pub(crate) fn what_has_expired_is_a_miss(bench: &dyn Bench) -> Option<()> {
    copied(bench);
    assert!(Process::on(bench).hit().is_some());
    bench.evict(Part::All)?;
    assert_eq!(Process::on(bench).hit(), None);
    Some(())
}

/// It was invalidated, or somebody else wrote it.
pub(crate) fn without_expiry_or_of_another_length_it_is_refused(bench: &dyn Bench) -> Option<()> {
    let spoil: [fn(&dyn Bench) -> Option<()>; 2] = [|it| it.persist_all(), |it| it.shorten_all()];
    for spoil in spoil {
        let rev = copied(bench);
        spoil(bench)?;
        for want in [Want::Records, Want::Full] {
            let look = Process::on(bench).store.look(want).unwrap();
            assert_eq!(look, Look::Miss { refuse: Some(rev.clone()) });
        }
    }
    Some(())
}

/// What another host has published since is read, and is what the next flight starts from.
pub(crate) fn a_copy_of_an_older_list_is_nothing(bench: &dyn Bench) -> Option<()> {
    let (x, xy) = (large(&[(X, 3)]), large(&[(X, 3), (Y, 5)]));
    copied(bench);
    elsewhere(bench, 6, &xy)?;
    let own = Process::refreshing(bench);
    let base = own.store.base(own.flight(), Want::Records).unwrap();
    assert_eq!(own.put_delta(7, &x, &base), Published::Done);
    assert_eq!(own.whole(), Some(x));
    drop(own);
    let there = elsewhere(bench, 8, &xy)?;
    let all = |of: &Process| of.hit().map(|hit| hit.all);
    assert_eq!(all(&Process::on(bench)), all(&there));
    Some(())
}

/// Another host publishes this.
fn elsewhere(bench: &dyn Bench, index: u64, records: &Records) -> Option<Process> {
    let mut there = Process::new(bench.elsewhere(A)?, 'N');
    there.own(How::Refresh);
    assert_eq!(there.put(index, records), Published::Done);
    Some(there)
}
