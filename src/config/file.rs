//! The configuration file: TOML whose keys are the long names of the options.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use toml::de::{self, DeTable};

use crate::error::{Error, Exit, Hinted as _};
use crate::input_file;
use crate::model::selection::node_arg::distance;
use crate::model::text::{display_path, first_line};
use crate::settings::{SETTINGS, Setting, ValueKind};

/// What a file says, each value as the option of that name would be typed.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// `None` = there is no file.
    pub(super) path: Option<PathBuf>,
    /// The value of each key, and the line that holds it.
    pub(super) values: BTreeMap<&'static str, (String, usize)>,
    /// Others may read it.
    pub(super) is_open: bool,
}

impl File {
    /// The file that was named, which must exist, or the user's own, which need not.
    pub(super) fn read(named: Option<&Path>, usual: Option<&Path>) -> Result<Self, Error> {
        let usual = usual.filter(|path| path.exists());
        let Some(path) = named.or(usual) else { return Ok(Self::default()) };
        let text = input_file::read(path, input_file::CONFIG)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned()));
        Self::parse(path, &text.map_err(|why| unreadable(path, &why))?)
    }

    /// What stands in the file `path`.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let wrong = |error: de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            invalid(path, line(text, at), &first_line(error.message(), 200))
        };
        let mut values = BTreeMap::new();
        for (key, value) in DeTable::parse(text).map_err(wrong)?.into_inner() {
            let (name, line) = (key.get_ref(), line(text, key.span().start));
            let Some(setting) = known().find(|known| known.name == name) else {
                let what = format!("unknown key \"{}\"", first_line(name, 60));
                return Err(invalid(path, line, &what).hinted(nearest_keys(name)));
            };
            let value = value.into_deserializer();
            let value = match setting.kind {
                ValueKind::Flag => bool::deserialize(value).map(|truth| truth.to_string()),
                ValueKind::Number => u64::deserialize(value).map(|number| number.to_string()),
                _ => String::deserialize(value),
            };
            values.insert(setting.name, (value.map_err(wrong)?, line));
        }
        Ok(Self { path: Some(path.to_owned()), values, is_open: is_open(path) })
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(value, _)| value.as_str())
    }

    /// In alphabetical order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.values.keys().map(|key| (*key).to_owned()).collect()
    }

    /// Whether this holds of any key and its value.
    pub(super) fn any(&self, test: impl Fn(&str, &str) -> bool) -> bool {
        self.values.iter().any(|(key, (value, _))| test(key, value))
    }

    /// The file and the line that hold `key`.
    pub(super) fn place(&self, key: &str) -> String {
        let line = self.values.get(key).map(|(_, line)| format!(":{line}")).unwrap_or_default();
        format!("{}{line}", self.path.as_deref().map(display_path).unwrap_or_default())
    }
}

fn known() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| setting.in_file)
}

/// Lines count from 1.
fn line(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

fn unreadable(path: &Path, why: &str) -> Error {
    Exit::Config
        .error(format!("cannot read the configuration ({}): {why}", display_path(path)))
        .hinted("repair that file, or name another one with --config FILE")
}

/// The line that is wrong is named, never quoted: it may hold a secret.
fn invalid(path: &Path, line: usize, what: &str) -> Error {
    Exit::Config.error(format!("invalid configuration ({}:{line}): {what}", display_path(path)))
}

/// The known keys that are like this one.
fn nearest_keys(key: &str) -> String {
    let mut near: Vec<(usize, &str)> =
        known().map(|known| (distance(known.name, key), known.name)).collect();
    near.sort_unstable();
    near.retain(|(distance, _)| distance * 3 <= key.len());
    let names: Vec<&str> = near.iter().take(3).map(|(_, name)| *name).collect();
    match names[..] {
        [] => "keys are the long names of the options, without the dashes".to_owned(),
        _ => format!("did you mean {}?", names.join(" or ")),
    }
}

fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o077 != 0)
}
