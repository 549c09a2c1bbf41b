//! What must be true of everything that is shown and of everything that is published.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nomad_clients::discovery::{Answer, Error, How, Source};
use nomad_clients::model::node::{FullJson, Fulls, NodeId, Record};
use nomad_clients::model::rows;
use nomad_clients::model::snapshot::Snapshot;
use nomad_clients::store::Publication;
use nomad_clients::store::meta::Meta;

use crate::support::sealed::unsealed;

use super::actor::{Actor, summary};
use super::cluster::Marked;
use super::world::{Issue, Listed, Shown, World};

/// Expiries and lags are counted in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(4);
const DETAIL_TTL: Duration = Duration::from_secs(300);
const TTL: Duration = Duration::from_secs(60);

/// What lies in the cache right after a publication.
pub(super) struct Inspected {
    pub(super) rev: String,
    pub(super) has_all: bool,
    /// Whether a full read takes the hash.
    pub(super) is_readable: bool,
    pub(super) hash: BTreeMap<String, Vec<u8>>,
    /// What is left of `all`, `hash` and meta; `None` where nothing expires by itself.
    pub(super) left: Option<[Option<Duration>; 3]>,
}

/// Who is shown something from the cache.
pub(super) struct Reader {
    pub(super) scope: usize,
    /// Step and clears done when it began.
    pub(super) began: (u64, u64),
    pub(super) refresh: bool,
    /// It takes old answers, as Nomad does not answer: only what was cleared must not come back.
    pub(super) stale: bool,
    /// What had been shown when the cache was read: to anybody, and on this host.
    pub(super) shown: Shown,
    pub(super) here: Shown,
    /// The age was computed at this moment or later.
    pub(super) told: Instant,
}

/// Judges what a process shows at its end, and says how it ended.
pub(super) fn judge(actor: &Actor, answer: &Result<Answer, Error>) -> String {
    match answer {
        Ok(Answer { source: Source::Nomad { .. }, snapshot, .. }) => own(actor, snapshot),
        Ok(answer) => {
            let mut world = actor.world();
            let mut notes = actor.notes();
            let [shown, here] = notes.looked.take().unwrap_or_default();
            let told = notes.told.unwrap_or_else(Instant::now);
            let refresh = actor.kind.how() == How::Refresh;
            let stale = answer.outage.is_some();
            let (scope, host, began) = (actor.scope, actor.host, notes.began);
            let reader = Reader { scope, began, refresh, stale, shown, here, told };
            let printed = cached(&mut world, &reader, &answer.snapshot);
            if let Some((listed, records)) = printed {
                world.print((host, scope), &listed, &records);
            }
        }
        Err(Error::Shared(_)) => {
            let (began, mut world) = (actor.notes().began.0, actor.world());
            let told = |(scope, step): &(usize, u64)| *scope == actor.scope && *step > began;
            if !world.failures.iter().any(told) {
                world.violation('X', format!("{}: failure of somebody before it", actor.name()));
            }
        }
        Err(Error::TimedOut(_)) => actor.world().violation('K', "timed out"),
        Err(_) => {}
    }
    let end = summary(answer);
    let published = actor.notes().published;
    published.map_or(end.clone(), |published| format!("{end} {published}"))
}

/// The records as they are marked; `None` if somebody else wrote them.
fn marked(all: &[u8]) -> Option<Vec<Marked>> {
    let records: Vec<Record> = serde_json::from_slice(all).ok()?;
    records.iter().map(Marked::of).collect()
}

/// What a process made of its own list.
fn own(actor: &Actor, snapshot: &Snapshot) {
    let notes = actor.notes();
    let (began, listed, done) = (notes.began, notes.listed.clone(), notes.published);
    drop(notes);
    let mut world = actor.world();
    let (Some(records), Some(listed)) = (marked(&snapshot.all), listed) else {
        return world.violation('F', format!("{} printed foreign records", actor.name()));
    };
    for record in &records {
        if record.marks().any(|mark| mark.scope != actor.scope) {
            world.violation('E', format!("{} printed {record:?}", actor.name()));
        }
        if record.marks().any(|mark| mark.clears < began.1) {
            world.violation('A', format!("{} printed {record:?}", actor.name()));
        }
        match listed.truths.get(&record.id) {
            Some(truth) if record.truth().is_older(*truth) => {
                world.violation('H', format!("{record:?} is older than its list: {truth:?}"));
            }
            Some(_) => {}
            None => world.violation('D', format!("{record:?} is not in the list")),
        }
    }
    if listed.step < began.0 {
        world.violation('R', format!("{} lists before it begins", actor.name()));
    }
    world.print((actor.host, actor.scope), &listed, &records);
    // What can't be cached leaves no floor.
    if matches!(done, Some("Done" | "Fenced")) {
        world.note(actor.scope, &listed, &records, done == Some("Done"));
    }
}

