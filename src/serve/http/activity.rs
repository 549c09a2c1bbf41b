//! What a connection is doing, and when it has been inactive for too long.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::clock;
use crate::net::sync::lock;

/// For the head of a request, since its first byte or since the connection was opened.
const HEAD: Duration = Duration::from_secs(5);
/// Between two requests.
const IDLE: Duration = Duration::from_secs(30);
/// For a client that reads nothing of its response.
const BLOCKED: Duration = Duration::from_secs(30);
/// A client that has read nothing for this long is disconnected when the place is needed.
const EVICTABLE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct ConnectionActivity {
    state: Mutex<ActivityState>,
    /// Notified when the connection has to be closed because its place is needed.
    pub(crate) evicted: Notify,
}

#[derive(Debug)]
struct ActivityState {
    phase: Phase,
    /// Since when the client reads nothing.
    blocked: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for the head of a request.
    Head(Instant),
    /// Waiting for the body of a request that needs it.
    Body(Instant),
    /// A request is being handled.
    Busy,
    /// The response was handed over; a part of it may not be written yet.
    Sent,
    Idle(Instant),
}

impl ConnectionActivity {
    pub(crate) fn new(now: Instant) -> Self {
        let state = ActivityState { phase: Phase::Head(now), blocked: None };
        Self { state: Mutex::new(state), evicted: Notify::new() }
    }

    /// The caller waits for the body of the request, and has a deadline.
    pub(crate) fn await_body(&self, now: Instant) {
        lock(&self.state).phase = Phase::Body(now);
    }

    /// Since when the body is awaited, if it is.
    pub(crate) fn awaits_body_since(&self) -> Option<Instant> {
        match lock(&self.state).phase {
            Phase::Body(since) => Some(since),
            _ => None,
        }
    }

    /// No request has arrived, or only a part of its head.
    pub(crate) fn awaits_head(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Head(_))
    }

    /// A request has arrived, or as much of it as is needed.
    pub(crate) fn begin_response(&self) {
        lock(&self.state).phase = Phase::Busy;
    }

    /// All of the response was handed over.
    pub(crate) fn end_response(&self) {
        lock(&self.state).phase = Phase::Sent;
    }

    /// All that was handed over is written.
    pub(crate) fn on_flushed(&self) {
        let mut state = lock(&self.state);
        if state.phase == Phase::Sent {
            state.phase = Phase::Idle(clock::now());
        }
    }

    fn on_read(&self) {
        let mut state = lock(&self.state);
        if let Phase::Idle(_) = state.phase {
            state.phase = Phase::Head(clock::now());
        }
    }

    fn on_blocked(&self, is_blocked: bool) {
        let mut state = lock(&self.state);
        state.blocked = is_blocked.then(|| state.blocked.unwrap_or_else(clock::now));
    }

    /// Whether a time limit has passed.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        let state = lock(&self.state);
        let over = |since: Instant, limit| now.saturating_duration_since(since) > limit;
        let phase = match state.phase {
            Phase::Head(since) => over(since, HEAD),
            Phase::Idle(since) => over(since, IDLE),
            Phase::Body(_) | Phase::Busy | Phase::Sent => false,
        };
        phase || state.blocked.is_some_and(|since| over(since, BLOCKED))
    }

    /// Since when the client has kept the connection waiting; `None` while a request is being handled
    /// and its response read.
    pub(crate) fn waits_since(&self, now: Instant) -> Option<Instant> {
        let state = lock(&self.state);
        match state.phase {
            Phase::Head(since) | Phase::Body(since) | Phase::Idle(since) => Some(since),
            Phase::Busy | Phase::Sent => {
                let long = |since: &Instant| now.saturating_duration_since(*since) > EVICTABLE;
                state.blocked.filter(long)
            }
        }
    }
}

/// A stream that reports reads, and writes that block, to its [`ConnectionActivity`].
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) activity: Arc<ConnectionActivity>,
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
            self.activity.on_read();
        }
        read
    }
}

impl<S> Watched<S> {
    fn reported<T>(&self, written: Poll<T>) -> Poll<T> {
        self.activity.on_blocked(written.is_pending());
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
        self.reported(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.reported(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when nothing is left to be written.
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.activity.on_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCKED, ConnectionActivity, EVICTABLE, HEAD, IDLE};
    use crate::clock;
    use std::time::Duration;

    const MORE: Duration = Duration::from_secs(1);

    #[test]
    fn a_head_has_five_seconds_a_request_all_time_and_rest_thirty() {
        let now = clock::now();
        let activity = ConnectionActivity::new(now);
        assert!(!activity.is_overdue(now + HEAD) && activity.is_overdue(now + HEAD + MORE));
        assert_eq!(activity.waits_since(now), Some(now));
        activity.begin_response();
        assert!(!activity.is_overdue(now + IDLE * 10));
        assert_eq!(activity.waits_since(now + IDLE), None);
        activity.end_response();
        assert!(!activity.is_overdue(now + IDLE * 10), "its reader may still take it");
        assert_eq!(activity.waits_since(now + IDLE), None);
        activity.on_flushed();
        let rests = activity.waits_since(now).unwrap();
        assert!(!activity.is_overdue(rests + IDLE) && activity.is_overdue(rests + IDLE + MORE));
        activity.on_read();
        let heard = activity.waits_since(now).unwrap();
        assert!(activity.is_overdue(heard + HEAD + MORE));
    }

    #[test]
    fn a_reader_who_takes_nothing_gives_way_and_is_left() {
        let now = clock::now();
        let activity = ConnectionActivity::new(now);
        activity.begin_response();
        activity.on_blocked(true);
        let soon = clock::now() + EVICTABLE + MORE;
        assert_eq!((activity.waits_since(now), activity.is_overdue(soon)), (None, false));
        assert!(activity.waits_since(soon).is_some_and(|since| since >= now));
        let late = clock::now() + BLOCKED + MORE;
        assert!(activity.is_overdue(late));
        activity.on_blocked(false);
        assert_eq!((activity.waits_since(late), activity.is_overdue(late)), (None, false));
    }

    #[test]
    fn a_body_that_is_needed_is_waited_for_until_the_place_is() {
        let now = clock::now();
        let activity = ConnectionActivity::new(now);
        activity.await_body(now + MORE);
        assert_eq!(activity.awaits_body_since(), Some(now + MORE));
        assert_eq!(activity.waits_since(now), Some(now + MORE));
        activity.on_read();
        assert_eq!(activity.awaits_body_since(), Some(now + MORE), "a part of it is not all");
        activity.begin_response();
        assert_eq!((activity.awaits_body_since(), activity.waits_since(now)), (None, None));
    }
}
