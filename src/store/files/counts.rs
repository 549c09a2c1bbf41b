//! The statistics of this machine: one appended line a run.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::host::folder::{Folder, WriteLock};
use crate::store::{Minute, Sample};

/// Beyond this the lines of before the last hour are dropped, in bytes.
const TRIMMED: u64 = 64 << 10;
const LONGEST: u64 = 4 << 20;
const HOUR: u64 = 60;

/// Appends a line: minute, hits and their microseconds, misses and theirs, calls, and those of who
/// follows if there are any. Nobody waits for it, nobody misses it.
pub(super) fn append(folder: &Folder, name: &str, sample: &Sample, minute: u64) -> Option<u64> {
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

pub(super) fn is_long(len: u64) -> bool {
    len > TRIMMED
}

/// Keeps the lines of the last hour.
pub(super) fn trim(writing: &WriteLock<'_>, folder: &Folder, name: &str, minute: u64) {
    let text = folder.read(name, LONGEST).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let kept: String = text.split_inclusive('\n').filter(|line| is_recent(line, minute)).collect();
    // Whoever appends at this moment is lost: it is a statistic.
    let _ = writing.replace(name, &[kept.as_bytes()]);
}

/// The minutes of the last hour that have counts, oldest first.
pub(super) fn minutes(folder: &Folder, name: &str, minute: u64) -> Vec<Minute> {
    let text = folder.read(name, LONGEST).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut minutes = BTreeMap::new();
    for line in text.lines().filter(|line| is_recent(line, minute)) {
        add(&mut minutes, line);
    }
    minutes.into_values().collect()
}

fn add(minutes: &mut BTreeMap<u64, Minute>, line: &str) -> Option<()> {
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
    minutes.entry(minute).or_insert(Minute { minute, ..Minute::default() }).add(&sample);
    Some(())
}

fn is_recent(line: &str, minute: u64) -> bool {
    let of = line.split(' ').next().and_then(|word| word.parse::<u64>().ok());
    of.is_some_and(|of| of.saturating_add(HOUR) > minute && of <= minute + 1)
}
