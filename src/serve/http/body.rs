//! Response bodies: bytes that many responses share, or a stream of events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::activity::ConnectionActivity;

/// The connection gets this many bytes at a time.
const CHUNK: usize = 256 << 10;

pub(crate) enum BodyContent {
    /// Sent one after the other.
    Parts(VecDeque<Bytes>),
    /// Polled for the next bytes until there are none.
    Stream(Box<PollNext>),
}

type PollNext = dyn FnMut(&mut Context<'_>) -> Poll<Option<Bytes>> + Send;

impl BodyContent {
    pub(crate) fn of(parts: impl IntoIterator<Item = Bytes>) -> Self {
        Self::Parts(parts.into_iter().filter(|part| !part.is_empty()).collect())
    }

    /// In bytes; `None` for a stream.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Parts(parts) => Some(parts.iter().map(Bytes::len).sum()),
            Self::Stream(_) => None,
        }
    }
}

/// A body that is being sent. Once it is dropped, the connection is idle as soon as all is written.
pub(crate) struct Outgoing {
    content: BodyContent,
    activity: Arc<ConnectionActivity>,
}

impl Outgoing {
    pub(crate) fn new(content: BodyContent, activity: Arc<ConnectionActivity>) -> Self {
        Self { content, activity }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.activity.end_response();
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
            BodyContent::Parts(parts) => next(parts),
            BodyContent::Stream(poll_next) => ready!(poll_next(context)),
        };
        Poll::Ready(next.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, BodyContent::Parts(parts) if parts.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        self.content.len().map_or_else(SizeHint::default, |len| SizeHint::with_exact(len as u64))
    }
}

/// In chunks: what the connection has got stays in memory until the client has read it.
fn next(parts: &mut VecDeque<Bytes>) -> Option<Bytes> {
    match parts.front_mut() {
        Some(part) if part.len() > CHUNK => Some(part.split_to(CHUNK)),
        _ => parts.pop_front(),
    }
}

/// Compresses the parts into one, fast rather than well.
///
/// # Errors
/// `to` cannot take more.
pub(crate) fn gzip(parts: &[Bytes], to: &mut impl Write) -> io::Result<()> {
    let mut encoder = GzEncoder::new(to, Compression::fast());
    for part in parts {
        encoder.write_all(part)?;
    }
    encoder.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use hyper::body::Bytes;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{BodyContent, CHUNK, Outgoing, next};
    use crate::clock;
    use crate::serve::http::activity::{ConnectionActivity, Watched};

    #[test]
    fn a_large_part_is_handed_over_little_by_little_and_shared() {
        let large = Bytes::from(vec![7; 3 * CHUNK + 1]);
        let content = BodyContent::of([Bytes::from_static(b"["), large.clone(), Bytes::new()]);
        assert_eq!(content.len(), Some(3 * CHUNK + 2));
        let BodyContent::Parts(mut parts) = content else { panic!("these are parts") };
        let pieces: Vec<Bytes> = std::iter::from_fn(|| next(&mut parts)).collect();
        let lengths: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [1, CHUNK, CHUNK, CHUNK, 1]);
        assert_eq!(pieces[2].as_ptr(), large[CHUNK..].as_ptr());
    }

    /// Its last piece is handed over at once, and taken a few bytes at a time.
    #[test]
    fn a_connection_is_busy_until_its_reader_has_taken_all() {
        let activity = Arc::new(ConnectionActivity::new(clock::now()));
        let answer = |_: Request<hyper::body::Incoming>| {
            activity.begin_response();
            let body = Bytes::from(vec![b'x'; CHUNK / 2]);
            let body = Outgoing::new(BodyContent::of([body]), Arc::clone(&activity));
            std::future::ready(Ok::<_, Infallible>(Response::new(body)))
        };
        let began = clock::now();
        let idle_since = || activity.waits_since(began);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut client, stream) = tokio::io::duplex(1 << 10);
            let watched = Watched { stream, activity: Arc::clone(&activity) };
            let mut http = http1::Builder::new();
            http.header_read_timeout(None);
            let served = http.serve_connection(TokioIo::new(watched), service_fn(answer));
            let reads = async {
                client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
                let (mut piece, mut taken) = ([0; 1 << 9], 0);
                while taken < CHUNK / 2 {
                    taken += client.read(&mut piece).await.unwrap();
                    let left = (CHUNK / 2).saturating_sub(taken);
                    assert!(left < 4 << 10 || idle_since().is_none(), "{left} bytes are left");
                }
                // What is left of the answer fits into the stream.
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                idle_since()
            };
            tokio::select! {
                biased;
                _ = served => panic!("the connection is kept"),
                idle = reads => assert!(idle.is_some(), "all of it is taken"),
            }
        });
    }
}
