//! What one connection is doing, and when it has done nothing for too long.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::clock;
use crate::net::sync::lock;

/// For the head of a request, from its first byte or from the connection on.
const HEAD: Duration = Duration::from_secs(5);
/// Between two requests.
const IDLE: Duration = Duration::from_secs(30);
/// For a reader who takes nothing of an answer.
const STALLED: Duration = Duration::from_secs(30);
/// A reader who has taken nothing for this long has to go when somebody else needs the place.
const GIVES_WAY: Duration = Duration::from_secs(5);

/// One connection.
#[derive(Debug)]
pub(crate) struct ConnectionActivity {
    state: Mutex<ActivityState>,
    /// Rung when somebody else needs the place.
    pub(crate) cut: Notify,
}

#[derive(Debug)]
struct ActivityState {
    phase: Phase,
    /// Since when the reader takes nothing.
    stalled: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of a request is on its way.
    Head(Instant),
    /// The body of a request that can't be answered without it is on its way.
    Body(Instant),
    /// A request is being answered.
    Busy,
    /// All of the answer was handed over, and a part of it may still wait for its reader.
    Sent,
    Idle(Instant),
}

impl ConnectionActivity {
    pub(crate) fn new(now: Instant) -> Self {
        let state = ActivityState { phase: Phase::Head(now), stalled: None };
        Self { state: Mutex::new(state), cut: Notify::new() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, ActivityState> {
        lock(&self.state)
    }

    /// The body of the request is waited for. Whoever does so has a deadline.
    pub(crate) fn await_body(&self, now: Instant) {
        self.state().phase = Phase::Body(now);
    }

    /// Since when the body is waited for; `None` if it is not.
    pub(crate) fn lacks_body_since(&self) -> Option<Instant> {
        match self.state().phase {
            Phase::Body(since) => Some(since),
            _ => None,
        }
    }

    /// Nothing of a request has come, or only a part of its head.
    pub(crate) fn lacks_head(&self) -> bool {
        matches!(self.state().phase, Phase::Head(_))
    }

    /// A request is complete, or all of it that is needed.
    pub(crate) fn work(&self) {
        self.state().phase = Phase::Busy;
    }

    /// All of the answer was handed over.
    pub(crate) fn sent(&self) {
        self.state().phase = Phase::Sent;
    }

    /// Everything that was handed over is written.
    pub(crate) fn flushed(&self) {
        let mut state = self.state();
        if state.phase == Phase::Sent {
            state.phase = Phase::Idle(clock::now());
        }
    }

    fn hear(&self) {
        let mut state = self.state();
        if let Phase::Idle(_) = state.phase {
            state.phase = Phase::Head(clock::now());
        }
    }

    fn stall(&self, stalls: bool) {
        let mut state = self.state();
        match (stalls, state.stalled) {
            (true, None) => state.stalled = Some(clock::now()),
            (false, Some(_)) => state.stalled = None,
            _ => {}
        }
    }

    /// Whether its time is over.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        let state = self.state();
        let over = |since: Instant, limit| now.saturating_duration_since(since) > limit;
        let phase = match state.phase {
            Phase::Head(since) => over(since, HEAD),
            Phase::Idle(since) => over(since, IDLE),
            Phase::Body(_) | Phase::Busy | Phase::Sent => false,
        };
        phase || state.stalled.is_some_and(|since| over(since, STALLED))
    }

    /// Since when its client does nothing that would be worth the place; `None` while a request is
    /// being answered and the answer is taken.
    pub(crate) fn waits_since(&self, now: Instant) -> Option<Instant> {
        let state = self.state();
        match state.phase {
            Phase::Head(since) | Phase::Body(since) | Phase::Idle(since) => Some(since),
            Phase::Busy | Phase::Sent => {
                let long = |since: &Instant| now.saturating_duration_since(*since) > GIVES_WAY;
                state.stalled.filter(long)
            }
        }
    }
}

/// A stream that notes on its [`ConnectionActivity`] what it hears, and whether its reader keeps up.
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) line: Arc<ConnectionActivity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.line.hear();
        }
        read
    }
}

impl<S> Watched<S> {
    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.line.stall(written.is_pending());
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is asked for when nothing is left to be written.
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.line.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionActivity, GIVES_WAY, HEAD, IDLE, STALLED};
    use crate::clock;
    use std::time::Duration;

    const MORE: Duration = Duration::from_secs(1);

    #[test]
    fn a_head_has_five_seconds_a_request_all_time_and_rest_thirty() {
        let now = clock::now();
        let line = ConnectionActivity::new(now);
        assert!(!line.is_overdue(now + HEAD) && line.is_overdue(now + HEAD + MORE));
        assert_eq!(line.waits_since(now), Some(now));
        line.work();
        assert!(!line.is_overdue(now + IDLE * 10));
        assert_eq!(line.waits_since(now + IDLE), None);
        line.sent();
        assert!(!line.is_overdue(now + IDLE * 10), "its reader may still take it");
        assert_eq!(line.waits_since(now + IDLE), None);
        line.flushed();
        let rests = line.waits_since(now).unwrap();
        assert!(!line.is_overdue(rests + IDLE) && line.is_overdue(rests + IDLE + MORE));
        line.hear();
        let heard = line.waits_since(now).unwrap();
        assert!(line.is_overdue(heard + HEAD + MORE));
    }

    #[test]
    fn a_reader_who_takes_nothing_gives_way_and_is_left() {
        let now = clock::now();
        let line = ConnectionActivity::new(now);
        line.work();
        line.stall(true);
        let soon = clock::now() + GIVES_WAY + MORE;
        assert_eq!((line.waits_since(now), line.is_overdue(soon)), (None, false));
        assert!(line.waits_since(soon).is_some_and(|since| since >= now));
        let late = clock::now() + STALLED + MORE;
        assert!(line.is_overdue(late));
        line.stall(false);
        assert_eq!((line.waits_since(late), line.is_overdue(late)), (None, false));
    }

    #[test]
    fn a_body_that_is_needed_is_waited_for_until_the_place_is() {
        let now = clock::now();
        let line = ConnectionActivity::new(now);
        line.await_body(now + MORE);
        assert_eq!(line.lacks_body_since(), Some(now + MORE));
        assert_eq!(line.waits_since(now), Some(now + MORE));
        line.hear();
        assert_eq!(line.lacks_body_since(), Some(now + MORE), "a part of it is not all");
        line.work();
        assert_eq!((line.lacks_body_since(), line.waits_since(now)), (None, None));
    }
}
