//! The configuration file: TOML whose keys are the long names of the options.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;

use crate::error::{Error, Exit, Hinted as _};
use crate::host::input_file;
use crate::model::selection::node_arg::distance;
use crate::model::text::first_line;

/// What a file may say. Everything is text, number or truth, checked like the option of that name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) address: Option<String>,
    pub(super) region: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca_cert: Option<PathBuf>,
    pub(super) ca_path: Option<PathBuf>,
    pub(super) client_cert: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
    pub(super) tls_server_name: Option<String>,
    pub(super) tls_skip_verify: Option<bool>,
    pub(super) redis: Option<String>,
    pub(super) redis_ca_cert: Option<PathBuf>,
    pub(super) redis_client_cert: Option<PathBuf>,
    pub(super) redis_client_key: Option<PathBuf>,
    pub(super) cache: Option<String>,
    pub(super) cache_prefix: Option<String>,
    pub(super) share: Option<String>,
    pub(super) ttl: Option<String>,
    pub(super) detail_ttl: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) compress: Option<String>,
    pub(super) concurrency: Option<u64>,
    pub(super) require_tls: Option<bool>,
    pub(super) color: Option<String>,
    pub(super) output: Option<String>,
    pub(super) columns: Option<String>,
    pub(super) sort: Option<String>,
    #[serde(skip)]
    pub(super) path: PathBuf,
    /// Where each key stands.
    #[serde(skip)]
    lines: BTreeMap<String, usize>,
    /// Others may read it, and it holds a password.
    #[serde(skip)]
    pub(super) leaks: bool,
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
        let mut file: Self = toml::from_str(text).map_err(|error| invalid(path, text, &error))?;
        file.leaks = file.holds_password() && is_open(path);
        file.lines = lines(text);
        path.clone_into(&mut file.path);
        Ok(file)
    }

    /// Whether there is a file.
    pub(super) fn is_read(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }

    /// The settings that it holds, in alphabetical order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.lines.keys().cloned().collect()
    }

    /// The keys that may hold one: every other secret stands in a file of its own.
    fn holds_password(&self) -> bool {
        let in_address = self.address.as_ref().is_some_and(|url| url.contains('@'));
        let in_redis =
            self.redis.as_ref().is_some_and(|url| url.contains('@') || url.contains("pass="));
        in_address || in_redis
    }

    /// The file and the line that hold `key`.
    pub(super) fn place(&self, key: &str) -> String {
        let line = self.lines.get(key).map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}", shown(&self.path))
    }
}

fn lines(text: &str) -> BTreeMap<String, usize> {
    let table = DeTable::parse(text).map(Spanned::into_inner).unwrap_or_default();
    table.keys().map(|key| (key.get_ref().to_string(), line(text, key.span().start))).collect()
}

/// Lines count from 1.
fn line(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

fn unreadable(path: &Path, why: &str) -> Error {
    Exit::Config
        .error(format!("cannot read the configuration ({}): {why}", shown(path)))
        .hinted("repair that file, or name another one with --config FILE")
}

/// The line that is wrong is named, never quoted: it may hold a secret.
fn invalid(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = line(text, error.span().map_or(0, |span| span.start));
    let unknown = unknown_key(error.message());
    let what = match &unknown {
        Some((key, _)) => format!("unknown key \"{}\"", first_line(key, 60)),
        None => first_line(error.message(), 200),
    };
    let error =
        Exit::Config.error(format!("invalid configuration ({}:{line}): {what}", shown(path)));
    match unknown {
        Some((_, hint)) => error.hinted(hint),
        None => error,
    }
}

/// The key that serde calls an unknown field, and the known ones that are like it.
fn unknown_key(message: &str) -> Option<(String, String)> {
    let words: Vec<&str> = message.strip_prefix("unknown field ")?.split('`').collect();
    let (key, known) = (*words.get(1)?, words.iter().skip(3).step_by(2));
    let mut near: Vec<(usize, &str)> = known.map(|known| (distance(known, key), *known)).collect();
    near.sort_unstable();
    near.retain(|(distance, _)| distance * 3 <= key.len());
    let names: Vec<&str> = near.iter().take(3).map(|(_, name)| *name).collect();
    let hint = match names[..] {
        [] => "keys are the long names of the options, without the dashes".to_owned(),
        _ => format!("did you mean {}?", names.join(" or ")),
    };
    Some((key.to_owned(), hint))
}

fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o077 != 0)
}

pub(super) fn shown(path: &Path) -> String {
    first_line(&path.to_string_lossy(), 400)
}
