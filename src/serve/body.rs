//! Bodies of answers: bytes that many answers share, or a stream of events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};

use super::events::Reader;
use super::line::Line;

/// What an answer holds.
pub(super) enum Content {
    /// One after the other.
    Parts(VecDeque<Bytes>),
    /// Events, as long as there are any.
    Stream(Reader),
}

impl Content {
    pub(super) fn of(parts: impl IntoIterator<Item = Bytes>) -> Self {
        Self::Parts(parts.into_iter().filter(|part| !part.is_empty()).collect())
    }

    /// In bytes; `None` for a stream.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Parts(parts) => Some(parts.iter().map(Bytes::len).sum()),
            Self::Stream(_) => None,
        }
    }
}

/// The body on its way. The connection is idle again when it is dropped.
pub(super) struct Outgoing {
    content: Content,
    line: Arc<Line>,
}

impl Outgoing {
    pub(super) fn new(content: Content, line: Arc<Line>) -> Self {
        Self { content, line }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.line.rest();
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut self.content {
            Content::Parts(parts) => parts.pop_front(),
            Content::Stream(events) => ready!(events.poll_next(context)),
        };
        Poll::Ready(next.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Parts(parts) if parts.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        self.content.len().map_or_else(SizeHint::default, |len| SizeHint::with_exact(len as u64))
    }
}

/// The parts as one, compressed quickly rather than well.
pub(super) fn gzip(parts: &[Bytes]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        encoder.write_all(part).expect("memory takes every write");
    }
    encoder.finish().expect("memory takes every write").into()
}
