//! The last events, kept once for all readers: each of them is only a position here.

use std::collections::VecDeque;

use hyper::body::Bytes;

use super::memory_budget::MemoryBudget;

/// How many bytes and chunks are kept.
pub(crate) const KEPT_BYTES: usize = 16 << 20;
const KEPT_CHUNKS: usize = 2048;
/// A client that reads nothing keeps a chunk or two in memory, also after the log has dropped them.
const CHUNK: usize = 64 << 10;

/// The events of the last publications, cut into chunks.
#[derive(Default)]
pub(crate) struct EventLog {
    chunks: VecDeque<LoggedEvent>,
    /// The position of the first of them.
    first: u64,
    /// The rev before the first of them; empty if they begin amid the changes of a publication.
    base: String,
    bytes: usize,
}

struct LoggedEvent {
    bytes: Bytes,
    /// The publication whose changes end with this chunk.
    rev: Option<String>,
}

/// What is at a position.
pub(crate) enum LogEntry {
    Chunk(Bytes),
    /// The next chunk will be there.
    End,
    /// A chunk that is not kept any more.
    Dropped,
}

impl EventLog {
    pub(crate) fn at(&self, position: u64) -> LogEntry {
        let Some(at) = position.checked_sub(self.first) else { return LogEntry::Dropped };
        let chunk = usize::try_from(at).ok().and_then(|at| self.chunks.get(at));
        chunk.map_or(LogEntry::End, |chunk| LogEntry::Chunk(chunk.bytes.clone()))
    }

    /// The position of the next chunk.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.chunks.len() as u64
    }

    /// The position after this publication; `None` if that is not kept.
    pub(crate) fn after(&self, rev: &str) -> Option<u64> {
        if rev.is_empty() {
            return None;
        }
        if rev == self.base {
            return Some(self.first);
        }
        let last = self.chunks.iter().position(|chunk| chunk.rev.as_deref() == Some(rev))?;
        Some(self.first + last as u64 + 1)
    }

    /// Adds the changes of a publication; `last` ends them.
    pub(crate) fn add(&mut self, changes: Vec<Bytes>, last: Bytes, rev: &str) {
        for bytes in changes {
            self.push(LoggedEvent { bytes, rev: None });
        }
        self.push(LoggedEvent { bytes: last, rev: Some(rev.to_owned()) });
    }

    fn push(&mut self, chunk: LoggedEvent) {
        self.bytes += chunk.bytes.len();
        self.chunks.push_back(chunk);
        while self.bytes > KEPT_BYTES || self.chunks.len() > KEPT_CHUNKS {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(first) = self.chunks.pop_front() else { return };
        self.bytes -= first.bytes.len();
        self.base = first.rev.unwrap_or_default();
        self.first += 1;
    }

    pub(crate) fn clear(&mut self) {
        while !self.chunks.is_empty() {
            self.drop_first();
        }
        self.base.clear();
    }
}

/// Cuts events into chunks that are shared from now on; `None` if they are more than is kept.
pub(crate) fn chunks(events: &[u8], budget: &MemoryBudget) -> Option<Vec<Bytes>> {
    let fits = events.len() < KEPT_BYTES;
    fits.then(|| events.chunks(CHUNK).map(|chunk| budget.share(chunk.to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, EventLog, KEPT_BYTES, KEPT_CHUNKS, LogEntry, chunks};
    use crate::serve::live::memory_budget::MemoryBudget;

    fn add(log: &mut EventLog, budget: &MemoryBudget, rev: &str, bytes: usize) {
        let changes = chunks(&vec![b'x'; bytes], budget).unwrap();
        log.add(changes, budget.share(b"end".to_vec()), rev);
    }

    #[test]
    fn a_reader_is_a_position_and_everybody_shares_the_bytes() {
        let (mut log, budget) = (EventLog::default(), MemoryBudget::default());
        add(&mut log, &budget, "N1", 10);
        add(&mut log, &budget, "N2", CHUNK + 1);
        let position = log.after("N1").unwrap();
        let (LogEntry::Chunk(one), LogEntry::Chunk(other)) = (log.at(position), log.at(position))
        else {
            panic!("it is kept")
        };
        assert!(one.len() == CHUNK && one.as_ptr() == other.as_ptr());
        assert_eq!(log.after("N2"), Some(log.end()));
        assert!(matches!(log.at(log.end()), LogEntry::End));
        assert_eq!((log.after("N0"), log.after("")), (None, None));
        assert_eq!(budget.used(), 10 + CHUNK + 1 + 2 * "end".len());
    }

    #[test]
    fn what_is_kept_is_bounded_and_so_is_what_a_reader_holds_beyond_it() {
        let (mut log, budget) = (EventLog::default(), MemoryBudget::default());
        add(&mut log, &budget, "N0", 0);
        let begin = log.after("N0").unwrap();
        add(&mut log, &budget, "N1", 1 << 20);
        let LogEntry::Chunk(held) = log.at(begin) else { panic!("it is kept") };
        for at in 2..40 {
            add(&mut log, &budget, &format!("N{at}"), 1 << 20);
        }
        assert!(log.bytes <= KEPT_BYTES && budget.used() <= KEPT_BYTES + CHUNK);
        assert!(matches!(log.at(begin), LogEntry::Dropped) && held.len() == CHUNK);
        assert_eq!((log.after("N1"), log.after("N20")), (None, None));
        assert!(log.after("N30").is_some());
        for at in 0..KEPT_CHUNKS {
            add(&mut log, &budget, &format!("M{at}"), 1);
        }
        assert!(log.chunks.len() <= KEPT_CHUNKS && log.after("N39").is_none());
        assert!(chunks(&vec![0; KEPT_BYTES], &budget).is_none());
    }

    #[test]
    fn a_position_amid_a_publication_is_no_place_to_begin() {
        let (mut log, budget) = (EventLog::default(), MemoryBudget::default());
        add(&mut log, &budget, "N1", 3 * CHUNK);
        add(&mut log, &budget, "N2", 1);
        log.drop_first();
        assert_eq!(log.after("N1"), Some(log.first + 3));
        for _ in 0..3 {
            log.drop_first();
        }
        assert_eq!(log.after("N1"), Some(log.first), "all of it is gone");
        log.clear();
        assert_eq!((log.after("N1"), log.after("N2")), (None, None));
        assert!(matches!(log.at(log.end()), LogEntry::End));
    }
}
