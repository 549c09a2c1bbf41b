//! The way to a Redis: a socket whose every read and write ends in time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::{Errno, FdFlags, fcntl_setfd, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};

use crate::clock;
use crate::net::bounded;
use crate::store::Error;

use super::url::RedisEndpoint;

/// How long one exchange may take. A timeout per read would let a trickle of bytes go on for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeBudget {
    /// The longest silence of the other end.
    pub silence: Duration,
    /// Until the answer is complete.
    pub whole: Duration,
}

impl TimeBudget {
    pub(super) const fn new(silence_ms: u64, whole_ms: u64) -> Self {
        Self { silence: Duration::from_millis(silence_ms), whole: Duration::from_millis(whole_ms) }
    }

    pub(super) const fn flat(ms: u64) -> Self {
        Self::new(ms, ms)
    }
}

/// When an exchange last made progress: by its first byte, or by a steady flow of them. Slower bytes
/// are treated as silence.
#[derive(Debug)]
struct DataFlow {
    at: Instant,
    /// Since when `bytes` are counted.
    since: Instant,
    bytes: u64,
    /// When the last ones came.
    last: Instant,
}

impl DataFlow {
    /// A flow is steady if this many bytes come within [`Self::WINDOW`].
    const STEADY: u64 = 64 << 10;
    const WINDOW: Duration = Duration::from_millis(500);

    fn new(now: Instant) -> Self {
        Self { at: now, since: now, bytes: 0, last: now }
    }

    fn moved(&mut self, bytes: u64, now: Instant) {
        if now.duration_since(self.since) > Self::WINDOW {
            (self.since, self.bytes) = (self.last, 0);
        }
        (self.bytes, self.last) = (self.bytes + bytes, now);
        if self.bytes >= Self::STEADY {
            *self = Self::new(now);
        }
    }
}

/// A connected socket under a budget.
pub(super) struct BudgetedSocket {
    /// Also of a unix socket, which is read and written in the same way.
    socket: TcpStream,
    budget: TimeBudget,
    began: Instant,
    flow: DataFlow,
    received: u64,
    /// When reading pauses, although the budget is not used up.
    pause: Option<Instant>,
}

impl BudgetedSocket {
    /// Connects within `time`, resolving included.
    pub(super) fn open(route: &RedisEndpoint, time: Duration) -> io::Result<Self> {
        let until = clock::now() + time;
        let socket = match route {
            RedisEndpoint::Tcp { host, port, .. } => connect(host, *port, until, time)?,
            RedisEndpoint::Unix(path) => unix(path, time)?,
        };
        let (budget, now) = (TimeBudget { silence: time, whole: time }, clock::now());
        let flow = DataFlow::new(now);
        Ok(Self { socket, budget, began: now, flow, received: 0, pause: None })
    }

    /// Starts the next exchange.
    pub(super) fn begin(&mut self, budget: TimeBudget) {
        (self.budget, self.began, self.received) = (budget, clock::now(), 0);
        self.flow = DataFlow::new(self.began);
    }

    /// The question is sent as a whole: the silence begins now.
    pub(super) fn asked(&mut self) {
        self.flow = DataFlow::new(clock::now());
    }

    /// Reading pauses at this moment, and the exchange can go on afterwards; `None` = it does not.
    pub(super) fn pause_at(&mut self, moment: Option<Instant>) {
        self.pause = moment;
    }

    /// Whether the budget is used up.
    pub(super) fn is_over(&self) -> bool {
        self.left().is_err()
    }

    /// Whether a byte of the answer has come.
    pub(super) fn has_received(&self) -> bool {
        self.received > 0
    }

    /// Whether the other end is still there and has said nothing unasked. A byte that waits is
    /// lost: the connection can't be used any more.
    pub(super) fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        self.socket.set_nonblocking(true).is_ok()
            && matches!(self.socket.read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            && self.socket.set_nonblocking(false).is_ok()
    }

    /// What is left, or the error that names the budget which is used up.
    fn left(&self) -> io::Result<Duration> {
        let (TimeBudget { silence, whole }, now) = (self.budget, clock::now());
        let silent = silence.saturating_sub(now.duration_since(self.flow.at));
        let left = whole.saturating_sub(now.duration_since(self.began));
        if left.is_zero() {
            return Err(late(whole));
        }
        let pause = self.pause.map_or(left, |at| at.saturating_duration_since(now));
        let left = left.min(silent).min(pause);
        if left.is_zero() { Err(late(silence)) } else { Ok(left) }
    }
}

impl Read for BudgetedSocket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.left()?;
            let got = self.socket.set_read_timeout(Some(left)).and_then(|()| self.socket.read(buf));
            match got {
                Err(error) if is_pause(&error) => {}
                got => {
                    let count = got.as_ref().map_or(0, |count| *count as u64);
                    if self.received == 0 {
                        self.asked();
                    }
                    self.flow.moved(count, clock::now());
                    self.received += count;
                    return got;
                }
            }
        }
    }
}

