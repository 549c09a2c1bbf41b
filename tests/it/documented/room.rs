//! A shell in which the documents are typed: a simulated cluster, a Redis, and programs that stand in for those that change the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use nomad_sim::{Fleet, Sim};

use super::ROOT;
use super::blocks::{Block, Typed, is_shown, session};
use crate::support::pty::Pty;
use crate::support::redis_server::{RedisServer, free_port};
use crate::support::sandbox::{Output, Sandbox};

/// Commands that are not run, and why. All others are, and a block with another command of these programs fails.
const NOT_RUN: [(&str, &str); 24] = [
    ("cargo demo", "builds for minutes; each of its steps checks its own calls"),
    ("cargo install --path .", "builds for minutes; `packaging` tests what it leaves"),
    ("cargo install cargo-deb cargo-generate-rpm --locked", "downloads"),
    ("cargo install cargo-fuzz --locked", "downloads"),
    ("cargo deb --locked", "a release build; `packaging` tests what it holds"),
    ("cargo generate-rpm", "the same"),
    ("cargo build --release --locked", "builds for minutes"),
    ("cargo build --release --locked --target x86_64-unknown-linux-musl", "builds for minutes"),
    (
        "cargo run -p nomad-sim -- serve --listen 127.0.0.1:0 --fleet generated:1000 --churn 500",
        "serves until it is killed",
    ),
    ("rustup target add x86_64-unknown-linux-musl", "downloads"),
    ("rustup toolchain install nightly --profile minimal", "downloads"),
    ("apt-get install musl-tools", "changes the machine"),
    ("systemctl enable --now nomad-clients.service", "changes the machine"),
    ("systemctl enable --now nomad-clients.socket", "changes the machine"),
    ("systemd-analyze security nomad-clients", "needs the unit installed"),
    ("tests/run", "these tests"),
    ("tests/run load", "needs a release build"),
    ("tests/run soak 10", "takes ten minutes"),
    ("tests/run soak-serve 10", "takes ten minutes"),
    ("tests/run fuzz-schedules 50000", "takes an hour"),
    ("tests/run fuzz list_json 10", "takes ten minutes"),
    (".ci/run", "these tests and more"),
    ("benches/run", "takes an hour"),
    ("docs/pictures/make", "`pictures` tests what it makes"),
];

/// The beginning of each program that stands in for another. `run_on` gives back the prompt once something is printed.
const COMMON: &str = r#"#!/usr/bin/env bash
set -euo pipefail
end_last() {
  [ -f "$ROOM/last" ] || return 0
  kill "$(cat "$ROOM/last")" 2>/dev/null || true
  until ! (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do sleep 0.02; done
  rm "$ROOM/last"
}
run_on() {
  : > "$ROOM/said"
  "$@" > "$ROOM/said" 2>&1 &
  until [ -s "$ROOM/said" ]; do kill -0 $! || exit 98; sleep 0.02; done
  cat "$ROOM/said"
}
"#;

/// `serve` goes on until the next one begins, on this machine only; `--watch` ends after the first round.
const NOMAD_CLIENTS: &str = r#"
case " $* " in
  " serve "*)
    end_last
    case " $* " in *" --listen "*) ;; *) set -- "$@" --listen "127.0.0.1:$PORT" ;; esac
    run_on "$REAL" "${@/#0.0.0.0:/127.0.0.1:}"; echo $! > "$ROOM/last" ;;
  *" -w "* | *" --watch"*) run_on "$REAL" "$@"; kill $! ;;
  *) exec "$REAL" "$@" ;;
esac
"#;

/// Every name is this machine, and an answer that is an error is one.
const CURL: &str = r#"
set -- --fail-with-body --connect-to "::127.0.0.1:" "$@"
case " $* " in
  *" -sN "*) run_on "$REAL" "$@"; kill $! ;;
  *) exec "$REAL" "$@" ;;
esac
"#;

