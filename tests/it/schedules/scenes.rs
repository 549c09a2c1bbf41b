//! Exact scenes of the whole client: one process of the real discovery, stopped at its gates, while
//! others, driven by hand, do what random schedules hit too rarely.

use std::sync::Arc;

use nomad_clients::model::node::Full;
use nomad_clients::model::notice::Notifier;
use nomad_clients::store::fallback::FallbackStore;
use nomad_clients::store::monotonic::MonotonicStore;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{BootClock, How, Place, Published, Store};
use tempfile::TempDir;

use crate::support::bench::{Bench, OracleBench, Part, RedisBench, place};
use crate::support::fake_nomad::{FakeNomad, detail, id, outage, stub};
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, Records, With, filled};
use crate::support::process_bench::ProcessBench;
use crate::support::world::listing;

use super::actor::Kind;
use super::setup::Setup;

const A: &str = "a0";
const WHOLE: (Option<&str>, bool) = (Some("Done"), false);
const DELTA: (Option<&str>, bool) = (Some("Done"), true);

pub(super) type Scene = fn(&Setup<'_>) -> Option<()>;

/// Full records of nodes: name, modify index, and the rack that tells the detail.
fn fulls(nodes: &[(&str, u64, &str)]) -> Records {
    let full = |(name, index, rack): &(&str, u64, &str)| {
        let facts = detail(name, *index, rack).facts;
        (id(name), Full::new(&stub(name, *index), Some(facts)).to_json().0.into())
    };
    nodes.iter().map(full).collect()
}

fn x() -> Records {
    fulls(&[("x", 3, "r3")])
}

fn xy() -> Records {
    fulls(&[("x", 3, "r3"), ("y", 5, "r5")])
}

/// Gives these lists one after the other; its details are those of `nodes`.
fn nomad(nodes: &[(&str, u64)], lists: &[(u64, &[(&str, u64)])]) -> FakeNomad {
    let fake = FakeNomad::with(nodes);
    for (index, listed) in lists {
        fake.answer_list(listing(*index, listed));
    }
    fake
}

/// As [`nomad`], and the detail of `of` is of another life of the cluster.
fn rebuilt(of: &str, fake: FakeNomad) -> FakeNomad {
    fake.change(of, |_, detail| {
        detail.facts.meta.insert("rack".to_owned(), "rebuilt".to_owned());
    });
    fake
}

fn whole(bench: &dyn Bench) -> Option<Records> {
    Process::on(bench).whole()
}

/// OLDER, list again, delta: judged by the rev that the hash was read with, so REBASE, then whole.
pub(super) fn run_older_then_delta(set: &Setup<'_>) -> Option<()> {
    filled(set.bench, A, 5, &xy());
    let fenced = Process::refreshing(set.bench);
    set.bench.lose_lease(A)?;
    let lists: [(u64, &[_]); 2] = [(8, &[("x", 3), ("y", 5)]), (10, &[("x", 9), ("y", 5)])];
    let mut run = set.run(Kind::Refresh, nomad(&[("x", 9), ("y", 5)], &lists));
    run.until("LIST");
    set.bench.evict(Part::Meta)?;
    assert_eq!(fenced.put(9, &xy()), Published::Fenced);
    assert_eq!(run.end(), WHOLE);
    assert_eq!(whole(set.bench), Some(fulls(&[("x", 9, "r9"), ("y", 5, "r5")])));
    Some(())
}

/// A lower index, confirmed by a second list: the base is dropped, equal modify indexes of another
/// life prove nothing.
pub(super) fn run_index_went_back(set: &Setup<'_>) -> Option<()> {
    filled(set.bench, A, 50, &x());
    let lists: [(u64, &[_]); 2] = [(7, &[("x", 3)]), (7, &[("x", 3)])];
    let mut run = set.run(Kind::Refresh, rebuilt("x", nomad(&[("x", 3)], &lists)));
    assert_eq!(run.end(), WHOLE);
    assert_eq!(run.nomad.asked(), ["list", "list", "node x"]);
    assert_eq!(whole(set.bench), Some(fulls(&[("x", 3, "rebuilt")])));
    Some(())
}

/// A lower index once: asked again, the newer list is used, nothing is dropped.
pub(super) fn run_one_stale_server(set: &Setup<'_>) -> Option<()> {
    filled(set.bench, A, 50, &x());
    let lists: [(u64, &[_]); 2] = [(7, &[("x", 3)]), (51, &[("x", 3)])];
    let mut run = set.run(Kind::Refresh, nomad(&[("x", 3)], &lists));
    assert_eq!(run.end(), DELTA);
    assert_eq!(run.nomad.asked(), ["list", "list"]);
    Some(())
}

/// A store that knows what its host has shown.
fn remembering(set: &Setup<'_>, host: &TempDir) -> Arc<dyn Store> {
    reminded(set, set.bench.store(A), host)
}

fn reminded(set: &Setup<'_>, inner: Arc<dyn Store>, host: &TempDir) -> Arc<dyn Store> {
    if set.cast.forgets_shown() {
        return inner;
    }
    let place = Place { folder: Some(host.path().join("cache")), ..place(A, "") };
    let boot = BootClock::of_this_boot(None);
    Arc::new(MonotonicStore::new(inner, &place, boot, Notifier::nobody()))
}

/// Redis has gone; what the files of this host hold is older than what it has shown from Redis.
pub(super) fn run_the_fallback_shows_nothing_older(set: &Setup<'_>) -> Option<()> {
    let (host, files) = (tempfile::tempdir().unwrap(), LocalBench::new());
    filled(&files, A, 3, &x());
    let here = remembering(set, &host);
    set.run_at(here, Kind::Get, nomad(&[("x", 9)], &[])).end();
    let gone = place(A, &format!("unix://{}", host.path().join("gone").display()));
    let gone = Arc::new(RedisStore::new(&gone, Notifier::nobody()).unwrap());
    let local = files.open(&files.place(A), Notifier::nobody());
    let fallback = FallbackStore::new(gone, Ok(local), Notifier::nobody());
    let fallback = reminded(set, Arc::new(fallback), &host);
    let mut run = set.run_at(fallback, Kind::Get, nomad(&[("x", 9)], &[]));
    run.end();
    assert_eq!(run.nomad.asked(), ["list", "node x"]);
    Some(())
}

/// A partial publication, and a floor over it: the next refresh still asks for what is missing only.
pub(super) fn run_over_a_partial_publication_and_a_floor(set: &Setup<'_>) -> Option<()> {
    filled(set.bench, A, 5, &x());
    let failing = nomad(&[("x", 3), ("y", 5)], &[]);
    failing.fail("y", outage("500"));
    assert_eq!(set.run(Kind::Refresh, failing).end(), DELTA);
    let fenced = Process::refreshing(set.bench);
    set.bench.lose_lease(A)?;
    assert_eq!(fenced.put(7, &xy()), Published::Fenced);
    let mut run =
        set.run(Kind::Refresh, nomad(&[("x", 3), ("y", 5)], &[(7, &[("x", 3), ("y", 5)])]));
    assert_eq!(run.end(), DELTA);
    assert_eq!(run.nomad.asked(), ["list", "node y"]);
    assert_eq!(whole(set.bench), Some(xy()));
    Some(())
}

/// Restarted from an older dump.
pub(super) fn run_a_cache_that_goes_back_shows_nothing_older(set: &Setup<'_>) -> Option<()> {
    let host = tempfile::tempdir().unwrap();
    let run = |kind, index| {
        let nodes = [("x", index)];
        let mut run = set.run_at(remembering(set, &host), kind, nomad(&nodes, &[]));
        (run.end(), run.nomad.asked().len())
    };
    assert_eq!(run(Kind::Get, 3), (WHOLE, 2));
    let saved = set.bench.save()?;
    assert_eq!(run(Kind::Refresh, 9), (DELTA, 2));
    let parts = [Part::Epoch, Part::Meta, Part::All, Part::Hash, Part::Kept];
    for part in parts {
        set.bench.evict(part)?;
    }
    set.bench.restore(&saved);
    assert_eq!(run(Kind::Get, 9), (DELTA, 2));
    assert_eq!(run(Kind::Get, 9).1, 0);
    Some(())
}

/// A lower list proves nothing of a cluster that this host has shown in a newer state.
pub(super) fn run_two_lists_lower_what_was_shown(set: &Setup<'_>) -> Option<()> {
    let host = tempfile::tempdir().unwrap();
    let store = remembering(set, &host);
    let mut shown = Process::new(Arc::clone(&store), 'N');
    shown.own(How::Refresh);
    assert_eq!(shown.put(50, &x()), Published::Done);
    store.printed(&shown.hit().unwrap());
    store.clear();
    let fake = nomad(&[("x", 3)], &[(7, &[("x", 3)])]);
    fake.answer_list(Err(outage("500")));
    set.run_at(Arc::clone(&store), Kind::Get, fake).end();
    assert_eq!(store.shown().0, 50);
    let lists: [(u64, &[_]); 2] = [(7, &[("x", 3)]), (7, &[("x", 3)])];
    set.run_at(Arc::clone(&store), Kind::Get, nomad(&[("x", 3)], &lists)).end();
    assert_eq!(store.shown().0, 7);
    Some(())
}

/// A detail older than its stub: list again, nothing of the first list is shown.
pub(super) fn run_torn(set: &Setup<'_>) -> Option<()> {
    let lists: [(u64, &[_]); 2] = [(9, &[("x", 9)]), (5, &[("x", 3)])];
    let mut run = set.run(Kind::Get, nomad(&[("x", 3)], &lists));
    assert_eq!(run.end(), WHOLE);
    assert_eq!(run.nomad.asked(), ["list", "list", "node x", "node x"]);
    assert_eq!(whole(set.bench), Some(x()));
    Some(())
}

/// As before, and the source is another life: an equal modify index of y proves nothing any more.
pub(super) fn run_torn_drops_the_base(set: &Setup<'_>) -> Option<()> {
    filled(set.bench, A, 5, &xy());
    let lists: [(u64, &[_]); 2] = [(9, &[("x", 9), ("y", 5)]), (6, &[("x", 3), ("y", 5)])];
    let asked = nomad(&[("x", 3), ("y", 5)], &lists);
    let mut run = set.run(Kind::Refresh, rebuilt("y", asked));
    assert_eq!(run.end(), WHOLE);
    assert_eq!(whole(set.bench), Some(fulls(&[("x", 3, "r3"), ("y", 5, "rebuilt")])));
    Some(())
}

pub(super) fn run_partial_is_asked_again(set: &Setup<'_>) -> Option<()> {
    let failing = nomad(&[("x", 3), ("y", 5)], &[]);
    failing.fail("y", outage("500"));
    let mut run = set.run(Kind::Get, failing);
    assert_eq!(run.end(), WHOLE);
    assert_eq!(Process::on(set.bench).hit(), None);
    let mut next = set.run(Kind::Get, nomad(&[("x", 3), ("y", 5)], &[]));
    assert_eq!(next.end(), DELTA);
    assert_eq!(next.nomad.asked(), ["list", "node y"]);
    assert_eq!(whole(set.bench), Some(xy()));
    Some(())
}

pub(super) fn run_refresh_refuses_an_older_partial(set: &Setup<'_>) -> Option<()> {
    let mut older = Process::on(set.bench);
    older.own(How::Get);
    let mut run = set.run(Kind::Refresh, nomad(&[("x", 3)], &[]));
    run.until("SLEEP");
    let partial = With { partial: true, ..With::default() };
    assert_eq!(older.put_with(3, &fulls(&[("x", 9, "r9")]), partial), Published::Done);
    assert_eq!(run.end(), DELTA);
    assert_eq!(run.nomad.asked(), ["list", "node x"]);
    Some(())
}

pub(super) fn run_refresh_refuses_an_older_flight(set: &Setup<'_>) -> Option<()> {
    filled(set.bench, A, 3, &x());
    let older = Process::refreshing(set.bench);
    let mut run = set.run(Kind::Refresh, nomad(&[("x", 3)], &[]));
    run.until("SLEEP");
    assert_eq!(older.put(3, &x()), Published::Done);
    assert_eq!(run.end(), DELTA);
    assert_eq!(run.nomad.asked(), ["list"]);
    Some(())
}

pub(super) fn run_publishes_under_no_dead_epoch(set: &Setup<'_>) -> Option<()> {
    let knows = filled(set.bench, A, 5, &x());
    let saved = set.bench.save()?;
    knows.store.clear();
    set.bench.restore(&saved);
    let mut run = set.run(Kind::Force, nomad(&[("x", 3)], &[]));
    assert_eq!(run.end(), WHOLE);
    assert!(knows.hit().is_some(), "it is under a living epoch");
    Some(())
}

/// The scenes by name, and a test for each of them and each kind of store.
macro_rules! scenes {
    (everywhere: $($name:ident)*; beyond_memory: $($only:ident)*;) => {
        pub(super) const SCENES: &[(&str, Scene)] = &[
            $((stringify!($name), $name),)*
            $((stringify!($only), $only),)*
        ];

        mod on_redis {
            $(#[test] fn $name() {
                assert_eq!(super::$name(&super::Setup::honest(&super::RedisBench::new())), Some(()));
            })*
            $(#[test] fn $only() {
                assert_eq!(super::$only(&super::Setup::honest(&super::RedisBench::new())), Some(()));
            })*
        }

        mod on_files {
            $(#[test] fn $name() {
                let played = super::$name(&super::Setup::honest(&super::LocalBench::new()));
                assert_eq!(played.is_none(), super::NOT_ON_FILES.contains(&stringify!($name)));
            })*
        }

        mod in_process {
            $(#[test] fn $name() {
                let played = super::$name(&super::Setup::honest(&super::ProcessBench::default()));
                assert_eq!(played.is_none(), super::NOT_IN_PROCESS.contains(&stringify!($name)));
            })*
        }

        mod on_the_oracle {
            $(#[test] fn $name() {
                assert_eq!(super::$name(&super::Setup::honest(&super::OracleBench::new())), Some(()));
            })*
        }
    };
}

/// A lock is only lost with its owner.
const NOT_ON_FILES: &[&str] = &["run_older_then_delta"];
/// Nothing is evicted.
const NOT_IN_PROCESS: &[&str] = &["run_older_then_delta"];

// Memory has no past that it could go back to.
scenes! {
    everywhere:
        run_older_then_delta
        run_index_went_back
        run_one_stale_server
        run_two_lists_lower_what_was_shown
        run_torn
        run_torn_drops_the_base
        run_partial_is_asked_again
        run_refresh_refuses_an_older_partial
        run_refresh_refuses_an_older_flight;
    beyond_memory:
        run_a_cache_that_goes_back_shows_nothing_older
        run_the_fallback_shows_nothing_older
        run_over_a_partial_publication_and_a_floor
        run_publishes_under_no_dead_epoch;
}
