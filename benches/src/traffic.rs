//! What a run sends to Redis and gets from it, counted by a relay between the two.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::measure::timed;
use crate::room::Room;

/// In bytes, of all connections of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

#[derive(Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
    /// Directions of connections that have not ended.
    open: AtomicU64,
}

pub(crate) fn of(room: &Room, args: &[&str]) -> Result<Traffic> {
    let (at, server) = (room.path("relay"), room.socket());
    let _ = fs::remove_file(&at);
    let listener = UnixListener::bind(&at)?;
    let counts = Arc::new(Counts::default());
    let own = Arc::clone(&counts);
    thread::spawn(move || {
        for client in listener.incoming() {
            if client.and_then(|client| relay(&client, &server, &own)).is_err() {
                return;
            }
        }
    });
    let mut run = room.run(args)?;
    timed(run.env("REDIS_URL", format!("unix://{}", at.display())))?;
    // What was sent last may still be on its way.
    let until = Instant::now() + Duration::from_secs(10);
    while counts.open.load(Ordering::SeqCst) > 0 {
        if Instant::now() > until {
            return Err(anyhow!("a connection to Redis stays open"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
    Ok(Traffic { up: count(&counts.up), down: count(&counts.down) })
}

fn relay(client: &UnixStream, server: &Path, counts: &Arc<Counts>) -> io::Result<()> {
    let server = UnixStream::connect(server)?;
    counts.open.fetch_add(2, Ordering::SeqCst);
    for (from, to, is_up) in [(client, &server, true), (&server, client, false)] {
        let (from, to, counts) = (from.try_clone()?, to.try_clone()?, Arc::clone(counts));
        thread::spawn(move || {
            pass(&from, &to, if is_up { &counts.up } else { &counts.down });
            counts.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
    Ok(())
}

/// Passes on what comes until one end closes.
fn pass(mut from: &UnixStream, mut to: &UnixStream, count: &AtomicU64) {
    let mut part = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut part) {
        count.fetch_add(read as u64, Ordering::SeqCst);
        if to.write_all(&part[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
