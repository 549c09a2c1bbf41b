//! Whoever is killed at any step of writing leaves the old or the new, and nobody who must wait.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::LocalStore;
use crate::host::fault::{Fault, plan};
use crate::model::node::{Fulls, NodeId};
use crate::model::notice::Notifier;
use crate::model::secret::Secret;
use crate::store::ShownList;
use crate::store::scope::{Cluster, Scope};
use crate::store::{
    BootClock, CacheMode, Enter, Entered, Error, Flight, How, Look, Place, Publication, Published,
    RedisPlace, RefusedRevs, Store as _, Want,
};

const STEPS_MAX: u32 = 100;

/// A cache directory; every store of it is a process.
struct Home(TempDir, AtomicU64);

impl Home {
    /// With a first publication at index 1.
    fn filled() -> Self {
        let home = Self(TempDir::new().unwrap(), AtomicU64::new(0));
        let store = home.store();
        assert_eq!(
            publish(&store, own(&store, "N1", How::Get), 1, false).unwrap(),
            Published::Done
        );
        home
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn store(&self) -> LocalStore {
        let redis = RedisPlace {
            url: Secret::new(""),
            is_configured: false,
            ca_cert: None,
            client_cert: None,
            client_key: None,
            silence: None,
            timeout: Duration::from_secs(30),
        };
        let place = Place {
            choice: CacheMode::Local,
            redis,
            folder: Some(self.folder()),
            copies: true,
            scope: Scope::of(&Cluster::default()),
            prefix: String::new(),
            ttl: Duration::from_secs(60),
            detail_ttl: Duration::from_secs(300),
        };
        // Each process begins a second after the one before.
        let now = 1000 + self.1.fetch_add(1000, Ordering::Relaxed);
        let boot = BootClock { now: Arc::new(move || now), id: "boot".to_owned() };
        LocalStore::open(&place, boot, Notifier::nobody()).unwrap()
    }

    fn names(&self, ending: &str) -> usize {
        let entries = fs::read_dir(self.folder()).unwrap();
        entries
            .filter(|entry| entry.as_ref().unwrap().path().to_string_lossy().ends_with(ending))
            .count()
    }

    /// The index of what is shown whole.
    fn shown(&self) -> Option<u64> {
        let store = self.store();
        let Look::Hit(list) = store.look(Want::Records).unwrap() else { return None };
        assert_eq!(*list.all, all(list.index));
        let Look::Hit(hit) = store.look(Want::Full).unwrap() else {
            panic!("a list without records")
        };
        assert_eq!(hit.fulls, Some(fulls(hit.index)));
        Some(hit.index)
    }

    /// The next process has the lease at once, and leaves nothing of the killed one.
    #[track_caller]
    fn heals(&self, what: &str) {
        let store = self.store();
        let flight = own(&store, "N9", How::Refresh);
        assert_eq!(publish(&store, flight, 9, false).unwrap(), Published::Done, "{what}");
        assert_eq!(self.shown(), Some(9), "{what}");
        assert_eq!(
            [".tmp", ".full", ".snap"].map(|ending| self.names(ending)),
            [0, 1, 1],
            "{what}"
        );
    }
}

fn fulls(index: u64) -> Fulls {
    let id = "6f1c36aa-0000-4000-8000-00000000000a";
    let full = format!(r#"{{"id":"{id}","of":{index}}}"#).into_bytes();
    vec![(NodeId::parse(id).unwrap(), full.into())]
}

fn all(index: u64) -> Vec<u8> {
    let full = fulls(index).remove(0).1;
    [b"[", full.as_slice(), b"]"].concat()
}

fn enter(store: &LocalStore, token: &str, how: How) -> Result<Entered, Error> {
    store.enter(&Enter { token, how, refuse: &RefusedRevs::Everything, waited: None })
}

#[track_caller]
fn own(store: &LocalStore, token: &str, how: How) -> Flight {
    match enter(store, token, how).unwrap() {
        Entered::Own(flight) => flight,
        other => panic!("{other:?}"),
    }
}

fn publish(
    store: &LocalStore,
    flight: Flight,
    index: u64,
    partial: bool,
) -> Result<Published, Error> {
    let all = if partial { Vec::new() } else { all(index) };
    let publication = Publication {
        index,
        eff: index,
        reset: None,
        list_sent: flight.entered,
        partial,
        all: &all.into(),
        count: 1,
        fulls: &fulls(index),
        base: None,
        gone: &[],
        probed: false,
    };
    store.publish(flight, &publication)
}

/// Does `act` in a process that is killed at its first step, at its second, … until it comes to its
/// end alive. What is shown after each must be one of `shown`.
#[track_caller]
fn killed_everywhere(shown: &[Option<u64>], steps_min: u32, act: fn(&LocalStore)) {
    for at in 0..STEPS_MAX {
        let home = Home::filled();
        let store = home.store();
        plan(Some((Fault::Killed, at)));
        act(&store);
        let alive = plan(None).is_some();
        drop(store);
        let (index, what) = (home.shown(), format!("killed at step {at}"));
        assert!(shown.contains(&index), "{what}: {index:?}");
        home.heals(&what);
        if alive {
            assert!(at >= steps_min, "only {at} steps");
            assert_eq!(index, shown[shown.len() - 1], "done");
            return;
        }
    }
    panic!("it has no end");
}

/// Errors are those of a process that is gone: nobody sees them.
fn fetch(store: &LocalStore, partial: bool) {
    if let Ok(Entered::Own(flight)) = enter(store, "N2", How::Refresh) {
        let _ = publish(store, flight, 2, partial);
    }
}

#[test]
fn while_publishing() {
    killed_everywhere(&[Some(1), Some(2)], 10, |store| fetch(store, false));
    killed_everywhere(&[Some(1), None], 9, |store| fetch(store, true));
}

#[test]
fn while_invalidating() {
    killed_everywhere(&[Some(1), None], 4, |store| {
        let Ok(Entered::Own(late)) = enter(store, "N2", How::Refresh) else { return };
        store.release(late.lease());
        let _ = publish(store, late, 2, false);
    });
}

/// What Redis has shown.
const NEWER: Option<ShownList> = Some(ShownList { index: 2, age: Duration::from_millis(500) });

#[test]
fn while_clearing_or_forgetting() {
    killed_everywhere(&[Some(1), None], 5, |store| drop(store.clear()));
    killed_everywhere(&[Some(1), None], 5, |store| store.forget(NEWER));
    // A list whose records are gone already is no whole answer: the snapshot goes first.
    killed_everywhere(&[Some(1), None], 2, LocalStore::drop_snapshot);
    killed_everywhere(&[Some(1), None], 5, |store| {
        let _flies = enter(store, "N2", How::Refresh);
        store.forget(NEWER);
    });
}

#[test]
fn while_the_first_epoch_is_made() {
    for at in 0..STEPS_MAX {
        let home = Home(TempDir::new().unwrap(), AtomicU64::new(0));
        let store = home.store();
        plan(Some((Fault::Killed, at)));
        fetch(&store, false);
        let alive = plan(None).is_some();
        drop(store);
        let shown = home.shown();
        assert!(shown == Some(2) || (shown.is_none() && !alive), "step {at}: {shown:?}");
        home.heals(&format!("killed at step {at}"));
        if alive {
            return assert!(at >= 13, "only {at} steps");
        }
    }
    panic!("it has no end");
}

/// A full disk: what is about to be printed may be newer than what is there, so that goes, which
/// needs no room; the failed try leaves nothing, and the lease is given back.
#[test]
fn a_full_disk_keeps_neither_the_old_nor_a_part_of_the_new() {
    for at in 0..STEPS_MAX {
        let home = Home::filled();
        let store = home.store();
        let flight = own(&store, "N2", How::Refresh);
        plan(Some((Fault::Full, at)));
        let published = publish(&store, flight, 2, false);
        plan(None);
        let left = [".tmp", ".full", ".snap"].map(|ending| home.names(ending));
        match published {
            Err(error) => {
                let place = home.folder().display().to_string();
                let what = format!("cannot write the cache directory {place}: no storage space");
                assert_eq!(error.to_string(), what);
                assert_eq!((home.shown(), left), (None, [0; 3]), "full at step {at}");
            }
            Ok(published) => {
                assert_eq!((published, home.shown()), (Published::Done, Some(2)));
                assert_eq!(left, [0, 1, 1]);
                return assert!(at > 8, "only {at} steps");
            }
        }
        home.heals(&format!("full at step {at}"));
    }
    panic!("it has no end");
}

/// To hide the older, and to clear, no room is needed.
#[test]
fn a_full_disk_hides_and_clears_all_the_same() {
    let home = Home::filled();
    let (late, store) = (home.store(), home.store());
    let flight = own(&late, "N2", How::Refresh);
    late.release(flight.lease());
    plan(Some((Fault::Full, 0)));
    assert_eq!(publish(&late, flight, 2, false).unwrap(), Published::Fenced);
    assert_eq!(home.shown(), None);
    plan(None);
    home.heals("hidden");
    plan(Some((Fault::Full, 0)));
    assert!(store.clear().places[0].outcome.is_ok());
    plan(None);
    assert_eq!((home.shown(), home.names("epoch")), (None, 0));
    home.heals("cleared");
}

/// Whose flight it is can't be seen: then it does not fly.
#[test]
fn a_lease_that_cannot_be_signed_is_not_taken() {
    let home = Home::filled();
    let store = home.store();
    plan(Some((Fault::Full, 0)));
    let error = enter(&store, "N2", How::Refresh).unwrap_err();
    plan(None);
    assert!(error.to_string().ends_with(": no storage space"), "{error}");
    home.heals("unsigned");
}
