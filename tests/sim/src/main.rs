//! Runs the simulator from the command line, or shows the product against it.

mod demo;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use nomad_sim::{Fault, Fleet, Listen, Options, Rng, Sim, Times, Where};

/// A Nomad to test against
#[derive(Parser)]
#[command(disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer as a Nomad agent until killed
    Serve(Serve),
    /// Show what nomad-clients does, with a simulated Nomad and a cache of its own
    Demo,
}

#[derive(Args)]
struct Serve {
    /// Where to listen: an address with a port (0 = any free one), or unix:///path
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4646")]
    listen: String,

    /// The nodes: recorded, hostile, empty, generated:N, or replay:DIR for recorded answers
    #[arg(long, default_value = "recorded")]
    fleet: String,

    /// Answer the list this much later, in milliseconds
    #[arg(long, value_name = "MS")]
    delay_list: Option<u64>,

    /// Answer each detail this much later, in milliseconds
    #[arg(long, value_name = "MS")]
    delay_node: Option<u64>,

    /// Change a node every so many milliseconds
    #[arg(long, value_name = "MS")]
    churn: Option<u64>,

    /// Switch ACLs on and accept this token (repeatable)
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,

    /// The most connections; the next one gets a 429
    #[arg(long, value_name = "N", default_value_t = 100)]
    connections_max: usize,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(how) => serve(&how),
        Command::Demo => demo::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // If nobody reads the error either, the exit code has to do.
            let _ = writeln!(io::stderr(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve(how: &Serve) -> Result<(), String> {
    let mut options = options(&how.fleet)?;
    options.listen = Some(match how.listen.strip_prefix("unix://") {
        Some(path) => Listen::Unix(PathBuf::from(path)),
        None => Listen::Tcp(how.listen.clone()),
    });
    options.connections_max = Some(how.connections_max);
    let live = options.replay.is_none();
    if !live && (how.churn.is_some() || !how.token.is_empty()) {
        return Err("--churn and --token need a live fleet, not a replay".to_owned());
    }
    let sim = Sim::try_start(options)?;
    for (place, delay) in [(Where::List, how.delay_list), (Where::Nodes, how.delay_node)] {
        if let Some(delay) = delay {
            sim.fault(place, Times::ALWAYS, Fault::Delay(Duration::from_millis(delay)));
        }
    }
    if !how.token.is_empty() {
        sim.cluster().tokens = Some(how.token.iter().cloned().collect());
    }
    let mut out = io::stdout();
    writeln!(out, "listening on {}", sim.address())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to stdout: {error}"))?;
    match how.churn {
        Some(pause) => churn(&sim, Duration::from_millis(pause)),
        None => loop {
            std::thread::park();
        },
    }
}

fn options(fleet: &str) -> Result<Options, String> {
    let fleet = match fleet.split_once(':') {
        Some(("replay", folder)) => {
            return Ok(Options { replay: Some(PathBuf::from(folder)), ..Options::default() });
        }
        Some(("generated", count)) => match count.parse() {
            Ok(count @ 0..=1_000_000) => Fleet::generated(count),
            _ => {
                return Err(format!("cannot generate {count:?} nodes: not a number up to 1000000"));
            }
        },
        _ => match fleet {
            "recorded" => Fleet::recorded(),
            "hostile" => Fleet::hostile(),
            "empty" => Fleet::empty(),
            other => return Err(format!("unknown fleet {other:?}")),
        },
    };
    Ok(fleet.into())
}

/// Marks one node after the other, for ever.
fn churn(sim: &Sim, pause: Duration) -> ! {
    let mut chance = Rng::from_chance();
    loop {
        std::thread::sleep(pause);
        let mut cluster = sim.cluster();
        let which = chance.below(cluster.len() as u64) as usize;
        let found = cluster.nodes().nth(which).map(|node| (node.id.to_string(), node.eligible));
        if let Some((id, eligible)) = found {
            cluster.set_eligible(&id, !eligible);
        }
    }
}
