//! Connections: how many, for how long, and one response after the other.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::clock;
use crate::net::endpoint::is_loopback;
use crate::net::sync::lock;

use super::activity::{ConnectionActivity, Watched};
use super::auth::LocalAddress;
use super::body::Outgoing;
use super::listen::ListenSocket;
use super::problem::Problem;
use super::response::{HttpResponse, completed};
use super::shutdown::Stop;

/// Connections in all, and from one address beyond this machine.
const CONNECTIONS: usize = 256;
const OF_ONE: usize = 128;
/// Head of a request, and buffers, in bytes.
const HEAD: usize = 16 << 10;
const BUFFER: usize = 64 << 10;
/// Connections on which a body is awaited.
const BODIES: usize = 16;
/// How often the time limits of a connection are checked.
const CHECK: Duration = Duration::from_secs(1);
/// At shutdown, for the request of a client that has just connected.
const GRACE: Duration = Duration::from_millis(250);
/// The same for a connection that is not accepted yet.
const QUEUED: Duration = Duration::from_millis(20);
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Responds to requests.
pub(crate) trait Handler: Send + Sync + 'static {
    fn handle(
        self: &Arc<Self>,
        request: Request<Incoming>,
        connection: &RequestConnection<'_>,
    ) -> impl Future<Output = HttpResponse> + Send;
}

/// All connections of one server.
#[derive(Default)]
pub(crate) struct OpenConnections(Mutex<Vec<(Option<IpAddr>, Arc<ConnectionActivity>)>>);

impl OpenConnections {
    /// A place for a new connection. If there is none, the connection that has waited longest for a
    /// request is closed; `None` if all are busy.
    fn admit(&self, from: Option<IpAddr>) -> Option<Arc<ConnectionActivity>> {
        let mut open = lock(&self.0);
        let from = from.filter(|ip| !is_loopback(*ip));
        let of_one = open.iter().filter(|(ip, _)| from.is_some() && *ip == from).count();
        let is_full = open.len() >= CONNECTIONS;
        if is_full || of_one >= OF_ONE {
            let candidates = open.iter().enumerate().filter(|(_, (ip, _))| is_full || *ip == from);
            let now = clock::now();
            let oldest = candidates
                .filter_map(|(at, (_, activity))| Some((activity.waits_since(now)?, at)))
                .min()?;
            open.swap_remove(oldest.1).1.evicted.notify_one();
        }
        let activity = Arc::new(ConnectionActivity::new(clock::now()));
        open.push((from, Arc::clone(&activity)));
        Some(activity)
    }

    /// Begins to wait for a body. If too many connections do, the oldest of them is closed.
    pub(crate) fn await_body(&self, activity: &ConnectionActivity) {
        let mut open = lock(&self.0);
        let waiting = open.iter().enumerate();
        let waiting: Vec<_> = waiting
            .filter_map(|(at, (_, activity))| Some((activity.awaits_body_since()?, at)))
            .collect();
        if waiting.len() >= BODIES
            && let Some((_, at)) = waiting.into_iter().min()
        {
            open.swap_remove(at).1.evicted.notify_one();
        }
        activity.await_body(clock::now());
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    fn remove(&self, activity: &Arc<ConnectionActivity>) {
        lock(&self.0).retain(|(_, known)| !Arc::ptr_eq(known, activity));
    }
}

/// A connection's place among all, until this is dropped: also by a panic.
struct ConnectionPermit {
    open: Arc<OpenConnections>,
    activity: Arc<ConnectionActivity>,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.open.remove(&self.activity);
    }
}

/// The connection of a request.
pub(crate) struct RequestConnection<'a> {
    open: &'a OpenConnections,
    activity: &'a ConnectionActivity,
    pub(crate) local: LocalAddress,
}

impl RequestConnection<'_> {
    /// Waits for `body`, which is complete only when the client has sent all of it.
    pub(crate) async fn received<T>(&self, body: impl Future<Output = T>) -> T {
        self.open.await_body(self.activity);
        let body = body.await;
        self.activity.begin_response();
        body
    }
}

