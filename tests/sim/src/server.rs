//! The server: one thread that accepts, one per connection, and a clean end of all of them.

use std::collections::HashMap;
use std::io::{self, BufReader, Write as _};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::http::{self, Answer, Head, Trouble};
use crate::knobs::{Asked, Knobs};
use crate::ledger::Ledger;
use crate::query::{Target, node_id};
use crate::replay::Folder;
use crate::rng::Rng;
use crate::route::{self, Model};
use crate::send::{After, Errand};
use crate::stream::{Listener, Stream};

/// What the simulator answers from.
pub(crate) enum World {
    Live(Box<Cluster>),
    Replay {
        folder: Folder,
        /// How often the folder was changed: what blocking queries wait for.
        moves: u64,
    },
}

/// What all threads of one simulator share.
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) moved: Condvar,
    pub(crate) knobs: Mutex<Knobs>,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) settings: Mutex<Settings>,
    quiet: Condvar,
    streams: Mutex<HashMap<usize, Arc<Stream>>>,
    stop: AtomicBool,
    chance: AtomicU64,
}

/// What concerns connections, not requests.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) prefix: String,
    pub(crate) black_hole: bool,
    pub(crate) connections_max: Option<usize>,
}

/// A lock that a panicking test does not take from the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: 81\r\nConnection: close\r\n\r\nYour IP is issuing too many concurrent connections, please rate limit your calls\n";

