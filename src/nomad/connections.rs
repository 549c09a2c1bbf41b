//! How many connections to Nomad there may be: of this process, and of all processes of this host.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::clock;
use crate::host::connection_slots::{ConnectionSlots, Slot};
use crate::random;

/// A process that has no connection at all waits no longer for its first slot.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before all slots of this host are looked at again, and as much again at random.
const PAUSE_MS: u64 = 50;
/// After as long without a refusal there may be as many connections as before.
const RECOVERED: Duration = Duration::from_secs(30);

/// Counts requests and connections. A request waits until there is a slot for the connection that
/// it may need; the slot stays with the connection, also while that is kept for the next request.
#[derive(Debug)]
pub(super) struct Connections {
    slots: ConnectionSlots,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Under way, those that Nomad holds back among them.
    requests: usize,
    /// Under way, without those.
    short: usize,
    /// Connections that are open, used or not.
    open: usize,
    /// One for each connection, and for each request that may open one.
    slots: Vec<Slot>,
    /// The most short requests at once, and connections that are kept.
    most: usize,
    /// How often `most` was lowered.
    lowered: u64,
    /// Nomad last refused a request as one too many.
    refused: Option<Instant>,
    /// All slots of the host were taken: nobody looks again before.
    look_at: Option<Instant>,
}

/// A request that may be sent. It ends with this value.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    connections: &'a Connections,
    is_short: bool,
    /// How often the limit had been lowered by then.
    lowered: u64,
}

impl Connections {
    /// `folder` is where the processes of this host meet, if they do.
    pub(super) fn new(folder: Option<&Path>, address: &str) -> Self {
        let state = State {
            requests: 0,
            short: 0,
            open: 0,
            slots: Vec::new(),
            most: usize::MAX,
            lowered: 0,
            refused: None,
            look_at: None,
        };
        let slots = ConnectionSlots::new(folder, address);
        Self { slots, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more request may be sent, at most until the time is over: what happens then
    /// is for the request to find out.
    pub(super) fn enter(&self, until: Instant) -> Permit<'_> {
        self.admitted(until, true)
    }

    /// The same for a question that Nomad may hold back for long: nobody waits for its end.
    pub(super) fn enter_held(&self, until: Instant) -> Permit<'_> {
        self.admitted(until, false)
    }

    fn admitted(&self, until: Instant, is_short: bool) -> Permit<'_> {
        let first_until = until.min(clock::now() + PATIENCE);
        let mut state = self.state();
        loop {
            let now = clock::now();
            state.recover(now);
            let is_free = !is_short || state.short < state.most;
            if now >= until || is_free && self.has_slot(&mut state, now, first_until) {
                break;
            }
            // Whoever ends a request wakes one who waits, who may wait for something else; other
            // processes wake nobody.
            let later = now + Duration::from_millis(2 * PAUSE_MS);
            let look = state.look_at.filter(|_| is_free).unwrap_or(later).min(until);
            let pause = look.saturating_duration_since(now).max(Duration::from_millis(1));
            let woken = self.changed.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.requests += 1;
        state.short += usize::from(is_short);
        Permit { connections: self, is_short, lowered: state.lowered }
    }

    /// Whether one more request has a connection, or a slot for one.
    fn has_slot(&self, state: &mut State, now: Instant, first_until: Instant) -> bool {
        if state.requests < state.slots.len() {
            return true;
        }
        if state.look_at.is_none_or(|at| now >= at) {
            if let Some(slot) = self.slots.take(state.slots.len()) {
                state.slots.push(slot);
                state.look_at = None;
                return true;
            }
            let pause = PAUSE_MS + random::below(PAUSE_MS);
            state.look_at = Some(now + Duration::from_millis(pause));
        }
        if state.slots.is_empty() && now >= first_until {
            state.slots.push(Slot::unshared());
            return true;
        }
        false
    }

    fn ended(&self, is_short: bool) {
        let mut state = self.state();
        state.requests -= 1;
        state.short -= usize::from(is_short);
        state.give_back();
        self.changed.notify_one();
    }

    fn opened(&self) {
        self.state().open += 1;
    }

    fn closed(&self) {
        let mut state = self.state();
        state.open -= 1;
        state.give_back();
        self.changed.notify_one();
    }

    /// Whether a connection that nobody uses now is kept.
    fn keeps(&self) -> bool {
        let state = self.state();
        state.open <= state.most
    }
}

