//! A Nomad to test against: recorded or live, true to the letter until told to fail.
//!
//! ```no_run
//! use nomad_sim::{Fault, Fleet, Sim, Times, Where};
//!
//! let sim = Sim::start(Fleet::recorded());
//! // … ask sim.address() …
//! assert_eq!(sim.asked(), ["list", "node worker-1"]);
//! sim.cluster().set_eligible("worker-3", false);
//! sim.fault(Where::node("worker-3"), Times::next(2), Fault::status(500, "rpc error: timeout"));
//! ```

mod cluster;
mod codec;
mod fleet;
mod generate;
mod http;
mod knobs;
mod ledger;
mod node;
mod query;
mod replay;
mod rng;
mod route;
mod send;
mod server;
mod stream;
mod time;
mod wire;
mod writes;

use std::net::TcpListener;
use std::ops::{Deref, DerefMut};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

pub use cluster::{Cluster, Saved};
pub use fleet::{Fleet, fixtures};
pub use http::{Answer, Framing};
pub use knobs::{Fault, Gate, Times, Where};
pub use ledger::Request;
pub use node::{Base, Node, Shape, Text};
pub use replay::{Exchange, Folder};
pub use rng::Rng;

use server::{Settings, Shared, World, lock};
use stream::Listener;

/// How a simulator is to be started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What it begins with; ignored by a replay.
    pub fleet: Fleet,
    /// A folder of recorded answers, in place of a live model.
    pub replay: Option<PathBuf>,
    /// Where it listens: `None` = 127.0.0.1 and a free port.
    pub listen: Option<Listen>,
    /// For answers that are the same at every run; `None` = maps in a new order each time.
    pub seed: Option<u64>,
    /// A path before all routes, as behind a proxy: `/nomad`.
    pub prefix: String,
    /// Connections beyond this many get a raw 429; `None` = no limit. Nomad's own limit is 100.
    pub connections_max: Option<usize>,
}

/// Where a simulator listens.
#[derive(Debug, Clone)]
pub enum Listen {
    /// `127.0.0.1:4646`.
    Tcp(String),
    /// The path of a socket that does not exist yet.
    Unix(PathBuf),
}

impl From<Fleet> for Options {
    fn from(fleet: Fleet) -> Self {
        Self { fleet, ..Self::default() }
    }
}

/// A running simulator; dropping it ends all its connections and threads.
pub struct Sim {
    shared: Arc<Shared>,
    address: String,
    socket: Option<PathBuf>,
    acceptor: Option<JoinHandle<()>>,
}

impl Sim {
    /// Starts a simulator: `Sim::start(Fleet::recorded())`, `Sim::start(Options { … })`.
    ///
    /// # Panics
    /// If it cannot listen or the folder to replay cannot be read.
    #[track_caller]
    pub fn start(options: impl Into<Options>) -> Self {
        Self::try_start(options.into()).unwrap_or_else(|why| panic!("{why}"))
    }

    /// As `start`, but says why it cannot.
    pub fn try_start(options: Options) -> Result<Self, String> {
        let world = match &options.replay {
            Some(path) => World::Replay { folder: Folder::read(path)?, moves: 0 },
            None => World::Live(Box::new(Cluster::new(options.fleet))),
        };
        let listener = listen(options.listen.as_ref())?;
        let settings = Settings {
            prefix: options.prefix,
            black_hole: false,
            connections_max: options.connections_max,
        };
        let shared = Arc::new(Shared::new(world, settings, options.seed));
        let address = listener.address();
        let socket = match &listener {
            Listener::Unix(_, path) => Some(path.clone()),
            Listener::Tcp(_) => None,
        };
        let own = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || server::accept(&own, &listener));
        Ok(Self { shared, address, socket, acceptor: Some(acceptor) })
    }

    /// `http://127.0.0.1:PORT` or `unix:///path`.
    pub fn address(&self) -> String {
        format!("{}{}", self.address, lock(&self.shared.settings).prefix)
    }

    /// The live model, locked: nothing is answered while this is held. Blocking queries see
    /// what changed when it is dropped.
    ///
    /// # Panics
    /// If this simulator replays a folder.
    #[track_caller]
    pub fn cluster(&self) -> Locked<'_> {
        let world = lock(&self.shared.world);
        assert!(matches!(*world, World::Live(_)), "the simulator replays a folder");
        Locked { world, shared: &self.shared }
    }

    /// Replays this folder from now on.
    #[track_caller]
    pub fn replay(&self, path: &Path) {
        let folder = Folder::read(path).unwrap_or_else(|why| panic!("{why}"));
        let mut world = lock(&self.shared.world);
        let moves = match &*world {
            World::Replay { moves, .. } => moves + 1,
            World::Live(_) => 0,
        };
        *world = World::Replay { folder, moves };
        self.shared.moved.notify_all();
    }

    /// Makes something go wrong from now on. Faults add up.
    pub fn fault(&self, place: Where, times: Times, fault: Fault) {
        lock(&self.shared.knobs).add(place, times, fault);
    }

    /// Holds the next matching request back, before its answer is made up.
    pub fn hold(&self, place: Where) -> Gate {
        let gate = Gate::new();
        self.fault(place, Times::ONCE, Fault::Hold(gate.clone()));
        gate
    }

    /// Takes all faults back; requests that are already suffering go on to.
    pub fn heal(&self) {
        lock(&self.shared.knobs).clear();
        lock(&self.shared.settings).black_hole = false;
    }

    /// New connections are accepted and never answered.
    pub fn black_hole(&self, on: bool) {
        lock(&self.shared.settings).black_hole = on;
    }

    /// New connections beyond this many open ones get Nomad's raw 429.
    pub fn limit_connections(&self, most: Option<usize>) {
        lock(&self.shared.settings).connections_max = most;
    }

    /// Closes all connections: kept ones are dead when they are used again.
    pub fn close_connections(&self) {
        self.shared.close_all();
    }

    /// Every request so far, in the order in which they came.
    pub fn ledger(&self) -> Vec<Request> {
        lock(&self.shared.ledger).requests.clone()
    }

    /// What was asked since the last call, in short words.
    pub fn asked(&self) -> Vec<String> {
        let mut ledger = lock(&self.shared.ledger);
        let from = std::mem::replace(&mut ledger.seen, usize::MAX);
        ledger.seen = ledger.requests.len();
        ledger.requests[from..].iter().map(|request| request.what.clone()).collect()
    }

    /// Waits until so many requests have come in all; false if that took too long.
    pub fn await_requests(&self, count: usize, limit: Duration) -> bool {
        self.shared.await_ledger(limit, |ledger| ledger.requests.len() >= count)
    }

    /// Waits until no request is under way; false if that took too long.
    pub fn await_idle(&self, limit: Duration) -> bool {
        self.shared.await_ledger(limit, |ledger| ledger.in_flight() == 0)
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        lock(&self.shared.ledger).connections
    }

    /// How many of them are open now.
    pub fn open(&self) -> usize {
        lock(&self.shared.ledger).open()
    }

    /// The most requests that were under way at once.
    pub fn most_in_flight(&self) -> usize {
        lock(&self.shared.ledger).most_in_flight
    }

    /// The most connections that were open at once.
    pub fn most_open(&self) -> usize {
        lock(&self.shared.ledger).most_open
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.stop();
        stream::wake(&self.address);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic in there has been printed; the test's own end matters more.
            let _ = acceptor.join();
        }
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}

