//! What happened on the wire during a request.

use std::cell::Cell;
use std::io;

use ureq::unversioned::transport::{ConnectionDetails, NextTimeout, Transport};

use super::layer::Layer;
use super::timeouts::IDLE;

/// What happened on the wire during the request of this thread. The library reports neither whether
/// any byte arrived nor that the connection was reset in the middle of a body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trace {
    /// The connection is open, its TLS handshake included.
    pub(super) connected: bool,
    /// At least one byte of the response arrived.
    pub(super) answered: bool,
    /// The connection was reset after that.
    pub(super) reset: bool,
}

thread_local! {
    static TRACE: Cell<Trace> = Cell::default();
}

impl Trace {
    /// Starts the trace of a new request in this thread.
    pub(super) fn begin() {
        TRACE.set(Self::default());
    }

    /// The trace of the latest request of this thread.
    pub(super) fn latest() -> Self {
        TRACE.get()
    }
}

/// The outermost layer but one, which keeps the [`Trace`].
#[derive(Debug)]
pub(super) struct TraceLayer;

impl Layer for TraceLayer {
    fn for_connection(&self, _: &ConnectionDetails<'_>) -> Self {
        Self
    }

    fn send(
        &mut self,
        inner: &mut impl Transport,
        amount: usize,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        TRACE.set(Trace { connected: true, answered: false, ..Trace::latest() });
        inner.transmit_output(amount, timeout)
    }

    fn receive(
        &mut self,
        inner: &mut impl Transport,
        timeout: NextTimeout,
    ) -> Result<bool, ureq::Error> {
        // A server may take long to answer, but not to go on once it has begun.
        let begun = Trace::latest().answered;
        let timeout = NextTimeout { per_read: begun.then(|| IDLE.into()), ..timeout };
        let received = inner.await_input(timeout);
        match &received {
            Ok(true) => TRACE.set(Trace { answered: true, ..Trace::latest() }),
            Err(ureq::Error::Io(error)) if begun && is_reset(error) => {
                TRACE.set(Trace { reset: true, ..Trace::latest() });
            }
            _ => (),
        }
        received
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
}
