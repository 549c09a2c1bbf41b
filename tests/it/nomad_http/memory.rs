//! The largest answer is bounded, and so is the memory that it takes.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nomad_clients::nomad::{FailureKind, Nomad as _};
use nomad_sim::{Fault, Fleet, Sim, Times, Where};

use crate::support::sandbox::Sandbox;

use super::{check, nomad};

/// 256 MB for the answer, 64 MB for the program around it.
const RSS_MAX_KB: u64 = (256 + 64) << 10;

#[test]
fn a_body_without_end_is_given_up() {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, Fault::Huge(300 << 20));
    let what = "answer larger than 256 MB (list, {at})";
    check(nomad(&sim.address()).stubs(), &sim.address(), (FailureKind::NotNomad, what, None));
}

#[cfg(target_os = "linux")]
#[test]
fn a_gzip_bomb_is_stopped_before_it_fills_the_memory() {
    let sim = Sim::start(Fleet::recorded());
    sim.fault(Where::List, Times::ALWAYS, Fault::bomb(1_024));
    let sandbox = Sandbox::local().nomad(&sim.address());
    let mut command = sandbox.command(["list"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (pid, limit) = (child.id(), Instant::now() + Duration::from_secs(60));
    let ended = std::thread::spawn(move || Child::wait_with_output(child));
    let mut most = 0;
    while !ended.is_finished() {
        assert!(Instant::now() < limit, "it does not end");
        most = most.max(peak_kb(pid));
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = ended.join().unwrap().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let error = format!("error: answer larger than 256 MB (list, {})\n", sim.address());
    assert_eq!((stderr, output.status.code()), (error, Some(6)));
    assert!((200 << 10..RSS_MAX_KB).contains(&most), "{most} KB");
}

/// The most memory that the process ever held; 0 once it is gone.
#[cfg(target_os = "linux")]
fn peak_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
