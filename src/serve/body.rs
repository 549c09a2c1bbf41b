//! Bodies of answers: bytes that many answers share, or a stream of events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};

use super::events::Reader;
use super::line::Line;

/// What is handed to the connection at a time.
const PIECE: usize = 256 << 10;

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
            Content::Parts(parts) => next(parts),
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

/// A little at a time: what is handed over whole counts as sent, and the connection as idle, while
/// most of it is still waiting for its reader.
fn next(parts: &mut VecDeque<Bytes>) -> Option<Bytes> {
    match parts.front_mut() {
        Some(part) if part.len() > PIECE => Some(part.split_to(PIECE)),
        _ => parts.pop_front(),
    }
}

/// The parts as one, compressed quickly rather than well.
///
/// # Errors
/// `to` takes no more.
pub(super) fn gzip(parts: &[Bytes], to: &mut impl Write) -> io::Result<()> {
    let mut encoder = GzEncoder::new(to, Compression::fast());
    for part in parts {
        encoder.write_all(part)?;
    }
    encoder.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Content, PIECE, next};

    #[test]
    fn a_large_part_is_handed_over_little_by_little_and_shared() {
        let large = Bytes::from(vec![7; 3 * PIECE + 1]);
        let content = Content::of([Bytes::from_static(b"["), large.clone(), Bytes::new()]);
        assert_eq!(content.len(), Some(3 * PIECE + 2));
        let Content::Parts(mut parts) = content else { panic!("these are parts") };
        let pieces: Vec<Bytes> = std::iter::from_fn(|| next(&mut parts)).collect();
        let lengths: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [1, PIECE, PIECE, PIECE, 1]);
        assert_eq!(pieces[2].as_ptr(), large[PIECE..].as_ptr());
    }
}
