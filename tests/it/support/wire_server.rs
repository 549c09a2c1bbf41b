//! A server that says exactly the bytes it was told to, and counts who comes.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What to do with a request.
pub(crate) enum Act {
    /// Say this and wait for the next request.
    Keep(Vec<u8>),
    /// Say this and close.
    Close(Vec<u8>),
    /// Say this, then nothing, for as long as the client stays.
    Hang(Vec<u8>),
    /// Say this one byte at a time, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Say this, then pass everything on to and from this port.
    Tunnel(Vec<u8>, u16),
}

/// One request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    /// From 1.
    pub(crate) connection: usize,
    /// Request line and headers, a line each.
    pub(crate) lines: Vec<String>,
}

impl ReceivedRequest {
    /// `GET /v1/nodes HTTP/1.1`
    pub(crate) fn line(&self) -> &str {
        &self.lines[0]
    }

    /// The value of the header, if it was sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.lines.iter().filter_map(|line| line.split_once(": "));
        headers.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|pair| pair.1)
    }
}

type Script = dyn Fn(&ReceivedRequest) -> Act + Send + Sync;

/// Listens until the test ends; its threads end with their connections.
pub(crate) struct WireServer {
    pub(crate) port: u16,
    seen: Arc<Seen>,
}

struct Seen {
    asked: Mutex<Vec<ReceivedRequest>>,
    connections: Mutex<usize>,
    script: Box<Script>,
    tls: Option<Arc<ServerConfig>>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl WireServer {
    pub(crate) fn start(script: impl Fn(&ReceivedRequest) -> Act + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", None, script)
    }

    /// Answers everything with these bytes and closes.
    pub(crate) fn saying(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::start(move |_| Act::Close(bytes.clone()))
    }

    pub(crate) fn tls(
        config: Arc<ServerConfig>,
        script: impl Fn(&ReceivedRequest) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::on("127.0.0.1:0", Some(config), script)
    }

    pub(crate) fn on(
        place: &str,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&ReceivedRequest) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(place).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Seen::new(tls, script);
        let own = Arc::clone(&seen);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (own, number) = (Arc::clone(&own), own.connect());
                thread::spawn(move || own.serve_tcp(stream, number));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn unix(
        path: &Path,
        script: impl Fn(&ReceivedRequest) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let seen = Seen::new(None, script);
        let own = Arc::clone(&seen);
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (own, number) = (Arc::clone(&own), own.connect());
                thread::spawn(move || own.serve(&mut stream, number));
            }
        });
        Self { port: 0, seen }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<ReceivedRequest> {
        lock(&self.seen.asked).clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *lock(&self.seen.connections)
    }
}

impl Seen {
    fn new(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&ReceivedRequest) -> Act + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (asked, connections) = (Mutex::default(), Mutex::default());
        Arc::new(Self { asked, connections, script: Box::new(script), tls })
    }

    fn connect(&self) -> usize {
        let mut connections = lock(&self.connections);
        *connections += 1;
        *connections
    }

    /// Errors are the client's: it may leave at any time.
    fn serve_tcp(&self, mut stream: TcpStream, number: usize) -> io::Result<()> {
        let Some(config) = &self.tls else { return self.serve(&mut stream, number) };
        let session = ServerConnection::new(Arc::clone(config)).unwrap();
        let mut tls = StreamOwned::new(session, stream);
        let served = self.serve(&mut tls, number);
        tls.conn.send_close_notify();
        tls.flush()?;
        tls.sock.shutdown(Shutdown::Write)?;
        served
    }

    fn serve(&self, stream: &mut dyn Stream, connection: usize) -> io::Result<()> {
        loop {
            let lines = head(stream)?;
            let asked = ReceivedRequest { connection, lines };
            lock(&self.asked).push(asked.clone());
            match (self.script)(&asked) {
                Act::Keep(bytes) => say(stream, &bytes)?,
                Act::Close(bytes) => return say(stream, &bytes),
                Act::Hang(bytes) => {
                    say(stream, &bytes)?;
                    return io::copy(stream, &mut io::sink()).map(drop);
                }
                Act::Drip(bytes, pause) => {
                    for byte in bytes {
                        thread::sleep(pause);
                        say(stream, &[byte])?;
                    }
                }
                Act::Tunnel(bytes, port) => {
                    say(stream, &bytes)?;
                    return tunnel(stream, port);
                }
            }
        }
    }
}

fn say(stream: &mut dyn Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

/// Nothing is read beyond the head: what follows is the tunnel's.
fn head(stream: &mut dyn Stream) -> io::Result<Vec<String>> {
    let mut stream = BufReader::with_capacity(1, stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// One message, one answer, in turn: all that a handshake and a question need.
fn tunnel(client: &mut dyn Stream, port: u16) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut bytes = vec![0; 1 << 16];
    loop {
        let length = client.read(&mut bytes)?;
        if length == 0 {
            return Ok(());
        }
        server.write_all(&bytes[..length])?;
        while let Ok(length @ 1..) = server.read(&mut bytes) {
            say(client, &bytes[..length])?;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
