//! Why a store could not do a step: callers tell the causes apart by type, the text is for people only.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::host::FolderError;
use crate::model::format::limit;

/// What a user needs to fill the cache.
pub const ACL: &str = "~nomad:clients* -@all +mget +get +set +del +hgetall +hset +hdel +hlen +strlen +getrange +pexpire +pttl +time +eval +hincrby +expire +hmget +copy";

/// Why a store could not do a step. The text is one line without credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The URL of Redis is not valid: why, without any part of it.
    #[error("the Redis URL {0}")]
    Address(&'static str),
    /// Nothing listens there, or the socket's file is gone.
    #[error("connection refused")]
    Refused,
    /// There is no route to it.
    #[error("host unreachable")]
    Unreachable,
    /// This user may not open the socket.
    #[error("permission denied")]
    SocketDenied,
    #[error("the host name cannot be resolved")]
    NoSuchHost,
    /// It did not answer in time.
    #[error("timed out after {}", limit(*after))]
    TimedOut { after: Duration },
    /// The same after the greeting of TLS: a server without TLS often just waits for more.
    #[error("timed out after {} (TLS handshake)", limit(*after))]
    HandshakeTimedOut { after: Duration },
    /// It did not answer an earlier run, and was not asked again yet.
    #[error("timed out a moment ago; not tried again yet")]
    Silent,
    /// It was there and hung up without a word.
    #[error("connection lost")]
    Lost,
    /// It hung up in the midst of a reply.
    #[error("connection lost in the middle of a reply")]
    Truncated,
    /// Another failure of the connection, in the system's words.
    #[error("{0}")]
    Connection(String),
    #[error("tls: {0}")]
    Tls(TlsFailure),
    /// It answered plain Redis with an alert of TLS.
    #[error("the server uses TLS: use rediss://")]
    WantsTls,
    #[error("not a Redis server")]
    NotRedis,
    /// An HTTP server listens there.
    #[error("an HTTP server, not a Redis server")]
    Http,
    /// A Sentinel, which watches over Redis servers and holds no data.
    #[error("a Redis Sentinel, which holds no data")]
    Sentinel,
    /// It is there and asks for patience; nothing was done.
    #[error("busy: {0}")]
    Busy(Busy),
    #[error("Redis has reached maxclients")]
    MaxClients,
    #[error("Redis rejected the credentials")]
    CredentialsRefused,
    /// This user was not granted a command or a key.
    #[error("{}", forbidden(.0))]
    NoRight(MissingRight),
    /// This server does not have the command, whoever asks.
    #[error("{} is not supported (a proxy?)", .0.as_deref().unwrap_or("a command of the scripts"))]
    NoCommand(Option<String>),
    /// An earlier run found that it does not have the command; it was not asked again yet.
    #[error("{} is not supported (a proxy?)", .0.as_deref().unwrap_or("a command of the scripts"))]
    Unfit(Option<String>),
    #[error("Redis is out of memory")]
    OutOfMemory,
    #[error("Redis is a read-only replica")]
    Replica,
    #[error("Redis cannot save and rejects writes (MISCONF)")]
    CannotSave,
    #[error("Redis has too few replicas and rejects writes (NOREPLICAS)")]
    TooFewReplicas,
    /// Part of a Redis Cluster; the code that said so.
    #[error("Redis is a cluster ({0}); redis-cluster:// is not supported")]
    Cluster(&'static str),
    /// No replica has said in this time that it has it too.
    #[error("no replica confirmed it within {}", limit(*within))]
    Unconfirmed { within: Duration },
    /// Another error of Redis, or of who answers in its place: its code and its words.
    #[error("{}", said(code, text))]
    Answered { code: String, text: String },
    /// A reply that is not the protocol's; its words.
    #[error("unexpected reply: {0}")]
    Unexpected(String),
    /// This user has no home.
    #[error("no home directory")]
    NoHome,
    #[error("{0}")]
    Folder(FolderError),
    /// The files of the cache can't be changed; cause.
    #[error("{0}")]
    Files(String),
}

/// The kinds of failure that decide how a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Refused, no such host, TLS, timed out, loading, not a Redis server: use another store.
    Unavailable,
    /// The credentials were refused.
    Credentials,
    /// Reading works, this step is not permitted.
    Forbidden,
    /// Reading works, writing does not (read-only, out of memory): fetch, cache nothing.
    ReadOnly,
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::CredentialsRefused => ErrorKind::Credentials,
            Self::NoRight(_) => ErrorKind::Forbidden,
            Self::OutOfMemory
            | Self::Replica
            | Self::CannotSave
            | Self::TooFewReplicas
            | Self::Files(_) => ErrorKind::ReadOnly,
            _ => ErrorKind::Unavailable,
        }
    }

    /// Whether it stayed silent until the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::HandshakeTimedOut { .. })
    }

    /// Whether there was no connection to ask anything.
    pub fn is_unreachable(&self) -> bool {
        self.is_timeout()
            || matches!(
                self,
                Self::Refused
                    | Self::Unreachable
                    | Self::SocketDenied
                    | Self::NoSuchHost
                    | Self::Silent
                    | Self::Lost
                    | Self::Truncated
                    | Self::Connection(_)
                    | Self::Tls(_)
            )
    }

    /// Whether it heard what it was asked, and refused.
    pub fn is_answer(&self) -> bool {
        self.kind() != ErrorKind::Unavailable
            || matches!(
                self,
                Self::NoCommand(_) | Self::Answered { .. } | Self::Unexpected(_) | Self::Cluster(_)
            )
    }

    /// Whether a script was begun and then met a command or key that it may not or can't use.
    pub fn is_within_script(&self) -> bool {
        match self {
            Self::NoCommand(None) | Self::NoRight(MissingRight::InScript | MissingRight::Keys) => {
                true
            }
            // Redis 6 names the command of the script.
            Self::NoRight(MissingRight::Command(name)) => !name.eq_ignore_ascii_case("eval"),
            _ => false,
        }
    }

    /// Whether the same may succeed in a moment.
    pub fn may_pass(&self) -> bool {
        self.is_timeout() || matches!(self, Self::Busy(_) | Self::Lost | Self::Truncated)
    }

    /// What failed, without what to do about it.
    pub fn what(&self) -> String {
        match self {
            Self::Tls(tls) => tls.why().to_owned(),
            other => other.to_string(),
        }
    }

    /// What to do about it, where the failure itself says that.
    pub fn cure(&self) -> Option<&str> {
        match self {
            Self::Tls(tls) => tls.cure(),
            _ => None,
        }
    }
}

