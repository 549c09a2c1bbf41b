//! The web: the same answers as the command line, a live page, and a cache that stays fresh by itself.

mod api;
mod http;
mod live;
mod metrics;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/serve.rs"]
pub(crate) mod properties;
mod threads;
mod worker;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{interval, timeout};

use crate::discovery::{How, Policy, Shutdown, Want};
use crate::model::notice::Notifier;
use crate::model::secret::Secret;
use crate::model::text::reason;
use crate::nomad::HttpNomad;
use crate::render::ClusterSection;
use crate::store::{ProbeBackoff, Sample, Stores};

use http::auth::Guard;
use http::listen::ListenSocket;
use http::server::{OpenConnections, Server};
use http::shutdown::Stop;
use live::follow::FollowIntervals;
use live::publication_cache::PublicationCache;
use live::shared_requests::{FetchOutcome, SharedRequests};
use metrics::Metrics;
use worker::AnswerWorkers;

pub(crate) use http::base_path::BasePath;
pub(crate) use http::listen::Listen;
pub(crate) use http::socket_access::SocketAccess;

/// Requests in flight have this long when the process is told to end.
const FAREWELL: Duration = Duration::from_secs(25);
/// Sign of life to those who read events.
const BEAT: Duration = Duration::from_secs(10);
/// How often the counters go to the store.
const FLUSH: Duration = Duration::from_secs(5);

/// How to serve.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: Vec<Listen>,
    /// Nobody said where to listen: sockets that are handed over take the place of these.
    pub(crate) usual: bool,
    /// How many sockets the service manager hands over.
    pub(crate) handed: usize,
    /// What people should know of these settings.
    pub(crate) warnings: Vec<String>,
    /// Who may connect to the unix sockets among them.
    pub(crate) access: SocketAccess,
    /// Everything is served below it.
    pub(crate) base: BasePath,
    /// Whoever knows it may ask.
    pub(crate) token: Option<Secret>,
    /// Beyond this machine without a token, on somebody's own word.
    pub(crate) insecure: bool,
    /// Host names beside those of the sockets.
    pub(crate) names: Vec<String>,
    /// The shortest time between two lists while Nomad is followed; `None` = it is not.
    pub(crate) follow: Option<Duration>,
    /// Every request is told.
    pub(crate) tells_calls: bool,
}

/// What is served.
pub(crate) struct Backend {
    pub(crate) nomad: HttpNomad,
    pub(crate) stores: Stores,
    pub(crate) policy: Policy,
    pub(crate) probes: ProbeBackoff,
    pub(crate) cluster: ClusterSection,
    /// How long an answer is fresh.
    pub(crate) ttl: Duration,
    pub(crate) tell: Notifier,
    pub(crate) leaving: Arc<Shutdown>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An address that can't be had.
    #[error("{0}")]
    Listen(String),
    /// A socket that was handed over and can't be served on.
    #[error("{0}")]
    Handed(String),
    /// Strangers could read everything.
    #[error("refused to listen on {0} without an access token")]
    Open(String),
    #[error("cannot serve: {}", reason(.0))]
    Io(io::Error),
    /// Nobody learns where it listens.
    #[error(transparent)]
    Output(io::Error),
}

/// Everything that an answer may need.
struct App {
    keeper: Arc<PublicationCache>,
    desk: Arc<SharedRequests>,
    makers: AnswerWorkers,
    guard: Guard,
    base: BasePath,
    metrics: Metrics,
    cluster: ClusterSection,
    tells_calls: bool,
    /// Rung when somebody begins to read events, for who reads what others publish.
    joined: Notify,
    /// Rung at the same time, for who asks Nomad whether it answers.
    watched: Notify,
    /// Nomad's index as that question told it.
    index: watch::Sender<u64>,
    /// What was found when somebody last asked whether this is ready.
    ready: api::ready::LastReadiness,
}

/// Serves until the process is told to end; says on `out` where.
///
/// # Errors
/// An address that can't be listened on, or may not be.
pub(crate) fn run(settings: Settings, backend: Backend, out: &mut dyn Write) -> Result<(), Error> {
    let sockets = sockets(&settings)?;
    let runtime = threads::runtime().map_err(Error::Io)?;
    let (told, stop) = watch::channel(Stop::No);
    // Before anybody can know that it runs.
    backend.leaving.instead(move || told.send_modify(|stop| *stop = stop.next()));
    for socket in &sockets {
        writeln!(out, "listening on {}", socket.name_below(&settings.base))
            .map_err(Error::Output)?;
    }
    out.flush().map_err(Error::Output)?;
    let served = runtime.block_on(serve(settings, backend, sockets, stop));
    // A held request to Nomad may last another minute: nobody waits for it.
    runtime.shutdown_background();
    served.map_err(Error::Io)
}

fn sockets(settings: &Settings) -> Result<Vec<ListenSocket>, Error> {
    let mut sockets = http::inherited::sockets(settings.handed).map_err(Error::Handed)?;
    if !settings.usual || sockets.is_empty() {
        let open = settings.token.is_some() || settings.insecure;
        if let Some(Listen::Tcp(address)) =
            settings.listen.iter().find(|it| !open && it.is_beyond())
        {
            return Err(Error::Open(address.to_string()));
        }
        for listen in &settings.listen {
            sockets.push(http::listen::bind(listen, settings.access).map_err(Error::Listen)?);
        }
    }
    match sockets.iter().find(|socket| socket.is_beyond()) {
        Some(socket) if settings.token.is_none() && !settings.insecure => {
            Err(Error::Open(socket.name()))
        }
        _ => Ok(sockets),
    }
}

