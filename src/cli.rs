//! What may be typed: commands, options and their help, nothing else.

mod complete;
mod list;
mod serve;
mod settings;

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::model::text::sanitised;
use crate::render::stdout;

pub use clap_complete::Shell;
pub use complete::{Word, complete};
pub use list::{Filters, List};
pub use serve::Serve;
pub use settings::Given;

/// Each works as it stands, here and where a command has its own.
const EXAMPLES: &str = "\
Examples:
  nomad-clients list
  nomad-clients show worker-3
  nomad-clients list --status down,disconnected
  nomad-clients list --address https://nomad.example.com:4646 --json
  nomad-clients serve";

/// List the client nodes of a Nomad cluster, with metadata and resources, from a cache
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
    /// except that every --driver, --meta and --attr must match; in --meta and --attr a comma is part
    /// of the value. Finding no nodes is not an error.
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

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Suppress notices and warnings
    #[arg(short, long, global = true, display_order = 100, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print more notices; -vv also prints every call
    #[arg(short, long, global = true, display_order = 100, action = clap::ArgAction::Count)]
    pub verbose: u8,

    #[arg(skip)]
    pub given: Given,
}

/// Everything that may be typed.
pub fn command() -> clap::Command {
    settings::with_settings(Cli::command(), settings::described)
}

/// The command of these words alone and without help, which is enough unless they are wrong: to make
/// all commands takes longer than to read an answer from the cache.
fn typed(words: &[&str]) -> clap::Command {
    let root = clap::Command::new("nomad-clients").version(env!("CARGO_PKG_VERSION"));
    let root = Global::augment_args(root.subcommand_required(true));
    let mut words = words.iter().skip(1).filter(|word| !word.starts_with('-')).peekable();
    let all = words.peek().is_some().then(Cli::command);
    let own = all.and_then(|all| words.find_map(|word| all.find_subcommand(word)).cloned());
    settings::with_settings(root.subcommands(own), settings::arg)
}

/// What ends the `-h` of each command.
const MORE: &str = "Use --help to see the global options too, such as --address and --redis.";

/// Leaves the global options to `--help`.
fn with_short_help(command: clap::Command) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let short = format!("{examples}\n\n{MORE}").trim_start().to_owned();
    command
        .mut_args(|arg| {
            let is_global = arg.is_global_set();
            arg.hide_short_help(is_global)
        })
        .after_help(short)
        .after_long_help(examples)
        .mut_subcommands(with_short_help)
}

/// # Errors
/// What clap says of wrong usage, with its exit code; also help and version.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let words: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    let is_plain = words.windows(2).any(|pair| pair == ["--color", "never"])
        || words.contains(&"--color=never");
    let colour = if is_plain { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let matches = |command: clap::Command| command.color(colour).try_get_matches_from(&args);
    let matches = matches(typed(&words)).or_else(|error| match error.kind() {
        ErrorKind::DisplayVersion => Err(error),
        _ => matches(with_short_help(command())),
    });
    let mut matches = matches.map_err(|error| no_built_in_jq(&error).unwrap_or(error))?;
    let given = Given::of(&matches);
    let mut cli = Cli::from_arg_matches_mut(&mut matches)?;
    cli.global.given = given;
    Ok(cli)
}

/// Options of the jq that was built in once, and what to type instead.
fn no_built_in_jq(error: &clap::Error) -> Option<clap::Error> {
    let typed = error.get(ContextKind::InvalidArg)?.to_string();
    let jq = match (error.kind(), typed.as_str()) {
        (ErrorKind::UnknownArgument, "--jq") => "jq",
        (ErrorKind::UnknownArgument, "-r" | "--raw-output") => "jq -r",
        _ => return None,
    };
    let what = format!(
        "unexpected argument '{typed}': there is no built-in jq\n\
         hint: pipe the JSON into jq: nomad-clients list --json | {jq} 'FILTER'\n"
    );
    Some(clap::Error::raw(ErrorKind::UnknownArgument, what))
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
        Err(why) if !said.use_stderr() && why.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: {why}");
            1
        }
        // What was typed is fine; the answer to a shell that asks could not be written.
        _ if said.kind() == ErrorKind::Io => 1,
        _ => u8::try_from(said.exit_code()).unwrap_or(2),
    }
}

/// The completion script of a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    complete::script(shell)
}
