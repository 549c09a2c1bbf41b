//! Limits the connections to Nomad, of this process and of all processes of this host.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::host::connection_slots::{ConnectionSlot, ConnectionSlots};
use crate::net::sync::lock;
use crate::random;

use super::connection_table::{ConnectionTable, OpenConnection, SlotSource};

/// The longest wait of a process without any connection for its first slot.
const FIRST_SLOT_WAIT: Duration = Duration::from_secs(2);
/// The pause between two searches for a free slot, and the most that is added at random.
const PAUSE_MS: u64 = 50;
/// How long all connections are kept after the last request: another one often follows.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Counts requests and connections. A request waits for a slot for the connection that it may need;
/// the slot stays with the connection as long as that is open. Some time after the last request, all
/// connections but one are closed, which frees their slots for other processes.
#[derive(Debug)]
pub(super) struct Connections {
    take: SlotSource,
    keep_alive: Duration,
    state: Mutex<ConnectionTable>,
    changed: Condvar,
}

/// The right to send one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    connections: &'a Arc<Connections>,
    is_short: bool,
    /// How often the limit had been lowered when the request began.
    lowered: u64,
}

impl Connections {
    /// `folder`: where the processes of this host share slots; `None` = they share none.
    pub(super) fn new(folder: Option<&Path>, address: &str) -> Self {
        let slots = ConnectionSlots::new(folder, address);
        Self::with(SlotSource(Box::new(move |held| slots.take(held))))
    }

    fn with(take: SlotSource) -> Self {
        Self {
            take,
            keep_alive: KEEP_ALIVE,
            state: Mutex::new(ConnectionTable::new()),
            changed: Condvar::new(),
        }
    }

    /// Waits until one more request may be sent, but not beyond `until`.
    pub(super) fn enter(self: &Arc<Self>, until: Instant) -> Permit<'_> {
        self.admitted(until, true)
    }

    /// The same for a long poll, which does not count as a short request.
    pub(super) fn enter_held(self: &Arc<Self>, until: Instant) -> Permit<'_> {
        self.admitted(until, false)
    }

    fn admitted(self: &Arc<Self>, until: Instant, is_short: bool) -> Permit<'_> {
        let first_until = until.min(clock::now() + FIRST_SLOT_WAIT);
        let mut state = lock(&self.state);
        loop {
            let now = clock::now();
            state.recover(now);
            let is_allowed = !is_short || state.short < state.limit;
            if now >= until || is_allowed && state.requests < state.slots.len() {
                break;
            }
            if is_allowed && state.may_search(now) {
                let has_taken;
                (state, has_taken) = self.search(state);
                if has_taken {
                    continue;
                }
            }
            if is_allowed && state.slots.is_empty() && !state.is_searching && now >= first_until {
                state.slots.push(ConnectionSlot::unshared());
                break;
            }
            // A wake-up may reach a thread that waits for something else, and other processes send
            // none, so look again after a while.
            let later = now + Duration::from_millis(2 * PAUSE_MS);
            let search = state.search_at.filter(|_| is_allowed).unwrap_or(later).min(until);
            let pause = search.saturating_duration_since(now).max(Duration::from_millis(1));
            let woken = self.changed.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.requests += 1;
        state.short += usize::from(is_short);
        Permit { connections: self, is_short, lowered: state.lowered }
    }

    /// Searches for a free slot, without the lock: that opens and locks files.
    fn search<'a>(
        &'a self,
        mut state: MutexGuard<'a, ConnectionTable>,
    ) -> (MutexGuard<'a, ConnectionTable>, bool) {
        state.is_searching = true;
        let held = state.slots.len();
        drop(state);
        let slot = (self.take.0)(held);
        let mut state = lock(&self.state);
        state.is_searching = false;
        let pause = Duration::from_millis(PAUSE_MS + random::below(PAUSE_MS));
        state.search_at = slot.is_none().then(|| clock::now() + pause);
        let has_taken = slot.is_some();
        state.slots.extend(slot);
        self.changed.notify_all();
        (state, has_taken)
    }

    fn ended(self: &Arc<Self>, is_short: bool) {
        let mut state = lock(&self.state);
        state.requests -= 1;
        state.short -= usize::from(is_short);
        state.release_unused();
        if state.requests == 0 {
            state.idle_since = clock::now();
        }
        let is_first = state.requests == 0 && state.open.len() > 1 && !state.is_closing;
        state.is_closing |= is_first;
        drop(state);
        self.changed.notify_one();
        if is_first {
            let (weak, keep_alive) = (Arc::downgrade(self), self.keep_alive);
            if thread::Builder::new().spawn(move || close_later(&weak, keep_alive)).is_err() {
                self.close_unused(Duration::ZERO);
            }
        }
    }

    /// Closes all connections but one if the last request ended long enough ago; else returns what is
    /// left of that time.
    fn close_unused(&self, keep_alive: Duration) -> Option<Duration> {
        let mut state = lock(&self.state);
        if state.requests == 0 {
            let left = keep_alive.saturating_sub(clock::now().duration_since(state.idle_since));
            if !left.is_zero() {
                return Some(left);
            }
        }
        state.is_closing = false;
        let unused = state.unused();
        drop(state);
        // Close them before their slots are free.
        unused.iter().for_each(|open| (open.close)());
        lock(&self.state).release_unused();
        self.changed.notify_all();
        None
    }

    /// Counts a new connection, which `close` closes.
    pub(super) fn opened(&self, close: impl Fn() + Send + Sync + 'static) -> Arc<OpenConnection> {
        let open = Arc::new(OpenConnection { close: Box::new(close) });
        lock(&self.state).open.push(Arc::clone(&open));
        open
    }

    pub(super) fn closed(&self, open: &Arc<OpenConnection>) {
        let mut state = lock(&self.state);
        state.open.retain(|other| !Arc::ptr_eq(other, open));
        state.release_unused();
        self.changed.notify_one();
    }

    /// Whether an idle connection is kept.
    pub(super) fn keeps(&self, open: &Arc<OpenConnection>) -> bool {
        let state = lock(&self.state);
        state.open.len() <= state.limit && state.open.iter().any(|other| Arc::ptr_eq(other, open))
    }
}

