//! The cache of one process, as far as it is not what every store promises.

use std::sync::Arc;
use std::time::Duration;

use nomad_clients::store::Want;
use nomad_clients::store::in_process::InProcessStore;
use nomad_clients::store::{CacheState, How, Place, Published, Sample};

use crate::support::bench::place;
use crate::support::process::{Process, X, records};

fn process(place: &Place) -> Process {
    Process::new(Arc::new(InProcessStore::new(place, None)), 'N')
}

#[test]
fn its_statistics_are_those_of_this_process() {
    let mut own = process(&place("a0", ""));
    let cold = own.store.stats().unwrap();
    assert_eq!(
        (cold.kind, &*cold.place, cold.state, cold.nodes),
        ("none", "memory", CacheState::Cold, None)
    );
    own.own(How::Get);
    own.put(5, &records(&[(X, 3)]));
    own.store.count(&Sample::of(true, Duration::from_micros(7), 0));
    own.store.count(&Sample::of(false, Duration::from_micros(9), 2));
    let hot = own.store.stats().unwrap();
    assert_eq!((hot.state, hot.nodes), (CacheState::Hot, Some(1)));
    assert!(hot.age <= Some(Duration::from_secs(60)) && hot.fresh_for.is_some());
    let sum = Sample::sum(&hot.minutes);
    assert_eq!((sum.hits, sum.miss_time.as_micros(), sum.nomad_calls), (1, 9, 2));
    assert_eq!(process(&place("a0", "")).store.stats().unwrap().state, CacheState::Cold);
}

#[test]
fn without_a_ttl_nothing_is_fresh_and_details_are_kept() {
    let mut own = process(&Place { ttl: Duration::ZERO, ..place("a0", "") });
    own.own(How::Get);
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    assert_eq!((own.hit(), own.store.stats().unwrap().state), (None, CacheState::Stale));
    own.own(How::Get);
    assert_eq!(own.base().map(|base| base.fulls.unwrap().len()), Some(1));
}

#[test]
fn without_a_time_for_details_nothing_is_kept() {
    let none = Duration::ZERO;
    let mut own = process(&Place { ttl: none, detail_ttl: none, ..place("a0", "") });
    own.own(How::Get);
    assert_eq!(own.put(5, &records(&[(X, 3)])), Published::Done);
    own.own(How::Get);
    assert_eq!((own.base().map(|base| base.rev), own.store.last(Want::Full)), (None, None));
}
