//! Reads whole answers, within limits.

use std::io::{self, Read as _};

use ureq::Body;
use ureq::http::Response;
use ureq::http::header::HeaderMap;

use super::Error;
use super::connect::Trace;
use super::failure::FailedRequest;

/// The largest answer, counted after decompression.
const LARGEST: u64 = 256 << 20;

/// The first bytes of a body that is no success are enough to say why.
const ENOUGH: u64 = 64 << 10;

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// As it came, which need not be text.
    pub(super) fn raw_header(&self, name: &str) -> &[u8] {
        self.headers.get(name).map_or(&[], |value| value.as_bytes())
    }

    pub(super) fn header(&self, name: &str) -> &str {
        text(&self.headers, name)
    }

    /// `X-Nomad-Index`; 0 is none.
    pub(super) fn index(&self) -> Option<u64> {
        self.header("x-nomad-index").parse().ok().filter(|index| *index > 0)
    }

    pub(super) fn known_leader(&self) -> bool {
        !self.header("x-nomad-knownleader").eq_ignore_ascii_case("false")
    }

    pub(super) fn last_contact_ms(&self) -> u64 {
        self.header("x-nomad-lastcontact").parse().unwrap_or(0)
    }

    /// By its type, or by its first character.
    pub(super) fn is_html(&self) -> bool {
        self.header("content-type").to_ascii_lowercase().contains("html")
            || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether the JSON just stops.
    pub(super) fn is_cut_off(&self) -> bool {
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&self.body);
        parsed.is_err_and(|error| error.is_eof())
    }
}

/// Why a request gave no whole answer.
pub(super) enum TransferError {
    /// The connection ended before it gave anything: a kept one that was dead, or a server that
    /// went down. Asking again is safe, and once is enough.
    Dead(ureq::Error),
    Transport(ureq::Error),
    Answer(Error),
}

impl TransferError {
    /// No head of an answer came.
    pub(super) fn headless(error: ureq::Error) -> Self {
        let trace = Trace::so_far();
        let dead = !trace.answered && is_disconnect(&error);
        if dead { Self::Dead(error) } else { Self::Transport(error) }
    }
}

fn is_disconnect(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let kinds = [UnexpectedEof, ConnectionReset, ConnectionAborted, BrokenPipe];
    matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
}

/// Reads the body of `response`. What can be read of an error's body is enough.
pub(super) fn received(
    response: Response<Body>,
    asked: &FailedRequest<'_>,
) -> Result<Reply, TransferError> {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let mut reply = Reply { status, headers: parts.headers, body: Vec::new() };
    // The library has removed the header if it decompresses.
    let encoding = reply.header("content-encoding");
    if !matches!(encoding, "" | "identity") {
        return match status {
            200 => {
                Err(TransferError::Answer(asked.not_nomad(&format!("content-encoding {encoding}"))))
            }
            _ => Ok(reply),
        };
    }
    let limit = if status == 200 { LARGEST } else { ENOUGH };
    let read = body.into_with_config().limit(limit).reader().read_to_end(&mut reply.body);
    match read {
        _ if status != 200 => Ok(reply),
        // Without a length or chunks, a reset looks like the end.
        _ if Trace::so_far().reset => Err(TransferError::Answer(asked.lost(reply.body.len()))),
        Ok(_) => Ok(reply),
        Err(error) => Err(interrupted(error, reply.body.len(), asked)),
    }
}

/// What ended a body before its time.
fn interrupted(error: io::Error, bytes: usize, asked: &FailedRequest<'_>) -> TransferError {
    let kind = error.kind();
    TransferError::Answer(match ureq::Error::from(error) {
        ureq::Error::BodyExceedsLimit(_) => asked.too_large(),
        error @ ureq::Error::Timeout(_) => asked.transport(&error),
        ureq::Error::Decompress(_, error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            asked.not_nomad("broken gzip")
        }
        ureq::Error::Protocol(_) => asked.not_nomad("broken HTTP"),
        error @ ureq::Error::Io(_) if kind != io::ErrorKind::UnexpectedEof => {
            asked.transport(&error)
        }
        _ => asked.cut_off(bytes),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
