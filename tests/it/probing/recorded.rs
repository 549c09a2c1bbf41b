//! The rule on what real clusters said: whenever it says that nothing has changed, the lists are equal.

use std::path::PathBuf;

use nomad_clients::discovery::How;
use nomad_clients::nomad::{Listing, Nomad as _};
use nomad_sim::{Folder, Options, Sim, fixtures};

use crate::nomad_http::nomad;
use crate::support::world::World;

/// Every list that was recorded while there was a leader, with where.
fn lists(version: &str) -> Vec<(PathBuf, Listing)> {
    let folders = std::fs::read_dir(fixtures().join(version)).unwrap();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().filter_map(|folder| Some((folder.clone(), list(folder)?))).collect()
}

fn list(folder: PathBuf) -> Option<Listing> {
    let has_list = Folder::read(&folder).unwrap().exchanges().iter().any(|exchange| {
        exchange.request.target == "/v1/nodes"
            && exchange.response.as_ref().is_some_and(|response| response.status == 200)
    });
    let sim = Sim::start(Options { replay: Some(folder), ..Options::default() });
    let nomad = nomad(&sim.address());
    let listing = has_list.then(|| nomad.stubs().ok()).flatten()?;
    (listing.known_leader && listing.last_contact_ms == 0 && listing.index.is_some())
        .then_some(listing)
}

/// Whether the list is asked for again when the cluster was `before` and is `after`.
fn is_asked_again(before: &Listing, after: &Listing) -> bool {
    let world = World::with(&[]);
    world.nomad.become_like(before);
    world.ask(How::Get).unwrap();
    world.nomad.be_probed(None);
    world.nomad.become_like(after);
    world.nomad.asked();
    world.ask(How::Refresh).unwrap();
    world.nomad.asked().contains(&"list".to_owned())
}

fn check(version: &str, least: usize) {
    let lists = lists(version);
    assert!(lists.len() >= least, "{} lists", lists.len());
    let mut believed = 0;
    for (at, before) in &lists {
        for (other, after) in &lists {
            let same = before.index == after.index && before.stubs == after.stubs;
            let again = is_asked_again(before, after);
            assert_eq!(again, !same || after.stubs.is_empty(), "{at:?} {other:?}");
            believed += usize::from(!again);
        }
    }
    assert!(believed >= least - 1, "{believed} of {} pairs", lists.len().pow(2));
}

#[test]
fn nomad_2_0() {
    check("2.0.5", 15);
}

#[test]
fn nomad_1_9() {
    check("1.9.7", 1);
}
