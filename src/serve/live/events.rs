//! Server-sent events: what differs between one publication and the next, for all who listen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use crate::clock;
use crate::model::json;
use crate::net::sync::lock;

use super::changes::frames;
use super::memory_budget::MemoryBudget;
use super::nomad_contact::NomadContact;
use super::published::CachedPublication;
use super::replay::{EventLog, LogEntry, pieces};

/// So many answers can be events at the same time; the other connections stay free for questions.
pub(crate) const READERS: usize = 192;

/// Where changes come in and readers listen.
#[derive(Clone, Default)]
pub(crate) struct EventHub {
    state: Arc<Mutex<HubState>>,
    budget: MemoryBudget,
}

#[derive(Default)]
struct HubState {
    /// Of the last publication; empty before the first.
    rev: String,
    /// When its list was asked for.
    listed: Option<Instant>,
    following: bool,
    contact: Arc<NomadContact>,
    log: EventLog,
    /// How many signs of life there were: each reader is sent the last one that he has not seen.
    beats: u64,
    /// Who is to be woken when something comes, by number.
    readers: HashMap<u64, Option<Waker>>,
    joined: u64,
    closed: bool,
}

/// One who reads the events, each when he has taken the one before.
pub(crate) struct Reader {
    hub: EventHub,
    number: u64,
    /// What is said to this one alone, before all else.
    greeting: Option<Bytes>,
    /// In the log.
    position: u64,
    /// The last sign of life that he was sent.
    beat: u64,
}

impl EventHub {
    /// Its events tell the state of this contact.
    pub(crate) fn new(contact: Arc<NomadContact>, budget: MemoryBudget) -> Self {
        let state = HubState { contact, ..HubState::default() };
        Self { state: Arc::new(Mutex::new(state)), budget }
    }

    fn state(&self) -> MutexGuard<'_, HubState> {
        lock(&self.state)
    }

    /// The publication that is shown from now on, and the one before it.
    pub(crate) fn turn(
        &self,
        before: Option<&CachedPublication>,
        now: &CachedPublication,
        age: Duration,
    ) {
        if !self.is_news(now, age) {
            return;
        }
        // Comparing and copying take their time, in which others must not wait for the hub. Turns
        // follow one after the other: nothing changes meanwhile.
        let changes = before.and_then(|before| {
            let frames = frames(&before.all(), &now.all());
            pieces(&frames, &self.budget)
        });
        let mut state = self.state();
        state.rev.clone_from(&now.rev);
        let (changes, last) = match changes {
            Some(changes) => (changes, state.beat()),
            // Whoever listens asks for all nodes again: that is less than all these changes.
            None => {
                state.log.clear();
                (Vec::new(), state.greeting("reset"))
            }
        };
        state.log.add(changes, self.budget.share(last), &now.rev);
        wake(state);
    }

    fn is_news(&self, now: &CachedPublication, age: Duration) -> bool {
        let mut state = self.state();
        state.listed = clock::now().checked_sub(age);
        !now.rev.is_empty() && state.rev != now.rev
    }

    /// A sign of life, and how old the nodes are.
    pub(crate) fn beat(&self) {
        let mut state = self.state();
        state.beats += 1;
        wake(state);
    }

    /// Somebody, here or elsewhere, follows Nomad.
    pub(crate) fn follows(&self, following: bool) {
        let mut state = self.state();
        if std::mem::replace(&mut state.following, following) != following {
            state.beats += 1;
            wake(state);
        }
    }

    pub(crate) fn readers(&self) -> usize {
        self.state().readers.len()
    }

    /// A new reader; `last` is the rev of the last event that it has seen. `None` if there are too many.
    pub(crate) fn join(&self, last: Option<&str>) -> Option<Reader> {
        let mut state = self.state();
        if state.readers.len() >= READERS {
            return None;
        }
        let missed = last.and_then(|last| state.log.after(last));
        let greeting = match (missed, last) {
            (Some(_), _) => RETRY.into(),
            (None, Some(_)) => state.greeting("reset"),
            (None, None) => state.greeting("ready"),
        };
        let position = missed.unwrap_or_else(|| state.log.end());
        // Who has got what he missed is told how old it is.
        let beat = if missed.is_some() { state.beats.wrapping_sub(1) } else { state.beats };
        state.joined += 1;
        let number = state.joined;
        state.readers.insert(number, None);
        Some(Reader { hub: self.clone(), number, greeting: Some(greeting.into()), position, beat })
    }

    /// Ends all streams.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        wake(state);
    }
}

