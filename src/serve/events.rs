//! Server-sent events: what differs between one publication and the next, for all who listen.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::clock;
use crate::model::json;

use super::keeper::Held;
use super::nomad_contact::NomadContact;

/// So many answers can be events at the same time; the other connections stay free for questions.
pub(super) const READERS: usize = 192;
/// Batches that a slow reader may be behind, before it is dropped.
const BEHIND: usize = 16;
/// What is kept for readers who come back, in bytes and in batches.
const KEPT_BYTES: usize = 8 << 20;
const KEPT: usize = 512;

/// Where changes come in and readers listen.
#[derive(Default)]
pub(super) struct Hub(Mutex<State>);

#[derive(Default)]
struct State {
    /// Of the last publication; empty before the first.
    rev: String,
    /// When its list was asked for.
    listed: Option<Instant>,
    following: bool,
    contact: Arc<NomadContact>,
    /// The rev that `kept` begins after.
    base: String,
    kept: VecDeque<Batch>,
    bytes: usize,
    readers: Vec<Sender<Bytes>>,
}

/// What one publication changed.
struct Batch {
    rev: String,
    frames: Bytes,
}

/// What became of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    New,
    Changed,
    Gone,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

impl Hub {
    /// Its events tell the state of this contact.
    pub(super) fn of(contact: Arc<NomadContact>) -> Self {
        Self(Mutex::new(State { contact, ..State::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The publication that is shown from now on, and the one before it.
    pub(super) fn turn(&self, before: Option<&Held>, now: &Held, age: Duration) {
        if !self.is_news(now, age) {
            return;
        }
        // Comparing takes its time, in which others must not wait for the hub. Turns follow one
        // after the other: nothing changes meanwhile.
        let frames = before.map(|before| frames(&before.all(), &now.all()));
        let mut state = self.state();
        state.rev.clone_from(&now.rev);
        let Some(mut frames) = frames else {
            state.base.clone_from(&now.rev);
            let frames = state.greeting("reset");
            return state.send(&frames);
        };
        frames.extend_from_slice(&state.beat());
        let frames = Bytes::from(frames);
        state.keep(frames.clone());
        state.send(&frames);
    }

    fn is_news(&self, now: &Held, age: Duration) -> bool {
        let mut state = self.state();
        state.listed = clock::now().checked_sub(age);
        !now.rev.is_empty() && state.rev != now.rev
    }

    /// A sign of life, and how old the nodes are.
    pub(super) fn beat(&self) {
        let mut state = self.state();
        let beat = state.beat();
        state.send(&beat);
    }

    /// Somebody, here or elsewhere, follows Nomad.
    pub(super) fn follows(&self, following: bool) {
        let mut state = self.state();
        if std::mem::replace(&mut state.following, following) != following {
            let beat = state.beat();
            state.send(&beat);
        }
    }

    pub(super) fn readers(&self) -> usize {
        let mut state = self.state();
        state.readers.retain(|reader| !reader.is_closed());
        state.readers.len()
    }

    /// A new reader; `last` is the rev of the last event that it has seen. `None` if there are too many.
    pub(super) fn join(&self, last: Option<&str>) -> Option<Receiver<Bytes>> {
        if self.readers() >= READERS {
            return None;
        }
        let mut state = self.state();
        let (sender, receiver) = channel(BEHIND);
        let first = match last {
            None => state.greeting("ready"),
            Some(last) => state.since(last).unwrap_or_else(|| state.greeting("reset")),
        };
        sender.try_send(first).ok()?;
        state.readers.push(sender);
        Some(receiver)
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        self.state().readers.clear();
    }
}

impl State {
    fn age_ms(&self) -> Option<u64> {
        let age = clock::now().saturating_duration_since(self.listed?);
        u64::try_from(age.as_millis()).ok()
    }

    /// The id comes with the last frame of a batch: whoever was cut off in its midst gets it again.
    fn event(&self, name: &str) -> Bytes {
        let (rev, age) = (json::bytes(&self.rev), json::bytes(&self.age_ms()));
        let (rev, age) = (String::from_utf8_lossy(&rev), String::from_utf8_lossy(&age));
        let following = self.following;
        let nomad = json::bytes(&self.contact.at(clock::now()));
        let nomad = String::from_utf8_lossy(&nomad);
        let id = if self.rev.is_empty() { String::new() } else { format!("id: {}\n", self.rev) };
        let data = format!(
            "{{\"rev\":{rev},\"age_ms\":{age},\"following\":{following},\"nomad\":{nomad}}}"
        );
        format!("event: {name}\n{id}data: {data}\n\n").into()
    }

    fn beat(&self) -> Bytes {
        self.event("beat")
    }

    /// The first words to a reader who has to ask for the nodes.
    fn greeting(&self, name: &str) -> Bytes {
        [b"retry: 1000\n", &self.event(name)[..]].concat().into()
    }

    /// All that came after `last`; `None` if that is not known any more.
    fn since(&self, last: &str) -> Option<Bytes> {
        let from = if last == self.base && !last.is_empty() {
            0
        } else {
            self.kept.iter().position(|batch| batch.rev == last)? + 1
        };
        let missed = self.kept.iter().skip(from).flat_map(|batch| batch.frames.iter().copied());
        let beat = self.beat();
        Some(b"retry: 1000\n".iter().copied().chain(missed).chain(beat).collect())
    }

    fn keep(&mut self, frames: Bytes) {
        self.bytes += frames.len();
        self.kept.push_back(Batch { rev: self.rev.clone(), frames });
        while self.bytes > KEPT_BYTES || self.kept.len() > KEPT {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.frames.len();
            self.base = oldest.rev;
        }
    }

    /// Whoever does not keep up is dropped: he comes back and says how far he got.
    fn send(&mut self, frames: &Bytes) {
        self.readers.retain(|reader| reader.try_send(frames.clone()).is_ok());
    }
}

/// What differs, in the order of the nodes; those that are gone come last.
fn frames(before: &[u8], now: &[u8]) -> Vec<u8> {
    let (before, now) = (records(before), records(now));
    let mut known: HashMap<&str, &str> = before.iter().map(|json| (id(json), *json)).collect();
    let mut frames = Vec::new();
    for json in now {
        match known.remove(id(json)) {
            None => write(&mut frames, Change::New, json),
            Some(old) if old == json => {}
            Some(_) => write(&mut frames, Change::Changed, json),
        }
    }
    for json in before.iter().filter(|json| known.contains_key(id(json))) {
        write(&mut frames, Change::Gone, json);
    }
    frames
}

fn write(to: &mut Vec<u8>, change: Change, json: &str) {
    for part in ["event: ", change.name(), "\ndata: ", json, "\n\n"] {
        to.extend_from_slice(part.as_bytes());
    }
}

/// The records as they stand: compact JSON without line breaks.
fn records(all: &[u8]) -> Vec<&str> {
    let records: Vec<&RawValue> = serde_json::from_slice(all).unwrap_or_default();
    records.into_iter().map(RawValue::get).collect()
}

/// A record begins with its id: `{"id":"…36 characters…"`.
fn id(json: &str) -> &str {
    json.get(7..43).unwrap_or(json)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BEHIND, Hub, READERS};
    use crate::serve::keeper::Held;

    const IDS: [&str; 3] = [
        "aaaaaaaa-0000-4000-8000-000000000001",
        "bbbbbbbb-0000-4000-8000-000000000002",
        "cccccccc-0000-4000-8000-000000000003",
    ];

    fn record(at: usize, value: u32) -> String {
        format!("{{\"id\":\"{}\",\"modify_index\":{value}}}", IDS[at])
    }

    fn held(rev: &str, records: &[String]) -> Held {
        Held::of(rev, &format!("[{}]", records.join(",")))
    }

    /// The names and ids of the events of one chunk, and the data of those that carry a record.
    fn told(chunk: &[u8]) -> Vec<String> {
        let text = std::str::from_utf8(chunk).unwrap();
        let event = |event: &str| {
            let field = |name: &str| {
                event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default()
            };
            let data = field("data: ");
            let data = if data.contains("modify_index") { data } else { "" };
            format!("{} {} {data}", field("event: "), field("id: ")).trim_end().to_owned()
        };
        text.split("\n\n").filter(|event| !event.is_empty()).map(event).collect()
    }

    #[test]
    fn changes_come_in_one_batch_and_its_last_event_has_the_id() {
        let hub = Hub::default();
        let mut early = hub.join(None).unwrap();
        assert_eq!(told(&early.try_recv().unwrap()), ["ready"]);
        let first = held("N1", &[record(0, 1), record(1, 1)]);
        hub.turn(None, &first, Duration::ZERO);
        assert_eq!(told(&early.try_recv().unwrap()), ["reset N1"]);
        let mut late = hub.join(None).unwrap();
        assert_eq!(told(&late.try_recv().unwrap()), ["ready N1"]);
        let second = held("N2", &[record(0, 2), record(2, 1)]);
        hub.turn(Some(&first), &second, Duration::ZERO);
        let expected = [
            format!("changed  {}", record(0, 2)),
            format!("new  {}", record(2, 1)),
            format!("gone  {}", record(1, 1)),
            "beat N2".to_owned(),
        ];
        assert_eq!(told(&early.try_recv().unwrap()), expected);
        assert_eq!(told(&late.try_recv().unwrap()), expected);
        hub.turn(Some(&second), &second, Duration::ZERO);
        assert!(late.try_recv().is_err(), "the same publication is no news");
    }

    #[test]
    fn who_comes_back_gets_what_came_meanwhile_or_is_told_to_begin_again() {
        let hub = Hub::default();
        let at = |rev: &str, value: u32| held(rev, &[record(0, value)]);
        hub.turn(None, &at("N1", 1), Duration::ZERO);
        hub.turn(Some(&at("N1", 1)), &at("N2", 2), Duration::ZERO);
        hub.turn(Some(&at("N2", 2)), &at("N3", 2), Duration::ZERO);
        let back = |last: &str| told(&hub.join(Some(last)).unwrap().try_recv().unwrap());
        let changed = format!("changed  {}", record(0, 2));
        assert_eq!(back("N1"), [&changed, "beat N2", "beat N3", "beat N3"]);
        assert_eq!(back("N2"), ["beat N3", "beat N3"]);
        assert_eq!(back("N3"), ["beat N3"]);
        assert_eq!(back("N0"), ["reset N3"]);
        assert_eq!(back(""), ["reset N3"]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let hub = Hub::default();
        let big = |rev: String, value: u32| {
            let record = format!(
                "{{\"id\":\"{}\",\"x\":\"{}\",\"v\":{value}}}",
                IDS[0],
                "x".repeat(1 << 20)
            );
            Held::of(&rev, &format!("[{record}]"))
        };
        hub.turn(None, &big("N0".to_owned(), 0), Duration::ZERO);
        for at in 1..20 {
            hub.turn(
                Some(&big(format!("N{}", at - 1), at - 1)),
                &big(format!("N{at}"), at),
                Duration::ZERO,
            );
        }
        let back = |last: &str| hub.join(Some(last)).unwrap().try_recv().unwrap();
        assert_eq!(told(&back("N5")), ["reset N19"]);
        assert!(back("N15").len() > 4 << 20);
        assert!(hub.state().bytes <= super::KEPT_BYTES);
    }

    #[test]
    fn a_slow_reader_is_dropped_and_there_is_a_most() {
        let hub = Hub::default();
        let slow = hub.join(None).unwrap();
        for _ in 0..BEHIND {
            hub.beat();
        }
        assert!(slow.is_closed() && hub.readers() == 0);
        let readers: Vec<_> = (0..READERS).map(|_| hub.join(None).unwrap()).collect();
        assert!(hub.join(None).is_none());
        drop(readers);
        assert!(hub.join(None).is_some());
    }
}