fn close_later(connections: &Weak<Connections>, keep_alive: Duration) {
    let mut left = Some(keep_alive);
    while let Some(pause) = left {
        clock::sleep(pause);
        left = connections.upgrade().and_then(|connections| connections.close_unused(keep_alive));
    }
}

impl Permit<'_> {
    /// Whether Nomad has recently refused a request of this process as one too many.
    pub(super) fn is_limited(&self) -> bool {
        lock(&self.connections.state).refused.is_some()
    }

    /// Nomad has refused this request as one too many: halves the limit, once for all requests that
    /// were in flight together. Returns the new limit if this was the first of them.
    pub(super) fn refused(self) -> Option<usize> {
        let mut state = lock(&self.connections.state);
        state.refused = Some(clock::now());
        if state.lowered != self.lowered {
            return None;
        }
        state.lowered += 1;
        state.limit = (state.limit.min(state.short) / 2).max(1);
        Some(state.limit)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.connections.ended(self.is_short);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Barrier, Mutex, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::{Connections, Permit, SlotSource};
    use crate::clock;
    use crate::host::connection_slots::{ConnectionSlot, ConnectionSlots};

    const AT: &str = "http://10.0.0.5:4646";

    fn shared(folder: Option<&Path>) -> Arc<Connections> {
        Arc::new(Connections::new(folder, AT))
    }

    fn entered(connections: &Arc<Connections>) -> Permit<'_> {
        connections.enter(clock::now() + Duration::from_secs(60))
    }

    #[test]
    fn a_refusal_halves_once_for_all_that_were_under_way() {
        let connections = shared(None);
        let mut permits: Vec<_> = (0..16).map(|_| entered(&connections)).collect();
        let limits: Vec<_> = permits.drain(..8).map(Permit::refused).collect();
        assert_eq!((limits[0], limits[1..].iter().flatten().count()), (Some(8), 0));
        assert!(permits[0].is_limited());
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let connections = &connections;
            scope.spawn(move || {
                let _ninth = entered(connections);
                tell.send(()).unwrap();
            });
            assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
            let _held = connections.enter_held(clock::now());
            permits.pop();
            told.recv_timeout(Duration::from_secs(60)).unwrap();
        });
        drop(permits);
        assert_eq!(entered(&connections).refused(), Some(1), "never less than one");
        assert_eq!(entered(&connections).refused(), Some(1));
    }

    #[test]
    fn a_connection_beyond_the_limit_is_not_kept() {
        let connections = shared(None);
        let permits: Vec<_> = (0..4).map(|_| entered(&connections)).collect();
        let open: Vec<_> = (0..4).map(|_| connections.opened(|| ())).collect();
        assert!(connections.keeps(&open[0]));
        let held = connections.enter_held(clock::now());
        for permit in permits {
            permit.refused();
        }
        assert!(!connections.keeps(&open[0]));
        connections.closed(&open[3]);
        assert!(!connections.keeps(&open[0]));
        connections.closed(&open[2]);
        assert!(connections.keeps(&open[0]) && !connections.keeps(&open[2]));
        drop(held);
    }

    #[test]
    fn connections_beyond_one_are_closed_when_no_request_follows() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("cache");
        // Closed here, whatever the other thread does.
        let keep_alive = Duration::from_secs(3600);
        let connections =
            Arc::new(Connections { keep_alive, ..Connections::new(Some(&cache), AT) });
        let closed = Arc::new(Mutex::new(Vec::new()));
        let mut permits: Vec<_> = (0..5).map(|_| entered(&connections)).collect();
        let open: Vec<_> = (0..5)
            .map(|at| {
                let (closed, cache) = (Arc::clone(&closed), cache.clone());
                // Nobody has its slot yet.
                let close = move || closed.lock().unwrap().push((at, taken(&cache)));
                connections.opened(close)
            })
            .collect();
        permits.truncate(1);
        assert!(closed.lock().unwrap().is_empty() && connections.keeps(&open[0]));
        assert_eq!(connections.close_unused(Duration::ZERO), None);
        drop(permits);
        assert!(connections.close_unused(keep_alive).is_some(), "another one may follow");
        assert!(closed.lock().unwrap().is_empty() && connections.keeps(&open[0]));
        assert_eq!(taken(&cache), 4);
        assert_eq!(connections.close_unused(Duration::ZERO), None);
        assert_eq!(*closed.lock().unwrap(), [(0, 4), (1, 4), (2, 4), (3, 4)]);
        assert_eq!(taken(&cache), 0, "the first one is of no concern to others");
        let kept: Vec<_> = open.iter().map(|open| connections.keeps(open)).collect();
        assert_eq!(kept, [false, false, false, false, true]);
        // The library drops them when it comes across them.
        open[..4].iter().for_each(|open| connections.closed(open));
        assert!(connections.keeps(&open[4]));
    }

    /// It opens and locks up to 40 files.
    #[test]
    fn nobody_waits_for_who_looks_for_a_slot() {
        let (looks, looking) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        let (looks, gone) = (Mutex::new(looks), Mutex::new(gone));
        let connections = Arc::new(Connections::with(SlotSource(Box::new(move |held| {
            if held == 1 {
                looks.lock().unwrap().send(()).unwrap();
                gone.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap();
            }
            Some(ConnectionSlot::unshared())
        }))));
        let first = entered(&connections);
        let _open = connections.opened(|| ());
        thread::scope(|scope| {
            let second = scope.spawn(|| drop(entered(&connections)));
            looking.recv_timeout(Duration::from_secs(60)).unwrap();
            assert!(!first.is_limited());
            drop(first);
            // Its connection is free, so nobody need look.
            drop(entered(&connections));
            go.send(()).unwrap();
            second.join().unwrap();
        });
    }

    #[test]
    fn threads_that_come_at_once_take_one_first_slot() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("cache");
        let connections = shared(Some(&cache));
        let all = Barrier::new(16);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let _permit = entered(&connections);
                    all.wait();
                });
            }
        });
        let folder = std::fs::read_dir(cache.join("connections")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.contains("-first-")).count(), 1);
    }

    fn taken(folder: &Path) -> usize {
        let slots = ConnectionSlots::new(Some(folder), AT);
        let mut held = Vec::new();
        while let Some(slot) = slots.take(held.len()) {
            held.push(slot);
            assert!(held.len() < 100, "nothing is shared");
        }
        41 - held.len()
    }

    #[test]
    fn a_slot_stays_with_its_connection_and_goes_with_it() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("cache");
        let connections = shared(Some(&cache));
        let permits: Vec<_> = (0..5).map(|_| entered(&connections)).collect();
        assert_eq!(taken(&cache), 4, "and the first, of which there are many");
        let open: Vec<_> = (0..5).map(|_| connections.opened(|| ())).collect();
        let held = connections.enter_held(clock::now());
        drop(permits);
        assert_eq!(taken(&cache), 4, "they are kept");
        open[..3].iter().for_each(|open| connections.closed(open));
        assert_eq!(taken(&cache), 1);
        let permit = entered(&connections);
        assert_eq!(taken(&cache), 1, "kept connections are used again");
        drop((permit, held));
    }

    #[test]
    fn a_process_without_a_slot_has_one_connection_after_a_while() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("cache");
        let others: Vec<_> =
            (0..24).map(|_| ConnectionSlots::new(Some(&cache), AT).take(0).unwrap()).collect();
        let connections = shared(Some(&cache));
        let began = clock::now();
        drop((entered(&connections), others));
        assert!(began.elapsed() >= super::FIRST_SLOT_WAIT);
        let _both = (entered(&connections), entered(&connections));
    }
}
