//! Stands between the program and its Redis, sees every question, and decides what becomes of it.

use std::io::{self, Read, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use redis::Parser;
use tempfile::TempDir;

/// Commands that were sent together.
pub(crate) struct Question {
    /// 0 for the first of this relay, whatever connection it came on.
    pub(crate) number: usize,
    /// Each command's words.
    pub(crate) commands: Vec<Vec<Vec<u8>>>,
}

pub(crate) enum Treatment {
    Pass,
    /// It takes as long as this to arrive.
    Late(Duration),
    /// So many of its commands arrive, then the connection is lost.
    Only(usize),
    /// It arrives, and so many bytes of the reply come back at a time, with this pause before them.
    Paced(usize, Duration),
    /// It arrives, and so many bytes of the reply come back before the connection is lost.
    Cut(usize),
}

pub(crate) struct Relay {
    folder: TempDir,
}

impl Relay {
    pub(crate) fn start(
        server: PathBuf,
        rule: impl Fn(&Question) -> Treatment + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let (rule, number) = (Arc::new(rule), Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let (rule, number, server) =
                    (Arc::clone(&rule), Arc::clone(&number), server.clone());
                thread::spawn(move || relay(client, &server, &*rule, &number));
            }
        });
        Self { folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("s").display())
    }
}

/// Serves one connection until either end closes it.
fn relay(
    mut client: UnixStream,
    server: &PathBuf,
    rule: &(dyn Fn(&Question) -> Treatment + Send + Sync),
    number: &AtomicUsize,
) -> Option<()> {
    let mut server = UnixStream::connect(server).ok()?;
    let mut replies = Parser::new();
    loop {
        let commands = question(&mut client)?;
        let number = number.fetch_add(1, Ordering::SeqCst);
        let question = Question { number, commands };
        let mut count = question.commands.len();
        let (mut bytes, mut pace) = (usize::MAX, (usize::MAX, Duration::ZERO));
        match rule(&question) {
            Treatment::Pass => {}
            Treatment::Late(time) => thread::sleep(time),
            Treatment::Only(commands) => (count, bytes) = (commands, 0),
            Treatment::Paced(length, pause) => pace = (length, pause),
            Treatment::Cut(length) => bytes = length,
        }
        for words in &question.commands[..count] {
            server.write_all(&packed(words)).ok()?;
        }
        let mut heard = Heard { of: &server, bytes: Vec::new() };
        for _ in 0..count {
            replies.parse_value(&mut heard).ok()?;
        }
        for part in heard.bytes[..heard.bytes.len().min(bytes)].chunks(pace.0) {
            thread::sleep(pace.1);
            client.write_all(part).ok()?;
        }
        if bytes != usize::MAX {
            return None;
        }
    }
}

/// Reads what was sent together: everything up to a moment in which a command ends.
fn question(client: &mut UnixStream) -> Option<Vec<Vec<Vec<u8>>>> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let length = client.read(&mut chunk).ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&chunk[..length]);
        if let Some(commands) = commands(&bytes) {
            return Some(commands);
        }
    }
}

/// `None` while the last one is not whole.
fn commands(bytes: &[u8]) -> Option<Vec<Vec<Vec<u8>>>> {
    let (mut rest, mut commands) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (count, mut tail) = head(rest, b'*')?;
        let mut words = Vec::new();
        for _ in 0..count {
            let (length, body) = head(tail, b'$')?;
            words.push(body.get(..length)?.to_vec());
            tail = body.get(length + 2..)?;
        }
        commands.push(words);
        rest = tail;
    }
    Some(commands)
}

fn head(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let number = std::str::from_utf8(bytes.strip_prefix(&[kind])?.get(..end - 1)?).ok()?;
    Some((number.parse().ok()?, &bytes[end + 2..]))
}

fn packed(words: &[Vec<u8>]) -> Vec<u8> {
    let mut command = redis::Cmd::new();
    words.iter().for_each(|word| {
        command.arg(word);
    });
    command.get_packed_command()
}

/// Keeps what is read.
struct Heard<'a> {
    of: &'a UnixStream,
    bytes: Vec<u8>,
}

impl Read for Heard<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.of.read(into)?;
        self.bytes.extend_from_slice(&into[..length]);
        Ok(length)
    }
}
