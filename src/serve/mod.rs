//! The web server: the same answers as the command line, a live page, and a cache that stays fresh.

mod api;
mod http;
mod live;
mod metrics;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/serve.rs"]
pub(crate) mod properties;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::model::secret::Secret;
use crate::model::text::io_reason;
use crate::net::endpoint::Endpoint;

use api::App;
use http::auth::Guard;
use http::listen::ListenSocket;
use http::server::Server;
use http::shutdown::Stop;
use live::LiveCluster;

pub(crate) use http::base_path::BasePath;
pub(crate) use http::listen::Listen;
pub(crate) use http::socket_access::SocketAccess;
pub(crate) use live::publication_cache::Backend;

/// For requests in progress at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: Vec<Listen>,
    /// `listen` is the default: inherited sockets replace it.
    pub(crate) is_default_listen: bool,
    /// How many sockets the service manager passes on.
    pub(crate) inherited: usize,
    /// Warnings about these settings.
    pub(crate) warnings: Vec<String>,
    /// Who may connect to the unix sockets among `listen`.
    pub(crate) access: SocketAccess,
    /// All paths are below it.
    pub(crate) base: BasePath,
    /// Clients must present it.
    pub(crate) token: Option<Secret>,
    /// Addresses beyond this machine need no token.
    pub(crate) insecure: bool,
    /// Allowed host names beside those of the sockets.
    pub(crate) names: Vec<Endpoint>,
    /// The shortest time between two lists while Nomad is followed; `None` = it is not.
    pub(crate) follow: Option<Duration>,
    /// Each request is a notice.
    pub(crate) log_requests: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot listen on an address.
    #[error("{0}")]
    Listen(String),
    /// It cannot listen on an inherited socket.
    #[error("{0}")]
    Handed(String),
    /// Strangers could read everything.
    #[error("refused to listen on {0} without an access token")]
    Open(String),
    #[error("cannot serve: {}", io_reason(.0))]
    Io(io::Error),
    /// Nobody would learn the address.
    #[error(transparent)]
    Output(io::Error),
}

/// Serves until shutdown; writes the addresses to `out`.
///
/// # Errors
/// It cannot, or must not, listen on an address.
pub(crate) fn run(settings: Settings, backend: Backend, out: &mut dyn Write) -> Result<(), Error> {
    let sockets = sockets(&settings)?;
    let runtime = http::runtime::runtime().map_err(Error::Io)?;
    let (stopping, stop) = watch::channel(Stop::No);
    // Before anybody can know that it runs.
    backend.shutdown.set_handler(move || stopping.send_modify(|stop| *stop = stop.next()));
    for socket in &sockets {
        writeln!(out, "listening on {}", socket.name_below(&settings.base))
            .map_err(Error::Output)?;
    }
    out.flush().map_err(Error::Output)?;
    let served = runtime.block_on(serve(settings, backend, sockets, stop));
    // A long poll may last another minute: it is not waited for.
    runtime.shutdown_background();
    served.map_err(Error::Io)
}

fn sockets(settings: &Settings) -> Result<Vec<ListenSocket>, Error> {
    let mut sockets = http::inherited::sockets(settings.inherited).map_err(Error::Handed)?;
    let is_open = settings.token.is_none() && !settings.insecure;
    if !settings.is_default_listen || sockets.is_empty() {
        if let Some(Listen::Tcp(address)) =
            settings.listen.iter().find(|listen| is_open && listen.is_beyond())
        {
            return Err(Error::Open(address.to_string()));
        }
        for listen in &settings.listen {
            sockets.push(http::listen::bind(listen, settings.access).map_err(Error::Listen)?);
        }
    }
    match sockets.iter().find(|socket| is_open && socket.is_beyond()) {
        Some(socket) => Err(Error::Open(socket.name())),
        None => Ok(sockets),
    }
}

/// # Errors
/// A socket does not accept connections after all.
async fn serve(
    settings: Settings,
    backend: Backend,
    sockets: Vec<ListenSocket>,
    mut stop: watch::Receiver<Stop>,
) -> io::Result<()> {
    let live = Arc::new(LiveCluster::new(backend));
    let election = live.start(settings.follow);
    let app = Arc::new(App {
        live: Arc::clone(&live),
        workers: Default::default(),
        guard: Guard { names: settings.names, token: settings.token },
        base: settings.base,
        log_requests: settings.log_requests,
        readiness: Default::default(),
    });
    let (alive, mut all_closed) = mpsc::channel(1);
    let server =
        Arc::new(Server { handler: app, open: Arc::default(), stop: stop.clone(), _alive: alive });
    let (open, mut accepting) = (Arc::clone(&server.open), JoinSet::new());
    for socket in sockets {
        accepting.spawn(Arc::clone(&server).accept(socket));
    }
    drop(server);
    tokio::select! {
        // It cannot fail: the sender lives as long as signals are handled.
        _ = stop.wait_for(|stop| *stop >= Stop::Finish) => {}
        Some(Ok(Err(error))) = accepting.join_next() => return Err(error),
    }
    live.cache.events.close();
    let closed = async move {
        all_closed.recv().await;
    };
    if !http::shutdown::finished(closed, stop, SHUTDOWN_TIMEOUT).await {
        let (count, limit) = (open.count(), SHUTDOWN_TIMEOUT.as_secs());
        live.cache.backend.notifier.warning(format!(
            "{count} connections were closed before their response was complete: it took more than {limit} s"
        ));
    }
    live.end(election).await;
    Ok(())
}
