//! From Redis to the local store and never back: who serves, and what is said about it.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::fallback::FallbackStore;
use nomad_clients::store::monotonic::MonotonicStore;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{
    BootClock, Cleared, Entered, Error, FailureClass, How, Look, Published, RefusedRevs,
    Store as _, Want,
};

use crate::support::bench::{Bench as _, NoticeRecorder, place};
use crate::support::fake_redis::{FakeRedis, LOADING, nobody};
use crate::support::local_bench::LocalBench;
use crate::support::process::{Process, With, X, records};
use crate::support::redis_server::{RedisServer, without_redis};

const EMPTY: Look = Look::Miss { refuse: None };

/// A run with a local store that outlives it.
pub(super) struct Run {
    ear: NoticeRecorder,
    store: FallbackStore,
}

impl Run {
    pub(super) fn new(url: &str, local: &LocalBench) -> Self {
        let ear = NoticeRecorder::default();
        let place = place("a0", url);
        let redis = Arc::new(RedisStore::new(&place, ear.tell()).unwrap());
        let local = local.open(&local.place("a0"), Notifier::nobody());
        let store = FallbackStore::new(redis, Ok(local), ear.tell());
        Self { ear, store }
    }

    fn map(self, change: impl FnOnce(FallbackStore) -> FallbackStore) -> Self {
        Self { store: change(self.store), ..self }
    }

    pub(super) fn process(self) -> (Process, NoticeRecorder) {
        (Process::new(Arc::new(self.store), 'N'), self.ear)
    }
}

fn outcomes(cleared: Cleared) -> Vec<(String, Result<(), String>)> {
    let why = |outcome: Result<(), Error>| outcome.map_err(|error| error.to_string());
    cleared.places.into_iter().map(|place| (place.place, why(place.outcome))).collect()
}

/// What a clear says of the files.
fn files(local: &LocalBench) -> (String, Result<(), String>) {
    (local.folder().display().to_string(), Ok(()))
}

#[test]
fn without_redis_the_local_store_serves_and_one_warning_says_so() {
    let local = LocalBench::new();
    let url = nobody();
    let (mut run, ear) = Run::new(&url, &local).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    run.own(How::Get);
    assert!(run.store.renew(run.flight().lease()).unwrap());
    assert_eq!(run.put(5, &records(&[(X, 3)])), Published::Done);
    assert!(run.hit().is_some());
    let warning = without_redis(&url, "reach", "connection refused");
    assert_eq!(ear.heard(), [format!("Warning: {warning}")]);
    let (next, _) = Run::new(&url, &local).process();
    assert!(next.hit().is_some());
    assert_eq!(next.store.stats().unwrap().kind, "local");
}

#[test]
fn redis_that_nobody_asked_for_is_not_missed() {
    let local = LocalBench::new();
    let url = nobody();
    let (run, ear) = Run::new(&url, &local).map(FallbackStore::unasked).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    let remark = without_redis(&url, "reach", "connection refused");
    assert_eq!(ear.heard(), [format!("Verbose: {remark}")]);
    assert_eq!(outcomes(run.store.clear()), [files(&local)]);
}

#[test]
fn redis_or_nothing() {
    let local = LocalBench::new();
    let url = nobody();
    let (mut run, ear) = Run::new(&url, &local).map(FallbackStore::without_fallback).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    assert!(matches!(run.come(How::Get), Entered::Alone));
    assert_eq!(run.store.partial("Nabc").unwrap(), None);
    let warning = without_redis(&url, "reach", "connection refused");
    let warning = warning.replace("using the local cache", "asking Nomad");
    assert_eq!(ear.heard(), [format!("Warning: {warning}")]);
    assert_eq!(run.store.stats().unwrap_err().to_string(), "connection refused");
}

