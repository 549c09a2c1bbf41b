//! What `cache stats` shows of the files of this machine.

use std::time::Duration;

use crate::clock;
use crate::store::{CacheState, KeyStats, Look, Sample, Stats, Want};

use super::snapshot_file::Header;
use super::{LocalStore, counts};

impl LocalStore {
    pub(super) fn count_run(&self, sample: &Sample) {
        let (name, minute) = (self.name("stats"), clock::unix_seconds() / 60);
        let len = counts::append(&self.folder, &name, sample, minute);
        if len.is_some_and(counts::is_long)
            && let Ok(writing) = self.folder.writing(Duration::ZERO)
        {
            counts::trim(&writing, &self.folder, &name, minute);
        }
    }

    pub(super) fn all_stats(&self) -> Stats {
        let known = self.known();
        let header = known.valid(self);
        let minute = clock::unix_seconds() / 60;
        let (state, hit) = match self.look_once(Want::Records) {
            Ok(Look::Hit(hit)) => (CacheState::Hot, Some(hit)),
            _ if header.is_some() => (CacheState::Stale, None),
            _ => (CacheState::Cold, None),
        };
        Stats {
            kind: "local",
            place: self.folder.place(),
            state,
            age: hit.as_ref().map(|hit| hit.age).or(header.map(|header| self.age(header))),
            fresh_for: hit.map(|hit| self.ttl.saturating_sub(hit.since)),
            nodes: header.map(|header| header.count),
            keys: header.map(|header| self.files(header)).unwrap_or_default(),
            memory: None,
            minutes: counts::minutes(&self.folder, &self.name("stats"), minute),
        }
    }

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
                kind: "file",
                bytes: Some(bytes),
                ttl: Some(ttl.saturating_sub(since)),
            })
        });
        present.collect()
    }
}
