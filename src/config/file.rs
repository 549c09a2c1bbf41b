//! The configuration file: TOML whose keys are the long names of the options.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
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
    #[serde(skip)]
    pub(super) path: PathBuf,
    /// Others may read it, and it holds a password.
    #[serde(skip)]
    pub(super) leaks: bool,
}

impl File {
    /// The file that was named, which must exist, or the user's own, which need not.
    pub(super) fn read(named: Option<&Path>, usual: Option<&Path>) -> Result<Self, Error> {
        let (path, text) = match (named, usual) {
            (Some(path), _) => (path, fs::read_to_string(path)),
            (None, Some(path)) if path.exists() => (path, fs::read_to_string(path)),
            _ => return Ok(Self::default()),
        };
        let text = text.map_err(|error| unreadable(path, &error))?;
        let mut file: Self = toml::from_str(&text).map_err(|error| invalid(path, &text, &error))?;
        let secret =
            file.redis.as_ref().is_some_and(|url| url.contains('@') || url.contains("pass="));
        file.leaks = secret && is_open(path);
        path.clone_into(&mut file.path);
        Ok(file)
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let why = error.to_string();
    let why = why.split(" (os error").next().unwrap_or_default().to_lowercase();
    Error::Config {
        what: format!("cannot read the configuration ({}): {why}", shown(path)),
        hint: Some("pass --config FILE, or unset NOMAD_CLIENTS_CONFIG".to_owned()),
    }
}

/// The line that is wrong is named, never quoted: it may hold a secret.
fn invalid(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start);
    let line =
        text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
    let message = error.message();
    let what = message.split(", expected one of").next().unwrap_or(message);
    let hint = "keys are the long names of the options, without the dashes: address, token-file, redis, ttl, …";
    Error::Config {
        what: format!("invalid configuration ({}:{line}): {}", shown(path), first_line(what, 200)),
        hint: what.starts_with("unknown field").then(|| hint.to_owned()),
    }
}

fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o077 != 0)
}

pub(super) fn shown(path: &Path) -> String {
    first_line(&path.to_string_lossy(), 400)
}