/// What was read from the cache, and the list that it is of, unless it is foreign.
pub(super) fn cached(
    world: &mut World,
    reader: &Reader,
    snapshot: &Snapshot,
) -> Option<(Listed, Vec<Marked>)> {
    let Some(records) = marked(&snapshot.all) else {
        world.violation('F', format!("foreign records: {}", text(&snapshot.all)));
        return None;
    };
    let ordered = !world.limits.rolled_back && !reader.stale;
    for record in &records {
        if record.marks().any(|mark| mark.scope != reader.scope) {
            world.violation('E', format!("{record:?} shown to scope {}", reader.scope));
        }
        if record.marks().any(|mark| mark.clears < reader.began.1) {
            world.violation('A', format!("{record:?} shown after clear {}", reader.began.1));
        }
        let seen = reader.shown.truths.get(&record.id);
        if ordered && seen.is_some_and(|seen| record.truth().is_older(*seen)) {
            world.violation('P', format!("{record:?} is older than {seen:?}"));
        }
        let here = reader.here.truths.get(&record.id);
        if here.is_some_and(|here| record.truth().is_older(*here)) {
            world.violation('B', format!("{record:?} is older than {here:?}"));
        }
    }
    let Some(issue) = world.issues.get(snapshot.rev.trim_start_matches('p')).cloned() else {
        world.violation('D', format!("rev {} was never published", snapshot.rev));
        return None;
    };
    of_one_publication(world, &records, snapshot, &issue);
    in_order(world, reader, snapshot, &issue);
    if ordered {
        world.note(reader.scope, &issue.listed, &records, true);
    }
    Some((issue.listed, records))
}

fn of_one_publication(world: &mut World, records: &[Marked], snapshot: &Snapshot, issue: &Issue) {
    let mut ids: Vec<&NodeId> = records.iter().map(|record| &record.id).collect();
    ids.sort();
    if !ids.iter().copied().eq(issue.fulls.keys()) {
        world.violation('D', format!("ids {ids:?} were published as {:?}", issue.fulls.keys()));
    }
    if !issue.all.is_empty() && issue.all != *snapshot.all {
        world.violation('D', format!("{} was published otherwise", text(&snapshot.all)));
    }
    let fulls = snapshot.fulls.as_ref();
    let differs = |fulls: &Fulls| {
        fulls.len() != issue.fulls.len()
            || fulls.iter().any(|(id, full)| issue.fulls.get(id) != Some(full))
    };
    if fulls.is_some_and(differs) {
        world.violation('F', "the full records are not what was published");
    }
}

fn in_order(world: &mut World, reader: &Reader, snapshot: &Snapshot, issue: &Issue) {
    let (listed, ordered) = (&issue.listed, !world.limits.rolled_back && !reader.stale);
    if listed.clears < reader.began.1 {
        world.violation('A', format!("a list from before clear {}", reader.began.1));
    }
    if ordered && reader.shown.is_newer_than(listed) {
        world.violation('P', format!("a list of time {}, somebody saw a newer one", listed.time));
    }
    if reader.here.is_newer_than(listed) {
        world.violation('B', format!("a list of time {}, a newer one was shown", listed.time));
    }
    if ordered && reader.refresh && listed.step < reader.began.0 {
        let (of, began) = (listed.step, reader.began.0);
        world.violation('R', format!("a list of step {of} serves a refresh of step {began}"));
    }
    let real = reader.told.saturating_duration_since(listed.at);
    if ordered && snapshot.age + ROUNDING < real {
        world.violation('S', format!("says {:?}, is {real:?}", snapshot.age));
    }
}