/// Wakes all readers, outside the lock.
fn wake(mut state: MutexGuard<'_, HubState>) {
    let wakers: Vec<Waker> = state.readers.values_mut().filter_map(Option::take).collect();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

impl Reader {
    /// The next bytes for this reader, shared with all others; `None` at the end, and for one who is
    /// so far behind that what he lacks is gone: he comes back and says how far he got.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(greeting) = self.greeting.take() {
            return Poll::Ready(Some(greeting));
        }
        let mut state = self.hub.state();
        if state.closed {
            return Poll::Ready(None);
        }
        match state.log.at(self.position) {
            LogEntry::Piece(piece) => {
                self.position += 1;
                Poll::Ready(Some(piece))
            }
            LogEntry::Dropped => Poll::Ready(None),
            LogEntry::End if self.beat != state.beats => {
                self.beat = state.beats;
                Poll::Ready(Some(state.beat().into()))
            }
            LogEntry::End => {
                state.readers.insert(self.number, Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hub.state().readers.remove(&self.number);
    }
}

/// How soon a reader comes back, in milliseconds.
const RETRY: &str = "retry: 1000\n";

impl HubState {
    fn age_ms(&self) -> Option<u64> {
        let age = clock::now().saturating_duration_since(self.listed?);
        u64::try_from(age.as_millis()).ok()
    }

    /// The id comes with the last frame of a batch: whoever was cut off in its midst gets it again.
    fn event(&self, name: &str) -> String {
        let (rev, age) = (json::bytes(&self.rev), json::bytes(&self.age_ms()));
        let (rev, age) = (String::from_utf8_lossy(&rev), String::from_utf8_lossy(&age));
        let following = self.following;
        let nomad = json::bytes(&self.contact.at(clock::now()));
        let nomad = String::from_utf8_lossy(&nomad);
        let id = if self.rev.is_empty() { String::new() } else { format!("id: {}\n", self.rev) };
        let data = format!(
            "{{\"rev\":{rev},\"age_ms\":{age},\"following\":{following},\"nomad\":{nomad}}}"
        );
        format!("event: {name}\n{id}data: {data}\n\n")
    }

    fn beat(&self) -> Vec<u8> {
        self.event("beat").into()
    }

    /// The first words to a reader who has to ask for the nodes.
    fn greeting(&self, name: &str) -> Vec<u8> {
        [RETRY, &self.event(name)].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::{EventHub, READERS, Reader};
    use crate::serve::live::published::CachedPublication;
    use crate::serve::live::replay::KEPT_BYTES;

    const IDS: [&str; 3] = [
        "aaaaaaaa-0000-4000-8000-000000000001",
        "bbbbbbbb-0000-4000-8000-000000000002",
        "cccccccc-0000-4000-8000-000000000003",
    ];

    fn record(at: usize, value: u32) -> String {
        format!("{{\"id\":\"{}\",\"modify_index\":{value}}}", IDS[at])
    }

    fn held(rev: &str, records: &[String]) -> CachedPublication {
        CachedPublication::of(rev, &format!("[{}]", records.join(",")))
    }

    fn poll(reader: &mut Reader) -> Poll<Option<hyper::body::Bytes>> {
        reader.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    /// All that there is for this reader now, and whether the stream goes on.
    fn read(reader: &mut Reader) -> (String, bool) {
        let mut text = Vec::new();
        loop {
            match poll(reader) {
                Poll::Ready(Some(piece)) => text.extend_from_slice(&piece),
                end => return (String::from_utf8(text).unwrap(), end.is_pending()),
            }
        }
    }

    /// The names and ids of those events, and the data of those that carry a record.
    fn told(reader: &mut Reader) -> Vec<String> {
        let (text, _) = read(reader);
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
        let hub = EventHub::default();
        let mut early = hub.join(None).unwrap();
        assert_eq!(told(&mut early), ["ready"]);
        let first = held("N1", &[record(0, 1), record(1, 1)]);
        hub.turn(None, &first, Duration::ZERO);
        assert_eq!(told(&mut early), ["reset N1"]);
        let mut late = hub.join(None).unwrap();
        assert_eq!(told(&mut late), ["ready N1"]);
        let second = held("N2", &[record(0, 2), record(2, 1)]);
        hub.turn(Some(&first), &second, Duration::ZERO);
        let expected = [
            format!("changed  {}", record(0, 2)),
            format!("new  {}", record(2, 1)),
            format!("gone  {}", record(1, 1)),
            "beat N2".to_owned(),
        ];
        assert_eq!(told(&mut early), expected);
        assert_eq!(told(&mut late), expected);
        hub.turn(Some(&second), &second, Duration::ZERO);
        assert!(poll(&mut late).is_pending(), "the same publication is no news");
    }

    #[test]
    fn who_comes_back_gets_what_came_meanwhile_or_is_told_to_begin_again() {
        let hub = EventHub::default();
        let at = |rev: &str, value: u32| held(rev, &[record(0, value)]);
        hub.turn(None, &at("N1", 1), Duration::ZERO);
        hub.turn(Some(&at("N1", 1)), &at("N2", 2), Duration::ZERO);
        hub.turn(Some(&at("N2", 2)), &at("N3", 2), Duration::ZERO);
        let back = |last: &str| told(&mut hub.join(Some(last)).unwrap());
        let changed = format!("changed  {}", record(0, 2));
        assert_eq!(back("N1"), [&changed, "beat N2", "beat N3", "beat N3"]);
        assert_eq!(back("N2"), ["beat N3", "beat N3"]);
        assert_eq!(back("N3"), ["beat N3"]);
        assert_eq!(back("N0"), ["reset N3"]);
        assert_eq!(back(""), ["reset N3"]);
    }

    /// A record of `bytes` bytes and a little more.
    fn big(at: usize, bytes: usize) -> CachedPublication {
        let x = "x".repeat(bytes);
        held(&format!("N{at}"), &[format!("{{\"id\":\"{}\",\"x\":\"{x}\",\"v\":{at}}}", IDS[0])])
    }

    #[test]
    fn readers_who_come_back_share_what_is_kept() {
        let hub = EventHub::default();
        hub.turn(None, &big(0, 1 << 20), Duration::ZERO);
        for at in 1..4 {
            hub.turn(Some(&big(at - 1, 1 << 20)), &big(at, 1 << 20), Duration::ZERO);
        }
        let alone = hub.budget.used();
        let mut readers: Vec<_> = (0..READERS).map(|_| hub.join(Some("N0")).unwrap()).collect();
        let next = |reader: &mut Reader| match poll(reader) {
            Poll::Ready(Some(piece)) => piece,
            end => panic!("{end:?}"),
        };
        let pieces: Vec<_> =
            readers.iter_mut().flat_map(|reader| [next(reader), next(reader)]).collect();
        assert_eq!(hub.budget.used(), alone);
        assert!(pieces.iter().skip(1).step_by(2).all(|piece| piece.as_ptr() == pieces[1].as_ptr()));
        assert!(read(&mut readers[0]).0.len() > 2 << 20);
    }

    #[test]
    fn who_is_too_far_behind_has_to_come_back_and_too_many_changes_are_a_reset() {
        let hub = EventHub::default();
        hub.turn(None, &big(0, 1 << 20), Duration::ZERO);
        let mut slow = hub.join(None).unwrap();
        let turns = KEPT_BYTES / (1 << 20) + 2;
        for at in 1..turns {
            hub.turn(Some(&big(at - 1, 1 << 20)), &big(at, 1 << 20), Duration::ZERO);
        }
        let (text, goes_on) = read(&mut slow);
        assert!(text.contains("event: ready") && !text.contains("changed") && !goes_on);
        assert_eq!(told(&mut hub.join(Some("N0")).unwrap()), [format!("reset N{}", turns - 1)]);
        let mut quick = hub.join(None).unwrap();
        told(&mut quick);
        hub.turn(Some(&big(turns - 1, 1 << 20)), &big(turns, KEPT_BYTES), Duration::ZERO);
        assert_eq!(told(&mut quick), [format!("reset N{turns}")]);
        assert_eq!(told(&mut hub.join(Some("N99")).unwrap()), [format!("reset N{turns}")]);
        assert!(hub.budget.used() < 1 << 10, "{}", hub.budget.used());
    }

    #[test]
    fn signs_of_life_do_not_pile_up_and_there_is_a_most() {
        let hub = EventHub::default();
        let mut slow = hub.join(None).unwrap();
        (0..50).for_each(|_| hub.beat());
        assert_eq!(told(&mut slow), ["ready", "beat"]);
        hub.follows(true);
        assert_eq!(told(&mut slow), ["beat"]);
        drop(slow);
        let mut readers: Vec<_> = (0..READERS).map(|_| hub.join(None).unwrap()).collect();
        assert!(hub.join(None).is_none() && hub.readers() == READERS);
        hub.close();
        assert!(!read(&mut readers[0]).1);
        drop(readers);
        assert!(hub.join(None).is_some());
    }
}
