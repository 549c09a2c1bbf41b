//! stdout: where the answer goes, and whether it got to anybody.

use std::io::{self, ErrorKind, Write};

use crate::model::text::io_reason;

use rustix::fs::{FileType, fstat};

/// Who closes a pipe has seen enough; an answer to a connection that is closed is lost.
pub(crate) struct Stdout(io::Stdout);

impl Stdout {
    pub(crate) fn new() -> Self {
        Self(io::stdout())
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(failed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(failed)
    }
}

/// A failed write to stdout, in words; of the kind of a broken pipe only where stdout is a pipe.
pub(crate) fn failed(error: io::Error) -> io::Error {
    let error = if error.kind() == ErrorKind::BrokenPipe && is_socket() { closed() } else { error };
    io::Error::new(error.kind(), format!("cannot write the answer: {}", io_reason(&error)))
}

/// What is to be said where nobody can read stdout any more.
///
/// # Errors
/// It is a connection.
pub(crate) fn left() -> io::Result<()> {
    if is_socket() { Err(failed(closed())) } else { Ok(()) }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "the connection is closed")
}

fn is_socket() -> bool {
    fstat(io::stdout()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_socket())
}
