//! Lists the client nodes of a Nomad cluster with metadata and resources, from a cache.
//!
//! [`cli`] is the command line, `config` the settings, `commands` what they do. [`discovery`]
//! decides: cache or Nomad. [`nomad`] and [`store`] are the two outside worlds, one small trait
//! each; `host` is what this machine remembers between runs. `render` turns facts into text, `serve`
//! turns requests into the same facts. [`model`] is the facts.

pub mod cli;
pub mod clock;
mod commands;
mod complete;
mod config;
pub mod discovery;
mod doctor;
mod error;
mod host;
mod input_file;
pub mod model;
mod net;
pub mod nomad;
mod parallel;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../tests/fuzz/properties/mod.rs"]
pub mod properties;
mod random;
mod render;
mod serve;
pub mod settings;
mod signals;
pub mod store;

use std::cell::OnceCell;
use std::io::{BufWriter, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;

use cli::{Cli, Command};
use commands::CommandContext;
use config::Config;
use discovery::Shutdown;
use error::{Exit, ProblemFound};
use model::notice::Notifier;
use render::console::Console;
use render::stdout::Stdout;

/// Runs the process; neither a panic nor a crash reveals what it was doing.
pub fn guarded(process: impl FnOnce() -> ExitCode) -> ExitCode {
    // The text of a panic and a core dump may contain secrets.
    panic::set_hook(Box::new(|_| ()));
    signals::leave_no_core();
    signals::survive_limits();
    panic::catch_unwind(AssertUnwindSafe(process)).unwrap_or_else(|_| {
        let hint = "please report it with the command you ran";
        Console::new(None, false)
            .error("internal error: this is a bug in nomad-clients", Some(hint));
        ExitCode::FAILURE
    })
}

/// Answers a shell that asks for completions; `None` if none asks.
pub fn complete() -> Option<ExitCode> {
    match cli::complete(complete::candidates) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        Err(error) => Some(ExitCode::from(cli::say(&error))),
    }
}

/// Runs the command: data goes to stdout, everything else to stderr.
pub fn run(cli: &Cli) -> ExitCode {
    let (console, result) = prepared(cli);
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<ProblemFound>() {
                console.error(&format!("{error:#}"), error::hint(&error).as_deref());
            }
            ExitCode::from(Exit::of(&error) as u8)
        }
    };
    console.flush();
    code
}

fn prepared(cli: &Cli) -> (Arc<Console>, anyhow::Result<()>) {
    let started = clock::now();
    // A broken configuration must not keep a shell from its completions.
    if let Command::Completions { shell } = &cli.command {
        let console = Arc::new(Console::new(None, false));
        return (console, commands::completions(*shell, &mut Stdout::new()));
    }
    match Config::new(&cli.global, started) {
        Err(error) => (Arc::new(Console::new(None, false)), unconfigured(cli, error)),
        Ok(config) => {
            let stderr_is_terminal = config::stderr_is_terminal();
            let console =
                Arc::new(Console::new(config.level, config.colour.unwrap_or(stderr_is_terminal)));
            let result = done(cli, config, stderr_is_terminal, &console, started);
            console.clear();
            (console, result)
        }
    }
}

/// `doctor` reports a configuration that can't be used; wrong usage is an error there too.
fn unconfigured(cli: &Cli, error: anyhow::Error) -> anyhow::Result<()> {
    match &cli.command {
        Command::Doctor(doctor) if Exit::of(&error) == Exit::Config => {
            commands::without_settings(doctor, &error, &config::plain_look(), &mut Stdout::new())
        }
        _ => Err(error),
    }
}

fn done(
    cli: &Cli,
    config: Config,
    stderr_is_terminal: bool,
    console: &Arc<Console>,
    started: std::time::Instant,
) -> anyhow::Result<()> {
    let lines = Arc::clone(console);
    let shutdown = Arc::new(Shutdown::new(|shutdown| signals::watch(shutdown, lines)));
    let sink = Arc::clone(console);
    let notifier = Notifier::new(move |notice| sink.show(&notice));
    // `doctor` reports them as checks.
    let is_doctor = matches!(cli.command, Command::Doctor(_));
    for warning in config.warnings.iter().filter(|_| !is_doctor) {
        notifier.warning(warning);
    }
    let mut out = BufWriter::with_capacity(64 << 10, Stdout::new());
    let context = CommandContext {
        config,
        started,
        out: &mut out,
        width: config::stdout_width(),
        stderr_is_terminal,
        console: Arc::clone(console),
        notifier,
        shutdown,
        nomad: OnceCell::new(),
    };
    let result = commands::run(&cli.command, context);
    match &result {
        // Dropping the writer would write its buffer.
        Err(error) if !error::keeps_output(error) => drop(out.into_parts()),
        _ => {
            let flushed = out.flush().map_err(anyhow::Error::from);
            // The exit code also counts if the reader has closed the pipe.
            if !flushed.as_ref().is_err_and(error::is_closed_pipe) || result.is_ok() {
                flushed?;
            }
        }
    }
    result
}