/// How it travels through reads and writes.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = if error.is_timeout() { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
        Self::new(kind, error)
    }
}

/// Why TLS failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFailure {
    /// The port does not speak TLS.
    Plain,
    /// It hung up in the handshake.
    Lost,
    /// A file of ours can't be used; nothing was sent.
    Files(String),
    /// The handshake failed: why, and what to do about it.
    Handshake { why: String, cure: String },
}

impl TlsFailure {
    fn why(&self) -> &str {
        match self {
            Self::Plain => "the port does not speak TLS",
            Self::Lost => "connection lost during the handshake",
            Self::Files(why) | Self::Handshake { why, .. } => why,
        }
    }

    fn cure(&self) -> Option<&str> {
        match self {
            Self::Plain | Self::Files(_) => None,
            Self::Lost => Some(
                "check the Redis log; if it requires a client certificate, pass --redis-client-cert and --redis-client-key",
            ),
            Self::Handshake { cure, .. } => Some(cure),
        }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cure() {
            Some(cure) => write!(f, "{}: {cure}", self.why()),
            None => f.write_str(self.why()),
        }
    }
}

/// What a server asks for patience with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    Loading,
    /// A script of somebody's does not end.
    Script,
    /// A replica without its primary.
    MasterDown,
    ClusterDown,
    TryAgain,
}

impl Busy {
    /// What stands in front of the error.
    pub fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "LOADING" => Self::Loading,
            "BUSY" => Self::Script,
            "MASTERDOWN" => Self::MasterDown,
            "CLUSTERDOWN" => Self::ClusterDown,
            "TRYAGAIN" => Self::TryAgain,
            _ => return None,
        })
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loading => "LOADING",
            Self::Script => "BUSY",
            Self::MasterDown => "MASTERDOWN",
            Self::ClusterDown => "CLUSTERDOWN",
            Self::TryAgain => "TRYAGAIN",
        })
    }
}

/// What a user was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingRight {
    Command(String),
    /// A command of a script, which Redis does not name.
    InScript,
    Keys,
}

fn forbidden(lack: &MissingRight) -> String {
    let what = match lack {
        MissingRight::Command(name) => name,
        MissingRight::InScript => "a command of the script",
        MissingRight::Keys => "access to the keys nomad:clients*",
    };
    // Only a database other than 0 needs it.
    let select = if what == "select" { " +select" } else { "" };
    format!("Redis does not permit {what} (the user needs {ACL}{select})")
}

fn said(code: &str, text: &str) -> String {
    match (code, text) {
        (_, "") => format!("Redis answered {code}"),
        ("ERR", text) => text.to_owned(),
        _ => format!("{code} {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, ErrorKind, TlsFailure};

    /// Whatever a server says, it can't pass for another cause.
    #[test]
    fn the_words_of_a_server_decide_nothing() {
        for text in
            ["refused", "timed out after lunch", "busy: LOADING", "connection lost", "tls: x"]
        {
            let error = Error::Answered { code: "ERR".to_owned(), text: text.to_owned() };
            assert_eq!(error.to_string(), text);
            assert!(!error.may_pass() && error.kind() == ErrorKind::Unavailable, "{text}");
        }
    }

    #[test]
    fn what_failed_and_what_to_do_are_two() {
        let (why, cure) = ("expired".to_owned(), "renew it".to_owned());
        let error = Error::Tls(TlsFailure::Handshake { why, cure });
        assert_eq!(error.to_string(), "tls: expired: renew it");
        assert_eq!((error.what().as_str(), error.cure()), ("expired", Some("renew it")));
    }
}
