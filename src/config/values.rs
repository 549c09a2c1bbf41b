//! Each setting from where it was said: option, variable, file, default.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::cli::Given;
use crate::error::{Error, Exit};
use crate::settings::{Setting, Typed, ValueKind, truth};

use super::file::File;

/// Where a value was said: decides the words and the exit code of a mistake.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// `--ttl`
    Typed(&'a str),
    /// `NOMAD_CLIENTS_TTL`
    Variable(&'a str),
    /// `ttl`, and the file that says it.
    File(&'a str, &'a File),
}

impl Origin<'_> {
    /// `why` says what the value must be. Values are shown only where they can't be secrets.
    pub(crate) fn error(self, why: &str) -> Error {
        match self {
            Self::Typed(_) => Exit::Usage.error(format!("invalid value for {self}: {why}")),
            Self::Variable(_) => Exit::Config.error(format!("invalid value of {self}: {why}")),
            Self::File(key, _) => {
                Exit::Config.error(format!("invalid configuration ({self}): {key}: {why}"))
            }
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(option) => write!(f, "--{option}"),
            Self::Variable(name) => f.write_str(name),
            Self::File(key, file) => f.write_str(&file.place(key)),
        }
    }
}

/// All that was said, unchecked.
pub(crate) struct Values {
    pub(super) given: Given,
    pub(super) file: File,
}

impl Values {
    /// What counts of all that was said, and where.
    pub(super) fn found(&self, setting: &Setting) -> Option<(Vec<OsString>, Origin<'_>)> {
        if let Some(typed) = self.given.values(setting) {
            return Some((typed, Origin::Typed(setting.name)));
        }
        // The official command line ignores what is no truth value.
        let counts = |text: &OsString| {
            setting.kind != ValueKind::Flag || text.to_str().and_then(truth).is_some()
        };
        let said = setting.variable.and_then(|name| Some((set(name).filter(counts)?, name)));
        if let Some((text, name)) = said {
            return Some((vec![text], Origin::Variable(name)));
        }
        let text = self.file.value(setting.name)?;
        Some((vec![text.into()], Origin::File(setting.name, &self.file)))
    }

    /// The same as texts: more than one only if the option was typed more than once.
    pub(crate) fn texts<T>(
        &self,
        of: &Typed<T>,
    ) -> Result<Option<(Vec<String>, Origin<'_>)>, Error> {
        let Some((values, origin)) = self.found(&of.setting) else { return Ok(None) };
        let texts: Result<Vec<String>, OsString> =
            values.into_iter().map(OsString::into_string).collect();
        let what = || format!("the variable {origin} is not UTF-8");
        let texts = texts.map_err(|_| Exit::Usage.error(what()))?;
        Ok(Some((texts, origin)))
    }

    /// What was said; `None` if nothing was.
    pub(crate) fn given<T>(&self, of: &Typed<T>) -> Result<Option<T>, Error> {
        let Some((texts, origin)) = self.texts(of)? else { return Ok(None) };
        let text = texts.last().map(String::as_str).unwrap_or_default();
        (of.check)(text).map(Some).map_err(|why| origin.error(&why))
    }

    /// What was said, or the default.
    pub(super) fn value<T>(&self, of: &Typed<T>) -> Result<T, Error> {
        let default = || (of.check)(of.setting.default.unwrap_or_default());
        let default = || default().map_err(|why| Exit::Config.error(why));
        self.given(of)?.map_or_else(default, Ok)
    }

    /// A path, which need not be UTF-8, or what a variable holds in its stead.
    pub(super) fn raw(&self, of: &Typed<PathBuf>) -> Option<(OsString, Origin<'_>)> {
        let (values, origin) = self.found(&of.setting)?;
        Some((values.into_iter().last()?, origin))
    }

    pub(super) fn path(&self, of: &Typed<PathBuf>) -> Option<PathBuf> {
        self.raw(of).map(|(path, _)| path.into())
    }

    pub(crate) fn is_typed(&self, setting: &Setting) -> bool {
        self.given.values(setting).is_some()
    }
}

/// A variable that is set; empty counts as unset.
fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The same as text.
pub(super) fn variable(name: &str) -> Option<String> {
    set(name).map(|value| value.to_string_lossy().into_owned())
}
