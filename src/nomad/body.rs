//! Receives whole responses, within limits.

use std::io::{self, Read as _};

use ureq::Body;
use ureq::http::Response;

use super::Error;
use super::failure::NomadRequest;
use super::reply::Reply;
use super::trace::Trace;

/// The largest body, counted after decompression.
const BODY_MAX: u64 = 256 << 20;

/// The first bytes of an error's body are enough to report it.
const ERROR_BODY_MAX: u64 = 64 << 10;

/// Why a request got no whole response.
pub(super) enum TransferError {
    /// The connection was closed before any byte of a response: a kept connection that was dead, or a
    /// server that went down. Sending the request once more is safe.
    Disconnected(ureq::Error),
    Transport(ureq::Error),
    Response(Error),
}

impl TransferError {
    /// No response headers arrived.
    pub(super) fn without_headers(error: ureq::Error) -> Self {
        if !Trace::latest().answered && is_disconnect(&error) {
            Self::Disconnected(error)
        } else {
            Self::Transport(error)
        }
    }
}

fn is_disconnect(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let kinds = [UnexpectedEof, ConnectionReset, ConnectionAborted, BrokenPipe];
    matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
}

/// Reads the body of `response`. Of an error's body, any part will do.
pub(super) fn receive(
    response: Response<Body>,
    request: &NomadRequest<'_>,
) -> Result<Reply, TransferError> {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let mut reply = Reply { status, headers: parts.headers, body: Vec::new() };
    // The library has removed this header if it decompresses.
    let encoding = reply.header("content-encoding");
    if !matches!(encoding, "" | "identity") {
        if status != 200 {
            return Ok(reply);
        }
        let why = format!("content-encoding {encoding}");
        return Err(TransferError::Response(request.not_nomad(&why)));
    }
    let limit = if status == 200 { BODY_MAX } else { ERROR_BODY_MAX };
    let read = body.into_with_config().limit(limit).reader().read_to_end(&mut reply.body);
    match read {
        _ if status != 200 => Ok(reply),
        // Without a content length or chunks, a reset looks like the end.
        _ if Trace::latest().reset => {
            Err(TransferError::Response(request.connection_lost(reply.body.len())))
        }
        Ok(_) => Ok(reply),
        Err(error) => Err(TransferError::Response(interrupted(error, reply.body.len(), request))),
    }
}

/// Why the body ended too early.
fn interrupted(error: io::Error, received: usize, request: &NomadRequest<'_>) -> Error {
    let kind = error.kind();
    match ureq::Error::from(error) {
        ureq::Error::BodyExceedsLimit(_) => request.too_large(),
        error @ ureq::Error::Timeout(_) => request.transport(&error),
        ureq::Error::Decompress(_, error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            request.not_nomad("broken gzip")
        }
        ureq::Error::Protocol(_) => request.not_nomad("broken HTTP"),
        error @ ureq::Error::Io(_) if kind != io::ErrorKind::UnexpectedEof => {
            request.transport(&error)
        }
        _ => request.truncated(received),
    }
}
