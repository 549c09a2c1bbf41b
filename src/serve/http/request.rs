//! A request, and its body within limits of size and time.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use tokio::time::timeout;

use crate::clock;

use super::problem::Problem;
use super::server::RequestConnection;

/// The largest body.
const BODY_MAX: usize = 64 << 10;
/// For the body, since the head was read.
const BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// A request without its body.
pub(crate) struct RequestContext {
    pub(crate) parts: Parts,
    pub(crate) began: Instant,
}

impl RequestContext {
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// Time since the request arrived.
    pub(crate) fn took(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }
}

/// The body of a request, of which nothing was read yet.
pub(crate) struct UnreadBody<'a> {
    body: Option<Incoming>,
    connection: &'a RequestConnection<'a>,
}

impl<'a> UnreadBody<'a> {
    pub(crate) fn new(body: Incoming, connection: &'a RequestConnection<'a>) -> Self {
        Self { body: Some(body), connection }
    }

    /// Rejects a body that is announced as too large, without reading it.
    pub(crate) fn check(&mut self) -> Result<(), Problem> {
        let is_too_large = |body: &mut Incoming| body.size_hint().lower() > BODY_MAX as u64;
        self.body.take_if(is_too_large).map_or(Ok(()), |_| Err(too_large()))
    }

    pub(crate) async fn receive(&mut self) -> Result<Bytes, Problem> {
        let Some(body) = self.body.take() else { return Ok(Bytes::new()) };
        let collected = timeout(BODY_TIMEOUT, Limited::new(body, BODY_MAX).collect());
        match self.connection.received(collected).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(why)) if why.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Problem::bad_request("the body is incomplete")),
            Err(_) => {
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"))
            }
        }
    }
}

fn too_large() -> Problem {
    let what = format!("the body is larger than {BODY_MAX} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what)
}

impl Drop for UnreadBody<'_> {
    /// Reads a body that was not needed within the same limits: to close the connection while it is
    /// still arriving would reset it, and the response could be lost.
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        let mut body = Limited::new(body, BODY_MAX);
        drop(tokio::spawn(timeout(BODY_TIMEOUT, async move {
            while let Some(Ok(_)) = body.frame().await {}
        })));
    }
}
