//! The rows of Redis, R1 to R22 of the fault matrix, through the program.
//!
//! | rows | where |
//! |---|---|
//! | R2–R7, R9–R11, R17, R18 | `reading`: a list while Redis is in trouble; what is cached instead |
//! | R20 | `clearing`: `cache clear` in the same troubles |
//! | R1, R8, R13–R16, R19, R21, R22 | `flying`: what happens while a fetch is under way |
//! | R3 of many runs | `silent`: one fetch for all, which nobody disturbs |
//! | R12 | `spoilt`: every key, spoilt in every way, asked in every way |
//! | a command is missing | `unfit` |
//! | killed between two commands | `killed` |
//! | G16, secrets | `safety::secrets` |

mod clearing;
mod flying;
mod killed;
mod reading;
mod silent;
pub(crate) mod spoilt;
pub(crate) mod trouble;
mod unfit;

use std::process::{Child, Stdio};
use std::time::Duration;

use nomad_sim::{Fleet, Gate, Sim, Where};

use crate::support::sandbox::{Output, Sandbox};

/// A cluster of five nodes, and a machine that lists them.
struct Room {
    sim: Sim,
    sandbox: Sandbox,
}

impl Room {
    fn new(redis: &str) -> Self {
        let sim = Sim::start(Fleet::recorded());
        let sandbox = Sandbox::redis(redis).nomad(&sim.address());
        Self { sim, sandbox }
    }

    /// The same that waits for its Redis however busy the machine is.
    fn patient(redis: &str) -> Self {
        let room = Self::new(redis);
        Self { sandbox: room.sandbox.patient(), ..room }
    }

    /// The whole answer, as a machine without any cache gets it.
    fn all(&self) -> String {
        let bare = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "none").nomad(&self.sim.address());
        let all = bare.stdout("list --json");
        self.sim.asked();
        all
    }

    /// A list that must print everything, say `stderr` and cost `calls`.
    #[track_caller]
    fn lists(&self, args: &str, stderr: &str, calls: usize) {
        let all = self.all();
        check(&self.sandbox.run(args), &all, stderr);
        assert_eq!(self.sim.asked().len(), calls, "{args}");
    }

    fn start(&self, args: &str) -> Child {
        let mut command = self.sandbox.command(args.split(' '));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A run that waits for details until the gate is opened.
    fn held(&self, args: &str) -> (Child, Gate) {
        let gate = self.sim.hold(Where::Nodes);
        let child = self.start(args);
        assert!(gate.await_waiting(1, Duration::from_secs(10)), "it asks for details");
        (child, gate)
    }

    /// Lets a held run go on; what it said in the end.
    fn go_on(&self, child: Child, gate: &Gate) -> Output {
        gate.open();
        self.sim.heal();
        child.wait_with_output().unwrap().into()
    }
}

/// Exit 0 with exactly this.
#[track_caller]
fn check(said: &Output, stdout: &str, stderr: &str) {
    assert_eq!((said.stderr.as_str(), said.code), (stderr, 0));
    assert!(said.stdout == stdout, "stdout differs: {}", said.stdout);
}