fn listen(place: Option<&Listen>) -> Result<Listener, String> {
    match place {
        Some(Listen::Unix(path)) => UnixListener::bind(path)
            .map(|listener| Listener::Unix(listener, path.clone()))
            .map_err(|error| format!("cannot listen on {}: {error}", path.display())),
        Some(Listen::Tcp(address)) => TcpListener::bind(address)
            .map(Listener::Tcp)
            .map_err(|error| format!("cannot listen on {address}: {error}")),
        None => TcpListener::bind("127.0.0.1:0")
            .map(Listener::Tcp)
            .map_err(|error| format!("cannot listen on 127.0.0.1: {error}")),
    }
}

/// The cluster, while nobody else can see or change it.
pub struct Locked<'a> {
    world: MutexGuard<'a, World>,
    shared: &'a Shared,
}

impl Deref for Locked<'_> {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        match &*self.world {
            World::Live(cluster) => cluster,
            World::Replay { .. } => unreachable!("checked when it was locked"),
        }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Cluster {
        match &mut *self.world {
            World::Live(cluster) => cluster,
            World::Replay { .. } => unreachable!("checked when it was locked"),
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.shared.moved.notify_all();
    }
}

/// An address that refuses every connection for as long as this lives.
pub struct Refusing(socket2::Socket);

impl Refusing {
    #[track_caller]
    pub fn start() -> Self {
        let bind = || {
            let kind = (socket2::Domain::IPV4, socket2::Type::STREAM);
            let socket = socket2::Socket::new(kind.0, kind.1, None)?;
            let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
            // Bound but not listening: the port is taken, and connecting to it is refused.
            socket.bind(&any.into()).map(|()| socket)
        };
        Self(bind().unwrap_or_else(|error: std::io::Error| panic!("cannot bind a port: {error}")))
    }

    pub fn address(&self) -> String {
        format!("http://{}", local(&self.0))
    }
}

/// An address that lets nobody in and refuses nobody: connecting to it never ends.
pub struct Silent {
    listener: socket2::Socket,
    /// Those who fill its queue.
    _crowd: Vec<std::net::TcpStream>,
}

impl Silent {
    #[track_caller]
    pub fn start() -> Self {
        let open = || {
            let kind = (socket2::Domain::IPV4, socket2::Type::STREAM);
            let listener = socket2::Socket::new(kind.0, kind.1, None)?;
            let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
            listener.bind(&any.into())?;
            listener.listen(0).map(|()| listener)
        };
        let listener =
            open().unwrap_or_else(|error: std::io::Error| panic!("cannot bind a port: {error}"));
        let address = local(&listener);
        let knock =
            || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        Self { _crowd: std::iter::from_fn(knock).take(16).collect(), listener }
    }

    pub fn address(&self) -> String {
        format!("http://{}", local(&self.listener))
    }
}

fn local(socket: &socket2::Socket) -> std::net::SocketAddr {
    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
    address.expect("a bound socket has an address")
}
