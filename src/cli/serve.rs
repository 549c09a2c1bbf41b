//! The options of `serve`.

use clap::{Args, ValueHint};

/// Each works as it stands.
pub(super) const EXAMPLES: &str = "\
Examples:
  nomad-clients serve
  nomad-clients serve --listen 127.0.0.1:0 --listen unix:/run/user/1000/nc.sock
  nomad-clients serve --listen 0.0.0.0:8080 --access-token-file token \\
      --allowed-host nodes.example.com
  nomad-clients serve --listen unix:/run/nc.sock --listen-group www-data \\
      --allowed-host nodes.example.com --base-path /tools/nodes";

#[derive(Debug, Args)]
pub struct Serve {
    /// Create unix sockets with this octal mode [default: 0600, or 0660 with --listen-group]
    #[arg(long, value_name = "MODE")]
    pub listen_mode: Option<String>,

    /// Let members of this group (name or ID) connect to unix sockets
    #[arg(long, value_name = "GROUP")]
    pub listen_group: Option<String>,

    /// Listen beyond this machine without a token: anyone there can read the nodes and clear the cache
    #[arg(long, conflicts_with = "access-token-file")]
    pub insecure_no_auth: bool,

    /// Accept this additional host name, with any port or as NAME:PORT, e.g. of a reverse proxy; repeatable
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname)]
    pub allowed_host: Vec<String>,

    /// Serve everything below this path, e.g. /tools/nodes, for a reverse proxy that does not strip it
    #[arg(long, value_name = "PATH")]
    pub base_path: Option<String>,

    /// Do not follow Nomad; ask it only for requests that find the cache stale
    #[arg(long, conflicts_with = "follow-interval")]
    pub no_follow: bool,
}
