//! Shows what the product is for: each command as it is typed, its real output, and what it cost Nomad.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nomad_sim::{Fault, Fleet, Sim, Times, Where};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What each call for the details of a node takes, as over a network.
const DELAY: Duration = Duration::from_millis(10);

/// The line that begins the demonstration; the address of the simulator follows.
const INTRODUCTION: &str = "\
# nomad-clients lists the client nodes of a Nomad cluster with their metadata,
# attributes and resources. Nomad's own list lacks these, so they cost one more
# call per node. nomad-clients makes these calls once, keeps the result in a
# cache, and afterwards asks only for the nodes that changed.
#
# This cluster is simulated: 300 nodes, and each call about one takes 10 ms.
$ export NOMAD_CLIENTS_CACHE=local NOMAD_ADDR=";

/// Runs the whole demonstration; on a terminal it ends with a page that is served until Ctrl-C.
pub(crate) fn run() -> Result<(), String> {
    say("Building nomad-clients; the first time this takes some minutes.")?;
    let program = build()?;
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stopped))
            .map_err(|error| format!("cannot handle signals: {error}"))?;
    }
    let room = Room::new()?;
    let sim = Sim::start(Fleet::generated(300));
    sim.fault(Where::Nodes, Times::ALWAYS, Fault::Delay(DELAY));
    let stage = Stage { program, room: &room, sim: &sim };
    let done = stage.commands().and_then(|()| match is_watched() {
        true => stage.serve(&stopped),
        false => Ok(()),
    });
    // Ctrl-C also ends the command that runs; that is no failure.
    if stopped.load(Ordering::Relaxed) { say("") } else { done }
}

/// Somebody can read the page and press Ctrl-C.
fn is_watched() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// What all commands have in common.
struct Stage<'a> {
    program: PathBuf,
    room: &'a Room,
    sim: &'a Sim,
}

