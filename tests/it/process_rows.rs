//! The rows of processes, clocks and input: P4, P5, C1, C2, I1 to I4 of the fault matrix.
//!
//! | row | test |
//! |---|---|
//! | P1 | `store::files::killed` (every write of the files), `redis_rows::killed` (every command to Redis) |
//! | P2, P3 | `ends`, `cli::a_full_disk_is_an_error_and_a_closed_pipe_is_none`, `cli::a_stderr_that_takes_nothing_hurts_nothing` |
//! | P4 | `p4_*` |
//! | P5 | `p5_*`, `waiting::a_panic_gives_the_lease_back` |
//! | C1, C2 | `tidy` lets nobody but the statistics ask for the wall clock; `store::boot` |
//! | I1 | `cli::a_typed_value_is_wrong_usage`, `cli::a_variable_is_configuration` |
//! | I2 | `i2_*`, `cli::bytes_that_are_no_text_and_controls_are_harmless` |
//! | I3 | `cli::wrong_usage`, `cli::a_typed_value_is_wrong_usage` |
//! | I4 | `cli::prefixes_can_not_leave_their_place` |

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nomad_sim::{Fleet, Sim};
use rustix::process::{Resource, getrlimit};

use crate::support::fake_redis::FakeRedis;
use crate::support::sandbox::{Output, Sandbox, failure};

/// The program, begun by a shell that first lowers a limit.
fn limited(sandbox: &Sandbox, limit: &str, args: &str) -> std::process::Output {
    let program = sandbox.command(["list"]);
    let mut shell = Command::new("sh");
    let line = format!("{limit}; exec \"$0\" {args}");
    shell
        .arg("-c")
        .arg(line)
        .arg(program.get_program())
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", std::env::var_os("PATH").unwrap_or_default()).output().unwrap()
}

#[test]
fn p4_few_descriptors_and_little_memory_are_enough() {
    let sim = Sim::start(Fleet::generated(300));
    let sandbox = Sandbox::local().nomad(&sim.address());
    let all = sandbox.stdout("list --json");
    for limit in ["ulimit -n 64", "ulimit -v 262144", "taskset -pc 0 $$ >/dev/null"] {
        let output = limited(&sandbox, limit, "list --json --force");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{limit}");
        assert_eq!(output.status.code(), Some(0), "{limit}");
        assert!(output.stdout == all.as_bytes(), "{limit}");
    }
}

/// Hardly enough for one connection at a time.
#[test]
fn p4_as_few_descriptors_as_can_be() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "none").nomad(&sim.address());
    let all = sandbox.stdout("list --json");
    let output = limited(&sandbox, "ulimit -n 8", "list --json");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((stderr.as_str(), output.status.code()), ("", Some(0)));
    assert!(output.stdout == all.as_bytes());
}

/// Tells the test below that it is the process which is to panic.
const PANICS: &str = "PANICS";

/// The end of a process: a hook and a limit hold for all of it.
fn panic_and_crash() {
    let code = nomad_clients::guarded(|| panic!("the token is {}", "canary"));
    assert_eq!(code, ExitCode::FAILURE);
    let core = getrlimit(Resource::Core);
    assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
    std::process::abort();
}

/// Neither its text nor what a crash would leave; where it is permitted, that is a file here.
#[test]
fn p5_a_panic_reveals_nothing() {
    if std::env::var_os(PANICS).is_some() {
        return panic_and_crash();
    }
    let here = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c \"$(ulimit -H -c)\"; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "process_rows::p5_a_panic_reveals_nothing", "--nocapture"]);
    shell.env_clear().env(PANICS, "yes").env("RUST_BACKTRACE", "full").current_dir(here.path());
    let output = shell.output().unwrap();
    let said = Output::from(output.clone());
    let stderr = "error: internal error: this is a bug in nomad-clients\nhint: please report it with the command you ran\n";
    assert_eq!(said.stderr, stderr, "{}", said.stdout);
    assert_eq!(output.status.signal(), Some(6), "it went on to the crash: {}", said.stdout);
    assert!(!said.stdout.contains("canary"), "{}", said.stdout);
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0, "no dump of the memory");
}

/// The same holds from the start on: also of the process that a shell asks what may be typed.
#[test]
fn p5_a_shell_that_asks_leaves_no_dump_either() {
    let (tell, asked) = mpsc::channel();
    let redis = FakeRedis::new(move |mut client| {
        tell.send(()).unwrap();
        let _ = io::copy(&mut client, &mut io::sink());
    });
    let sandbox = Sandbox::redis(&redis.url());
    let mut command = sandbox.command(["--", "nomad-clients", "list", ""]);
    command.env("NOMAD_CLIENTS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2");
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    asked.recv_timeout(Duration::from_secs(10)).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"]);
    assert!(child.wait().unwrap().success());
}

/// A megabyte in one argument or variable is refused or taken, in no time and few words.
#[test]
fn i2_a_long_argument_is_bounded() {
    let sim = Sim::start(Fleet::recorded());
    // The system takes 128 KB in one word.
    let long = "x".repeat(120 << 10);
    let sandbox = Sandbox::local().nomad(&sim.address());
    for args in [["list", "--ttl"], ["list", "--cache-prefix"], ["list", "--redis"], ["list", "-o"]]
    {
        let output = sandbox.command(args.iter().copied().chain([&*long])).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
        assert!(output.stderr.len() < 1000, "{args:?}: {} bytes", output.stderr.len());
    }
    let output = sandbox.command(["list", &long]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(output.stderr.len() < 1000, "{} bytes", output.stderr.len());
}

#[test]
fn i2_a_variable_that_is_no_text() {
    let sandbox = Sandbox::empty();
    let mut command = sandbox.command(["list"]);
    command.env("NOMAD_ADDR", OsString::from_vec(b"http://\xff".to_vec()));
    let said = Output::from(command.output().unwrap());
    assert_eq!(said, failure(2, "error: the variable NOMAD_ADDR is not UTF-8\n"));
}
