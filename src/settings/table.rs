//! The table of all settings. A new one is added here and read where it is used.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::secret::Secret;
use crate::nomad::Compress;
use crate::nomad::address::Address;
use crate::render::Format;
use crate::store::CacheMode;

use super::ValueKind::{
    File, Flag, Folder, Number, OneOf, Optional, SecretFile, SortKeys, Text, Texts, Url,
};
use super::checks::{
    concurrency, duration, named, prefix, redis_timeout, redis_url, time_limit, to_bool, to_path,
    to_text,
};
use super::{Setting, Typed};

/// Makes a constant of each row, and the list of all rows. A row is the name of the setting, its
/// check, its summary, and the fields of [`Setting`] that differ from those of most others.
macro_rules! settings {
    ($($id:ident: $type:ty = $name:literal, $check:expr, $summary:literal, $fields:tt;)+) => {
        $(pub(crate) const $id: Typed<$type> = Typed {
            setting: row!($name, $summary, $fields),
            check: $check,
        };)+

        /// All rows, in the order of the help.
        pub const SETTINGS: &[Setting] = &[$($id.setting),+];

        #[cfg(test)]
        const CHECKS: &[fn() -> bool] = &[$(|| {
            let Typed { setting, check } = $id;
            setting.default.is_none_or(|text| check(text).is_ok())
        }),+];
    };
}

macro_rules! row {
    ($name:literal, $summary:literal, { $($field:ident: $value:expr),+ }) => {
        Setting {
            name: $name,
            summary: $summary,
            $($field: $value,)+
            ..Setting {
                name: "",
                short: None,
                kind: Flag,
                variable: None,
                default: None,
                summary: "",
                detail: None,
                only: None,
                heading: Some("Global options"),
                in_file: true,
            }
        }
    };
}