impl Write for BudgetedSocket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            let left = self.left()?;
            let put =
                self.socket.set_write_timeout(Some(left)).and_then(|()| self.socket.write(buf));
            match put {
                Err(error) if is_pause(&error) => {}
                put => {
                    let count = put.as_ref().map_or(0, |count| *count as u64);
                    self.flow.moved(count, clock::now());
                    return put;
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// This budget is used up.
fn late(after: Duration) -> io::Error {
    Error::TimedOut { after }.into()
}

/// The timeout of one read or write, or a signal: what is left of the budget decides.
fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Waits as long if the queue of the server is full; no thread is needed for that.
fn unix(path: &Path, time: Duration) -> io::Result<TcpStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    set_socket_timeout(&socket, Timeout::Send, Some(time))?;
    match retry_on_intr(|| net::connect(&socket, &address)) {
        Err(Errno::AGAIN) => Err(late(time)),
        connected => Ok(connected.map(|()| TcpStream::from(socket))?),
    }
}

fn connect(host: &str, port: u16, until: Instant, time: Duration) -> io::Result<TcpStream> {
    let addresses = resolve(host, port, until, time)?;
    let mut last = io::Error::from(Error::NoSuchHost);
    for (tried, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(clock::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
        if share.is_zero() {
            return Err(late(time));
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) if is_pause(&error) => last = late(time),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn resolve(host: &str, port: u16, until: Instant, time: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let name = host.to_owned();
    let resolved = within(until, time, move || (name, port).to_socket_addrs().map(Vec::from_iter));
    resolved.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => error,
        _ => Error::NoSuchHost.into(),
    })
}

/// Calls that know no timeout run in a thread of their own, which is left behind if they hang.
fn within<T: Send + 'static>(
    until: Instant,
    time: Duration,
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let left = until.saturating_duration_since(clock::now());
    bounded::within(left, call).unwrap_or_else(|| Err(late(time)))
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use redis::Value;

    use super::super::resp::read;
    use super::{
        AddressFamily, BudgetedSocket, DataFlow, RedisEndpoint, SocketAddrUnix, SocketType,
        TimeBudget, io, late, net,
    };
    use crate::clock;
    use crate::model::mask::Mask;

    /// What of it is kept is not decided here.
    #[test]
    fn an_answer_of_any_length_is_read_to_its_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let mut line =
            BudgetedSocket::open(&RedisEndpoint::Unix(path), Duration::from_secs(10)).unwrap();
        let (mut socket, _) = listener.accept().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                socket.write_all(format!("${}\r\n", 300 << 20).as_bytes()).unwrap();
                (0..300).for_each(|_| socket.write_all(&vec![b'x'; 1 << 20]).unwrap());
                socket.write_all(b"\r\n:7\r\n").unwrap();
            });
            line.begin(TimeBudget::flat(60_000));
            let mut answer = BufReader::with_capacity(1 << 16, line);
            let mut read = || read::read(&mut answer, &Mask::default()).unwrap();
            assert_eq!(read(), Value::Nil, "longer than what is kept");
            assert_eq!(read(), Value::Int(7));
        });
    }

    /// How long the other end was silent at the end, if it sends `bytes` every `ms` for `seconds`.
    fn silent_after(bytes: u64, ms: u64, seconds: u64) -> Duration {
        let began = clock::now();
        let mut progress = DataFlow::new(began);
        let end = began + Duration::from_secs(seconds);
        let mut now = began;
        while now < end {
            now += Duration::from_millis(ms);
            progress.moved(bytes, now);
        }
        now.duration_since(progress.at)
    }

    #[test]
    fn a_server_that_accepts_nobody_is_given_up_in_time() {
        let home = tempfile::tempdir().unwrap();
        let route = RedisEndpoint::Unix(home.path().join("socket"));
        let RedisEndpoint::Unix(path) = &route else { unreachable!() };
        let server = net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        net::bind(&server, &SocketAddrUnix::new(path).unwrap()).unwrap();
        net::listen(&server, 0).unwrap();
        let open = |ms| BudgetedSocket::open(&route, Duration::from_millis(ms));
        let _first = open(10_000).unwrap();
        let error = open(20).map(drop).unwrap_err();
        assert_eq!(error.to_string(), late(Duration::from_millis(20)).to_string());
        drop(server);
        assert_eq!(open(20).map(drop).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_steady_flow_is_no_silence_and_a_trickle_is() {
        let half = Duration::from_millis(500);
        for (bytes, ms) in [(64 << 10, 500), (64 << 10, 5000), (33 << 10, 250), (4 << 10, 30)] {
            assert!(silent_after(bytes, ms, 60) <= half, "{bytes} bytes every {ms} ms");
        }
        for (bytes, ms) in [(1, 20), (63 << 10, 501), (31 << 10, 250), (4 << 10, 40)] {
            assert!(silent_after(bytes, ms, 60) >= half * 100, "{bytes} bytes every {ms} ms");
        }
    }
}
