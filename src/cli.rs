//! What may be typed: commands, options and their help, nothing else.

mod complete;
mod list;
mod serve;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write as _};
use std::path::PathBuf;

use clap::error::{ContextKind, ErrorKind as Wrong};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueHint};

use crate::model::text::sanitised;
use crate::render::stdout;

pub use clap_complete::Shell;
pub use complete::{Word, complete};
pub use list::{Filters, List};
pub use serve::Serve;

/// Each works as it stands, here and where a command has its own.
const EXAMPLES: &str = "\
Examples:
  nomad-clients list
  nomad-clients show worker-3
  nomad-clients list --status down,disconnected
  nomad-clients list --address https://nomad.example.com:4646 --json
  nomad-clients serve";

/// List the client nodes of a Nomad cluster from a cache that tells its age
///
/// The first run fetches everything from Nomad. Later runs are answered from Redis, or from local
/// files if there is no Redis, and fetch only the nodes that changed.
#[derive(Debug, Parser)]
#[command(name = "nomad-clients", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the nodes, from the cache while it is fresh
    ///
    /// Filters of different options must all match. Within one option, commas and repetition mean OR,
    /// except that every --meta and --attr must match. Finding no nodes is not an error.
    #[command(visible_aliases = ["clients", "ls"], after_help = list::EXAMPLES)]
    List(Box<List>),

    /// Show one node in full
    #[command(
        after_help = "Examples:\n  nomad-clients show worker-3\n  nomad-clients show 10.0.0.5 --json"
    )]
    Show(Show),

    /// Ask Nomad now, fetch what changed and update the cache
    #[command(after_help = "Examples:\n  nomad-clients refresh --json")]
    Refresh(Refresh),

    /// Clear the cache or show its statistics
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },

    /// Serve an HTTP API, a live page and metrics, and keep the cache fresh
    #[command(after_help = serve::EXAMPLES)]
    Serve(Serve),

    /// Diagnose configuration, Nomad, Redis and cache, and suggest fixes
    ///
    /// Checks the configuration, the connections to Nomad and Redis, the local files, the cached data
    /// and the clock. Changes nothing. Exits with code 1 if there is a problem.
    #[command(after_help = "Examples:\n  nomad-clients doctor\n  nomad-clients doctor --json")]
    Doctor(Doctor),

    /// Print a completion script for your shell
    #[command(after_help = "Examples:\n  source <(nomad-clients completions bash)")]
    Completions {
        /// Shell that will run the script
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub struct Show {
    /// ID, ID prefix, name, name glob ('web-*') or IP address that matches exactly one node
    #[arg(value_name = "NODE")]
    pub node: String,

    /// Print the full record as JSON
    #[arg(long)]
    pub json: bool,

    /// Show metadata and attribute values whose key contains token, secret or password
    #[arg(long)]
    pub show_secrets: bool,
}

#[derive(Debug, Args)]
pub struct Refresh {
    /// Print the counts as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Clear the cache for every cluster and token that share it; no older data is shown afterwards
    #[command(after_help = "Examples:\n  nomad-clients cache clear")]
    Clear,

    /// Show where the cache is, what it holds and how often it answered
    #[command(
        after_help = "Examples:\n  nomad-clients cache stats\n  nomad-clients cache stats --json"
    )]
    Stats {
        /// Print all statistics as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Connect to Nomad at this http://, https:// or unix:///path URL, keeping its path prefix [default: http://127.0.0.1:4646]
    #[arg(short, long, global = true, value_name = "URL", env = "NOMAD_ADDR", value_hint = ValueHint::Url)]
    pub address: Option<String>,

    /// Query this region
    #[arg(long, global = true, value_name = "NAME", env = "NOMAD_REGION")]
    pub region: Option<String>,

    /// Read the ACL token from this file; NOMAD_TOKEN can be used instead
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,

    /// Trust the certificate authorities in this PEM file for Nomad
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CACERT", value_hint = ValueHint::FilePath)]
    pub ca_cert: Option<PathBuf>,

    /// Trust the certificate authorities in this directory of PEM files; --ca-cert takes precedence
    #[arg(long, global = true, value_name = "DIR", env = "NOMAD_CAPATH", value_hint = ValueHint::DirPath)]
    pub ca_path: Option<PathBuf>,

    /// Present the client certificate in this PEM file to Nomad
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CLIENT_CERT", value_hint = ValueHint::FilePath)]
    pub client_cert: Option<PathBuf>,

    /// Use the private key in this PEM file with --client-cert
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CLIENT_KEY", value_hint = ValueHint::FilePath)]
    pub client_key: Option<PathBuf>,

    /// Expect this name in Nomad's certificate
    #[arg(long, global = true, value_name = "NAME", env = "NOMAD_TLS_SERVER_NAME")]
    pub tls_server_name: Option<String>,

    /// Do not verify Nomad's certificate; NOMAD_SKIP_VERIFY=true can be used instead
    #[arg(long, global = true)]
    pub tls_skip_verify: bool,

    /// Cache in Redis at this redis://, rediss:// or unix:// URL [default: redis://localhost:6379/0]
    #[arg(long, global = true, value_name = "URL", env = "REDIS_URL")]
    pub redis: Option<String>,

    /// Trust the certificate authorities in this PEM file for Redis
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub redis_ca_cert: Option<PathBuf>,

    /// Present the client certificate in this PEM file to Redis
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub redis_client_cert: Option<PathBuf>,

    /// Use the private key in this PEM file with --redis-client-cert
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub redis_client_key: Option<PathBuf>,

    /// Choose the cache: auto (Redis, or local files without it), redis, local or none [default: auto]
    #[arg(long, global = true, value_name = "WHERE", env = "NOMAD_CLIENTS_CACHE")]
    pub cache: Option<String>,

    /// Name the Redis keys nomad:clients:NAME:… to separate caches in one database
    #[arg(long, global = true, value_name = "NAME", env = "NOMAD_CLIENTS_PREFIX")]
    pub cache_prefix: Option<String>,

    /// Share the cache per token or per cluster [default: token]
    ///
    /// With token, only runs that use the same token share a cache. With cluster, all runs do, with
    /// any token or none: everyone who can read that Redis sees the nodes, even without node:read.
    #[arg(long, global = true, value_name = "SCOPE", env = "NOMAD_CLIENTS_SHARE")]
    pub share: Option<String>,

    /// Use cached answers up to this age; 0s = never [default: 60s]
    #[arg(long, global = true, value_name = "DURATION", env = "NOMAD_CLIENTS_TTL")]
    pub ttl: Option<String>,

    /// Keep node details this long for incremental updates [default: 5m]
    #[arg(long, global = true, value_name = "DURATION", env = "NOMAD_CLIENTS_DETAIL_TTL")]
    pub detail_ttl: Option<String>,

    /// Limit the time of the whole command [default: 30s]
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<String>,

    /// Request gzip for the node list: auto (except from this machine), always or never [default: auto]
    #[arg(long, global = true, value_name = "WHEN")]
    pub compress: Option<String>,

    /// Fetch details of up to N nodes at the same time, 1 to 100 [default: 16]
    #[arg(long, global = true, value_name = "N")]
    pub concurrency: Option<String>,

    /// Read this configuration file [default: config.toml in the user's configuration directory]
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CLIENTS_CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Refuse unencrypted connections to other machines
    #[arg(long, global = true)]
    pub require_tls: bool,

    /// Suppress notices and warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print more notices; -vv also prints every call
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Use colours: auto (on a terminal), always or never [default: auto]
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<String>,

    /// The long names of the options that were typed, not taken from a variable.
    #[arg(skip)]
    pub typed: Vec<String>,
}

