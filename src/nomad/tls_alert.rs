//! Reads what a server said before it hung up in the middle of a request.

use std::io;

use ureq::unversioned::transport::{ConnectionDetails, NextTimeout, Transport};

use super::layer::Layer;

/// The layer below TLS. A server that refuses a handshake sends an alert and closes the connection
/// while the rest of the handshake is still being written; Nomad refuses excess connections with a 429
/// before it has read anything. The write then fails although the reason can still be read.
#[derive(Debug)]
pub(super) struct DrainLayer;

impl Layer for DrainLayer {
    fn for_connection(&self, _: &ConnectionDetails<'_>) -> Self {
        Self
    }

    fn send(
        &mut self,
        inner: &mut impl Transport,
        amount: usize,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        match inner.transmit_output(amount, timeout) {
            // The next read fails too, after it has returned what the server said.
            Err(ureq::Error::Io(error)) if is_closed(&error) => Ok(()),
            sent => sent,
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionReset | ConnectionAborted)
}
