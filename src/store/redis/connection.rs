//! One connection to a Redis: commands in one write, their replies back, within a budget.

use std::io::{self, BufRead as _, BufWriter, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Arg, Cmd, Value};
use rustls::ClientConfig;

use crate::model::mask::Mask;
use crate::store::Error;

use super::errors::{of_auth, of_io, of_reply};
use super::resp::growing::GrowingReader;
use super::resp::read;
use super::resp::write::Encode;
use super::socket::{BudgetedSocket, TimeBudget};
use super::tls::TlsStream;
use super::url::{RedisEndpoint, Target};

/// Until there is a connection, without what is said on it.
pub(super) const CONNECT: Duration = Duration::from_millis(500);
/// How an alert of TLS begins, whatever the version.
const ALERT: [u8; 2] = [21, 3];
/// How HTTP answers what it takes for no request; old servers send the page alone.
const HTTP: [&[u8]; 2] = [b"HTTP/", b"<"];
/// Commands are written in pieces of this size.
const WRITE_BUFFER: usize = 64 << 10;

pub(super) struct Connection {
    wire: GrowingReader<ReplyReader>,
    mask: Mask,
    /// AUTH and SELECT, while they have not been sent.
    greeting: Vec<Cmd>,
}

/// Replies that were asked for and not read.
#[must_use]
pub(super) struct PendingReplies {
    /// The first ones are to these commands.
    greeting: Vec<Cmd>,
    count: usize,
    written: io::Result<()>,
}

/// Whether AUTH and SELECT may share the round trip of the first commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The commands only read: if the greeting is refused, nothing has happened.
    Reads,
    /// The commands write: in the right database and as the right user, or not at all.
    Writes,
}

impl Connection {
    /// Connects within the shorter of [`CONNECT`] and `budget`, which is also that of the handshake of
    /// TLS.
    pub(super) fn open(
        target: &Target,
        config: Option<Arc<ClientConfig>>,
        budget: TimeBudget,
    ) -> Result<Self, Error> {
        let line = BudgetedSocket::open(&target.route, CONNECT.min(budget.whole));
        let mut line = line.map_err(|error| of_io(&error))?;
        line.begin(budget);
        let stream = match (&target.route, config) {
            (RedisEndpoint::Tcp { host, tls: true, .. }, Some(config)) => {
                Stream::Tls(Box::new(TlsStream::new(line, host, config)?))
            }
            _ => Stream::Plain(line),
        };
        let wire = GrowingReader::new(ReplyReader { stream, failure: None });
        Ok(Self { wire, mask: target.mask(), greeting: greeting(target) })
    }

    /// Sends `commands` in one go and reads one reply for each. Errors that Redis answers with
    /// stand among the replies. After an `Err` the connection is of no use: an old reply may still
    /// be on its way.
    pub(super) fn exchange(
        &mut self,
        commands: &[impl Encode],
        budget: TimeBudget,
        manner: Manner,
    ) -> Result<Vec<Value>, Error> {
        let pending = self.ask(commands, budget, manner)?;
        self.replies(pending)
    }

    /// Sends `commands` in one go. In a database that needs a greeting those that write come after it
    /// has been accepted.
    pub(super) fn ask(
        &mut self,
        commands: &[impl Encode],
        budget: TimeBudget,
        manner: Manner,
    ) -> Result<PendingReplies, Error> {
        if manner == Manner::Writes {
            self.greet(budget)?;
        }
        let greeting = std::mem::take(&mut self.greeting);
        Ok(self.say(greeting, commands, budget))
    }

    /// Waits until the greeting is accepted, if it was not sent yet.
    pub(super) fn greet(&mut self, budget: TimeBudget) -> Result<(), Error> {
        let greeting = std::mem::take(&mut self.greeting);
        if greeting.is_empty() {
            return Ok(());
        }
        let pending = self.say::<Cmd>(greeting, &[], budget);
        self.replies(pending).map(drop)
    }

    /// Whether the reply has begun, or can't come any more, before `moment`. If not, it can still be
    /// waited for.
    pub(super) fn has_reply_by(&mut self, moment: Instant) -> bool {
        self.wire.get_mut().stream.socket().pause_at(Some(moment));
        let begun = self.wire.fill_buf().map(|said| !said.is_empty());
        let wire = self.wire.get_mut();
        let line = wire.stream.socket();
        line.pause_at(None);
        let waits = begun.is_err()
            && !line.is_over()
            && wire.failure.as_ref().is_some_and(Error::is_timeout);
        if waits {
            wire.failure = None;
        }
        !waits
    }

    /// The replies to what was asked.
    pub(super) fn replies(&mut self, pending: PendingReplies) -> Result<Vec<Value>, Error> {
        let PendingReplies { greeting, count, written } = pending;
        let mut replies = Vec::with_capacity(count);
        while replies.len() < count {
            match self.reply() {
                Ok(reply) => replies.push(reply),
                Err(error) => return Err(parting_word(&greeting, &replies).unwrap_or(error)),
            }
            // A server that takes no more clients says so and hangs up before it is asked.
            if let Err(error) = &written {
                return Err(parting_word(&greeting, &replies).unwrap_or_else(|| of_io(error)));
            }
        }
        let answers = replies.split_off(greeting.len());
        welcome(&greeting, &replies)?;
        Ok(answers)
    }

