//! Server-sent events: the changes between publications, for all readers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::Notify;

use crate::clock;
use crate::model::json;
use crate::net::sync::lock;

use super::changes::frames;
use super::memory_budget::MemoryBudget;
use super::nomad_contact::{Contact, NomadContact};
use super::published::CachedPublication;
use super::replay::{EventLog, LogEntry, chunks};

/// The most readers at a time; the other connections stay free for requests.
pub(crate) const READERS: usize = 192;
/// How soon a reader reconnects, in milliseconds.
const RETRY: &str = "retry: 1000\n";

/// Takes in publications and passes their changes on to the readers.
#[derive(Default)]
pub(crate) struct EventHub {
    state: Mutex<HubState>,
    budget: MemoryBudget,
    /// Notified when a reader joins.
    pub(crate) joined: Notify,
}

#[derive(Default)]
struct HubState {
    /// Of the last publication; empty before the first.
    rev: String,
    /// When its list was requested.
    listed: Option<Instant>,
    following: bool,
    contact: Arc<NomadContact>,
    log: EventLog,
    /// How many beats there were: each reader is sent the last one that it has not seen.
    beats: u64,
    /// Those to be woken by the next event, by number.
    readers: HashMap<u64, Option<Waker>>,
    joined: u64,
    closed: bool,
}

/// A client that reads the events, at its own pace.
pub(crate) struct Reader {
    hub: Arc<EventHub>,
    number: u64,
    /// Sent to this reader alone, before all else.
    greeting: Option<Bytes>,
    /// In the log.
    position: u64,
    /// The last beat that it was sent.
    beat: u64,
}

impl EventHub {
    /// Its events contain the state of `contact`.
    pub(crate) fn new(contact: Arc<NomadContact>, budget: MemoryBudget) -> Self {
        let state = Mutex::new(HubState { contact, ..HubState::default() });
        Self { state, budget, joined: Notify::new() }
    }

    /// Takes in the current publication, and the one before it.
    pub(crate) fn publish(
        &self,
        before: Option<&CachedPublication>,
        now: &CachedPublication,
        age: Duration,
    ) {
        let mut state = lock(&self.state);
        state.listed = clock::now().checked_sub(age);
        if now.rev.is_empty() || state.rev == now.rev {
            return;
        }
        drop(state);
        // Comparing takes a while, during which others must not wait for the hub. Publications come
        // one after the other: nothing changes meanwhile.
        let changes =
            before.and_then(|before| chunks(&frames(&before.all(), &now.all()), &self.budget));
        let mut state = lock(&self.state);
        state.rev.clone_from(&now.rev);
        let (changes, last) = match changes {
            Some(changes) => (changes, state.event("beat")),
            // Readers request all nodes again: that is less than all these changes.
            None => {
                state.log.clear();
                (Vec::new(), state.greeting("reset"))
            }
        };
        state.log.add(changes, self.budget.share(last.into()), &now.rev);
        wake(state);
    }

    /// Sends a sign of life, with the age of the nodes.
    pub(crate) fn beat(&self) {
        let mut state = lock(&self.state);
        state.beats += 1;
        wake(state);
    }

    /// Whether any process follows Nomad.
    pub(crate) fn set_following(&self, following: bool) {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.following, following) != following {
            state.beats += 1;
            wake(state);
        }
    }

    pub(crate) fn readers(&self) -> usize {
        lock(&self.state).readers.len()
    }

    /// A new reader; `last` is the rev of the last event that it has seen. `None` if there are too many.
    pub(crate) fn join(self: &Arc<Self>, last: Option<&str>) -> Option<Reader> {
        let mut state = lock(&self.state);
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
        // A beat after the missed events tells how old they are.
        let beat = if missed.is_some() { state.beats.wrapping_sub(1) } else { state.beats };
        state.joined += 1;
        let number = state.joined;
        state.readers.insert(number, None);
        drop(state);
        self.joined.notify_waiters();
        Some(Reader {
            hub: Arc::clone(self),
            number,
            greeting: Some(greeting.into()),
            position,
            beat,
        })
    }

    /// Ends all streams.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
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
    /// The next bytes for this reader, shared with all others. `None` at the end, and if the reader is
    /// so far behind that what it has missed is not kept: it reconnects and sends its last rev.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(greeting) = self.greeting.take() {
            return Poll::Ready(Some(greeting));
        }
        let mut state = lock(&self.hub.state);
        if state.closed {
            return Poll::Ready(None);
        }
        match state.log.at(self.position) {
            LogEntry::Chunk(chunk) => {
                self.position += 1;
                Poll::Ready(Some(chunk))
            }
            LogEntry::Dropped => Poll::Ready(None),
            LogEntry::End if self.beat != state.beats => {
                self.beat = state.beats;
                Poll::Ready(Some(state.event("beat").into()))
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
        lock(&self.hub.state).readers.remove(&self.number);
    }
}

