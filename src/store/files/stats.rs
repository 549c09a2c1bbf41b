//! The statistics of this machine: one appended line a run, and what `cache stats` shows.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::clock;
use crate::host::folder::{Folder, WriteLock};
use crate::store::{CacheState, KeyStats, Look, Sample, Stats, Want};

use super::LocalStore;
use super::snapshot_file::Header;

/// Beyond this the lines of before the last hour are dropped, in bytes.
const TRIMMED: u64 = 64 << 10;
const MAX_STATS_BYTES: u64 = 4 << 20;
const HOUR: u64 = 60;

pub(super) fn count(store: &LocalStore, sample: &Sample) {
    let (name, minute) = (store.name("stats"), clock::unix_seconds() / 60);
    let len = append(&store.folder, &name, sample, minute);
    if len.is_some_and(|len| len > TRIMMED)
        && let Ok(writing) = store.folder.writing(Duration::ZERO)
    {
        trim(&writing, &store.folder, &name, minute);
    }
}

pub(super) fn stats(store: &LocalStore) -> Stats {
    let known = store.known();
    let header = known.valid(store);
    let minute = clock::unix_seconds() / 60;
    let (state, hit) = match store.look_once(Want::Records) {
        Ok(Look::Hit(hit)) => (CacheState::Hot, Some(hit)),
        _ if header.is_some() => (CacheState::Stale, None),
        _ => (CacheState::Cold, None),
    };
    Stats {
        kind: "local",
        place: store.folder.place(),
        state,
        age: hit.as_ref().map(|hit| hit.age).or(header.map(|header| store.age(header))),
        fresh_for: hit.map(|hit| store.ttl.saturating_sub(hit.since)),
        nodes: header.map(|header| header.count),
        keys: header.map(|header| store.files(header)).unwrap_or_default(),
        memory: None,
        minutes: minutes(&store.folder, &store.name("stats"), minute),
    }
}

impl LocalStore {
    fn age(&self, header: &Header) -> Duration {
        let since = self.now().saturating_sub(header.at);
        Duration::from_millis(header.lag.saturating_add(since))
    }

    /// The files of the present publication, and how long they are good for.
    fn files(&self, header: &Header) -> Vec<KeyStats> {
        let since = Duration::from_millis(self.now().saturating_sub(header.at));
        let ttl = Duration::from_millis(header.ttl);
        let files = [(self.name("snap"), ttl), (header.full.clone(), self.detail_ttl)];
        let present = files.into_iter().filter_map(|(key, ttl)| {
            let bytes = self.folder.len(&key)?;
            Some(KeyStats {
                key,
                kind: "file".into(),
                bytes: Some(bytes),
                ttl: Some(ttl.saturating_sub(since)),
            })
        });
        present.collect()
    }
}

/// Appends a line: minute, hits and their microseconds, misses and theirs, calls, and those of who
/// follows if there are any. Nobody waits for it, nobody misses it.
fn append(folder: &Folder, name: &str, sample: &Sample, minute: u64) -> Option<u64> {
    let Sample { hits, misses, nomad_calls, follow_calls, .. } = sample;
    let (hit_us, miss_us) = (sample.hit_us(), sample.miss_us());
    let following = match follow_calls {
        0 => String::new(),
        calls => format!(" {calls}"),
    };
    let line = format!("{minute} {hits} {hit_us} {misses} {miss_us} {nomad_calls}{following}\n");
    let mut file = folder.file(name, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND).ok()?;
    file.write_all(line.as_bytes()).ok()?;
    Some(file.metadata().ok()?.len())
}

/// Keeps the lines of the last hour.
fn trim(writing: &WriteLock<'_>, folder: &Folder, name: &str, minute: u64) {
    let text = folder.read(name, MAX_STATS_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let kept: String = text.split_inclusive('\n').filter(|line| is_recent(line, minute)).collect();
    // Whoever appends at this moment is lost: it is a statistic.
    let _ = writing.replace(name, &[kept.as_bytes()]);
}

/// The minutes of the last hour that have counts, oldest first.
fn minutes(folder: &Folder, name: &str, minute: u64) -> Vec<(u64, Sample)> {
    let text = folder.read(name, MAX_STATS_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut minutes = BTreeMap::new();
    for line in text.lines().filter(|line| is_recent(line, minute)) {
        add(&mut minutes, line);
    }
    minutes.into_iter().collect()
}

fn add(minutes: &mut BTreeMap<u64, Sample>, line: &str) -> Option<()> {
    let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let &[minute, hits, hit_us, misses, miss_us, nomad_calls, ref more @ ..] = &numbers[..] else {
        return None;
    };
    let follow_calls = match more {
        [] => 0,
        [calls] => *calls,
        _ => return None,
    };
    let sample = Sample {
        hits,
        hit_time: Duration::from_micros(hit_us),
        misses,
        miss_time: Duration::from_micros(miss_us),
        nomad_calls,
        follow_calls,
    };
    minutes.entry(minute).or_default().add(&sample);
    Some(())
}

fn is_recent(line: &str, minute: u64) -> bool {
    let of = line.split(' ').next().and_then(|word| word.parse::<u64>().ok());
    of.is_some_and(|of| of.saturating_add(HOUR) > minute && of <= minute + 1)
}
