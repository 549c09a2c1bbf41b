//! Shows the main job: each command as it is typed, its real output, and what it cost Nomad.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nomad_sim::{Fleet, Sim};
use serde_json::Value;

/// Runs the whole demonstration.
pub(crate) fn run() -> Result<(), String> {
    let program = build()?;
    let room = Room::new()?;
    let sim = Sim::start(Fleet::recorded());
    let stage = Stage { program, room: &room, sim: &sim };

    say("# A simulated Nomad with five recorded nodes. Nothing is cached yet.")?;
    say(&format!("$ export NOMAD_ADDR={} NOMAD_CLIENTS_CACHE=local", sim.address()))?;
    stage.show("The first answer costs one list call and a call per node", "list -v", (1, 5))?;
    stage.show("The second one comes from the cache", "list -v", (0, 0))?;

    say("\n# Something changes.\n$ nomad node drain -enable worker-3")?;
    sim.cluster().drain("worker-3", 3_600_000_000_000, Value::Null);
    say("(the simulated Nomad drains worker-3)")?;
    stage.show("A refresh asks for what changed, and for nothing else", "refresh -v", (1, 1))?;
    stage.show("Everybody sees it", "list -v", (0, 0))?;
    stage.show("What the cache was good for", "cache stats", (0, 0))
}

/// What all commands have in common.
struct Stage<'a> {
    program: PathBuf,
    room: &'a Room,
    sim: &'a Sim,
}

impl Stage<'_> {
    /// Types a command and lets it speak; fails if it fails, or if it asked Nomad for anything
    /// but so many lists and details.
    fn show(&self, why: &str, typed: &str, wanted: (usize, usize)) -> Result<(), String> {
        say(&format!("\n# {why}.\n$ nomad-clients {typed}"))?;
        let status = Command::new(&self.program)
            .args(typed.split(' '))
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null())
            .status()
            .map_err(|error| format!("cannot run {}: {error}", self.program.display()))?;
        if !status.success() {
            return Err(format!("nomad-clients {typed} failed: {status}"));
        }
        let asked = self.sim.asked();
        let lists = asked.iter().filter(|what| *what == "list").count();
        let details = asked.iter().filter(|what| what.starts_with("node ")).count();
        if (lists, details) != wanted || asked.len() != lists + details {
            return Err(format!("nomad-clients {typed} asked Nomad for {asked:?}"));
        }
        say(&format!("(asked of Nomad: {})", cost(lists, details)))
    }

    /// Nothing of the caller's but how to find programs and what the terminal can do.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let kept = ["PATH", "TERM", "COLUMNS", "LANG", "LC_ALL", "NO_COLOR"];
        let mut variables: Vec<(&str, OsString)> =
            kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))).collect();
        let folder = |name: &str| self.room.0.join(name).into_os_string();
        variables.extend([
            ("HOME", self.room.0.clone().into_os_string()),
            ("XDG_CACHE_HOME", folder("cache")),
            ("XDG_CONFIG_HOME", folder("config")),
            ("NOMAD_ADDR", self.sim.address().into()),
            ("NOMAD_CLIENTS_CACHE", "local".into()),
        ]);
        variables
    }
}

fn cost(lists: usize, details: usize) -> String {
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    };
    match (lists, details) {
        (0, 0) => "nothing".to_owned(),
        _ => format!("{}, {}", count(lists, "list"), count(details, "detail")),
    }
}

fn say(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    writeln!(out, "{text}")
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
        .args(["build", "--quiet", "--package", "nomad-clients", "--bin", "nomad-clients"])
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