#[test]
fn a_machine_that_can_keep_nothing_says_why() {
    let url = nobody();
    let heard = |change: fn(FallbackStore) -> FallbackStore| {
        let ear = NoticeRecorder::default();
        let redis = Arc::new(RedisStore::new(&place("a0", &url), ear.tell()).unwrap());
        let store = change(FallbackStore::new(redis, Err(Error::NoHome), ear.tell()));
        let mut run = Process::new(Arc::new(store), 'N');
        assert!(matches!(run.come(How::Get), Entered::Alone));
        ear.heard()
    };
    let both = without_redis(&url, "reach", "connection refused");
    let both =
        both.replace("using the local cache", "no local cache (no home directory); asking Nomad");
    assert_eq!(heard(|store| store), [format!("Warning: {both}")]);
    // Nobody asked for that Redis, but now every run asks for everything.
    assert_eq!(heard(FallbackStore::unasked), ["Warning: no local cache: no home directory"]);
}

#[test]
fn a_run_that_reaches_redis_forgets_what_is_kept_here() {
    let local = LocalBench::new();
    let (mut run, _) = Run::new(&nobody(), &local).process();
    run.own(How::Get);
    run.put(5, &records(&[(X, 3)]));
    local.pass(Duration::from_millis(1));
    let server = RedisServer::start();
    let (mut run, ear) = Run::new(&server.url(), &local).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    // Only this shows that something can be cached there.
    run.own(How::Get);
    assert_eq!(ear.heard(), <[&str; 0]>::default());
    let (run, _) = Run::new(&nobody(), &local).process();
    assert_eq!(run.hit(), None);
}

#[test]
fn r5_refused_credentials_are_reported_even_if_nobody_asked() {
    let local = LocalBench::new();
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let (run, ear) = Run::new(&server.url(), &local).map(FallbackStore::unasked).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    assert_eq!(ear.heard(), ["Warning: Redis rejected the credentials; using the local cache"]);
    let refused = Err("Redis rejected the credentials".to_owned());
    assert_eq!(outcomes(run.store.clear()), [(server.url(), refused), files(&local)]);
}

/// One whose user may read and not write.
fn viewer(server: &RedisServer, local: &LocalBench) -> Run {
    let may = ["+mget", "+pttl", "+strlen", "+getrange", "+hgetall"];
    let user = ["ACL", "SETUSER", "v", "on", ">p", "~nomad:clients*", "-@all"];
    server.cli(&[&user[..], &may].concat());
    Run::new(&format!("{}?user=v&pass=p", server.url()), local)
}

#[test]
fn r6_what_a_viewer_fetches_is_kept_here() {
    let local = LocalBench::new();
    let server = RedisServer::start();
    let (mut run, ear) = viewer(&server, &local).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    run.own(How::Get);
    assert_eq!(ear.heard(), <[&str; 0]>::default());
    assert_eq!(run.put(5, &records(&[(X, 3)])), Published::Done);
    let [warning] = ear.heard().try_into().unwrap();
    let what =
        "Warning: the answer could not be cached: Redis does not permit eval (the user needs ~";
    assert!(warning.starts_with(what), "{warning}");
    let (next, ear) = viewer(&server, &local).process();
    assert_eq!(next.store.look(Want::Full).unwrap(), EMPTY, "of Redis");
    let kept = next.store.kept_here(Want::Full).unwrap();
    assert_eq!((kept.index, &kept.rev), (5, &run.token));
    assert_eq!(ear.heard(), <[&str; 0]>::default());
    let boot = BootClock::of_this_boot(None);
    let shown = MonotonicStore::new(next.store, &place("a0", ""), boot, Notifier::nobody());
    assert_eq!(shown.look(Want::Full), Ok(Look::Hit(kept)));
    assert_eq!(shown.present().unwrap().map(|present| present.rev), Some(run.token));
}

