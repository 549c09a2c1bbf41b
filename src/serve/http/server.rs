//! Connections: how many, for how long, and one answer after the other.

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
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::clock;
use crate::net::sync::lock;

use super::activity::{ConnectionActivity, Watched};
use super::auth::LocalAddress;
use super::body::Outgoing;
use super::listen::ListenSocket;
use super::shutdown::Stop;
use crate::serve::App;
use crate::serve::api::service::{broken, handle};

/// Connections in all, and of one address beyond this machine.
const CONNECTIONS: usize = 256;
const OF_ONE: usize = 128;
/// Head of a request, and buffers, in bytes.
const HEAD: usize = 16 << 10;
const BUFFER: usize = 64 << 10;
/// Connections on which a body is waited for.
const BODIES: usize = 16;
/// How often a connection's time is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// When the process ends: for the request of somebody who has just connected.
const GRACE: Duration = Duration::from_millis(250);
/// The same for one whom nobody has accepted yet.
const QUEUED: Duration = Duration::from_millis(20);
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// All connections of one server.
#[derive(Default)]
pub(crate) struct OpenConnections(Mutex<Vec<(Option<IpAddr>, Arc<ConnectionActivity>)>>);

impl OpenConnections {
    /// A place for a new connection. When there is none, the one that has been waiting longest for
    /// a request has to go; `None` if all are busy.
    fn admit(&self, from: Option<IpAddr>) -> Option<Arc<ConnectionActivity>> {
        let mut lines = lock(&self.0);
        let from = from.filter(|ip| !super::listen::is_loopback(*ip));
        let of_one = lines.iter().filter(|(ip, _)| from.is_some() && *ip == from).count();
        let is_full = lines.len() >= CONNECTIONS;
        if is_full || of_one >= OF_ONE {
            let candidates = lines.iter().enumerate().filter(|(_, (ip, _))| is_full || *ip == from);
            let now = clock::now();
            let oldest = candidates
                .filter_map(|(at, (_, line))| Some((line.waits_since(now)?, at)))
                .min()?;
            let (_, line) = lines.swap_remove(oldest.1);
            line.cut.notify_one();
        }
        let line = Arc::new(ConnectionActivity::new(clock::now()));
        lines.push((from, Arc::clone(&line)));
        Some(line)
    }

    /// A place among those whose body is waited for: the one who is waited for longest gives way.
    pub(crate) fn await_body(&self, line: &ConnectionActivity) {
        let mut lines = lock(&self.0);
        let lacking = lines.iter().enumerate();
        let lacking = lacking.filter_map(|(at, (_, line))| Some((line.lacks_body_since()?, at)));
        let lacking: Vec<_> = lacking.collect();
        if lacking.len() >= BODIES
            && let Some((_, at)) = lacking.into_iter().min()
        {
            let (_, oldest) = lines.swap_remove(at);
            oldest.cut.notify_one();
        }
        line.await_body(clock::now());
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    fn leave(&self, line: &Arc<ConnectionActivity>) {
        let mut lines = lock(&self.0);
        lines.retain(|(_, known)| !Arc::ptr_eq(known, line));
    }
}

/// A connection's place among all, until this is dropped: also by a panic.
struct ConnectionPermit {
    lines: Arc<OpenConnections>,
    line: Arc<ConnectionActivity>,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.lines.leave(&self.line);
    }
}

/// The connection of a request.
pub(crate) struct RequestConnection<'a> {
    lines: &'a OpenConnections,
    line: &'a ConnectionActivity,
    pub(crate) local: LocalAddress,
}

impl RequestConnection<'_> {
    /// What `body` gives, which is whole only when its client has sent all of it.
    pub(crate) async fn received<T>(&self, body: impl Future<Output = T>) -> T {
        self.lines.await_body(self.line);
        let body = body.await;
        self.line.work();
        body
    }
}

