//! A space of keys as a Redis has it: strings and hashes that end in time.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Fields and values, in the order of the fields.
pub(crate) type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

/// Keys and what they hold. Every method takes the present time, so that tests can move it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Space {
    keys: HashMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    content: Content,
    /// `None` = never.
    ends: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(Vec<u8>),
    Hash(Fields),
}

impl Space {
    fn entry(&self, key: &str, now: Instant) -> Option<&Entry> {
        self.keys.get(key).filter(|entry| entry.ends.is_none_or(|ends| now < ends))
    }

    /// `None` for a key that is absent or no string.
    pub(crate) fn text(&self, key: &str, now: Instant) -> Option<&[u8]> {
        match &self.entry(key, now)?.content {
            Content::Text(text) => Some(text),
            Content::Hash(_) => None,
        }
    }

    /// `None` for a key that is absent or no hash.
    pub(crate) fn hash(&self, key: &str, now: Instant) -> Option<&Fields> {
        match &self.entry(key, now)?.content {
            Content::Hash(fields) => Some(fields),
            Content::Text(_) => None,
        }
    }

    /// What is left in milliseconds; -1 = never ends, -2 = absent, as PTTL says it.
    pub(crate) fn ttl_left(&self, key: &str, now: Instant) -> i64 {
        match self.entry(key, now) {
            None => -2,
            Some(Entry { ends: None, .. }) => -1,
            Some(Entry { ends: Some(ends), .. }) => {
                i64::try_from(ends.saturating_duration_since(now).as_millis()).unwrap_or(i64::MAX)
            }
        }
    }

    /// `ends`: `None` = never.
    pub(crate) fn set(&mut self, key: &str, text: impl Into<Vec<u8>>, ends: Option<Instant>) {
        self.keys.insert(key.to_owned(), Entry { content: Content::Text(text.into()), ends });
    }

    /// Changes a hash; one that is absent, ended or no hash begins empty. An empty hash is absent.
    pub(crate) fn change(&mut self, key: &str, now: Instant, change: impl FnOnce(&mut Fields)) {
        let ends = self.entry(key, now).and_then(|entry| entry.ends);
        let mut fields = self.hash(key, now).cloned().unwrap_or_default();
        change(&mut fields);
        if fields.is_empty() {
            self.keys.remove(key);
        } else {
            self.keys.insert(key.to_owned(), Entry { content: Content::Hash(fields), ends });
        }
    }

    pub(crate) fn expire(&mut self, key: &str, ends: Option<Instant>) {
        if let Some(entry) = self.keys.get_mut(key) {
            entry.ends = ends;
        }
    }

    pub(crate) fn delete(&mut self, keys: &[&str]) {
        for key in keys {
            self.keys.remove(*key);
        }
    }
}

/// When something that begins now and lives for `ms` ends.
pub(super) fn after(now: Instant, ms: u64) -> Option<Instant> {
    now.checked_add(Duration::from_millis(ms))
}
