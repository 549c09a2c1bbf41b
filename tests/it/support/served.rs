//! The program as a server: its address, requests to it byte by byte, its events, and its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::sandbox::Sandbox;

/// Nothing that a test waits for may take longer.
const LIMIT: Duration = Duration::from_secs(60);

/// `nomad-clients serve` on a port of its own.
pub(crate) struct Served {
    child: Child,
    out: BufReader<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// `127.0.0.1:PORT`
    pub(crate) at: String,
}

/// An answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Empty if there is no such header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Names in lower case.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// Status and the words of a problem.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!((&json["success"], &json["status"]), (&false.into(), &self.status.into()));
        assert_eq!(json["detail"], json["error"]);
        (self.status, json["error"].as_str().unwrap().to_owned())
    }
}

impl Served {
    /// Serves on a free port of 127.0.0.1; `args` is split at spaces.
    #[track_caller]
    pub(crate) fn start(sandbox: &Sandbox, args: &str) -> Self {
        let args = format!("serve --listen 127.0.0.1:0 {args}");
        Self::spawn(sandbox.command(args.split_whitespace()))
    }

    /// Starts this command, which serves on an address.
    #[track_caller]
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let at = line.trim_end().strip_prefix("listening on http://");
        let at = at.unwrap_or_else(|| panic!("{command:?}: {line:?}"));
        // The path below which it serves is the test's own business.
        let at = at.split('/').next().unwrap_or_default().to_owned();
        Self { child, out, stderr, at }
    }

    /// The next line of stdout.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory in KB, and open descriptors.
    pub(crate) fn size(&self) -> (usize, usize) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory = line.trim().trim_end_matches(" kB").parse().unwrap();
        (memory, std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[], "")
    }

    /// Asks until the answer is so.
    #[track_caller]
    pub(crate) fn until(&self, path: &str, is_so: impl Fn(&Response) -> bool) -> Response {
        let until = Instant::now() + LIMIT;
        loop {
            let answer = self.get(path);
            if is_so(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{answer:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        ask_at(&self.at, (method, path), headers, body)
    }

    /// Sends these very bytes and reads to the end.
    #[track_caller]
    pub(crate) fn raw(&self, bytes: &[u8]) -> Response {
        raw_at(&self.at, bytes)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect_to(&self.at)
    }

    /// Reads the events from now on.
    pub(crate) fn events(&self, last: Option<&str>) -> Events {
        let mut stream = self.connect();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        let head = format!("GET /api/events HTTP/1.1\r\nhost: {}\r\n{last}\r\n", self.at);
        stream.write_all(head.as_bytes()).unwrap();
        let mut events = Events { stream: BufReader::new(stream), text: String::new() };
        while events.line().is_some_and(|line| !line.is_empty()) {}
        events
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as a service manager would; gives the exit code and what was said on stderr.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, String) {
        self.signal(Signal::TERM);
        let mut said = String::new();
        self.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), said)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks whoever answers there, a reverse proxy for instance.
#[track_caller]
pub(crate) fn ask_at(
    at: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += &format!("host: {at}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    raw_at(at, format!("{head}\r\n{body}").as_bytes())
}

#[track_caller]
fn raw_at(at: &str, bytes: &[u8]) -> Response {
    let mut stream = connect_to(at);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // Who refuses a request may hang up before all of it was sent.
    let _ = stream.read_to_end(&mut answer);
    response(&answer)
}

fn connect_to(at: &str) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

#[track_caller]
pub(crate) fn response(bytes: &[u8]) -> Response {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    Response { status, headers: lines.map(pair).collect(), body: bytes[end + 4..].to_vec() }
}

/// A stream of events.
pub(crate) struct Events {
    stream: BufReader<TcpStream>,
    /// Decoded and not yet read.
    text: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    /// Empty if it has none.
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Events {
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// `None` at the end of the stream.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Event> {
        while !self.text.contains("\n\n") {
            let size = usize::from_str_radix(&self.line()?, 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).unwrap();
            if size == 0 {
                return None;
            }
            self.text += std::str::from_utf8(&chunk[..size]).unwrap();
        }
        let (event, rest) = self.text.split_once("\n\n").unwrap();
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
        let event = Event {
            name: field("event: ").unwrap_or_default().to_owned(),
            id: field("id: ").unwrap_or_default().to_owned(),
            data: field("data: ").map_or(Value::Null, |data| serde_json::from_str(data).unwrap()),
        };
        self.text = rest.to_owned();
        Some(event)
    }

    /// The next that is no beat.
    #[track_caller]
    pub(crate) fn news(&mut self) -> Event {
        let until = Instant::now() + LIMIT;
        loop {
            let event = self.next().expect("the stream goes on");
            if event.name != "beat" {
                return event;
            }
            assert!(Instant::now() < until, "nothing but beats");
        }
    }
}
