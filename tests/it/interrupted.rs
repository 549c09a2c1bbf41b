//! How a run ends otherwise than well: some details missing, a signal, a reader that leaves.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nomad_sim::{Answer, Fault, Fleet, Sim, Times, Where};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Output, Sandbox, failure};

const LIMIT: Duration = Duration::from_secs(10);

fn broken(name: &str) -> Sim {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::node(name), Times::ALWAYS, Fault::Answer(Answer::new(500, &[], "no")));
    sim
}

#[test]
fn rows_are_kept_when_a_detail_is_missing() {
    let sim = broken("worker-3");
    let sandbox = Sandbox::local().nomad(&sim.address());
    let id = sim.cluster().id("worker-3");
    let said = sandbox.run("list -o name");
    let names = "worker-1\nworker-2\nworker-3\nworker-4\nworker-5\n";
    assert_eq!((said.stdout.as_str(), said.code), (names, 8), "{}", said.stderr);
    assert!(said.stderr.starts_with(&format!("error: 1 of 5 nodes without details: {id}: ")));
    let said = sandbox.run("list -o name --allow-partial");
    assert_eq!((said.stdout.as_str(), said.code), (names, 0), "{}", said.stderr);
    assert!(said.stderr.starts_with(&format!("warning: 1 of 5 nodes without details: {id}: ")));
}

#[test]
fn what_is_missing_matters_to_those_who_are_shown_it() {
    let sim = broken("worker-3");
    let sandbox = Sandbox::local().nomad(&sim.address());
    let name = |said: Output| (said.stdout, said.code);
    assert_eq!(name(sandbox.run("list -o name worker-1")), ("worker-1\n".to_owned(), 0));
    assert_eq!(
        name(sandbox.run("list -o name worker-[34]")),
        ("worker-3\nworker-4\n".to_owned(), 8)
    );
    assert_eq!(sandbox.run("show worker-1 --json").code, 0);
    let said = sandbox.run("show worker-3 --json");
    assert_eq!(
        (said.stdout.contains("\"attributes\":null"), said.code),
        (true, 8),
        "{}",
        said.stderr
    );
}

/// The lease is given back, so that those who wait need not wait for its end.
#[test]
fn a_signal_ends_the_run_and_gives_the_lease_back() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
        let gate = sim.hold(Where::Nodes);
        let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
        let mut child = sandbox.command(["list"]).stdout(Stdio::piped()).spawn().unwrap();
        assert!(sim.await_requests(2, LIMIT), "details are asked for");
        assert_eq!(leases(&redis), 1, "the lease is held");
        let told = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = ended(&mut child);
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout.is_empty());
        assert_eq!(leases(&redis), 0, "the lease is free");
        gate.open();
    }
}

fn leases(redis: &RedisServer) -> usize {
    match redis.cli(&["KEYS", "nomad:clients:lease:*"]) {
        redis::Value::Array(keys) => keys.len(),
        other => panic!("no list: {other:?}"),
    }
}

fn ended(child: &mut Child) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < LIMIT, "it does not end");
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_that_leaves_early_does_not_spoil_the_cache() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = sandbox.command(["list"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    sim.asked();
    sandbox.stdout("list");
    assert_eq!(sim.asked(), Vec::<String>::new(), "published all the same");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(["list"]).stdout(full).output().unwrap();
    let stderr = "error: cannot write the answer: no space left on device\n";
    let said = Output {
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    };
    assert_eq!(said, failure(1, stderr));
}

/// Who closes a connection has not seen enough: the answer is lost, whatever was asked.
#[test]
fn an_answer_that_can_not_be_written_is_an_error_everywhere() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let node = sandbox.stdout("list -o name").lines().next().unwrap().to_owned();
    let formats = ["table", "wide", "json", "jsonl", "yaml", "csv", "tsv", "name", "id"];
    let mut lines: Vec<String> = formats.iter().map(|it| format!("list -o {it}")).collect();
    lines.extend([format!("show {node}"), format!("show {node} --json")]);
    lines.extend(
        [
            "--help",
            "--version",
            "help list",
            "list -h",
            "list -c help",
            "list --count-by dc",
            "list --fail-on status=ready",
            "list -w",
            "list -w --json",
            "refresh",
            "refresh --json",
            "cache stats",
            "cache stats --json",
            "cache clear",
            "doctor",
            "doctor --json",
            "completions zsh",
            "serve --listen 127.0.0.1:0",
        ]
        .map(str::to_owned),
    );
    for line in lines {
        let (reader, closed) = UnixStream::pair().unwrap();
        drop(reader);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ends = [
            (Stdio::from(full), "no space left on device"),
            (OwnedFd::from(closed).into(), "the connection is closed"),
        ];
        for (stdout, why) in ends {
            let mut command = sandbox.command(line.split(' '));
            let output = command.stdout(stdout).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let told = format!("error: cannot write the answer: {why}\n");
            assert_eq!((output.status.code(), stderr), (Some(1), told), "{line}");
        }
    }
}

/// It is not wrong usage either.
#[test]
fn an_answer_to_a_shell_that_can_not_be_written_is_an_error() {
    let sandbox = Sandbox::local();
    let mut command = sandbox.command(["--", "nomad-clients", "list", "--st"]);
    command.env("NOMAD_CLIENTS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(command.stdout(full).output().unwrap().status.code(), Some(1));
}
