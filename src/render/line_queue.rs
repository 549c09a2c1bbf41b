//! A queue of lines for stderr, so that no thread waits for a reader of stderr.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::net::sync::lock;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Where the lines go.
pub(super) trait Sink: Write + Send {
    /// Whether a line can be written without waiting, as far as the system knows; or waits for that.
    fn is_ready(&self, wait: bool) -> bool;
}

impl Sink for io::Stderr {
    fn is_ready(&self, wait: bool) -> bool {
        let mut stderr = [PollFd::new(self, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut stderr, Some(&at_once).filter(|_| !wait)).is_ok_and(|ready| ready > 0)
    }
}

/// The line about the lines that were dropped.
type DropNotice = Box<dyn Fn(u64) -> String + Send + Sync>;

/// A bounded queue, and a thread that writes its lines. Lines that do not fit are dropped and counted.
pub(super) struct Backlog(Arc<QueueState>);

struct QueueState {
    queue: Mutex<LineQueue>,
    /// A line has come, or all were written.
    turned: Condvar,
    sink: Mutex<Box<dyn Sink>>,
    notice: DropNotice,
    /// In bytes.
    limit: usize,
}

#[derive(Default)]
struct LineQueue {
    lines: VecDeque<String>,
    bytes: usize,
    dropped: u64,
    has_writer: bool,
    /// The writer holds lines that are in the queue no more.
    writing: bool,
}

impl LineQueue {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0
    }
}

impl Backlog {
    pub(super) fn new(sink: Box<dyn Sink>, limit: usize, notice: DropNotice) -> Self {
        let (queue, turned, sink) = (Mutex::default(), Condvar::new(), Mutex::new(sink));
        Self(Arc::new(QueueState { queue, turned, sink, notice, limit }))
    }

    /// `line` ends without a newline.
    pub(super) fn push(&self, line: String) {
        let mut queue = self.0.queue();
        queue.push(line, self.0.limit);
        if !queue.has_writer {
            let shared = Arc::clone(&self.0);
            let writer = thread::Builder::new().name("stderr".to_owned());
            queue.has_writer = writer.spawn(move || shared.write_all()).is_ok();
        }
        let has_writer = queue.has_writer;
        drop(queue);
        self.0.turned.notify_all();
        // The system gives no thread: the next line tries again.
        if !has_writer {
            self.0.write_ready();
        }
    }

    /// Waits until all was written, but no longer than this.
    pub(super) fn flush(&self, limit: Duration) {
        let queue = self.0.queue();
        if queue.has_writer {
            let busy = |queue: &mut LineQueue| !queue.is_empty() || queue.writing;
            drop(self.0.turned.wait_timeout_while(queue, limit, busy));
        } else {
            drop(queue);
            self.0.write_ready();
        }
    }
}

impl LineQueue {
    fn push(&mut self, line: String, limit: usize) {
        let bytes = self.bytes + line.len() + 1;
        // Lines after a dropped one are dropped too: the notice comes after all lines that are kept.
        if bytes > limit || self.dropped > 0 {
            self.dropped += 1;
        } else {
            self.bytes = bytes;
            self.lines.push_back(line);
        }
    }
}

impl QueueState {
    fn queue(&self) -> MutexGuard<'_, LineQueue> {
        lock(&self.queue)
    }

    /// The writer: as long as the process lives.
    fn write_all(&self) {
        let mut sink = lock(&self.sink);
        // Lines that could not be written.
        let mut lost = 0;
        loop {
            let (lines, dropped) = self.next();
            for line in lines {
                lost += u64::from(written(&mut **sink, line).is_err());
            }
            lost += dropped;
            if lost > 0 && written(&mut **sink, (self.notice)(lost)).is_ok() {
                lost = 0;
            }
        }
    }

    /// Waits for lines; gives them, and how many were dropped behind them.
    fn next(&self) -> (VecDeque<String>, u64) {
        let mut queue = self.queue();
        queue.writing = false;
        self.turned.notify_all();
        let empty = |queue: &mut LineQueue| queue.is_empty();
        let mut queue =
            self.turned.wait_while(queue, empty).unwrap_or_else(PoisonError::into_inner);
        let LineQueue { lines, dropped, .. } = std::mem::take(&mut *queue);
        (queue.has_writer, queue.writing) = (true, true);
        (lines, dropped)
    }

    /// Without a thread: writes the lines that need no waiting.
    fn write_ready(&self) {
        // Another thread does it, or there is a writer by now.
        let Ok(mut sink) = self.sink.try_lock() else { return };
        while sink.is_ready(false) {
            let mut queue = self.queue();
            let line = queue.lines.pop_front();
            let line = line.inspect(|line| queue.bytes -= line.len() + 1);
            let dropped = if line.is_none() { std::mem::take(&mut queue.dropped) } else { 0 };
            drop(queue);
            let Some(line) = line.or_else(|| (dropped > 0).then(|| (self.notice)(dropped))) else {
                return;
            };
            let _ = written(&mut **sink, line);
        }
    }
}

