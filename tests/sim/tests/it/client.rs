//! A client small enough to see every byte.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use nomad_sim::Sim;
use serde_json::Value;

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn index(&self) -> u64 {
        self.header("X-Nomad-Index").unwrap().parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(crate) fn connect(sim: &Sim) -> TcpStream {
    let stream = TcpStream::connect(sim.address().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends a request and says that it was the last; gives all bytes that come.
pub(crate) fn raw(sim: &Sim, request: &str) -> io::Result<Vec<u8>> {
    let mut stream = connect(sim);
    stream.write_all(request.as_bytes())?;
    // A connection that was reset by now is not connected any more; reading tells it as what it is.
    let shut = stream.shutdown(Shutdown::Write);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    shut.map(|()| bytes)
}

pub(crate) fn parse(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap()[9..12].parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.iter().any(|(name, _)| name == "Transfer-Encoding") {
        let size = body.windows(2).position(|two| two == b"\r\n").unwrap();
        assert!(body.ends_with(b"\r\n0\r\n\r\n"), "the last chunk is missing");
        body = body[size + 2..body.len() - 7].to_vec();
    }
    Reply { status, headers, body }
}

pub(crate) fn get(sim: &Sim, target: &str) -> Reply {
    send(sim, "GET", target, "")
}

pub(crate) fn send(sim: &Sim, method: &str, target: &str, body: &str) -> Reply {
    let length = body.len();
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
    parse(&raw(sim, &request).unwrap())
}
