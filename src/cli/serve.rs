//! The options of `serve`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Each works as it stands.
pub(super) const EXAMPLES: &str = "\
Examples:
  nomad-clients serve
  nomad-clients serve --listen 127.0.0.1:0 --listen unix:/run/user/1000/nomad-clients.sock
  nomad-clients serve --listen 0.0.0.0:8080 --access-token-file token \\\n      --allowed-host nodes.example.com
  nomad-clients serve --listen unix:/run/nomad-clients.sock --listen-group www-data \\\n      --allowed-host nodes.example.com --base-path /tools/nodes";

#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen: IP:PORT, localhost:PORT, PORT or unix:PATH; port 0 takes a free one; repeatable [default: 127.0.0.1:8080]
    #[arg(long, value_name = "WHERE")]
    pub listen: Vec<String>,

    /// Mode of a unix socket that --listen makes, in octal [default: 0600, or 0660 with --listen-group]
    #[arg(long, value_name = "MODE")]
    pub listen_mode: Option<String>,

    /// Group (name or ID) of a unix socket that --listen makes; its members may connect
    #[arg(long, value_name = "GROUP")]
    pub listen_group: Option<String>,

    /// File with the token that everybody must know (else the variable NOMAD_CLIENTS_ACCESS_TOKEN); needed beyond this machine
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub access_token_file: Option<PathBuf>,

    /// Listen beyond this machine without a token: everybody there reads the nodes and clears the cache
    #[arg(long, conflicts_with = "access_token_file")]
    pub insecure_no_auth: bool,

    /// Additional host name to accept, with any port, or NAME:PORT, such as that of a reverse proxy; repeatable
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname)]
    pub allowed_host: Vec<String>,

    /// Serve everything below this path, for a reverse proxy that passes it on, like /tools/nodes
    #[arg(long, value_name = "PATH")]
    pub base_path: Option<String>,

    /// Do not follow Nomad: ask only when somebody asks here and the cache is old
    #[arg(long, conflicts_with = "follow_interval")]
    pub no_follow: bool,

    /// Shortest time between two lists while nodes change [default: 500ms]
    #[arg(long, value_name = "DURATION")]
    pub follow_interval: Option<String>,
}
