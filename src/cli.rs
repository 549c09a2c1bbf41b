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

use crate::model::text::{reason, sanitised};
use crate::render::stdout;

pub use clap_complete::Shell;
pub use complete::{Word, complete};
pub use list::{Filters, List};
pub use serve::Serve;

/// List the client nodes of a HashiCorp Nomad cluster, from a cache that is always right
///
/// The first caller asks Nomad for everything, later ones are answered from Redis (or from files of
/// this machine), and only nodes that changed are asked for again.
#[derive(Debug, Parser)]
#[command(name = "nomad-clients", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the nodes, from the cache while it is fresh
    #[command(visible_aliases = ["clients", "ls"], after_help = list::EXAMPLES)]
    List(Box<List>),

    /// Show one node in full
    Show(Show),

    /// Ask Nomad now, fetch what changed, write back
    Refresh(Refresh),

    /// Clear the cache, or tell what is in it
    Cache {
        #[command(subcommand)]
        command: Cache,
    },

    /// Serve the HTTP API, a live page and metrics, and keep the cache fresh
    #[command(after_help = serve::EXAMPLES)]
    Serve(Serve),

    /// Check every link of the chain and say what to do
    ///
    /// Looks at the configuration, the way to Nomad, the way to Redis, the files of this machine,
    /// what is cached, and the clock. Nothing is changed. Exit code 1 if there is a problem.
    Doctor(Doctor),

    /// Print the completion script of a shell
    Completions {
        /// The shell to print it for
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub struct Show {
    /// ID, ID prefix, name, name glob ('web-*') or IP address of exactly one node
    #[arg(value_name = "NODE")]
    pub node: String,

    /// Print one full record as JSON
    #[arg(long)]
    pub json: bool,

    /// Show values of metadata and attributes whose key holds token, secret or password
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
pub enum Cache {
    /// Clear the cache, for every cluster and token that share it; nothing older is ever served again
    Clear,

    /// Tell where the cache is, what is in it and what it was good for
    Stats {
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options everywhere")]
pub struct Global {
    /// Nomad's address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]
    #[arg(short, long, global = true, value_name = "URL", env = "NOMAD_ADDR", value_hint = ValueHint::Url, hide_env_values = true)]
    pub address: Option<String>,

    /// Region to ask for
    #[arg(long, global = true, value_name = "NAME", env = "NOMAD_REGION", hide_env_values = true)]
    pub region: Option<String>,

    /// File that holds the ACL token (else the variable NOMAD_TOKEN)
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,

    /// PEM file with the authorities that Nomad's certificate may be of
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CACERT", value_hint = ValueHint::FilePath, hide_env_values = true, hide_short_help = true)]
    pub ca_cert: Option<PathBuf>,

    /// Folder of such files; --ca-cert wins over it
    #[arg(long, global = true, value_name = "FOLDER", env = "NOMAD_CAPATH", value_hint = ValueHint::DirPath, hide_env_values = true, hide_short_help = true)]
    pub ca_path: Option<PathBuf>,

    /// PEM file with the client certificate
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CLIENT_CERT", value_hint = ValueHint::FilePath, hide_env_values = true, hide_short_help = true)]
    pub client_cert: Option<PathBuf>,

    /// PEM file with the key of the client certificate
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CLIENT_KEY", value_hint = ValueHint::FilePath, hide_env_values = true, hide_short_help = true)]
    pub client_key: Option<PathBuf>,

    /// Name that Nomad's certificate must have
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "NOMAD_TLS_SERVER_NAME",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub tls_server_name: Option<String>,

    /// Do not verify Nomad's certificate (also: NOMAD_SKIP_VERIFY=true)
    #[arg(long, global = true, hide_short_help = true)]
    pub tls_skip_verify: bool,

    /// Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]
    #[arg(long, global = true, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    pub redis: Option<String>,

    /// PEM file with the authorities that the certificate of Redis may be of
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub redis_ca_cert: Option<PathBuf>,

    /// PEM file with the client certificate for Redis
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub redis_client_cert: Option<PathBuf>,

    /// PEM file with the key of the client certificate for Redis
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub redis_client_key: Option<PathBuf>,

    /// Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]
    #[arg(
        long,
        global = true,
        value_name = "WHERE",
        env = "NOMAD_CLIENTS_CACHE",
        hide_env_values = true
    )]
    pub cache: Option<String>,

    /// Own key names in Redis: nomad:clients:NAME:…
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "NOMAD_CLIENTS_PREFIX",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub cache_prefix: Option<String>,

    /// Who shares a cache: token (who has the same token), or cluster (all, with any token or none: whoever can read that Redis sees the nodes, without a right to node:read) [default: token]
    #[arg(
        long,
        global = true,
        value_name = "WITH",
        env = "NOMAD_CLIENTS_SHARE",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub share: Option<String>,

    /// How long an answer is fresh; 0s = never [default: 60s]
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        env = "NOMAD_CLIENTS_TTL",
        hide_env_values = true
    )]
    pub ttl: Option<String>,

    /// How long details are kept for the next update [default: 5m]
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        env = "NOMAD_CLIENTS_DETAIL_TTL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub detail_ttl: Option<String>,

    /// How long the whole command may take [default: 30s]
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<String>,

    /// Ask for the list with gzip: auto (not on this machine), always, never [default: auto]
    #[arg(long, global = true, value_name = "WHEN", hide_short_help = true)]
    pub compress: Option<String>,

    /// Details asked for at the same time, 1 to 100 [default: 16]
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub concurrency: Option<String>,

    /// Configuration file [default: config.toml in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", env = "NOMAD_CLIENTS_CONFIG", value_hint = ValueHint::FilePath, hide_env_values = true)]
    pub config: Option<PathBuf>,

    /// Refuse plain http and redis beyond this machine
    #[arg(long, global = true, hide_short_help = true)]
    pub require_tls: bool,

    /// No notices and warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// More notices; twice: every call
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Colours: auto (on a terminal), always, never [default: auto]
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<String>,

    /// The long names of the options that were typed, not taken from a variable.
    #[arg(skip)]
    pub typed: Vec<String>,
}

/// A variable that is empty counts as unset: it is taken away before clap looks.
///
/// # Errors
/// What clap says of wrong usage, with its exit code; also help and version.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut command = Cli::command();
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
    match printed.map_err(stdout::judged) {
        Err(why) if !said.use_stderr() && why.kind() != ErrorKind::BrokenPipe => {
            let line = format!("error: cannot write the answer: {}\n", reason(&why));
            let _ = io::stderr().write_all(line.as_bytes());
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
