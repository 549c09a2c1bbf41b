//! A process that is killed before any of its changes of the folder harms nobody.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::LocalStore;
use crate::model::node::NodeId;
use crate::model::remark::Tell;
use crate::model::secret::Secret;
use crate::store::folder::step::killed_after;
use crate::store::scope::{Cluster, Scope};
use crate::store::{
    BootClock, Choice, Enter, Entered, Flight, How, Look, Place, Publication, Published,
    RedisPlace, Refuse, Store as _, Want,
};

const X: &str = "6f1c36aa-0000-4000-8000-00000000000a";

/// The version of X that a full read shows.
type Shown = Option<u64>;

fn store(folder: &Path) -> LocalStore {
    let place = Place {
        choice: Choice::Local,
        redis: RedisPlace {
            url: Secret::new(""),
            asked: false,
            ca_cert: None,
            client_cert: None,
            client_key: None,
        },
        folder: Some(folder.join("cache")),
        scope: Scope::of(&Cluster::default()),
        prefix: "nomad:clients".to_owned(),
        ttl: Duration::from_secs(60),
        detail_ttl: Duration::from_secs(300),
    };
    let boot = BootClock { now: Arc::new(|| 1000), id: "boot".to_owned() };
    LocalStore::open(&place, boot, Tell::nobody()).unwrap()
}

fn enter(store: &LocalStore, how: How, token: &str) -> Flight {
    let refuse = Refuse::Everything;
    match store.enter(&Enter { token, how, refuse: &refuse, waited: None }).unwrap() {
        Entered::Own(flight) => *flight,
        other => panic!("{other:?}"),
    }
}

fn full(version: u64) -> String {
    format!(r#"{{"id":"{X}","version":{version}}}"#)
}

fn publish(store: &LocalStore, flight: &Flight, version: u64, partial: bool) -> Published {
    let all = if partial { String::new() } else { format!("[{version}]") };
    let fulls = [(NodeId::parse(X).unwrap(), full(version).into_bytes())];
    let publication = Publication {
        index: version,
        eff: version,
        reset: None,
        list_sent: flight.entered,
        partial,
        all: all.as_bytes(),
        fulls: &fulls,
        base: None,
    };
    store.publish(flight, &publication).unwrap()
}

/// What is served; `all` and the full records are of one publication.
fn shown(store: &LocalStore) -> Shown {
    let Look::Hit(hit) = store.look(Want::Full).unwrap() else { return None };
    assert_eq!(hit.all, format!("[{}]", hit.index).into_bytes());
    assert_eq!(hit.fulls.unwrap()[0].1, full(hit.index).into_bytes());
    Some(hit.index)
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let names = std::fs::read_dir(folder.join("cache")).unwrap().map(name);
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Ends `process` before its first change, before its second, and so on. Whatever it left serves
/// one of `allowed`; the next publication succeeds and leaves nothing but itself.
#[track_caller]
fn check(prepare: fn(&Path), process: fn(&Path), allowed: &[Shown], changes: usize) {
    for steps in 0.. {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let ended = killed_after(steps, || process(folder.path())).is_some();
        let next = store(folder.path());
        let found = shown(&next);
        assert!(allowed.contains(&found), "{found:?} after {steps} changes");
        let flight = enter(&next, How::Refresh, "Nnext");
        assert_eq!(publish(&next, &flight, 99, false), Published::Done);
        assert_eq!(shown(&store(folder.path())), Some(99));
        let scope = Scope::of(&Cluster::default());
        let mine = ["Nnext.full", "flight", "snap"].map(|ending| format!("{scope}.{ending}"));
        let mut expected = [&mine[..], &["epoch".to_owned(), "pub.lock".to_owned()]].concat();
        expected.sort();
        assert_eq!(names(folder.path()), expected, "after {steps} changes");
        if ended {
            assert_eq!((steps, Some(&found)), (changes, allowed.last()), "it ran to its end");
            return;
        }
    }
}

fn nothing(_: &Path) {}

fn filled(folder: &Path) {
    let store = store(folder);
    let flight = enter(&store, How::Refresh, "Nold");
    assert_eq!(publish(&store, &flight, 5, false), Published::Done);
}

fn refresh(folder: &Path) {
    let store = store(folder);
    let flight = enter(&store, How::Refresh, "Nnew");
    assert_eq!(publish(&store, &flight, 9, false), Published::Done);
}

fn refresh_in_part(folder: &Path) {
    let store = store(folder);
    let flight = enter(&store, How::Refresh, "Nnew");
    assert_eq!(publish(&store, &flight, 9, true), Published::Done);
}

/// Another publishes in between: all that is left to do is to leave a floor.
fn fenced(folder: &Path) {
    let late = store(folder);
    let flight = enter(&late, How::Refresh, "Nlate");
    let beside = store(folder);
    let force = enter(&beside, How::Force, "Fnew");
    assert_eq!(publish(&beside, &force, 7, false), Published::Done);
    assert_eq!(publish(&late, &flight, 9, false), Published::Fenced);
}

fn clear(folder: &Path) {
    assert!(store(folder).clear().places[0].outcome.is_ok());
}

#[test]
fn p1_the_first_publication() {
    check(nothing, refresh, &[None, Some(9)], 10);
}

#[test]
fn p1_a_publication_over_another() {
    check(filled, refresh, &[Some(5), Some(9)], 8);
}

#[test]
fn p1_a_partial_publication() {
    check(filled, refresh_in_part, &[Some(5), None], 8);
}

#[test]
fn p1_a_floor() {
    check(filled, fenced, &[Some(5), Some(7), None], 11);
}

#[test]
fn p1_a_clear() {
    check(filled, clear, &[Some(5), None], 5);
}
