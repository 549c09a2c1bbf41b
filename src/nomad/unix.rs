//! HTTP over a unix socket.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};

use crate::net::bounded::within;

use super::timeouts::CONNECT;

/// Connects to the socket, whatever the host of the URL.
#[derive(Debug)]
pub(super) struct UnixConnector(pub(super) PathBuf);

#[derive(Debug)]
pub(super) struct UnixTransport {
    stream: Arc<SharedStream>,
    buffers: LazyBuffers,
}

#[derive(Debug)]
struct SharedStream(UnixStream);

impl ShutdownHandle for SharedStream {
    fn shutdown(&self) {
        // It may be closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Connector for UnixConnector {
    type Out = UnixTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<UnixTransport>, ureq::Error> {
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        let limit = details.timeout.not_zero().map_or(CONNECT, |left| CONNECT.min(*left));
        let path = self.0.clone();
        // Connecting blocks while the server does not accept, and has no time limit.
        match within(limit, move || UnixStream::connect(path)) {
            Some(stream) => {
                let stream = Arc::new(SharedStream(stream?));
                let socket: Arc<dyn ShutdownHandle> = Arc::<SharedStream>::clone(&stream);
                (details.register_shutdown)(Arc::downgrade(&socket))?;
                Ok(Some(UnixTransport { stream, buffers }))
            }
            None => Err(ureq::Error::Timeout(ureq::Timeout::Connect)),
        }
    }
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = timeout.for_write();
        self.stream.0.set_write_timeout(timeout.not_zero().map(|after| *after))?;
        let output = &self.buffers.output()[..amount];
        (&self.stream.0).write_all(output).map_err(|error| with_timeout(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        self.stream.0.set_read_timeout(timeout.not_zero().map(|after| *after))?;
        let mut stream = &self.stream.0;
        let read = stream
            .read(self.buffers.input_append_buf())
            .map_err(|error| with_timeout(error, timeout))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        let silent = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        // An idle open connection has nothing to read.
        let probe = |stream: &UnixStream| {
            stream.set_nonblocking(true).and_then(|()| (&*stream).read(&mut [0]))
        };
        let open = probe(&self.stream.0).err().is_some_and(silent);
        open && self.stream.0.set_nonblocking(false).is_ok()
    }
}

fn with_timeout(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