settings! {
    ADDRESS: Address = "address", Address::parse,
        "Connect to Nomad at this http://, https:// or unix:///path URL, keeping its path prefix",
        { kind: Url, short: Some('a'), variable: Some("NOMAD_ADDR"), default: Some("http://127.0.0.1:4646") };
    REGION: String = "region", to_text,
        "Query this region",
        { kind: Text("NAME"), variable: Some("NOMAD_REGION") };
    TOKEN_FILE: PathBuf = "token-file", to_path,
        "Read the ACL token from this file; NOMAD_TOKEN can be used instead",
        {
            kind: SecretFile, variable: Some("NOMAD_TOKEN"),
            detail: Some("There is no option for the token itself, because others can read command lines. FILE may be a named pipe; reading it counts toward --timeout.")
        };
    CA_CERT: PathBuf = "ca-cert", to_path,
        "Trust the certificate authorities in this PEM file for Nomad",
        { kind: File, variable: Some("NOMAD_CACERT") };
    CA_PATH: PathBuf = "ca-path", to_path,
        "Trust the certificate authorities in this directory of PEM files; --ca-cert takes precedence",
        { kind: Folder, variable: Some("NOMAD_CAPATH") };
    CLIENT_CERT: PathBuf = "client-cert", to_path,
        "Present the client certificate in this PEM file to Nomad",
        { kind: File, variable: Some("NOMAD_CLIENT_CERT") };
    CLIENT_KEY: PathBuf = "client-key", to_path,
        "Use the private key in this PEM file with --client-cert",
        { kind: File, variable: Some("NOMAD_CLIENT_KEY") };
    TLS_SERVER_NAME: String = "tls-server-name", to_text,
        "Expect this name in Nomad's certificate",
        { kind: Text("NAME"), variable: Some("NOMAD_TLS_SERVER_NAME") };
    TLS_SKIP_VERIFY: bool = "tls-skip-verify", to_bool,
        "Do not verify Nomad's certificate",
        { kind: Flag, variable: Some("NOMAD_SKIP_VERIFY") };
    REDIS: Secret = "redis", redis_url,
        "Cache in Redis at this redis://, rediss:// or unix:// URL",
        {
            kind: Url, variable: Some("REDIS_URL"), default: Some("redis://localhost:6379/0"),
            detail: Some("valkey://, valkeys:// and redis+unix:// work too. Choose another database with /2 or ?db=2.")
        };
    REDIS_CA_CERT: PathBuf = "redis-ca-cert", to_path,
        "Trust the certificate authorities in this PEM file for Redis",
        { kind: File };
    REDIS_CLIENT_CERT: PathBuf = "redis-client-cert", to_path,
        "Present the client certificate in this PEM file to Redis",
        { kind: File };
    REDIS_CLIENT_KEY: PathBuf = "redis-client-key", to_path,
        "Use the private key in this PEM file with --redis-client-cert",
        { kind: File };
    REDIS_TIMEOUT: Option<Duration> = "redis-timeout", redis_timeout,
        "Wait this long for a silent Redis; auto = as long as a full fetch takes",
        {
            kind: Text("DURATION"), variable: Some("NOMAD_CLIENTS_REDIS_TIMEOUT"), default: Some("auto"),
            detail: Some("auto waits 500ms to 5s, 1s before the first fetch, and at most a third of --timeout. No time limits a reply that keeps coming, except --timeout.")
        };
    CACHE: CacheMode = "cache", |text| named("cache", text, &CACHES),
        "Choose the cache: auto (Redis, or local files without it), redis, local or none",
        {
            kind: OneOf("WHERE", &names(&CACHES)), variable: Some("NOMAD_CLIENTS_CACHE"), default: Some("auto"),
            detail: Some("With redis, runs that cannot use Redis ask Nomad each time.")
        };
    CACHE_PREFIX: String = "cache-prefix", prefix,
        "Name the Redis keys nomad:clients:NAME:… to separate caches in one database",
        { kind: Text("NAME"), variable: Some("NOMAD_CLIENTS_PREFIX") };
    SHARE: bool = "share", |text| named("scope", text, &SHARES),
        "Share the cache per token or per cluster",
        {
            kind: OneOf("SCOPE", &names(&SHARES)), variable: Some("NOMAD_CLIENTS_SHARE"), default: Some("token"),
            detail: Some("With token, only runs that use the same token share a cache. With cluster, all runs do, with any token or none: everyone who can read that Redis sees the nodes, even without node:read.")
        };
    TTL: Duration = "ttl", duration,
        "Use cached answers up to this age; 0s = never",
        { kind: Text("DURATION"), variable: Some("NOMAD_CLIENTS_TTL"), default: Some("60s") };
    DETAIL_TTL: Duration = "detail-ttl", duration,
        "Keep node details this long for incremental updates",
        { kind: Text("DURATION"), variable: Some("NOMAD_CLIENTS_DETAIL_TTL"), default: Some("5m") };
    TIMEOUT: Duration = "timeout", time_limit,
        "Limit the time of the whole command",
        { kind: Text("DURATION"), default: Some("30s") };
    COMPRESS: Compress = "compress", |text| named("mode", text, &COMPRESSES),
        "Request gzip for the node list: auto (except from this machine), always or never",
        { kind: OneOf("WHEN", &names(&COMPRESSES)), default: Some("auto") };
    CONCURRENCY: usize = "concurrency", concurrency,
        "Fetch details of up to N nodes at the same time, 1 to 100",
        {
            kind: Number, default: Some("16"),
            detail: Some("Nomad allows 100 connections per client address, so all runs of a user on one host together open at most 64.")
        };
    CONFIG: PathBuf = "config", to_path,
        "Read this configuration file",
        {
            kind: File, variable: Some("NOMAD_CLIENTS_CONFIG"), in_file: false,
            default: Some("config.toml in the user's configuration directory")
        };
    REQUIRE_TLS: bool = "require-tls", to_bool,
        "Refuse unencrypted connections to other machines",
        { kind: Flag };
    COLOR: Option<bool> = "color", |text| named("mode", text, &COLORS),
        "Use colours: auto (on a terminal), always or never",
        { kind: OneOf("WHEN", &names(&COLORS)), default: Some("auto") };
    SORT: String = "sort", to_text,
        "Sort by these columns, - for descending, e.g. dc,-memory_mb",
        { kind: SortKeys, only: Some("list"), heading: Some("Selection"), default: Some("name,id") };
    OUTPUT: Format = "output", |text| named("format", text, &Format::NAMES),
        "Print in this format",
        {
            kind: OneOf("FORMAT", &names(&Format::NAMES)), short: Some('o'),
            only: Some("list"), heading: Some("Output"), default: Some("table")
        };
    COLUMNS: String = "columns", to_text,
        "Show these columns, e.g. name,dc,meta.rack; +meta.rack adds to the default ones, help lists all",
        { kind: Texts("COLUMNS"), short: Some('c'), only: Some("list"), heading: Some("Output") };
    WATCH: Duration = "watch", duration,
        "Repeat every INTERVAL and show changes",
        {
            kind: Optional("INTERVAL"), short: Some('w'), default: Some("2s"),
            only: Some("list"), heading: None, in_file: false,
            detail: Some("On a terminal the table is redrawn; in a pipe each change is one line of JSON. Without --refresh the cache is read, so a change may take up to --ttl to appear.")
        };
    LISTEN: String = "listen", to_text,
        "Listen on IP:PORT, localhost:PORT, PORT or unix:PATH, port 0 for any free one; repeatable",
        {
            kind: Texts("ADDRESS"), default: Some("127.0.0.1:8080"),
            only: Some("serve"), heading: None, in_file: false
        };
    FOLLOW_INTERVAL: Duration = "follow-interval", duration,
        "Wait at least this long between two lists while nodes change",
        {
            kind: Text("DURATION"), default: Some("500ms"),
            only: Some("serve"), heading: None, in_file: false
        };
    ACCESS_TOKEN_FILE: PathBuf = "access-token-file", to_path,
        "Require clients to present the token in this file",
        {
            kind: SecretFile, variable: Some("NOMAD_CLIENTS_ACCESS_TOKEN"),
            only: Some("serve"), heading: None, in_file: false,
            detail: Some("NOMAD_CLIENTS_ACCESS_TOKEN can be used instead. Needed to listen beyond this machine.")
        };
}