/// A socket that connections are accepted from.
enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener),
}

impl Listener {
    fn of(socket: &ListenSocket) -> io::Result<Self> {
        Ok(match socket {
            ListenSocket::Tcp(listener, bound) => {
                let listener = listener.try_clone()?;
                listener.set_nonblocking(true)?;
                Self::Tcp(TcpListener::from_std(listener)?, *bound)
            }
            ListenSocket::Unix(listener, _) => {
                let listener = listener.try_clone()?;
                listener.set_nonblocking(true)?;
                Self::Unix(UnixListener::from_std(listener)?)
            }
        })
    }

    /// Waits for a connection and starts to serve it.
    async fn next(&self, server: &Arc<Server<impl Handler>>) -> io::Result<()> {
        match self {
            Self::Tcp(listener, bound) => {
                let (stream, from) = listener.accept().await?;
                // Otherwise small responses wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                server.admit(stream, Some(from.ip()), LocalAddress::Tcp(*bound));
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                server.admit(stream, None, LocalAddress::Unix);
            }
        }
        Ok(())
    }
}

/// What the connections of one server share.
pub(crate) struct Server<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) open: Arc<OpenConnections>,
    pub(crate) stop: watch::Receiver<Stop>,
    /// Dropped with the last connection, which its receiver learns.
    pub(crate) _alive: mpsc::Sender<()>,
}

impl<H: Handler> Server<H> {
    /// Accepts connections until shutdown.
    pub(crate) async fn accept(self: Arc<Self>, socket: ListenSocket) -> io::Result<()> {
        let listener = Listener::of(&socket)?;
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop >= Stop::Finish) => break,
                accepted = listener.next(&self) => accepted,
            };
            if accepted.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        }
        // To a client in the queue of the socket its connection is established.
        for _ in 0..CONNECTIONS {
            if !matches!(timeout(QUEUED, listener.next(&self)).await, Ok(Ok(()))) {
                break;
            }
        }
        Ok(())
    }

    fn admit<S>(self: &Arc<Self>, mut stream: S, from: Option<IpAddr>, local: LocalAddress)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = Arc::clone(self);
        match self.open.admit(from) {
            Some(activity) => drop(tokio::spawn(async move {
                let permit = ConnectionPermit { open: Arc::clone(&server.open), activity };
                server.connection(stream, &permit.activity, local).await;
            })),
            None => drop(tokio::spawn(async move {
                let _ = timeout(CHECK, stream.write_all(FULL)).await;
            })),
        }
    }

    async fn connection<S>(
        &self,
        stream: S,
        activity: &Arc<ConnectionActivity>,
        local: LocalAddress,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.respond(request, activity, local));
        let watched = Watched { stream, activity: Arc::clone(activity) };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).pipeline_flush(false).max_buf_size(BUFFER);
        http.max_header_size(HEAD).header_read_timeout(None);
        let mut connection = pin!(http.serve_connection(TokioIo::new(watched), service));
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ends = pin!(self.ends(activity));
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut connection => return,
                () = activity.evicted.notified() => return,
                () = &mut ends, if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = check.tick() => if activity.is_overdue(clock::now()) { return },
            }
        }
    }

    /// Returns when the connection accepts no more requests: this closes it if none has arrived.
    async fn ends(&self, activity: &ConnectionActivity) {
        let _ = self.stop.clone().wait_for(|stop| *stop >= Stop::Finish).await;
        if activity.awaits_head() {
            sleep(GRACE).await;
        }
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        activity: &Arc<ConnectionActivity>,
        local: LocalAddress,
    ) -> Result<Response<Outgoing>, io::Error> {
        activity.begin_response();
        let is_head = request.method() == Method::HEAD;
        let connection = RequestConnection { open: &self.open, activity, local };
        let response = guarded(self.handler.handle(request, &connection)).await;
        let response = response.unwrap_or_else(|| Problem::internal().response());
        let activity = Arc::clone(activity);
        Ok(completed(response, is_head).map(|content| Outgoing::new(content, activity)))
    }
}

