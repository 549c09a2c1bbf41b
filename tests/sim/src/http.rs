//! HTTP/1.1 from the server's side, as far as Nomad speaks it.

use std::io::{self, BufRead, Read as _};

use crate::time::Moment;

/// Go's limit of a request's head.
const HEAD_MAX: usize = 1 << 20;
const BODY_MAX: usize = 16 << 20;

/// Longer bodies are chunked, as Go's buffer decides it.
pub(crate) const LENGTH_MAX: usize = 2_048;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Head {
    pub method: String,
    /// As it came, never decoded.
    pub target: String,
    /// `HTTP/1.0`?
    pub old: bool,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Head {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Whether the client wants the connection closed afterwards.
    pub fn closes(&self) -> bool {
        let connection = self.header("Connection").unwrap_or_default().to_ascii_lowercase();
        connection.contains("close") || (self.old && !connection.contains("keep-alive"))
    }
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Why a connection has no further request.
#[derive(Debug)]
pub(crate) enum Trouble {
    Closed,
    /// What Go answers to it before it closes.
    Refused(u16, &'static str),
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// Reads one request.
pub(crate) fn read(from: &mut impl BufRead) -> Result<Head, Trouble> {
    let mut left = HEAD_MAX;
    let mut line = self::line(from, &mut left)?;
    if line.is_empty() {
        // Go tolerates one empty line between requests.
        line = self::line(from, &mut left)?;
    }
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Trouble::Refused(400, "400 Bad Request"));
    };
    let mut head = Head {
        method: method.to_owned(),
        target: target.to_owned(),
        old: version == "HTTP/1.0",
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let line = self::line(from, &mut left)?;
        let Some((name, value)) = line.split_once(':') else { break };
        head.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if !head.old && head.header("Host").is_none() {
        return Err(Trouble::Refused(400, "400 Bad Request: missing required Host header"));
    }
    body(&mut head, from)?;
    Ok(head)
}

fn line(from: &mut impl BufRead, left: &mut usize) -> Result<String, Trouble> {
    let mut line = Vec::new();
    from.take(*left as u64).read_until(b'\n', &mut line)?;
    *left -= line.len();
    if line.pop() != Some(b'\n') {
        let too_long = *left == 0;
        return Err(if too_long {
            Trouble::Refused(431, "431 Request Header Fields Too Large")
        } else {
            Trouble::Closed
        });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn body(head: &mut Head, from: &mut impl BufRead) -> Result<(), Trouble> {
    if head.header("Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        loop {
            let size = line(from, &mut HEAD_MAX.clone())?;
            let size = usize::from_str_radix(size.trim(), 16)
                .ok()
                .filter(|size| head.body.len() + size <= BODY_MAX)
                .ok_or(Trouble::Refused(400, "400 Bad Request"))?;
            from.take(size as u64).read_to_end(&mut head.body)?;
            line(from, &mut HEAD_MAX.clone())?;
            if size == 0 {
                return Ok(());
            }
        }
    }
    let length: usize = head.header("Content-Length").and_then(|n| n.parse().ok()).unwrap_or(0);
    if length > BODY_MAX {
        return Err(Trouble::Refused(413, "413 Request Entity Too Large"));
    }
    head.body.resize(length, 0);
    Ok(from.read_exact(&mut head.body)?)
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// In the order in which they are written, without those of the framing and without `Date`.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub framing: Framing,
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// A length for small bodies, chunks for large ones.
    #[default]
    Nomad,
    Length,
    /// A `Content-Length` of the given number, whatever the body has.
    Lie(u64),
    Chunked,
}

impl Answer {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Self { status, headers: headers.collect(), body: body.into(), framing: Framing::Nomad }
    }

    /// A text as Nomad answers an error.
    pub fn text(status: u16, text: &str) -> Self {
        let headers = [("Content-Type", "text/plain; charset=utf-8"), ("Vary", "Accept-Encoding")];
        Self::new(status, &headers, text)
    }

    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        let headers = [("Content-Type", "application/json"), ("Vary", "Accept-Encoding")];
        Self::new(200, &headers, body)
    }

    /// Sets or, with `None`, removes a header.
    pub fn set_header(&mut self, name: &str, value: Option<&str>) {
        let at = self.headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        match (at, value) {
            (Some(at), Some(value)) => value.clone_into(&mut self.headers[at].1),
            (Some(at), None) => drop(self.headers.remove(at)),
            (None, Some(value)) => self.headers.push((name.to_owned(), value.to_owned())),
            (None, None) => {}
        }
    }

    /// The status line and the headers; `close` adds `Connection: close`.
    pub fn head(&self, framing: Framing, close: bool) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Date: {}\r\n", Moment::now().http()));
        let length = match framing {
            Framing::Lie(length) => length,
            _ => self.body.len() as u64,
        };
        let has_body = self.status >= 200 && self.status != 204 && self.status != 304;
        if has_body && framing != Framing::Chunked {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        if close {
            head.push_str("Connection: close\r\n");
        }
        if has_body && framing == Framing::Chunked {
            head.push_str("Transfer-Encoding: chunked\r\n");
        }
        head + "\r\n"
    }

    /// The framing in effect.
    pub fn framed(&self) -> Framing {
        match self.framing {
            Framing::Nomad if self.body.len() > LENGTH_MAX => Framing::Chunked,
            Framing::Nomad => Framing::Length,
            chosen => chosen,
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