/// # Errors
/// A socket that can't be listened on after all.
async fn serve(
    settings: Settings,
    backend: Backend,
    sockets: Vec<ListenSocket>,
    mut stop: watch::Receiver<Stop>,
) -> io::Result<()> {
    let rhythm = settings
        .follow
        .filter(|_| !backend.ttl.is_zero())
        .map(|interval| FollowIntervals { interval, ttl: backend.ttl });
    let app = Arc::new(App::new(settings, backend));
    let election = work(&app, rhythm);
    let (alive, mut all_gone) = mpsc::channel(1);
    let lines = Arc::<OpenConnections>::default();
    let stopped = stop.clone();
    let server =
        Server { app: Arc::clone(&app), lines: Arc::clone(&lines), stop: stopped, _alive: alive };
    let mut accepting = JoinSet::new();
    for socket in sockets {
        accepting.spawn(server.clone().accept(socket));
    }
    drop(server);
    tokio::select! {
        // It can't fail: the sender lives as long as the signals are watched.
        _ = stop.wait_for(|stop| *stop >= Stop::Finish) => {}
        Some(Ok(Err(error))) = accepting.join_next() => return Err(error),
    }
    app.keeper.hub.close();
    let gone = async move {
        all_gone.recv().await;
    };
    if !http::shutdown::finished(gone, stop, FAREWELL).await {
        let (count, limit) = (lines.count(), FAREWELL.as_secs());
        app.keeper.tell.warning(format!(
            "{count} connections were closed before their answer was complete: it took more than {limit} s"
        ));
    }
    if let Some(election) = election {
        election.end().await;
    }
    let keeper = Arc::clone(&app.keeper);
    let _ = spawn_blocking(move || keeper.flush()).await;
    Ok(())
}

/// The part in the election.
struct Election {
    /// Whoever acts as the one elected.
    acting: Vec<tokio::task::JoinHandle<()>>,
    elect: tokio::task::JoinHandle<()>,
}

impl Election {
    /// Gives the right to follow back.
    async fn end(self) {
        for acting in self.acting {
            acting.abort();
            let _ = acting.await;
        }
        let _ = timeout(Duration::from_secs(1), self.elect).await;
    }
}

/// Starts all that goes on by itself.
fn work(app: &Arc<App>, rhythm: Option<FollowIntervals>) -> Option<Election> {
    let spawn = |app: &Arc<App>, work: fn(Arc<App>) -> BackgroundTask| {
        drop(tokio::spawn(work(Arc::clone(app))));
    };
    spawn(app, |app| Box::pin(async move { app.desk.run_fetches().await }));
    spawn(app, |app| Box::pin(housekeeping(app)));
    spawn(app, |app| Box::pin(live::ask_nomad::watch(app)));
    let Some(rhythm) = rhythm else {
        drop(tokio::spawn(live::follow::watch(Arc::clone(app), None)));
        return None;
    };
    let (won, role) = watch::channel(false);
    let acting = vec![
        tokio::spawn(live::follow::watch(Arc::clone(app), Some(role.clone()))),
        tokio::spawn(live::follow::follow(Arc::clone(app), rhythm, role)),
    ];
    Some(Election { acting, elect: tokio::spawn(live::follow::elect(Arc::clone(app), won)) })
}

type BackgroundTask = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Signs of life, and the counters.
async fn housekeeping(app: Arc<App>) {
    let (mut beat, mut flush) = (interval(BEAT), interval(FLUSH));
    loop {
        tokio::select! {
            _ = beat.tick() => app.keeper.hub.beat(),
            _ = flush.tick() => {
                let keeper = Arc::clone(&app.keeper);
                // Best effort, as the counters are.
                let _ = spawn_blocking(move || keeper.flush()).await;
            }
        }
    }
}

impl App {
    fn new(settings: Settings, backend: Backend) -> Self {
        let cluster = backend.cluster.clone();
        let keeper = Arc::new(PublicationCache::new(backend));
        Self {
            desk: Arc::new(SharedRequests::new(Arc::clone(&keeper))),
            keeper,
            makers: AnswerWorkers::default(),
            guard: Guard { names: settings.names, token: settings.token },
            base: settings.base,
            metrics: Metrics::default(),
            cluster,
            tells_calls: settings.tells_calls,
            joined: Notify::new(),
            watched: Notify::new(),
            index: watch::Sender::new(0),
            ready: api::ready::LastReadiness::default(),
        }
    }

    /// A list for the one who follows; it is no request, but its calls count.
    async fn follow(&self, moved: bool) -> FetchOutcome {
        let outcome = self.desk.follow(moved).await;
        self.called(&outcome);
        outcome
    }

    /// Fills the cache if it is cold or old.
    async fn fill(&self) -> FetchOutcome {
        self.fetch(How::Get).await
    }

    /// A list now, for nobody in particular.
    async fn refresh(&self) -> FetchOutcome {
        self.fetch(How::Refresh).await
    }

    async fn fetch(&self, how: How) -> FetchOutcome {
        let outcome = self.desk.fetch(how, Want::Records).await.outcome;
        self.called(&outcome);
        outcome
    }

    /// Somebody has begun to read events.
    fn joined(&self) {
        self.joined.notify_one();
        self.watched.notify_one();
    }

    fn called(&self, outcome: &FetchOutcome) {
        let nomad_calls = outcome.as_ref().map_or(0, |fetched| fetched.tally.nomad_calls);
        self.metrics.called(nomad_calls);
        self.keeper.count(&Sample { follow_calls: nomad_calls, ..Sample::default() });
    }
}