/// `nomad node drain -enable -yes NAME`
const NOMAD: &str = r#"
[[ "$*" =~ ^node\ drain\ -enable\ -yes\ ([a-z0-9-]+)$ ]] || exit 97
id=$(curl -s "$NOMAD_ADDR/v1/nodes" | jq -er --arg name "${BASH_REMATCH[1]}" '.[] | select(.Name == $name) | .ID')
curl -s -X PUT -d '{"DrainSpec":{"Deadline":3600000000000}}' "$NOMAD_ADDR/v1/node/$id/drain" >/dev/null
"#;

/// What is not run is known; tests that are named exist.
const STAND_IN: &str = r#"
typed="$NAME${*:+ $*}"
case "$typed" in
  "cargo test --test it "*) [ -z "$("$TESTS" --list "$4" | grep ': test$')" ] || exit 0 ;;
  "cargo test --lib "*) grep -rq "fn $3" "$ROOT/src" && exit 0 ;;
esac
grep -qxF -- "$typed" "$ROOM/not-run" || { echo "not in the list of commands that are not run: $typed" >&2; exit 97; }
case "$NAME" in */*) [ -x "$ROOT/$NAME" ] ;; esac
"#;

pub(super) struct Room {
    sandbox: Sandbox,
    sim: Sim,
    redis: RedisServer,
    port: String,
    group: String,
}

impl Room {
    pub(super) fn new() -> Self {
        let (sim, redis) = (
            Sim::start(Fleet::generated(12)),
            RedisServer::start_with(&["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"]),
        );
        let id = Command::new("id").arg("-gn").output().unwrap();
        let group = String::from_utf8(id.stdout).unwrap().trim().to_owned();
        let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
        let room = Self { sandbox, sim, redis, port: free_port().to_string(), group };
        room.program(
            "nomad-clients",
            &cargo_bin!("nomad-clients").display().to_string(),
            NOMAD_CLIENTS,
        );
        room.program("curl", &found("curl"), CURL);
        room.program("nomad", "", NOMAD);
        let socket = room.redis.socket();
        room.program(
            "redis-cli",
            &found("redis-cli"),
            &format!("exec \"$REAL\" -s {} \"$@\"\n", socket.display()),
        );
        for (command, _) in NOT_RUN {
            room.program(command.split(' ').next().unwrap(), "", STAND_IN);
        }
        let known: String = NOT_RUN.iter().map(|(command, _)| format!("{command}\n")).collect();
        room.sandbox.write("not-run", &known);
        room
    }

    /// Writes a program that stands in for another: in PATH, or where its path says.
    fn program(&self, name: &str, real: &str, text: &str) {
        let path = if name.contains('/') { name.to_owned() } else { format!("bin/{name}") };
        let path =
            self.sandbox.write(&path, &format!("{COMMON}REAL='{real}' NAME='{name}'\n{text}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What the documents say, what is meant here, and why.
    fn stand_ins(&self) -> [(&'static str, String, &'static str); 10] {
        let home = self.sandbox.home().display();
        let redis = self.redis.url();
        [
            ("http://127.0.0.1:4646", self.sim.address(), "may be taken"),
            ("http://10.0.0.5:4646", self.sim.address(), "the cluster of the examples"),
            (
                "redis://nc:PASSWORD@localhost:6379/0",
                format!("{redis}?user=nc&pass=PASSWORD"),
                "no port is open",
            ),
            ("redis://localhost:6379/0", redis, "no port is open"),
            ("/etc/nomad-clients", format!("{home}/etc"), "belongs to root"),
            ("/run/nomad-clients.sock", format!("{home}/socket"), "belongs to root"),
            ("/home/ops", home.to_string(), "does not exist"),
            (":8080", format!(":{}", self.port), "may be taken"),
            ("www-data", self.group.clone(), "does not exist everywhere"),
            (
                "uid 1000",
                format!("uid {}", rustix::process::getuid().as_raw()),
                "whoever runs the tests",
            ),
        ]
    }

    fn here(&self, text: &str) -> String {
        self.stand_ins()
            .iter()
            .fold(text.to_owned(), |text, (told, here, _)| text.replace(told, here))
    }

    /// The folder is a part of other paths, so it comes last.
    fn told(&self, text: &str) -> String {
        let group = |told: &&str| *told == "www-data";
        let back = self.stand_ins().into_iter().filter(|(told, ..)| !group(told));
        back.fold(text.to_owned(), |text, (told, here, _)| text.replace(&here, told))
    }

    fn bash(&self, script: &str) -> Output {
        self.shell(script).stdin(Stdio::null()).output().unwrap().into()
    }

    /// What a terminal of this width shows of a command.
    pub(super) fn terminal(&self, command: &str, columns: usize) -> String {
        let (pty, stdout) = Pty::open();
        let mut shell = self.shell(&format!("stty cols {columns} rows 40; exec 2>&1; {command}"));
        shell.env("TERM", "xterm-256color").stdin(stdout.try_clone().unwrap()).stdout(stdout);
        let child = shell.spawn().unwrap();
        drop(shell);
        pty.whole(child)
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("timeout");
        let path = std::env::var("PATH").unwrap_or_default();
        let home = self.sandbox.home();
        command
            .args(["120", "bash", "-c", &self.here(script)])
            .env_clear()
            .envs(
                self.sandbox
                    .command([""; 0])
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("PATH", format!("{}:{path}", home.join("bin").display()))
            .env("ROOM", home)
            .env("ROOT", ROOT)
            .env("PORT", &self.port)
            .env("TESTS", std::env::current_exe().unwrap())
            .current_dir(home);
        command
    }

    /// Every command of a script succeeds.
    pub(super) fn script(&self, block: &Block) -> Result<(), String> {
        let said = self.bash(&format!("set -e -o pipefail\n{}", block.text));
        match said.code {
            0 => Ok(()),
            code => {
                Err(format!("exit code {code}\n{}\n{}{}", block.text, said.stdout, said.stderr))
            }
        }
    }

    /// What each command of a session prints, in both streams, and how it ends.
    fn typed(&self, session: &[Typed]) -> Vec<(String, String)> {
        let mut script = "exec 2>&1\n".to_owned();
        for typed in session {
            script += &format!(
                "{}\nstatus=$?; printf '\\036%s\\036' $status; (exit $status)\n",
                typed.command
            );
        }
        let said = self.bash(&script);
        let parts: Vec<&str> = said.stdout.split('\u{1e}').collect();
        let pair = |pair: &[&str]| (self.told(pair[0]), pair[1].to_owned());
        parts.chunks_exact(2).map(pair).collect()
    }

    /// Every command of a session prints what is shown.
    pub(super) fn session(&self, block: &Block) -> Result<(), String> {
        let session = session(&block.text);
        let typed = self.typed(&session);
        for (at, Typed { command, shown }) in session.iter().enumerate() {
            let Some((output, code)) = typed.get(at) else {
                return Err(format!("`{command}` does not end"));
            };
            if !is_shown(output, shown) {
                return Err(format!("`{command}` prints\n{output}"));
            }
            let is_told = session.get(at + 1).is_some_and(|next| next.command == "echo $?");
            if code != "0" && !is_told {
                return Err(format!("`{command}` ends with {code}, which no `echo $?` shows"));
            }
        }
        Ok(())
    }

    /// The session with the outputs of now, where others are shown.
    pub(super) fn shown(&self, block: &Block) -> String {
        let session = session(&block.text);
        let typed = self.typed(&session);
        let mut text = String::new();
        for (Typed { command, shown }, (output, _)) in session.iter().zip(typed) {
            let is_shown = is_shown(&output, shown);
            let lines = if is_shown { shown.join("\n") + "\n" } else { output };
            text += &format!("$ {command}\n{}", if lines == "\n" { "" } else { &lines });
        }
        text
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.bash("pid=$(cat last 2>/dev/null) && kill $pid");
    }
}

/// # Panics
/// There is no such program.
fn found(name: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&path).map(|folder| folder.join(name));
    let found: Option<PathBuf> = all.find(|path| path.is_file());
    let found =
        found.unwrap_or_else(|| panic!("these tests need {name} in PATH: tests/run installs it"));
    found.display().to_string()
}
