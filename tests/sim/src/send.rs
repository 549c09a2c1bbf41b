//! How an answer leaves: whole, slowly, in part, or never.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use crate::codec;
use crate::http::{Answer, Framing, Head};
use crate::knobs::Fault;
use crate::rng::Rng;
use crate::server::Shared;
use crate::stream::Stream;

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// This status was sent; another request may come.
    Keep(u16),
    /// This status was sent, and that was the last.
    Close(u16),
    /// No whole answer was sent.
    Broken,
}

/// One request on its way to an answer.
pub(crate) struct Errand<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) stream: &'a Stream,
    pub(crate) head: &'a Head,
    pub(crate) faults: &'a [Fault],
    /// Which request on its connection this is, from 1.
    pub(crate) nth: usize,
}

impl Errand<'_> {
    /// Answers, with all the faults that struck.
    pub(crate) fn run(&self, truth: impl FnOnce() -> Answer) -> After {
        self.wait(true);
        for fault in self.faults {
            match fault {
                Fault::Never => return self.ignore(),
                Fault::Close => return After::Broken,
                Fault::Reset => {
                    self.stream.reset_on_close();
                    return After::Broken;
                }
                Fault::Raw(bytes) => {
                    // The client may be gone; the connection ends anyway.
                    let _ = self.write(bytes);
                    return After::Broken;
                }
                _ => {}
            }
        }
        let given = self.faults.iter().rev().find_map(|fault| match fault {
            Fault::Answer(answer) => Some(answer.clone()),
            _ => None,
        });
        let mut answer = given.unwrap_or_else(truth);
        self.wait(false);
        for fault in self.faults {
            if let Fault::Change(change) = fault {
                Arc::clone(change)(&mut answer);
            }
        }
        codec::compress(&mut answer, self.head);
        self.send(&answer).unwrap_or(After::Broken)
    }

    /// The waits before or after the answer is made up.
    fn wait(&self, before: bool) {
        for fault in self.faults {
            match fault {
                Fault::Delay(time) if before => self.shared.sleep(*time),
                Fault::Hold(gate) if before => gate.pass(|| self.shared.stopped()),
                Fault::Late(time) if !before => self.shared.sleep(*time),
                Fault::HoldAnswer(gate) if !before => gate.pass(|| self.shared.stopped()),
                _ => {}
            }
        }
    }

    /// Reads until the client gives up.
    fn ignore(&self) -> After {
        let mut stream = self.stream;
        // An error is as good as the end here.
        let _ = io::copy(&mut stream, &mut io::sink());
        After::Broken
    }

    fn send(&self, answer: &Answer) -> io::Result<After> {
        let huge = self.faults.iter().find_map(|fault| match fault {
            Fault::Huge(size) => Some(*size),
            _ => None,
        });
        let close = self.head.closes();
        if let Some(size) = huge {
            self.write(answer.head(Framing::Chunked, close).as_bytes())?;
            self.endless(size)?;
        } else if self.parts(answer, close)? {
            return Ok(After::Broken);
        }
        let idle = self.faults.iter().any(|fault| match fault {
            Fault::CloseIdle(count) => self.nth >= *count,
            _ => false,
        });
        let end = close || idle || self.lied(answer);
        Ok(if end { After::Close(answer.status) } else { After::Keep(answer.status) })
    }

    /// A client that was told a wrong length would take the next answer for the rest.
    fn lied(&self, answer: &Answer) -> bool {
        matches!(answer.framing, Framing::Lie(length) if length != answer.body.len() as u64)
    }

    /// Writes head, body and end; true if it stopped in the middle, as a fault demands.
    fn parts(&self, answer: &Answer, close: bool) -> io::Result<bool> {
        // HTTP/1.0 knows no chunks.
        let framing = if self.head.old { Framing::Length } else { answer.framed() };
        let mut head = answer.head(framing, close);
        if self.head.method == "HEAD" {
            return self.write(head.as_bytes()).map(|()| false);
        }
        let chunked = framing == Framing::Chunked;
        if chunked && !answer.body.is_empty() {
            head.push_str(&format!("{:x}\r\n", answer.body.len()));
        }
        let cut = self.faults.iter().find_map(|fault| match fault {
            Fault::Cut(at) => Some((*at, false)),
            Fault::CutReset(at) => Some((*at, true)),
            _ => None,
        });
        self.write(head.as_bytes())?;
        if let Some((at, reset)) = cut {
            self.write(&answer.body[..at.min(answer.body.len())])?;
            if reset {
                self.stream.reset_on_close();
            }
            return Ok(true);
        }
        self.write(&answer.body)?;
        if chunked {
            let last: &[u8] = if answer.body.is_empty() { b"0\r\n\r\n" } else { b"\r\n0\r\n\r\n" };
            self.write(last)?;
        }
        Ok(false)
    }

    /// Chunks of about a megabyte, all the same list of stubs, until `size` bytes are sent.
    fn endless(&self, size: u64) -> io::Result<()> {
        let mut unit = String::new();
        let mut rng = Rng::new(1);
        for number in 0..600 {
            crate::generate::node(number).stub(&mut unit, Default::default(), &mut rng);
            unit.push(',');
        }
        let chunk = format!("{:x}\r\n{unit}\r\n", unit.len());
        self.write(b"1\r\n[\r\n")?;
        let mut sent = 1;
        while sent < size && !self.shared.stopped() {
            self.write(chunk.as_bytes())?;
            sent += unit.len() as u64;
        }
        let mut last = String::new();
        crate::generate::node(600).stub(&mut last, Default::default(), &mut rng);
        last.push(']');
        self.write(format!("{:x}\r\n{last}\r\n0\r\n\r\n", last.len()).as_bytes())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.stream;
        let drip = self.faults.iter().find_map(|fault| match fault {
            Fault::Drip(speed) => Some((*speed).max(1)),
            _ => None,
        });
        let Some(speed) = drip else { return stream.write_all(bytes) };
        let piece = (speed / 20).max(1);
        for part in bytes.chunks(piece as usize) {
            if self.shared.stopped() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            stream.write_all(part)?;
            self.shared.sleep(Duration::from_secs_f64(part.len() as f64 / speed as f64));
        }
        Ok(())
    }
}
