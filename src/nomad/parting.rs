//! Hears out who hangs up in the midst of a question: why is often said before.

use std::io;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Stands below TLS. A server that refuses a handshake sends an alert and hangs up, while more of
/// the handshake is still being written: that write fails, and the alert waits to be read.
#[derive(Debug)]
pub(super) struct Parting;

#[derive(Debug)]
pub(super) struct Heard<T> {
    inner: T,
    tls: bool,
}

impl<In: Transport> Connector<In> for Parting {
    type Out = Heard<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Heard<In>>, ureq::Error> {
        let tls = details.needs_tls();
        Ok(chained.map(|inner| Heard { inner, tls }))
    }
}

impl<T: Transport> Transport for Heard<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        match self.inner.transmit_output(amount, timeout) {
            // Nothing is lost: the next read tells it too, after what was said before.
            Err(ureq::Error::Io(error)) if self.tls && is_gone(&error) => Ok(()),
            sent => sent,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionReset | ConnectionAborted)
}