/// A clear on another host ends it too, and so does its age.
#[test]
fn what_is_kept_here_ends_with_its_epoch() {
    let local = LocalBench::new();
    let server = RedisServer::start();
    let (mut owner, _) = Run::new(&server.url(), &LocalBench::new()).process();
    owner.own(How::Get);
    owner.put(4, &records(&[(X, 3)]));
    let (mut run, _) = viewer(&server, &local).process();
    run.own(How::Refresh);
    run.put(5, &records(&[(X, 3)]));
    let kept = |run: Run| {
        let run = run.process().0;
        run.store.look(Want::Records).unwrap();
        run.store.kept_here(Want::Records).map(|kept| kept.index)
    };
    assert_eq!(kept(viewer(&server, &local)), Some(5));
    local.pass(Duration::from_secs(61));
    assert_eq!(kept(viewer(&server, &local)), None);
    let (mut again, _) = viewer(&server, &local).process();
    again.own(How::Refresh);
    assert_eq!(again.base().unwrap().fulls.unwrap().len(), 1, "it is a base");
    again.put(6, &records(&[(X, 3)]));
    assert_eq!(kept(viewer(&server, &local)), Some(6));
    assert!(owner.store.clear().places[0].outcome.is_ok());
    assert_eq!(kept(viewer(&server, &local)), None);
}

/// Those who can't write wait for one of them, and are served what they waited for.
#[test]
fn viewers_wait_for_each_other() {
    let local = LocalBench::new();
    let server = RedisServer::start();
    let (mut owner, _) = Run::new(&server.url(), &LocalBench::new()).process();
    owner.own(How::Get);
    owner.put(5, &records(&[(X, 3)]));
    let (mut first, _) = viewer(&server, &local).process();
    first.own(How::Refresh);
    let (mut second, _) = viewer(&server, &local).process();
    let Entered::Wait { lease, rev } = second.come(How::Refresh) else { panic!("two flights") };
    assert_eq!((&lease, &rev), (&first.token, &None));
    first.put(5, &records(&[(X, 3)]));
    let refuse = RefusedRevs::Revs(Vec::new());
    let entered = second.enter(How::Refresh, &refuse, Some(&lease));
    assert!(matches!(entered, Entered::Hit { rev } if rev == first.token));
    assert_eq!(second.hit().map(|hit| hit.rev), Some(first.token.clone()), "not that of Redis");
    assert_eq!(second.hit().map(|hit| hit.rev), Some(owner.token.clone()), "once");
}

/// Not all details could be had: those who waited are shown the rows too.
#[test]
fn viewers_share_a_partial_answer() {
    let local = LocalBench::new();
    let server = RedisServer::start();
    let (mut first, _) = viewer(&server, &local).process();
    first.own(How::Get);
    let (mut second, _) = viewer(&server, &local).process();
    let Entered::Wait { lease, .. } = second.come(How::Get) else { panic!("two flights") };
    first.put_with(5, &records(&[(X, 3)]), With { partial: true, ..With::default() });
    let refuse = RefusedRevs::Revs(Vec::new());
    let entered = second.enter(How::Get, &refuse, Some(&lease));
    assert!(matches!(entered, Entered::Failed(FailureClass::Partial)));
    assert_eq!(second.store.partial(&lease).unwrap().map(|partial| partial.index), Some(5));
    assert_eq!(second.store.kept_here(Want::Records), None);
}

/// What an outage left here is no answer while Redis works, and still a base.
#[test]
fn what_an_outage_left_is_not_served_beside_redis() {
    let local = LocalBench::new();
    let (mut run, _) = Run::new(&nobody(), &local).process();
    run.own(How::Get);
    run.put(5, &records(&[(X, 3)]));
    let server = RedisServer::start();
    let (mut next, _) = viewer(&server, &local).process();
    assert_eq!(next.store.look(Want::Records).unwrap(), EMPTY);
    assert_eq!(next.store.kept_here(Want::Records), None);
    next.own(How::Get);
    assert_eq!(next.base().unwrap().fulls.unwrap().len(), 1);
}

#[test]
fn r8_what_a_replica_can_not_take_is_told() {
    let local = LocalBench::new();
    let server = RedisServer::start();
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let (mut run, ear) = Run::new(&server.url(), &local).process();
    run.own(How::Get);
    assert_eq!(run.put(5, &records(&[(X, 3)])), Published::Done);
    let why = "Redis is a read-only replica";
    assert_eq!(ear.heard(), [format!("Warning: the answer could not be cached: {why}")]);
}