/// `None` if it panicked: that ends this response and nothing else.
async fn guarded<T>(response: impl Future<Output = T>) -> Option<T> {
    let mut response = pin!(response);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| response.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use std::sync::Arc;

    use super::{BODIES, CONNECTIONS, ConnectionPermit, OF_ONE, OpenConnections, guarded};

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn is_evicted(activity: &super::ConnectionActivity) -> bool {
        run(async {
            tokio::select! { biased; () = activity.evicted.notified() => true, () = std::future::ready(()) => false }
        })
    }

    #[test]
    fn a_panic_ends_one_answer() {
        assert_eq!(run(guarded(async { 5 })), Some(5));
        let none: Option<u8> = run(guarded(async { panic!("on purpose") }));
        assert_eq!(none, None);
    }

    #[test]
    fn who_waits_longest_makes_room_and_who_is_answered_does_not() {
        let open = OpenConnections::default();
        let ip: Option<IpAddr> = "127.0.0.1".parse().ok();
        let first = open.admit(ip).unwrap();
        first.begin_response();
        let all: Vec<_> = (1..CONNECTIONS).map(|_| open.admit(ip).unwrap()).collect();
        let more = open.admit(ip).unwrap();
        assert!(is_evicted(&all[0]) && !is_evicted(&first) && !is_evicted(&all[1]));
        more.begin_response();
        all.iter().for_each(|activity| activity.begin_response());
        assert!(open.admit(ip).is_none(), "all are busy");
        open.remove(&more);
        assert!(open.admit(ip).is_some());
    }

    #[test]
    fn a_panic_gives_the_place_back() {
        let open = Arc::<OpenConnections>::default();
        let permit =
            ConnectionPermit { open: Arc::clone(&open), activity: open.admit(None).unwrap() };
        let panics = std::panic::AssertUnwindSafe(move || {
            let _permit = permit;
            panic!("on purpose")
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(open.0.lock().unwrap().is_empty());
    }

    #[test]
    fn few_bodies_are_waited_for_and_the_oldest_makes_room() {
        let open = OpenConnections::default();
        let mut all: Vec<_> = (0..=BODIES).map(|_| open.admit(None).unwrap()).collect();
        let more = all.pop().unwrap();
        for activity in &all {
            activity.begin_response();
            open.await_body(activity);
        }
        assert!(!all.iter().any(|activity| is_evicted(activity)));
        open.await_body(&more);
        assert!(is_evicted(&all[0]) && !is_evicted(&all[1]) && !is_evicted(&more));
        assert_eq!(open.count(), BODIES, "its place is free");
        // What has come is not waited for any more.
        all[1].begin_response();
        open.await_body(&all[1]);
        assert!(!all[1..].iter().any(|activity| is_evicted(activity)));
    }

    #[test]
    fn a_body_that_does_not_come_makes_room_for_a_connection() {
        let open = OpenConnections::default();
        let all: Vec<_> = (0..CONNECTIONS).map(|_| open.admit(None).unwrap()).collect();
        all.iter().for_each(|activity| activity.begin_response());
        assert!(open.admit(None).is_none(), "all are busy");
        open.await_body(&all[5]);
        assert!(open.admit(None).is_some() && is_evicted(&all[5]));
    }

    #[test]
    fn one_address_beyond_this_machine_gets_half_of_the_places() {
        let open = OpenConnections::default();
        let ip = |text: &str| text.parse().ok();
        let busy = |from: &str| open.admit(ip(from)).inspect(|activity| activity.begin_response());
        let all: Vec<_> = (0..OF_ONE).map(|_| busy("10.0.0.5").unwrap()).collect();
        assert!(busy("10.0.0.5").is_none() && busy("10.0.0.6").is_some());
        all[7].end_response();
        assert!(busy("10.0.0.5").is_none(), "its answer is not written yet");
        all[7].on_flushed();
        assert!(busy("10.0.0.5").is_some(), "its own idle connection makes room");
    }
}