impl Stage<'_> {
    fn commands(&self) -> Result<(), String> {
        say(&format!("\n{INTRODUCTION}{}", self.sim.address()))?;
        let list = "list --limit 5 -c name,status,dc,version,cpu_cores,memory_mb";
        self.show(
            "1. Cold: nothing is cached, so this takes 1 + 300 calls.",
            list,
            &[1, 300, 301],
        )?;
        self.show("2. Hot: the same again, from the cache: no calls.", list, &[0, 0, 0])?;
        let question = "list --meta owner=team-a --attr cpu.numcores>=16 --count-by dc";
        self.show(
            "3. In which datacenters does team-a have nodes with 16 cores?",
            question,
            &[0, 0, 0],
        )?;

        say("\n# 4. A node is drained.\n$ nomad node drain -enable -yes web-1")?;
        self.sim.cluster().drain("web-1", 3_600_000_000_000, Value::Null);
        self.show(
            "A refresh asks what has changed and fetches only that: 3 calls instead of 301.",
            "refresh",
            &[1, 1, 3],
        )?;
        let drained = "list --drain -c name,drain,eligibility,dc,meta.rack,meta.owner";
        self.show("Everyone who shares the cache sees it.", drained, &[0, 0, 0])
    }

    /// Types a command and lets it speak. Fails if it fails, or if it
    /// asked Nomad for anything but so many lists, details, and calls in all.
    fn show(&self, why: &str, typed: &str, wanted: &[usize; 3]) -> Result<(), String> {
        let line = typed.replace("cpu.numcores>=16", "'cpu.numcores>=16'");
        say(&format!("\n# {why}\n$ nomad-clients {line}"))?;
        let status = self
            .command(typed)
            .arg("-v")
            .status()
            .map_err(|error| format!("cannot run {}: {error}", self.program.display()))?;
        if !status.success() {
            return Err(format!("nomad-clients {typed} failed: {status}"));
        }
        let asked = self.sim.asked();
        let count = |begin: &str| asked.iter().filter(|what| what.starts_with(begin)).count();
        match [count("list"), count("node "), asked.len()] == *wanted {
            true => Ok(()),
            false => Err(format!("nomad-clients {typed} asked Nomad for {asked:?}")),
        }
    }

    /// Serves the page and changes a node of its first screen now and then, until a signal comes.
    fn serve(&self, stopped: &AtomicBool) -> Result<(), String> {
        say(
            "\n# 5. The same as a live page and an HTTP API.\n$ nomad-clients serve --listen 127.0.0.1:0",
        )?;
        let failed = |error: io::Error| format!("cannot run nomad-clients serve: {error}");
        let mut command = self.command("serve --listen 127.0.0.1:0");
        let mut serve = Serving(command.stdout(Stdio::piped()).spawn().map_err(failed)?);
        let mut lines = BufReader::new(serve.0.stdout.take().ok_or("serve has no stdout")?);
        let mut line = String::new();
        lines.read_line(&mut line).map_err(failed)?;
        let address = line.trim().strip_prefix("listening on ").unwrap_or(&line);
        say(&format!(
            "\nOpen {address} in a browser: every 2 s a node changes.\nPress Ctrl-C to end."
        ))?;
        for tick in 1_u32.. {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            if let Some(status) = serve.0.try_wait().map_err(failed)? {
                return Err(format!("nomad-clients serve ended: {status}"));
            }
            std::thread::sleep(Duration::from_millis(100));
            if tick.is_multiple_of(20) {
                let name = format!("batch-{}", 1 + tick / 40 % 10);
                self.sim.cluster().set_eligible(&name, tick.is_multiple_of(40));
            }
        }
        Ok(())
    }

    /// Nothing of the caller's but how to find programs and what the terminal can do.
    fn command(&self, typed: &str) -> Command {
        let kept = ["PATH", "TERM", "COLUMNS", "LANG", "LC_ALL", "NO_COLOR"];
        let kept = kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let folder = |name: &str| self.room.0.join(name).into_os_string();
        let own: [(&str, OsString); 5] = [
            ("HOME", self.room.0.clone().into_os_string()),
            ("XDG_CACHE_HOME", folder("cache")),
            ("XDG_CONFIG_HOME", folder("config")),
            ("NOMAD_ADDR", self.sim.address().into()),
            ("NOMAD_CLIENTS_CACHE", "local".into()),
        ];
        let mut command = Command::new(&self.program);
        command.args(typed.split(' ')).env_clear().envs(kept).envs(own).stdin(Stdio::null());
        command
    }
}

/// A `serve` that does not outlive the demonstration.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // Its cache goes with the folder, so it need not end in good order; it may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Prints; on a terminal what is explained and typed stands out from what the commands print.
fn say(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    let is_plain =
        !out.is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    let styled = |line: &str| match line.as_bytes().first() {
        Some(b'#') if !is_plain => format!("\u{1b}[36m{line}\u{1b}[0m\n"),
        Some(b'$') if !is_plain => format!("\u{1b}[1m{line}\u{1b}[0m\n"),
        _ => format!("{line}\n"),
    };
    let text = if text.is_empty() { "\n".to_owned() } else { text.lines().map(styled).collect() };
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to stdout: {error}"))
}

/// A folder of the demonstration's own, removed at the end.
struct Room(PathBuf);

impl Room {
    fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("nomad-clients-demo-{}", std::process::id()));
        // Fails if the folder exists: nobody else may have prepared it.
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| format!("cannot create {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary folders.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Builds the product as this program was built, and gives the path of its binary.
fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--package", "nomad-clients", "--bin", "nomad-clients"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command
        .output()
        .map_err(|error| format!("cannot run {}: {error}", cargo.to_string_lossy()))?;
    if !output.status.success() {
        return Err(format!("cannot build nomad-clients: {}", output.status));
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| "cargo did not say where it put nomad-clients".to_owned())
}

/// The path in cargo's messages, one JSON value a line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "nomad-clients")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}