impl State {
    /// Slots for which there is neither a connection nor a request are others'.
    fn give_back(&mut self) {
        self.slots.truncate(self.requests.max(self.open));
    }

    fn recover(&mut self, now: Instant) {
        if self.refused.is_some_and(|at| now.saturating_duration_since(at) >= RECOVERED) {
            (self.refused, self.most) = (None, usize::MAX);
        }
    }
}

impl Permit<'_> {
    /// Nomad has refused a request of this process as one too many, not long ago.
    pub(super) fn is_limited(&self) -> bool {
        self.connections.state().refused.is_some()
    }

    /// Nomad has refused this request as one too many: there are half as many from now on, once for
    /// all that were under way together. Gives the new limit if this was the first of them.
    pub(super) fn refused(self) -> Option<usize> {
        let mut state = self.connections.state();
        state.refused = Some(clock::now());
        if state.lowered != self.lowered {
            return None;
        }
        state.lowered += 1;
        state.most = (state.most.min(state.short) / 2).max(1);
        Some(state.most)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.connections.ended(self.is_short);
    }
}

/// Stands at the end of the chain and counts the connections to Nomad.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) connections: Arc<Connections>,
    pub(super) nomad: Uri,
}

/// A connection, counted until it is closed.
#[derive(Debug)]
pub(super) struct Counted<T> {
    inner: T,
    /// `None` = it is the one to a proxy, within one that is counted.
    count: Option<Count>,
}

#[derive(Debug)]
struct Count(Arc<Connections>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl<In: Transport> Connector<In> for Counting {
    type Out = Counted<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Counted<In>>, ureq::Error> {
        let is_nomad = details.uri.authority() == self.nomad.authority();
        let count = is_nomad.then(|| {
            self.connections.opened();
            Count(Arc::clone(&self.connections))
        });
        Ok(chained.map(|inner| Counted { inner, count }))
    }
}

impl<T: Transport> Transport for Counted<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.count.as_ref().is_none_or(|count| count.0.keeps()) && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::{Connections, Permit};
    use crate::clock;
    use crate::host::connection_slots::ConnectionSlots;

    const AT: &str = "http://10.0.0.5:4646";

    fn entered(connections: &Connections) -> Permit<'_> {
        connections.enter(clock::now() + Duration::from_secs(60))
    }

    #[test]
    fn a_refusal_halves_once_for_all_that_were_under_way() {
        let connections = Connections::new(None, AT);
        let mut permits: Vec<_> = (0..16).map(|_| entered(&connections)).collect();
        let limits: Vec<_> = permits.drain(..8).map(Permit::refused).collect();
        assert_eq!((limits[0], limits[1..].iter().flatten().count()), (Some(8), 0));
        assert!(permits[0].is_limited());
        // Eight are under way, so there is no room for a ninth before one ends.
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
        let connections = Connections::new(None, AT);
        let permits: Vec<_> = (0..4).map(|_| entered(&connections)).collect();
        (0..4).for_each(|_| connections.opened());
        assert!(connections.keeps());
        for permit in permits {
            permit.refused();
        }
        assert!(!connections.keeps());
        connections.closed();
        assert!(!connections.keeps());
        connections.closed();
        assert!(connections.keeps());
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
        let connections = Connections::new(Some(&cache), AT);
        let permits: Vec<_> = (0..5).map(|_| entered(&connections)).collect();
        assert_eq!(taken(&cache), 4, "and the first, of which there are many");
        (0..5).for_each(|_| connections.opened());
        drop(permits);
        assert_eq!(taken(&cache), 4, "they are kept");
        (0..3).for_each(|_| connections.closed());
        assert_eq!(taken(&cache), 1);
        let permits: Vec<_> = (0..2).map(|_| entered(&connections)).collect();
        assert_eq!(taken(&cache), 1, "kept connections are used again");
        drop(permits);
    }

    #[test]
    fn a_process_without_a_slot_has_one_connection_after_a_while() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("cache");
        let others: Vec<_> =
            (0..24).map(|_| ConnectionSlots::new(Some(&cache), AT).take(0).unwrap()).collect();
        let connections = Connections::new(Some(&cache), AT);
        let began = clock::now();
        let first = entered(&connections);
        assert!(began.elapsed() >= super::PATIENCE);
        drop((first, others));
        let until = clock::now() + Duration::from_secs(60);
        let (_first, _second) = (connections.enter(until), connections.enter(until));
        assert!(clock::now() < until);
    }
}
