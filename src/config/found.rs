//! Where settings were found, for whoever wonders why they are as they are.

use std::path::Path;

use crate::doctor::Provenance;

use super::file::{self, File};
use super::{Global, variable};

/// Every variable that changes what this program does, and the key of the file that it overrules; without
/// `TERM`, which every terminal sets.
const VARIABLES: [(&str, &str); 33] = [
    ("NOMAD_ADDR", "address"),
    ("NOMAD_REGION", "region"),
    ("NOMAD_TOKEN", "token-file"),
    ("NOMAD_HTTP_AUTH", ""),
    ("NOMAD_CACERT", "ca-cert"),
    ("NOMAD_CAPATH", "ca-path"),
    ("NOMAD_CLIENT_CERT", "client-cert"),
    ("NOMAD_CLIENT_KEY", "client-key"),
    ("NOMAD_TLS_SERVER_NAME", "tls-server-name"),
    ("NOMAD_SKIP_VERIFY", "tls-skip-verify"),
    ("REDIS_URL", "redis"),
    ("NOMAD_CLIENTS_CACHE", "cache"),
    ("NOMAD_CLIENTS_PREFIX", "cache-prefix"),
    ("NOMAD_CLIENTS_SHARE", "share"),
    ("NOMAD_CLIENTS_TTL", "ttl"),
    ("NOMAD_CLIENTS_DETAIL_TTL", "detail-ttl"),
    ("NOMAD_CLIENTS_CONFIG", ""),
    ("HTTP_PROXY", ""),
    ("http_proxy", ""),
    ("HTTPS_PROXY", ""),
    ("https_proxy", ""),
    ("NO_PROXY", ""),
    ("no_proxy", ""),
    ("NO_COLOR", ""),
    ("NOMAD_CLIENTS_ACCESS_TOKEN", ""),
    ("CLICOLOR", ""),
    ("CLICOLOR_FORCE", ""),
    ("NOMAD_CLI_NO_COLOR", ""),
    ("NOMAD_CLI_FORCE_COLOR", ""),
    ("XDG_CACHE_HOME", ""),
    ("XDG_CONFIG_HOME", ""),
    ("SSL_CERT_FILE", ""),
    ("SSL_CERT_DIR", ""),
];

pub(super) fn found(global: &Global, file: &File, usual: Option<&Path>) -> Provenance {
    let set = VARIABLES.into_iter().filter(|(name, _)| variable(name).is_some());
    let set: Vec<(&str, &str)> = set.collect();
    let typed = |key: &String| global.typed.contains(key).then(|| format!("--{key}"));
    let said = |key: &String| {
        let variable = set.iter().find(|(_, overruled)| overruled == key);
        variable.map(|(name, _)| (*name).to_owned())
    };
    let keys = file.keys();
    let overruled = keys.iter().filter_map(|key| Some((key.clone(), typed(key).or(said(key))?)));
    Provenance {
        overruled: overruled.collect(),
        file: file.is_read().then(|| (file::shown(&file.path), keys)),
        usual: usual.map(file::shown),
        leaks: file.leaks,
        exposed: Vec::new(),
        options: global.typed.iter().filter(|name| !is_own(name)).cloned().collect(),
        variables: set.iter().map(|(name, _)| *name).collect(),
    }
}

/// What was typed and is no setting.
fn is_own(name: &str) -> bool {
    ["json", "quiet", "verbose", "Global", "Doctor"].contains(&name)
}
