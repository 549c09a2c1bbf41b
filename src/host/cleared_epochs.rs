//! The guard against the return of what was cleared: epochs that must never be believed again.
//!
//! A Redis can go back to the past: a restart from an older dump, a failover to a replica that
//! missed the deletion. Nonces are never used twice, so no clock and no expiry is needed.

use std::sync::{Mutex, PoisonError};

use super::notes::Notes;

const NAME: &str = "dead-epochs";
/// How many are kept; the oldest go first.
const KEPT: usize = 64;

/// The epochs that this host has cleared.
#[derive(Debug)]
pub(crate) struct ClearedEpochs {
    notes: Notes,
    /// Those of this process, for hosts where no note can be written.
    own: Mutex<Vec<String>>,
}

impl ClearedEpochs {
    pub(crate) fn new(notes: Notes) -> Self {
        Self { notes, own: Mutex::default() }
    }

    pub(crate) fn holds(&self, epoch: &[u8]) -> bool {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.iter().any(|dead| dead.as_bytes() == epoch)
            || self.notes.read(NAME).is_some_and(|text| {
                text.lines().any(|dead| is_nonce(dead) && dead.as_bytes() == epoch)
            })
    }

    /// Something that is no nonce could match no meta line: it need not be remembered.
    pub(crate) fn remember(&self, epoch: &[u8]) {
        let Some(epoch) = std::str::from_utf8(epoch).ok().filter(|epoch| is_nonce(epoch)) else {
            return;
        };
        self.notes.replace(NAME, |text| {
            let text = text.unwrap_or_default();
            let mut all: Vec<&str> =
                text.lines().filter(|dead| is_nonce(dead) && *dead != epoch).collect();
            all.push(epoch);
            let last = &all[all.len().saturating_sub(KEPT)..];
            last.iter().flat_map(|dead| [dead, "\n"]).collect()
        });
        self.own.lock().unwrap_or_else(PoisonError::into_inner).push(epoch.to_owned());
    }
}

fn is_nonce(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{ClearedEpochs, NAME};
    use crate::host::notes::Notes;

    #[test]
    fn the_last_64_are_remembered_by_every_process_of_the_host() {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::new(Some(home.path().join("cache")));
        let dead = ClearedEpochs::new(notes.clone());
        for number in 0..70 {
            dead.remember(format!("{number:016x}").as_bytes());
        }
        dead.remember(format!("{:016x}", 69).as_bytes());
        dead.remember(b"../no nonce\n");
        let other = ClearedEpochs::new(notes.clone());
        let holds = |number: u64| other.holds(format!("{number:016x}").as_bytes());
        assert_eq!([holds(5), holds(6), holds(69), holds(70)], [false, true, true, false]);
        assert!(!other.holds(b""));
        assert_eq!(notes.read(NAME).unwrap().lines().count(), 64);
    }

    #[test]
    fn without_a_folder_the_process_remembers_its_own() {
        let dead = ClearedEpochs::new(Notes::new(None));
        dead.remember(b"ab");
        assert!(dead.holds(b"ab") && !dead.holds(b"cd"));
        assert!(!ClearedEpochs::new(Notes::new(None)).holds(b"ab"));
    }
}