    /// Sends `commands` and does not wait for replies: the connection ends here.
    pub(super) fn send(mut self, commands: &[Cmd], budget: TimeBudget) -> Result<(), Error> {
        self.begin(budget);
        self.wire.get_mut().stream.say::<Cmd>(commands, &[]).map_err(|error| of_io(&error))
    }

    /// Asks in the words of HTTP, which Redis takes for an unknown command. Without a `Host`, which
    /// it takes for an attack. The connection ends here.
    pub(super) fn speaks_http(mut self, budget: TimeBudget) -> bool {
        self.begin(budget);
        let asked = self.wire.get_mut().stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n");
        asked.is_ok() && self.wire.fill_buf().is_ok_and(|said| not_redis(said) == Error::Http)
    }

    /// Whether it can be used for another exchange.
    pub(super) fn is_idle(&mut self) -> bool {
        self.wire.buffer().is_empty() && self.wire.get_mut().stream.socket().is_idle()
    }

    fn begin(&mut self, budget: TimeBudget) {
        self.wire.get_mut().stream.socket().begin(budget);
    }

    fn say<C: Encode>(
        &mut self,
        greeting: Vec<Cmd>,
        commands: &[C],
        budget: TimeBudget,
    ) -> PendingReplies {
        self.begin(budget);
        let stream = &mut self.wire.get_mut().stream;
        let written = stream.say(&greeting, commands);
        stream.socket().asked();
        PendingReplies { count: greeting.len() + commands.len(), greeting, written }
    }

    fn reply(&mut self) -> Result<Value, Error> {
        read::read(&mut self.wire, &self.mask).map_err(|_| {
            let strange = not_redis(self.wire.buffer());
            let wire = self.wire.get_mut();
            match wire.failure.take().unwrap_or(strange) {
                Error::Lost if wire.stream.socket().has_received() => Error::Truncated,
                failure => failure,
            }
        })
    }
}

/// Who begins an answer like this.
fn not_redis(said: &[u8]) -> Error {
    if said.starts_with(&ALERT) {
        Error::WantsTls
    } else if HTTP.iter().any(|start| said.starts_with(start)) {
        Error::Http
    } else {
        Error::NotRedis
    }
}

fn greeting(target: &Target) -> Vec<Cmd> {
    let mut commands = Vec::new();
    if let Some(password) = &target.password {
        let mut auth = redis::cmd("AUTH");
        if let Some(user) = &target.user {
            auth.arg(user);
        }
        auth.arg(password.reveal());
        commands.push(auth);
    }
    if target.db != 0 {
        let mut select = redis::cmd("SELECT");
        select.arg(target.db);
        commands.push(select);
    }
    commands
}

/// Every word of the greeting must have been accepted.
fn welcome(greeting: &[Cmd], replies: &[Value]) -> Result<(), Error> {
    if let Some(refused) = parting_word(greeting, replies) {
        return Err(refused);
    }
    let accepted = replies.iter().all(|reply| *reply == Value::Okay);
    if accepted { Ok(()) } else { Err(Error::CredentialsRefused) }
}

/// The first error among the replies, of which the first ones are those to the greeting.
fn parting_word(greeting: &[Cmd], replies: &[Value]) -> Option<Error> {
    replies.iter().enumerate().find_map(|(at, reply)| match reply {
        Value::ServerError(error) if greeting.get(at).is_some_and(is_auth) => Some(of_auth(error)),
        Value::ServerError(error) => Some(of_reply(error)),
        _ => None,
    })
}

fn is_auth(command: &Cmd) -> bool {
    matches!(command.args_iter().next(), Some(Arg::Simple(b"AUTH")))
}

enum Stream {
    Plain(BudgetedSocket),
    Tls(Box<TlsStream>),
}

impl Stream {
    fn socket(&mut self) -> &mut BudgetedSocket {
        match self {
            Self::Plain(line) => line,
            Self::Tls(tls) => tls.socket(),
        }
    }

    fn say<C: Encode>(&mut self, greeting: &[Cmd], commands: &[C]) -> io::Result<()> {
        let mut to = BufWriter::with_capacity(WRITE_BUFFER, self);
        greeting.iter().try_for_each(|command| command.speak(&mut to))?;
        commands.iter().try_for_each(|command| command.speak(&mut to))?;
        to.flush()
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(line) => line.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(line) => line.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// Keeps the reason of a failed read in words.
struct ReplyReader {
    stream: Stream,
    failure: Option<Error>,
}

impl Read for ReplyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // The first failure says why: an alert of TLS is read only once.
        if self.failure.is_some() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let got = match &mut self.stream {
            Stream::Plain(line) => line.read(buf),
            Stream::Tls(tls) => tls.read(buf),
        };
        match &got {
            Ok(0) => self.failure = Some(of_io(&io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) => self.failure = Some(of_io(error)),
        }
        got
    }
}