/// Variables without an option; `TERM` is none of them, because every terminal sets it.
pub(super) const OTHER_VARIABLES: [(&str, &str); 16] = [
    ("NOMAD_HTTP_AUTH", "USER:PASSWORD for a proxy in front of Nomad"),
    ("HTTP_PROXY", "HTTP proxy for a Nomad at http://"),
    ("http_proxy", "Like HTTP_PROXY, which takes precedence"),
    ("HTTPS_PROXY", "HTTP proxy for a Nomad at https://"),
    ("https_proxy", "Like HTTPS_PROXY, which takes precedence"),
    ("NO_PROXY", "Hosts, networks and domains to reach without a proxy, separated by commas"),
    ("no_proxy", "Like NO_PROXY, which takes precedence"),
    ("NO_COLOR", "If set, use no colours"),
    ("NOMAD_CLI_NO_COLOR", "Like NO_COLOR"),
    ("CLICOLOR", "If 0, use no colours"),
    ("CLICOLOR_FORCE", "If set and not 0, use colours even without a terminal"),
    ("NOMAD_CLI_FORCE_COLOR", "Like CLICOLOR_FORCE"),
    ("XDG_CACHE_HOME", "Parent of the nomad-clients cache directory [default: ~/.cache]"),
    ("XDG_CONFIG_HOME", "Directory of nomad-clients/config.toml [default: ~/.config]"),
    ("SSL_CERT_FILE", "PEM file with certificate authorities to trust instead of the system's"),
    ("SSL_CERT_DIR", "Directories with CA certificates in PEM files, separated by colons"),
];

const CACHES: [(&str, CacheMode); 4] = [
    ("auto", CacheMode::Auto),
    ("redis", CacheMode::Redis),
    ("local", CacheMode::Local),
    ("none", CacheMode::None),
];
/// Whether all tokens of the cluster share the cache.
const SHARES: [(&str, bool); 2] = [("token", false), ("cluster", true)];
const COMPRESSES: [(&str, Compress); 3] =
    [("auto", Compress::Auto), ("always", Compress::Always), ("never", Compress::Never)];
/// `None` = on a terminal.
const COLORS: [(&str, Option<bool>); 3] =
    [("auto", None), ("always", Some(true)), ("never", Some(false))];

const fn names<T, const N: usize>(values: &[(&'static str, T); N]) -> [&'static str; N] {
    let (mut names, mut at) = ([""; N], 0);
    while at < N {
        names[at] = values[at].0;
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{CHECKS, SETTINGS};

    #[test]
    fn defaults_pass_their_checks() {
        for (setting, passes) in SETTINGS.iter().zip(CHECKS) {
            assert!(passes(), "{setting:?}");
        }
    }
}