impl Shared {
    pub(crate) fn new(world: World, settings: Settings, seed: Option<u64>) -> Self {
        let mut chance = seed.map_or_else(Rng::from_chance, Rng::new);
        Self {
            world: Mutex::new(world),
            moved: Condvar::new(),
            knobs: Mutex::default(),
            ledger: Mutex::new(Ledger::new()),
            settings: Mutex::new(settings),
            quiet: Condvar::new(),
            streams: Mutex::default(),
            stop: AtomicBool::new(false),
            chance: AtomicU64::new(chance.number()),
        }
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Sleeps, but not beyond the end of the simulator.
    pub(crate) fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut ledger = lock(&self.ledger);
        while !self.stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            ledger =
                self.quiet.wait_timeout(ledger, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until something about the requests holds; false if that took too long.
    pub(crate) fn await_ledger(&self, limit: Duration, holds: impl Fn(&Ledger) -> bool) -> bool {
        let until = Instant::now() + limit;
        let mut ledger = lock(&self.ledger);
        while !holds(&ledger) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            ledger =
                self.quiet.wait_timeout(ledger, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Ends all connections and waits until their threads are done.
    pub(crate) fn stop(&self) {
        // Under the locks, so that nobody checks the flag and then falls asleep.
        {
            let _world = lock(&self.world);
            let _ledger = lock(&self.ledger);
            self.stop.store(true, Ordering::SeqCst);
        }
        self.moved.notify_all();
        self.quiet.notify_all();
        lock(&self.streams).values().for_each(|stream| stream.shutdown(Shutdown::Both));
        self.await_ledger(Duration::from_secs(10), |ledger| ledger.open() == 0);
    }

    /// Closes the connections that are kept; those with a request under way break.
    pub(crate) fn close_all(&self) {
        lock(&self.streams).values().for_each(|stream| stream.shutdown(Shutdown::Both));
    }

    fn asked<'a>(&self, head: &'a Head, target: &Target) -> Asked<'a> {
        let get = head.method == "GET";
        let id = target.path.strip_prefix("/v1/node/").filter(|_| get);
        let id = id.and_then(|id| node_id(id).ok());
        let node = id.map(|id| (id.clone(), self.name(&id).unwrap_or(id)));
        Asked { target: &head.target, list: get && target.path == "/v1/nodes", node }
    }

    fn name(&self, id: &str) -> Option<String> {
        match &*lock(&self.world) {
            World::Live(cluster) => cluster.by_id(id).map(|node| node.name.to_string()),
            World::Replay { folder, .. } => folder.name_of(id),
        }
    }

    fn truth(&self, head: &Head, target: &Target) -> Answer {
        let live = matches!(*lock(&self.world), World::Live(_));
        if live { route::answer(self, head, target) } else { self.replayed(head, target) }
    }

    fn replayed(&self, head: &Head, target: &Target) -> Answer {
        let mut world = lock(&self.world);
        if let (World::Replay { moves, .. }, Some(wait)) = (&*world, route::blocked(target)) {
            let (before, until) = (*moves, Instant::now() + wait);
            while matches!(&*world, World::Replay { moves, .. } if *moves == before) {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || self.stopped() {
                    break;
                }
                world =
                    self.moved.wait_timeout(world, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        match &*world {
            World::Replay { folder, .. } => folder.answer(head),
            World::Live(_) => Answer::text(500, "the simulator became live meanwhile"),
        }
    }
}

impl Model for Shared {
    fn with<T>(&self, read: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut world = lock(&self.world);
        let World::Live(cluster) = &mut *world else { panic!("the simulator replays a folder") };
        let before = cluster.index;
        let result = read(cluster);
        if cluster.index != before {
            self.moved.notify_all();
        }
        result
    }

    fn wait(&self, until: Instant, done: impl Fn(&Cluster) -> bool) {
        let mut world = lock(&self.world);
        while !self.stopped() {
            if !matches!(&*world, World::Live(cluster) if !done(cluster)) {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            world = self.moved.wait_timeout(world, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn rng(&self) -> Rng {
        Rng::new(self.chance.fetch_add(1, Ordering::Relaxed))
    }
}

/// Accepts until the simulator is stopped.
pub(crate) fn accept(shared: &Arc<Shared>, listener: &Listener) {
    while !shared.stopped() {
        let Ok(stream) = listener.accept() else {
            // Out of file descriptors, most likely: they come back when connections end.
            shared.sleep(Duration::from_millis(10));
            continue;
        };
        if shared.stopped() {
            return;
        }
        let number = lock(&shared.ledger).connect();
        let stream = Arc::new(stream);
        lock(&shared.streams).insert(number, Arc::clone(&stream));
        let own = Arc::clone(shared);
        let thread = std::thread::Builder::new().name(format!("connection {number}"));
        let begun = thread.spawn(move || {
            // Also when the connection's thread panics, the simulator must still come to its end.
            let _leave = Leave { shared: &own, number };
            connection(&own, stream, number);
        });
        if begun.is_err() {
            drop(Leave { shared, number });
        }
    }
}

/// Forgets a connection when its thread ends.
struct Leave<'a> {
    shared: &'a Shared,
    number: usize,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        lock(&self.shared.streams).remove(&self.number);
        lock(&self.shared.ledger).disconnect();
        self.shared.quiet.notify_all();
    }
}

fn connection(shared: &Shared, stream: Arc<Stream>, number: usize) {
    let settings = lock(&shared.settings).clone();
    let open = lock(&shared.ledger).open();
    if settings.connections_max.is_some_and(|most| open > most) {
        refuse(&stream, TOO_MANY);
        return;
    }
    if settings.black_hole {
        let _ = io::copy(&mut &*stream, &mut io::sink());
        return;
    }
    let mut reader = BufReader::new(&*stream);
    for nth in 1.. {
        let head = match http::read(&mut reader) {
            Ok(head) => head,
            Err(Trouble::Closed) => return,
            Err(Trouble::Refused(status, text)) => {
                let mut answer =
                    Answer::new(status, &[("Content-Type", "text/plain; charset=utf-8")], text);
                answer.set_header("Connection", Some("close"));
                let head = answer.head(http::Framing::Length, false);
                refuse(&stream, &[head.as_bytes(), text.as_bytes()].concat());
                return;
            }
        };
        if head.method == "CONNECT" {
            // The simulator as a proxy: every address is itself.
            let place =
                lock(&shared.ledger).begin(&head, format!("CONNECT {}", head.target), number);
            let sent = (&*stream).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
            lock(&shared.ledger).end(place, sent.is_ok().then_some(200));
            continue;
        }
        if !exchange(shared, &stream, (&head, &settings.prefix), (number, nth)) {
            return;
        }
    }
}

/// One request and its answer; false if the connection is to be closed.
fn exchange(
    shared: &Shared,
    stream: &Stream,
    request: (&Head, &str),
    place: (usize, usize),
) -> bool {
    let ((head, prefix), (number, nth)) = (request, place);
    let mut target = Target::parse(&head.target);
    let inside = target.path.strip_prefix(prefix).map(str::to_owned);
    target.path = inside.unwrap_or_default();
    let asked = shared.asked(head, &target);
    let entry = lock(&shared.ledger).begin(head, what(&asked, head, &target), number);
    shared.quiet.notify_all();
    let faults = lock(&shared.knobs).strike(&asked);
    let errand = Errand { shared, stream, head, faults: &faults, nth };
    let after = errand.run(|| shared.truth(head, &target));
    let status = match after {
        After::Keep(status) | After::Close(status) => Some(status),
        After::Broken => None,
    };
    lock(&shared.ledger).end(entry, status);
    shared.quiet.notify_all();
    matches!(after, After::Keep(_))
}

/// `list` is the whole list only: pages, prefixes and blocking queries are named in full.
fn what(asked: &Asked<'_>, head: &Head, target: &Target) -> String {
    let whole = ["filter", "index", "next_token", "per_page", "prefix"]
        .iter()
        .all(|name| target.get(name).is_none());
    match &asked.node {
        Some((_, name)) if target.get("index").is_none() => format!("node {name}"),
        _ if asked.list && whole => "list".to_owned(),
        _ => format!("{} {}", head.method, head.target),
    }
}

/// Writes, then reads what is left, so that closing does not reset before it was read.
fn refuse(stream: &Stream, bytes: &[u8]) {
    let mut to = stream;
    if to.write_all(bytes).is_ok() {
        stream.shutdown(Shutdown::Write);
        stream.set_read_timeout(Duration::from_secs(1));
        let _ = io::copy(&mut to, &mut io::sink());
    }
}
