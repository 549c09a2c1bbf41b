//! How a command fails: the exit code and the hint of whatever went wrong.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;

pub(crate) use anyhow::Error;

use crate::discovery;
use crate::model::selection::node_arg::NodeArgError;
use crate::model::snapshot::Unreadable;
use crate::nomad::FailureKind;
use crate::serve;
use crate::store::FailureClass;

/// The exit codes of a failure, as the README lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    Config = 3,
    Denied = 4,
    Unreachable = 5,
    NotNomad = 6,
    NotCleared = 7,
    Partial = 8,
    Matched = 10,
}

impl Exit {
    /// A failure that ends the program with this code.
    pub(crate) fn error(self, text: impl Display) -> Error {
        Failure { exit: self, text: text.to_string() }.into()
    }

    /// The code of an error, whatever context was added to it.
    pub(crate) fn of(error: &Error) -> Self {
        if let Some(failure) = find::<Failure>(error) {
            failure.exit
        } else if let Some(error) = find::<discovery::Error>(error) {
            Self::of_discovery(error)
        } else if matches!(find(error), Some(serve::Error::Open(_) | serve::Error::Handed(_))) {
            Self::Config
        } else {
            Self::Failed
        }
    }

    fn of_discovery(error: &discovery::Error) -> Self {
        match error {
            discovery::Error::Nomad(error) => match error.kind {
                FailureKind::Denied | FailureKind::Unauthorized => Self::Denied,
                FailureKind::Outage | FailureKind::TimedOut => Self::Unreachable,
                FailureKind::NotNomad => Self::NotNomad,
                FailureKind::Config => Self::Config,
            },
            discovery::Error::Shared(FailureClass::Denied) => Self::Denied,
            discovery::Error::Shared(FailureClass::NotNomad) => Self::NotNomad,
            discovery::Error::Shared(_)
            | discovery::Error::Details { .. }
            | discovery::Error::TimedOut(_)
            | discovery::Error::Unsettled(_) => Self::Unreachable,
        }
    }
}

/// A failure that no part below has a type for.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Failure {
    exit: Exit,
    text: String,
}

/// `doctor` has found a problem and has reported it.
#[derive(Debug, thiserror::Error)]
#[error("there is a problem")]
pub(crate) struct ProblemFound;

/// An error, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
struct HintedError {
    error: Error,
    hint: Cow<'static, str>,
}

/// Chains a hint onto an error.
pub(crate) trait Hinted {
    /// `hint` is shown on a line of its own.
    fn hinted(self, hint: impl Into<Cow<'static, str>>) -> Self;
}

impl Hinted for Error {
    fn hinted(self, hint: impl Into<Cow<'static, str>>) -> Self {
        HintedError { error: self, hint: hint.into() }.into()
    }
}

/// What to do about an error.
pub(crate) fn hint(error: &Error) -> Option<Cow<'_, str>> {
    if let Some(hinted) = error.downcast_ref::<HintedError>() {
        return Some(Cow::Borrowed(&hinted.hint));
    }
    if let Some(discovery::Error::Nomad(error)) = find(error) {
        return error.hint.as_deref().map(Cow::Borrowed);
    }
    if let Some(error) = find::<NodeArgError>(error) {
        return error.hint().map(Cow::Owned);
    }
    if find::<Unreadable>(error).is_some() {
        return Some(Unreadable::HINT.into());
    }
    let hint = match find(error)? {
        serve::Error::Open(_) => {
            "pass --access-token-file, or --insecure-no-auth if anyone there may read"
        }
        serve::Error::Handed(_) => "a systemd socket unit needs ListenStream= and Accept=no",
        _ => return None,
    };
    Some(hint.into())
}

/// The reader closed the pipe because it has seen enough: that is not a failure.
pub(crate) fn is_closed_pipe(error: &Error) -> bool {
    find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether what was printed is kept although the command failed.
pub(crate) fn keeps_output(error: &Error) -> bool {
    matches!(Exit::of(error), Exit::Partial | Exit::Matched) || error.is::<ProblemFound>()
}

/// The error of this type, under any context and hint.
fn find<T: Display + std::fmt::Debug + Send + Sync + 'static>(error: &Error) -> Option<&T> {
    error.downcast_ref().or_else(|| find(&error.downcast_ref::<HintedError>()?.error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;

    use anyhow::Error;

    use super::{Exit, Hinted as _, ProblemFound, hint, is_closed_pipe};
    use crate::discovery;
    use crate::nomad::{self, FailureKind};
    use crate::serve;
    use crate::store::{self, FailureClass};

    /// One error of every kind.
    fn errors() -> Vec<Error> {
        let kinds = [
            FailureKind::Config,
            FailureKind::Denied,
            FailureKind::Unauthorized,
            FailureKind::Outage,
            FailureKind::TimedOut,
            FailureKind::NotNomad,
        ];
        let nomad = |kind| nomad::Error::new(kind, "");
        let classes = [
            FailureClass::NotCacheable,
            FailureClass::Denied,
            FailureClass::Outage,
            FailureClass::NotNomad,
        ];
        let mut errors: Vec<Error> =
            kinds.map(|kind| discovery::Error::Nomad(nomad(kind)).into()).into();
        errors.extend(classes.map(|class| discovery::Error::Shared(class).into()));
        errors.push(discovery::Error::Unsettled(4).into());
        errors.extend([
            Exit::Usage.error(""),
            Exit::NotCleared.error(""),
            Exit::Partial.error(""),
            Exit::Matched.error(""),
            store::Error::Refused.into(),
            io::Error::from(io::ErrorKind::StorageFull).into(),
            serve::Error::Open(String::new()).into(),
            serve::Error::Listen(String::new()).into(),
            serve::Error::Handed(String::new()).into(),
            ProblemFound.into(),
        ]);
        errors
    }

    #[test]
    fn exit_codes() {
        let codes: Vec<u8> = errors().iter().map(|error| Exit::of(error) as u8).collect();
        let (nomad, shared) = ([3, 4, 4, 5, 5, 6], [5, 4, 5, 6, 5]);
        let others = [2, 7, 8, 10, 1, 1, 3, 1, 3, 1];
        assert_eq!(codes, [&nomad[..], &shared, &others].concat());
    }

    #[test]
    fn context_and_hints_hide_neither_code_nor_text() {
        for error in errors() {
            let (code, text) = (Exit::of(&error), format!("{error:#}"));
            let error = error.context("inner").hinted("do this").context("outer");
            assert_eq!(Exit::of(&error), code);
            assert_eq!(format!("{error:#}"), format!("outer: inner: {text}"));
            assert_eq!(hint(&error).as_deref(), Some("do this"));
        }
        let closed: Error = io::Error::from(io::ErrorKind::BrokenPipe).into();
        assert!(is_closed_pipe(&closed.context("writing").hinted("read on")));
    }

    /// 0, 130 and 143 are no errors.
    #[test]
    fn the_readme_lists_every_exit_code_and_no_other() {
        let readme = include_str!("../README.md");
        let (_, table) = readme.split_once("\n## Exit codes\n").unwrap();
        let rows =
            table.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
        let first = rows.map(|row| row.split(" |").next().unwrap());
        let told: BTreeSet<u8> = first.filter_map(|cell| cell.parse().ok()).collect();
        let mut real: BTreeSet<u8> = errors().iter().map(|error| Exit::of(error) as u8).collect();
        real.insert(0);
        assert_eq!(told, real);
        assert!(table.contains(
            "\n| 130, 143 | interrupted, terminated (not `serve`, which ends with 0) |\n"
        ));
    }
}