/// A socket that is accepted from.
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
    async fn next(&self, server: &Server) -> io::Result<()> {
        match self {
            Self::Tcp(listener, bound) => {
                let (stream, from) = listener.accept().await?;
                // Without it small answers wait for the acknowledgement of the last one.
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
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) lines: Arc<OpenConnections>,
    pub(crate) stop: watch::Receiver<Stop>,
    /// Nothing is sent: it tells by its end that all are gone.
    pub(crate) _alive: mpsc::Sender<()>,
}

impl Server {
    /// Accepts until it is told to stop.
    pub(crate) async fn accept(self, socket: ListenSocket) -> io::Result<()> {
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
        // Whoever is in the queue of the socket takes himself for connected, and has asked.
        for _ in 0..CONNECTIONS {
            if !matches!(timeout(QUEUED, listener.next(&self)).await, Ok(Ok(()))) {
                break;
            }
        }
        Ok(())
    }

    fn admit<S>(&self, mut stream: S, from: Option<IpAddr>, local: LocalAddress)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = self.clone();
        match self.lines.admit(from) {
            Some(line) => drop(tokio::spawn(async move {
                let seat = ConnectionPermit { lines: Arc::clone(&server.lines), line };
                server.connection(stream, &seat.line, local).await;
            })),
            // Nobody waits for who does not take it.
            None => drop(tokio::spawn(async move {
                let _ = timeout(LOOK, stream.write_all(FULL)).await;
            })),
        }
    }

    async fn connection<S>(&self, stream: S, line: &Arc<ConnectionActivity>, local: LocalAddress)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request, line, local));
        let watched = Watched { stream, line: Arc::clone(line) };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).pipeline_flush(false).max_buf_size(BUFFER);
        http.max_header_size(HEAD).header_read_timeout(None);
        let mut connection = pin!(http.serve_connection(TokioIo::new(watched), service));
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ends = pin!(self.ends(line));
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut connection => return,
                () = line.cut.notified() => return,
                () = &mut ends, if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = look.tick() => if line.is_overdue(clock::now()) { return },
            }
        }
    }

    /// When no further request is taken: it closes a connection on which nothing has come yet.
    async fn ends(&self, line: &ConnectionActivity) {
        let _ = self.stop.clone().wait_for(|stop| *stop >= Stop::Finish).await;
        if line.lacks_head() {
            sleep(GRACE).await;
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        line: &Arc<ConnectionActivity>,
        local: LocalAddress,
    ) -> Result<Response<Outgoing>, io::Error> {
        line.work();
        let place = RequestConnection { lines: &self.lines, line, local };
        let answer = guarded(handle(&self.app, request, &place)).await;
        Ok(answer.unwrap_or_else(broken).map(|content| Outgoing::new(content, Arc::clone(line))))
    }
}

/// `None` if it panicked: that ends this answer and nothing else.
async fn guarded<T>(answer: impl Future<Output = T>) -> Option<T> {
    let mut answer = pin!(answer);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
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

    fn is_cut(line: &super::ConnectionActivity) -> bool {
        run(async {
            tokio::select! { biased; () = line.cut.notified() => true, () = std::future::ready(()) => false }
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
        let lines = OpenConnections::default();
        let ip: Option<IpAddr> = "127.0.0.1".parse().ok();
        let first = lines.admit(ip).unwrap();
        first.work();
        let all: Vec<_> = (1..CONNECTIONS).map(|_| lines.admit(ip).unwrap()).collect();
        let more = lines.admit(ip).unwrap();
        assert!(is_cut(&all[0]) && !is_cut(&first) && !is_cut(&all[1]));
        more.work();
        all.iter().for_each(|line| line.work());
        assert!(lines.admit(ip).is_none(), "all are busy");
        lines.leave(&more);
        assert!(lines.admit(ip).is_some());
    }

    #[test]
    fn a_panic_gives_the_place_back() {
        let lines = Arc::<OpenConnections>::default();
        let seat = ConnectionPermit { lines: Arc::clone(&lines), line: lines.admit(None).unwrap() };
        let panics = std::panic::AssertUnwindSafe(move || {
            let _seat = seat;
            panic!("on purpose")
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(lines.0.lock().unwrap().is_empty());
    }

    #[test]
    fn few_bodies_are_waited_for_and_the_oldest_makes_room() {
        let lines = OpenConnections::default();
        let mut all: Vec<_> = (0..=BODIES).map(|_| lines.admit(None).unwrap()).collect();
        let more = all.pop().unwrap();
        for line in &all {
            line.work();
            lines.await_body(line);
        }
        assert!(!all.iter().any(|line| is_cut(line)));
        lines.await_body(&more);
        assert!(is_cut(&all[0]) && !is_cut(&all[1]) && !is_cut(&more));
        assert_eq!(lines.count(), BODIES, "its place is free");
        // What has come is not waited for any more.
        all[1].work();
        lines.await_body(&all[1]);
        assert!(!all[1..].iter().any(|line| is_cut(line)));
    }

    #[test]
    fn a_body_that_does_not_come_makes_room_for_a_connection() {
        let lines = OpenConnections::default();
        let all: Vec<_> = (0..CONNECTIONS).map(|_| lines.admit(None).unwrap()).collect();
        all.iter().for_each(|line| line.work());
        assert!(lines.admit(None).is_none(), "all are busy");
        lines.await_body(&all[5]);
        assert!(lines.admit(None).is_some() && is_cut(&all[5]));
    }

    #[test]
    fn one_address_beyond_this_machine_gets_half_of_the_places() {
        let lines = OpenConnections::default();
        let ip = |text: &str| text.parse().ok();
        let busy = |from: &str| lines.admit(ip(from)).inspect(|line| line.work());
        let all: Vec<_> = (0..OF_ONE).map(|_| busy("10.0.0.5").unwrap()).collect();
        assert!(busy("10.0.0.5").is_none() && busy("10.0.0.6").is_some());
        all[7].sent();
        assert!(busy("10.0.0.5").is_none(), "its answer is not written yet");
        all[7].flushed();
        assert!(busy("10.0.0.5").is_some(), "its own idle connection makes room");
    }
}