/// What ends the `-h` of each command.
const MORE: &str = "Use --help to see the global options too, such as --address and --redis.";

/// Leaves the global options to `--help`, and the values of variables out of both.
fn prepared(command: clap::Command) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let short = format!("{examples}\n\n{MORE}").trim_start().to_owned();
    command
        .mut_args(|arg| {
            let is_global = arg.is_global_set();
            arg.hide_env_values(true).hide_short_help(is_global)
        })
        .after_help(short)
        .after_long_help(examples)
        .mut_subcommands(prepared)
}

/// A variable that is empty counts as unset: it is taken away before clap looks.
///
/// # Errors
/// What clap says of wrong usage, with its exit code; also help and version.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut command = prepared(Cli::command());
    let empty: Vec<clap::Id> = command
        .get_arguments()
        .filter(|argument| {
            argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty())
        })
        .map(|argument| argument.get_id().clone())
        .collect();
    for id in empty {
        command = command.mut_arg(id, |argument| argument.env(None::<&str>));
    }
    let words: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    if words.windows(2).any(|pair| pair == ["--color", "never"]) || words.contains(&"--color=never")
    {
        command = command.color(clap::ColorChoice::Never);
    }
    let plain = command.clone();
    let matches = command.try_get_matches_from(&args);
    let mut matches = matches.map_err(|error| {
        no_built_in_jq(&error).unwrap_or_else(|| without_variables(error, plain, args))
    })?;
    let typed =
        |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let typed = matches.ids().filter(typed).map(|id| id.as_str().replace('_', "-")).collect();
    let mut cli = Cli::from_arg_matches_mut(&mut matches)?;
    cli.global.typed = typed;
    Ok(cli)
}

