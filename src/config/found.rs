//! Where settings were found, for whoever wonders why they are as they are.

use crate::doctor::Found;

use super::file::{self, File};
use super::{Global, variable};

/// Every variable that changes what this program does.
const VARIABLES: [&str; 31] = [
    "NOMAD_ADDR",
    "NOMAD_REGION",
    "NOMAD_TOKEN",
    "NOMAD_HTTP_AUTH",
    "NOMAD_CACERT",
    "NOMAD_CAPATH",
    "NOMAD_CLIENT_CERT",
    "NOMAD_CLIENT_KEY",
    "NOMAD_TLS_SERVER_NAME",
    "NOMAD_SKIP_VERIFY",
    "REDIS_URL",
    "NOMAD_CLIENTS_CACHE",
    "NOMAD_CLIENTS_PREFIX",
    "NOMAD_CLIENTS_SHARE",
    "NOMAD_CLIENTS_TTL",
    "NOMAD_CLIENTS_DETAIL_TTL",
    "NOMAD_CLIENTS_CONFIG",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "NO_COLOR",
    "CLICOLOR_FORCE",
    "NOMAD_CLI_NO_COLOR",
    "NOMAD_CLI_FORCE_COLOR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

pub(super) fn found(global: &Global, file: &File, usual: Option<&std::path::Path>) -> Found {
    Found {
        file: file.is_read().then(|| (file::shown(&file.path), file.keys())),
        usual: usual.map(file::shown),
        leaks: file.leaks,
        options: global.typed.iter().filter(|name| !is_own(name)).cloned().collect(),
        variables: VARIABLES.into_iter().filter(|name| variable(name).is_some()).collect(),
    }
}

/// What was typed and is no setting.
fn is_own(name: &str) -> bool {
    ["json", "quiet", "verbose", "Global", "Doctor"].contains(&name)
}
