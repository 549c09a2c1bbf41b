//! Hears out who hangs up in the midst of a question: why is often said before.

use std::io;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Stands below TLS. A server that refuses a handshake sends an alert and hangs up, while more of
/// the handshake is still being written; Nomad refuses a connection too many with a 429 before it has
/// read anything. Then our write fails, and the reason waits to be read.
#[derive(Debug)]
pub(super) struct DrainConnector;

#[derive(Debug)]
pub(super) struct DrainOnError<T> {
    inner: T,
}

impl<In: Transport> Connector<In> for DrainConnector {
    type Out = DrainOnError<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<DrainOnError<In>>, ureq::Error> {
        Ok(chained.map(|inner| DrainOnError { inner }))
    }
}

impl<T: Transport> Transport for DrainOnError<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        match self.inner.transmit_output(amount, timeout) {
            // Nothing is lost: the next read tells it too, after what was said before.
            Err(ureq::Error::Io(error)) if is_gone(&error) => Ok(()),
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