#[test]
fn r9_memory_runs_out_while_a_fetch_is_under_way() {
    let local = LocalBench::new();
    let server = RedisServer::start();
    let (mut run, ear) = Run::new(&server.url(), &local).process();
    run.own(How::Get);
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(run.put(5, &records(&[(X, 3)])), Published::Done, "here");
    let why = "Redis is out of memory";
    assert_eq!(ear.heard(), [format!("Warning: the answer could not be cached: {why}")]);
    assert_eq!(server.int(&["EXISTS", "nomad:clients:all", "nomad:clients:meta"]), 0);
    let lease = format!("nomad:clients:lease:{}", crate::support::bench::scope("a0"));
    assert_eq!(server.int(&["EXISTS", &lease]), 0, "nobody need wait for it");
    assert!(matches!(run.come(How::Get), Entered::Hit { rev } if rev == run.token));
}

#[test]
fn r10_a_server_that_loads_is_worth_no_warning() {
    let local = LocalBench::new();
    let loading = FakeRedis::scripted(&[LOADING, LOADING]);
    let (run, ear) = Run::new(&loading.url(), &local).process();
    assert_eq!(run.store.look(Want::Records).unwrap(), EMPTY);
    let remark = without_redis(&loading.url(), "use", "busy: LOADING");
    assert_eq!(ear.heard(), [format!("Verbose: {remark}")]);
}

/// Gone between ENTER and PUBLISH: the answer is not affected, and it is kept here.
#[test]
fn r19_a_redis_that_ends_while_a_fetch_is_under_way() {
    let local = LocalBench::new();
    let mut server = RedisServer::start();
    let (mut run, ear) = Run::new(&server.url(), &local).process();
    run.own(How::Get);
    server.kill();
    assert_eq!(run.put(5, &records(&[(X, 3)])), Published::Done);
    let why = without_redis(&server.url(), "write to", "connection refused");
    let why = why.replace("; using the local cache", "");
    assert_eq!(ear.heard(), [format!("Warning: the answer could not be cached: {why}")]);
    let (next, _) = Run::new(&nobody(), &local).process();
    assert_eq!(next.hit().map(|hit| hit.index), Some(5));
}

/// A server in whose place something answers with this program's own words.
fn saying(words: &str) -> (FakeRedis, Arc<AtomicUsize>) {
    let (said, asked) = (format!("-ERR {words}\r\n").repeat(3), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let fake = FakeRedis::new(move |mut client| {
        while client.read(&mut [0; 65536]).is_ok_and(|length| length > 0) {
            count.fetch_add(1, Ordering::Relaxed);
            client.write_all(said.as_bytes()).unwrap();
        }
    });
    (fake, asked)
}

/// The words of a server neither make a clear succeed nor make it be tried again.
#[test]
fn the_words_of_a_server_decide_nothing() {
    let local = LocalBench::new();
    let words = ["refused", "timed out after lunch", "busy: LOADING", "connection lost"];
    for words in words {
        let (fake, asked) = saying(words);
        let (run, _) = Run::new(&fake.url(), &local).map(FallbackStore::unasked).process();
        let uncleared = (format!("{}/0", fake.url()), Err(words.to_owned()));
        assert_eq!(outcomes(run.store.clear()), [uncleared, files(&local)]);
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{words}");
    }
}

/// R20: every place on its own line.
#[test]
fn r20_a_clear_names_what_could_not_be_done() {
    let local = LocalBench::new();
    let url = nobody();
    let (run, _) = Run::new(&url, &local).process();
    let refused = (format!("{url}/0"), Err("connection refused".to_owned()));
    assert_eq!(outcomes(run.store.clear()), [refused, files(&local)]);
    let server = RedisServer::start();
    let (run, _) = Run::new(&server.url(), &local).process();
    assert_eq!(outcomes(run.store.clear()), [(server.url(), Ok(())), files(&local)]);
}