/// Keeps what was published, and compares it with what lies in the cache.
pub(super) fn published(
    actor: &Actor,
    publication: &Publication<'_>,
    inspected: Option<Inspected>,
) {
    let notes = actor.notes();
    let (listed, base) = (notes.listed.clone(), notes.known.clone());
    // What lies there was looked at before.
    let passed = notes.publishes.map_or(Duration::ZERO, |sent| sent.elapsed());
    drop(notes);
    let base = base.filter(|_| publication.base.is_some());
    let mut world = actor.world();
    let (Some(found), Some(listed)) = (inspected, listed) else {
        return world.violation('D', "no meta after a publication");
    };
    let before = base.and_then(|meta| world.issues.get(meta.rev.trim_start_matches('p')));
    // Over a floor there is no publication, but then the base has its full records.
    let of_base = || publication.base?.fulls.clone().map(|fulls| fulls.into_iter().collect());
    let before_fulls = before.map(|issue| issue.fulls.clone()).or_else(of_base);
    let mut fulls: BTreeMap<NodeId, FullJson> = before_fulls.unwrap_or_default();
    fulls.retain(|id, _| !publication.gone.contains(id));
    fulls.extend(publication.fulls.iter().cloned());
    if before.is_some_and(|issue| publication.probed && issue.all != **publication.all) {
        world.violation('D', "published anew, and not what it was");
    }
    let rev = found.rev.trim_start_matches('p').to_owned();
    let same = fulls.iter().map(|(id, full)| (id.as_str(), &**full)).eq(named(&found.hash));
    if !same && (!world.limits.touched || found.is_readable) {
        world.violation('D', format!("the hash holds {:?}", found.hash.keys()));
    }
    let undetailed = |full: &FullJson| {
        let record: Option<Record> = serde_json::from_slice(full).ok();
        record.and_then(|record| Marked::of(&record)).is_none_or(|marked| marked.detail.is_none())
    };
    if !publication.partial && fulls.values().any(undetailed) {
        world.violation('D', "published as complete without details");
    }
    if publication.partial == found.has_all {
        world.violation('D', format!("partial: {}, all: {}", publication.partial, found.has_all));
    }
    if let Some(left) = found.left {
        expiries(&mut world, left, (fulls.is_empty(), passed));
    }
    world.issues.insert(rev, Issue { listed, all: publication.all.to_vec(), fulls });
}

/// Whether a full read takes these records as they are stored. What somebody else changed behind our
/// back it must not take.
pub(super) fn is_readable(
    meta: &Meta,
    all: Option<&[u8]>,
    stored: &BTreeMap<String, Vec<u8>>,
) -> bool {
    let records = all.map(|all| rows::split(all).unwrap_or_default());
    let full = |id: &str| stored.get(id).and_then(|stored| unsealed(stored));
    let belongs = |(id, record): &(&str, &[u8])| {
        full(id).is_some_and(|full| full.starts_with(&record[..record.len() - 1]))
    };
    let is_named = |id: &String| full(id).is_some_and(|full| rows::id(&full) == Some(id));
    stored.len() as u64 == meta.count
        && stored.keys().all(is_named)
        && records.is_none_or(|records| records.iter().all(belongs))
}

/// The full records of a hash; what has no right sum stays as it is.
pub(super) fn opened(stored: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    stored.into_iter().map(|(id, full)| (id, unsealed(&full).unwrap_or(full))).collect()
}

fn named(hash: &BTreeMap<String, Vec<u8>>) -> impl Iterator<Item = (&str, &Vec<u8>)> {
    hash.iter().map(|(id, full)| (id.as_str(), full))
}

/// `passed`: since the publication.
fn expiries(
    world: &mut World,
    [all, hash, meta]: [Option<Duration>; 3],
    (empty, passed): (bool, Duration),
) {
    let least = DETAIL_TTL.saturating_sub(passed + ROUNDING);
    let long = |left: Option<Duration>| left.is_some_and(|left| left >= least);
    let hash_is_right = empty || world.limits.touched || long(hash);
    if !hash_is_right || !long(meta) || all.is_some_and(|all| all > TTL) {
        world.violation('T', format!("all {all:?}, hash {hash:?}, meta {meta:?}"));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(400).collect()
}