impl HubState {
    /// The id comes with the last frame of a batch: a reader that was cut off before it gets them again.
    fn event(&self, name: &str) -> String {
        #[derive(Serialize)]
        struct EventData<'a> {
            rev: &'a str,
            age_ms: Option<u64>,
            following: bool,
            nomad: Contact,
        }
        let now = clock::now();
        let age = self.listed.map(|listed| now.saturating_duration_since(listed));
        let age_ms = age.and_then(|age| u64::try_from(age.as_millis()).ok());
        let nomad = self.contact.at(now);
        let data = EventData { rev: &self.rev, age_ms, following: self.following, nomad };
        let (data, rev) = (json::bytes(&data), &self.rev);
        let id = if rev.is_empty() { String::new() } else { format!("id: {rev}\n") };
        format!("event: {name}\n{id}data: {}\n\n", String::from_utf8_lossy(&data))
    }

    /// The first event of a reader that has to request the nodes.
    fn greeting(&self, name: &str) -> String {
        RETRY.to_owned() + &self.event(name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
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
                Poll::Ready(Some(chunk)) => text.extend_from_slice(&chunk),
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
        let hub = Arc::<EventHub>::default();
        let mut early = hub.join(None).unwrap();
        assert_eq!(told(&mut early), ["ready"]);
        let first = held("N1", &[record(0, 1), record(1, 1)]);
        hub.publish(None, &first, Duration::ZERO);
        assert_eq!(told(&mut early), ["reset N1"]);
        let mut late = hub.join(None).unwrap();
        assert_eq!(told(&mut late), ["ready N1"]);
        let second = held("N2", &[record(0, 2), record(2, 1)]);
        hub.publish(Some(&first), &second, Duration::ZERO);
        let expected = [
            format!("changed  {}", record(0, 2)),
            format!("new  {}", record(2, 1)),
            format!("gone  {}", record(1, 1)),
            "beat N2".to_owned(),
        ];
        assert_eq!(told(&mut early), expected);
        assert_eq!(told(&mut late), expected);
        hub.publish(Some(&second), &second, Duration::ZERO);
        assert!(poll(&mut late).is_pending(), "the same publication is no news");
    }

    #[test]
    fn a_client_that_reconnects_gets_what_it_missed_or_a_reset() {
        let hub = Arc::<EventHub>::default();
        let at = |rev: &str, value: u32| held(rev, &[record(0, value)]);
        hub.publish(None, &at("N1", 1), Duration::ZERO);
        hub.publish(Some(&at("N1", 1)), &at("N2", 2), Duration::ZERO);
        hub.publish(Some(&at("N2", 2)), &at("N3", 2), Duration::ZERO);
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
        let hub = Arc::<EventHub>::default();
        hub.publish(None, &big(0, 1 << 20), Duration::ZERO);
        for at in 1..4 {
            hub.publish(Some(&big(at - 1, 1 << 20)), &big(at, 1 << 20), Duration::ZERO);
        }
        let alone = hub.budget.used();
        let mut readers: Vec<_> = (0..READERS).map(|_| hub.join(Some("N0")).unwrap()).collect();
        let next = |reader: &mut Reader| match poll(reader) {
            Poll::Ready(Some(chunk)) => chunk,
            end => panic!("{end:?}"),
        };
        let chunks: Vec<_> =
            readers.iter_mut().flat_map(|reader| [next(reader), next(reader)]).collect();
        assert_eq!(hub.budget.used(), alone);
        assert!(chunks.iter().skip(1).step_by(2).all(|chunk| chunk.as_ptr() == chunks[1].as_ptr()));
        assert!(read(&mut readers[0]).0.len() > 2 << 20);
    }

    #[test]
    fn who_is_too_far_behind_has_to_come_back_and_too_many_changes_are_a_reset() {
        let hub = Arc::<EventHub>::default();
        hub.publish(None, &big(0, 1 << 20), Duration::ZERO);
        let mut slow = hub.join(None).unwrap();
        let turns = KEPT_BYTES / (1 << 20) + 2;
        for at in 1..turns {
            hub.publish(Some(&big(at - 1, 1 << 20)), &big(at, 1 << 20), Duration::ZERO);
        }
        let (text, goes_on) = read(&mut slow);
        assert!(text.contains("event: ready") && !text.contains("changed") && !goes_on);
        assert_eq!(told(&mut hub.join(Some("N0")).unwrap()), [format!("reset N{}", turns - 1)]);
        let mut quick = hub.join(None).unwrap();
        told(&mut quick);
        hub.publish(Some(&big(turns - 1, 1 << 20)), &big(turns, KEPT_BYTES), Duration::ZERO);
        assert_eq!(told(&mut quick), [format!("reset N{turns}")]);
        assert_eq!(told(&mut hub.join(Some("N99")).unwrap()), [format!("reset N{turns}")]);
        assert!(hub.budget.used() < 1 << 10, "{}", hub.budget.used());
    }

    #[test]
    fn signs_of_life_do_not_pile_up_and_there_is_a_most() {
        let hub = Arc::<EventHub>::default();
        let mut slow = hub.join(None).unwrap();
        (0..50).for_each(|_| hub.beat());
        assert_eq!(told(&mut slow), ["ready", "beat"]);
        hub.set_following(true);
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
