//! Things that listen where a Redis should be, and are none, or not a good one.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The answer to a look, with a line for each of its commands: nothing is there.
pub(crate) const NOTHING: &[u8] =
    b":-2\r\n:-2\r\n*3\r\n$-1\r\n$-1\r\n$-1\r\n:0\r\n:0\r\n$0\r\n\r\n$0\r\n\r\n";
/// The same of a server that is not ready.
pub(crate) const LOADING: &[u8] = b"-LOADING a\r\n-LOADING b\r\n-LOADING c\r\n-LOADING d\r\n-LOADING e\r\n-LOADING f\r\n-LOADING g\r\n";

/// A server on loopback that does `answer` with every connection, in a thread of its own.
pub(crate) struct FakeRedis {
    port: u16,
}

impl FakeRedis {
    pub(crate) fn new(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = std::sync::Arc::new(answer);
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let answer = std::sync::Arc::clone(&answer);
                std::thread::spawn(move || answer(client));
            }
        });
        Self { port }
    }

    /// Takes every question and never answers.
    pub(crate) fn silent() -> Self {
        Self::new(hold)
    }

    /// Waits for a question, says `words` and waits.
    pub(crate) fn saying(words: &'static [u8]) -> Self {
        Self::new(move |mut client| {
            listen(&mut client);
            let _ = client.write_all(words);
            hold(client);
        })
    }

    /// Waits for a question, says `words` and hangs up.
    pub(crate) fn cut_off(words: &'static [u8]) -> Self {
        Self::new(move |mut client| {
            listen(&mut client);
            let _ = client.write_all(words);
        })
    }

    /// One byte of a promised megabyte at a time, for ever.
    pub(crate) fn dripping() -> Self {
        Self::new(|mut client| {
            listen(&mut client);
            let mut going = client.write_all(b"$1000000\r\n").is_ok();
            while going {
                std::thread::sleep(Duration::from_millis(20));
                going = client.write_all(b"x").is_ok();
            }
        })
    }

    /// A new answer to each question, then silence.
    pub(crate) fn scripted(answers: &'static [&'static [u8]]) -> Self {
        let next = std::sync::atomic::AtomicUsize::new(0);
        Self::new(move |mut client| {
            while listen(&mut client) {
                let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(answer) = answers.get(at) else { return hold(client) };
                client.write_all(answer).unwrap();
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

fn listen(client: &mut TcpStream) -> bool {
    client.read(&mut [0; 65536]).is_ok_and(|length| length > 0)
}

fn hold(mut client: TcpStream) {
    while listen(&mut client) {}
}

/// An address of this machine where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("redis://{}", listener.local_addr().unwrap())
}

/// Passes one client's questions on to the Redis at `socket`.
pub(crate) fn pass(mut client: TcpStream, socket: &std::path::Path) -> std::io::Result<()> {
    let mut server = std::os::unix::net::UnixStream::connect(socket)?;
    let (mut questions, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut questions, &mut to));
    std::io::copy(&mut server, &mut client).map(drop)
}
