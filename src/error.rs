//! Every way to fail, and its exit code.

use std::io;

use crate::discovery;
use crate::model::selection::find::NotOne;
use crate::model::snapshot::Unreadable;
use crate::model::text::reason;
use crate::nomad;
use crate::serve;
use crate::store::{self, FailureClass};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Wrong usage that only shows after parsing.
    #[error("{what}")]
    Usage { what: String, hint: Option<String> },
    /// The configuration is unreadable or invalid.
    #[error("{what}")]
    Config { what: String, hint: Option<String> },
    #[error(transparent)]
    Discovery(#[from] discovery::Error),
    /// The store that was asked about can't be read.
    #[error("cannot read the cache: {0}")]
    Store(#[from] store::Error),
    /// A NODE that names nothing, or too much.
    #[error("{what}")]
    Node { what: String, hint: Option<String> },
    /// All rows, some without details.
    #[error("{0}")]
    Partial(String),
    /// Nodes are what `--fail-on` says that none may be.
    #[error("{0}")]
    Matched(String),
    /// `doctor` has found a problem, and has told it.
    #[error("there is a problem")]
    Unwell,
    /// Something old may still be served.
    #[error("{what}")]
    NotCleared { what: String, denied: bool },
    /// Nothing is served.
    #[error(transparent)]
    Serve(#[from] serve::Error),
    #[error("cannot write the answer: {}", reason(.0))]
    Output(#[from] io::Error),
}

impl From<NotOne> for Error {
    fn from(NotOne { what, hint, .. }: NotOne) -> Self {
        Self::Node { what, hint }
    }
}

impl From<Unreadable> for Error {
    fn from(error: Unreadable) -> Self {
        Self::Node { what: error.to_string(), hint: Some(Unreadable::HINT.to_owned()) }
    }
}

impl Error {
    /// The table of the README.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            Self::Config { .. } | Self::Serve(serve::Error::Open(_) | serve::Error::Handed(_)) => 3,
            Self::Discovery(error) => discovery_code(error),
            Self::NotCleared { denied: true, .. } => 4,
            Self::NotCleared { denied: false, .. } => 7,
            Self::Partial(_) => 8,
            Self::Matched(_) => 10,
            Self::Store(_)
            | Self::Node { .. }
            | Self::Serve(_)
            | Self::Output(_)
            | Self::Unwell => 1,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Usage { hint, .. } | Self::Config { hint, .. } | Self::Node { hint, .. } => {
                hint.as_deref()
            }
            Self::Discovery(discovery::Error::Nomad(error)) => error.hint.as_deref(),
            Self::Serve(serve::Error::Open(_)) => {
                Some("pass --access-token-file, or --insecure-no-auth if everybody there may read")
            }
            Self::Serve(serve::Error::Handed(_)) => {
                Some("a systemd socket unit needs ListenStream= and Accept=no")
            }
            Self::Partial(_) => Some("try again, or pass --allow-partial to exit with 0"),
            _ => None,
        }
    }

    /// Whoever read has seen enough and closed the pipe: no failure of what was asked.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether what was printed is kept although the command failed.
    pub(crate) fn keeps_output(&self) -> bool {
        matches!(self, Self::Partial(_) | Self::Matched(_) | Self::Unwell)
    }
}

fn discovery_code(error: &discovery::Error) -> u8 {
    match error {
        discovery::Error::Nomad(error) => match error.kind {
            nomad::FailureKind::Denied | nomad::FailureKind::Unauthorized => 4,
            nomad::FailureKind::Outage | nomad::FailureKind::TimedOut => 5,
            nomad::FailureKind::NotNomad => 6,
            nomad::FailureKind::Config => 3,
        },
        discovery::Error::Shared(FailureClass::Denied) => 4,
        discovery::Error::Shared(FailureClass::NotNomad) => 6,
        discovery::Error::Shared(_)
        | discovery::Error::Details { .. }
        | discovery::Error::TimedOut(_)
        | discovery::Error::Unsettled(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;

    use super::Error;
    use crate::discovery;
    use crate::nomad::{self, FailureKind};
    use crate::store::{self, FailureClass};

    /// One error of every kind.
    fn errors() -> Vec<Error> {
        let (what, hint) = (String::new, || None);
        let kinds = [
            FailureKind::Config,
            FailureKind::Denied,
            FailureKind::Unauthorized,
            FailureKind::Outage,
            FailureKind::TimedOut,
            FailureKind::NotNomad,
        ];
        let nomad = |kind| nomad::Error { kind, what: what(), hint: hint() };
        let classes = [
            FailureClass::NotCacheable,
            FailureClass::Denied,
            FailureClass::Outage,
            FailureClass::NotNomad,
        ];
        let mut found: Vec<discovery::Error> =
            kinds.map(|kind| discovery::Error::Nomad(nomad(kind))).into();
        found.extend(classes.map(discovery::Error::Shared));
        found.push(discovery::Error::Unsettled(4));
        let mut errors: Vec<Error> = found.into_iter().map(Error::from).collect();
        errors.extend([
            Error::Usage { what: what(), hint: hint() },
            Error::Config { what: what(), hint: hint() },
            Error::Node { what: what(), hint: hint() },
            Error::Store(store::Error::Refused),
            Error::Output(io::ErrorKind::StorageFull.into()),
            Error::Serve(crate::serve::Error::Open(what())),
            Error::Serve(crate::serve::Error::Listen(what())),
            Error::Serve(crate::serve::Error::Handed(what())),
            Error::Partial(what()),
            Error::Matched(what()),
            Error::Unwell,
            Error::NotCleared { what: what(), denied: true },
            Error::NotCleared { what: what(), denied: false },
        ]);
        errors
    }

    #[test]
    fn exit_codes() {
        let codes: Vec<u8> = errors().iter().map(Error::exit_code).collect();
        assert_eq!(
            codes,
            [3, 4, 4, 5, 5, 6, 5, 4, 5, 6, 5, 2, 3, 1, 1, 1, 3, 1, 3, 8, 10, 1, 4, 7]
        );
    }

    /// 0, 130 and 143 are no errors.
    #[test]
    fn the_readme_tells_every_exit_code_and_no_other() {
        let readme = include_str!("../README.md");
        let (_, table) = readme.split_once("\n## Exit codes\n").unwrap();
        let rows =
            table.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
        let first = rows.map(|row| row.split(" |").next().unwrap());
        let told: BTreeSet<u8> = first.filter_map(|cell| cell.parse().ok()).collect();
        let mut real: BTreeSet<u8> = errors().iter().map(Error::exit_code).collect();
        real.insert(0);
        assert_eq!(told, real);
        assert!(table.contains(
            "\n| 130, 143 | interrupted, terminated (not `serve`, which ends with 0) |\n"
        ));
    }
}
