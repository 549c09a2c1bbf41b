//! The frames of Redis's protocol, as far as a go-between must know them.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;

/// One command: its name and arguments.
pub(super) type Words = Vec<Vec<u8>>;

/// The line that begins at `at`, without its end, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let end = at + bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[at..end], end + 2))
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Where the reply that begins at `at` ends; `None` if it is not complete.
fn end_of_reply(bytes: &[u8], at: usize) -> Option<usize> {
    let (head, next) = line(bytes, at)?;
    let (kind, rest) = head.split_first()?;
    match kind {
        b'$' => match usize::try_from(number(rest)?) {
            Ok(length) => Some(next + length + 2).filter(|end| *end <= bytes.len()),
            Err(_) => Some(next),
        },
        b'*' => (0..number(rest)?).try_fold(next, |at, _| end_of_reply(bytes, at)),
        _ => Some(next),
    }
}

/// The commands that begin `bytes`, and how many bytes they take. A part of one is left.
pub(super) fn commands(bytes: &[u8]) -> (Vec<Words>, usize) {
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some((words, next)) = command(bytes, at) {
        all.push(words);
        at = next;
    }
    (all, at)
}

fn command(bytes: &[u8], at: usize) -> Option<(Words, usize)> {
    let (head, mut at) = line(bytes, at)?;
    let count = number(head.strip_prefix(b"*")?)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (head, next) = line(bytes, at)?;
        let length = usize::try_from(number(head.strip_prefix(b"$")?)?).ok()?;
        words.push(bytes.get(next..next + length)?.to_vec());
        at = next + length + 2;
    }
    Some((words, at)).filter(|(_, end)| *end <= bytes.len())
}

pub(super) fn packed<A: AsRef<[u8]>>(words: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(bulk(Some(word.as_ref())));
    }
    bytes
}

/// A string as a reply; `None` = nil.
pub(super) fn bulk(text: Option<&[u8]>) -> Vec<u8> {
    let Some(text) = text else { return b"$-1\r\n".to_vec() };
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

/// The strings of an array reply.
pub(super) fn strings(reply: &[u8]) -> Vec<Option<Vec<u8>>> {
    let Some((_, mut at)) = line(reply, 0).filter(|(head, _)| head.starts_with(b"*")) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    while let Some((head, next)) = line(reply, at) {
        let length = head.strip_prefix(b"$").and_then(number).unwrap_or(-1);
        let text = usize::try_from(length).ok().and_then(|length| reply.get(next..next + length));
        at = next + text.map_or(0, |text| text.len() + 2);
        all.push(text.map(<[u8]>::to_vec));
    }
    all
}

/// One connection to a Redis, for one command at a time.
pub(super) struct Upstream(Mutex<UnixStream>);

impl Upstream {
    pub(super) fn connect(socket: &Path) -> Self {
        Self(Mutex::new(UnixStream::connect(socket).unwrap()))
    }

    /// The bytes of the replies to `count` commands.
    pub(super) fn exchange(&self, commands: &[u8], count: usize) -> Vec<u8> {
        let mut stream = self.0.lock().unwrap();
        stream.write_all(commands).unwrap();
        let (mut replies, mut buffer) = (Vec::new(), [0; 16 << 10]);
        while (0..count).try_fold(0, |at, _| end_of_reply(&replies, at)).is_none() {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "redis-server has gone");
            replies.extend_from_slice(&buffer[..read]);
        }
        replies
    }

    pub(super) fn ask<A: AsRef<[u8]>>(&self, words: &[A]) -> redis::Value {
        redis::parse_redis_value(&self.exchange(&packed(words), 1)).unwrap()
    }
}