/// One call for one line, so that lines of several processes do not mix. A non-blocking
/// descriptor is waited for: a part of a line is worse than none.
fn written(sink: &mut dyn Sink, mut line: String) -> io::Result<()> {
    line.push('\n');
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match sink.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && sink.is_ready(true) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::{Backlog, Sink};

    const LONG: Duration = Duration::from_secs(20);

    /// Tells of each line that is written, and waits for leave to go on.
    struct Gate {
        written: Sender<String>,
        leave: Receiver<io::Result<()>>,
    }

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.written.send(String::from_utf8(line.to_vec()).unwrap()).unwrap();
            self.leave.recv().unwrap().map(|()| line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Gate {
        fn is_ready(&self, _: bool) -> bool {
            true
        }
    }

    fn backlog(limit: usize) -> (Backlog, Sender<io::Result<()>>, Receiver<String>) {
        let (written, lines) = channel();
        let (go, leave) = channel();
        let notice = Box::new(|count| format!("{count} dropped"));
        (Backlog::new(Box::new(Gate { written, leave }), limit, notice), go, lines)
    }

    #[test]
    fn what_nobody_reads_is_dropped_and_counted() {
        let (backlog, go, lines) = backlog(16);
        let push = |line: &str| backlog.push(line.to_owned());
        let next = || lines.recv_timeout(LONG).unwrap();
        push("first");
        assert_eq!(next(), "first\n");
        // From here on nobody reads, and none of these waits.
        for line in ["second", "third", "a long line", "no", "more"] {
            push(line);
        }
        backlog.flush(Duration::ZERO);
        go.send(Ok(())).unwrap();
        assert_eq!(
            [next(), {
                go.send(Ok(())).unwrap();
                next()
            }],
            ["second\n", "third\n"]
        );
        push("fourth");
        go.send(Ok(())).unwrap();
        assert_eq!(next(), "3 dropped\n");
        go.send(Ok(())).unwrap();
        assert_eq!(next(), "fourth\n");
        go.send(Ok(())).unwrap();
        backlog.flush(LONG);
        push("fifth");
        assert_eq!(next(), "fifth\n", "none was dropped since");
        go.send(Ok(())).unwrap();
        backlog.flush(LONG);
        assert!(lines.try_recv().is_err());
    }

    #[test]
    fn what_can_not_be_written_is_counted_until_it_can() {
        let (backlog, go, lines) = backlog(100);
        let next = || lines.recv_timeout(LONG).unwrap();
        let fails = || go.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        for line in ["first", "second"] {
            backlog.push(line.to_owned());
            assert_eq!(next(), format!("{line}\n"));
            fails();
            next();
            fails();
        }
        backlog.push("third".to_owned());
        assert_eq!(next(), "third\n");
        go.send(Ok(())).unwrap();
        assert_eq!(next(), "2 dropped\n");
        go.send(Ok(())).unwrap();
        backlog.flush(LONG);
    }

    /// A part of a line was taken, then nothing for a while.
    #[test]
    fn a_line_is_whole_also_where_writing_does_not_wait() {
        struct Slow(Sender<u8>, bool);
        impl Write for Slow {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                self.0.send(line[0]).unwrap();
                Ok(1)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Sink for Slow {
            fn is_ready(&self, wait: bool) -> bool {
                wait
            }
        }
        let (written, bytes) = channel();
        let notice = Box::new(|count| format!("{count} dropped"));
        let backlog = Backlog::new(Box::new(Slow(written, false)), 100, notice);
        backlog.push("line".to_owned());
        backlog.flush(LONG);
        assert_eq!(bytes.try_iter().collect::<Vec<u8>>(), b"line\n");
    }

    /// As where the system gives no thread.
    #[test]
    fn without_a_writer_only_what_need_not_wait_is_written() {
        struct Half(Sender<String>, std::cell::Cell<u32>);
        impl Write for Half {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.0.send(String::from_utf8(line.to_vec()).unwrap()).unwrap();
                Ok(line.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Sink for Half {
            fn is_ready(&self, wait: bool) -> bool {
                assert!(!wait);
                self.1.set(self.1.get() + 1);
                self.1.get() != 2
            }
        }
        let (written, lines) = channel();
        let notice = Box::new(|count| format!("{count} dropped"));
        let backlog = Backlog::new(Box::new(Half(written, 0.into())), 12, notice);
        for line in ["first", "next", "other"] {
            backlog.0.queue().push(line.to_owned(), 12);
        }
        let said = || lines.try_iter().collect::<Vec<_>>();
        backlog.0.write_ready();
        assert_eq!(said(), ["first\n"]);
        backlog.flush(LONG);
        assert_eq!(said(), ["next\n", "1 dropped\n"]);
        backlog.flush(LONG);
        assert_eq!(said(), [""; 0]);
    }
}