/// Options of the jq that was built in once, and what to type instead.
fn no_built_in_jq(error: &clap::Error) -> Option<clap::Error> {
    let typed = error.get(ContextKind::InvalidArg)?.to_string();
    let jq = match (error.kind(), typed.as_str()) {
        (Wrong::UnknownArgument, "--jq") => "jq",
        (Wrong::UnknownArgument, "-r" | "--raw-output") => "jq -r",
        _ => return None,
    };
    let what = format!(
        "unexpected argument '{typed}': there is no built-in jq\n\
         hint: pipe the JSON into jq: nomad-clients list --json | {jq} 'FILTER'\n"
    );
    Some(clap::Error::raw(Wrong::UnknownArgument, what))
}

/// What is wrong with what was typed: the library names no variable that is broken, and names those
/// that are not in the usage of a conflict.
fn without_variables(
    error: clap::Error,
    command: clap::Command,
    args: Vec<OsString>,
) -> clap::Error {
    let is_broken = |name: &&std::ffi::OsStr| {
        std::env::var_os(name).is_some_and(|value| value.to_str().is_none())
    };
    let broken = command.get_arguments().filter_map(clap::Arg::get_env).find(is_broken);
    match (error.kind(), broken) {
        (kind @ Wrong::InvalidUtf8, Some(name)) => {
            let what = format!("the variable {} is not UTF-8\n", name.display());
            return clap::Error::raw(kind, what);
        }
        (Wrong::ArgumentConflict, _) => {}
        _ => return error,
    }
    let ids: Vec<clap::Id> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let bare = ids
        .into_iter()
        .fold(command, |command, id| command.mut_arg(id, |arg| arg.env(None::<&str>)));
    bare.try_get_matches_from(args).err().unwrap_or(error)
}

/// Characters of a line that says what is wrong with what was typed.
const LONGEST_LINE: usize = 300;

/// Prints help, the version or wrong usage, and gives the exit code. What was typed with characters
/// that steer a terminal or hide is shown without colours, and with them made visible; what is long
/// is cut.
pub fn say(said: &clap::Error) -> u8 {
    let hostile = |arg: OsString| {
        let text = arg.to_string_lossy();
        arg.len() > LONGEST_LINE || sanitised(&text) != text
    };
    let printed = if said.use_stderr() && std::env::args_os().any(hostile) {
        let text = said.render().to_string();
        let short = |line: &str| line.chars().take(LONGEST_LINE).collect::<String>();
        let lines = text.lines().map(|line| short(&sanitised(line)) + "\n");
        io::stderr().write_all(lines.collect::<String>().as_bytes())
    } else {
        said.print()
    };
    match printed.map_err(stdout::failed) {
        Err(why) if !said.use_stderr() && why.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: {why}");
            1
        }
        // What was typed is fine; the answer to a shell that asks could not be written.
        _ if said.kind() == Wrong::Io => 1,
        _ => u8::try_from(said.exit_code()).unwrap_or(2),
    }
}

/// The completion script of a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    complete::script(shell)
}
