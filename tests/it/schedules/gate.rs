//! The gate before every outside step: nobody passes until the schedule says so, so exactly one
//! step happens at a time.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What unwinds a process whose schedule is over.
pub(super) struct Over;

/// A luck that lets everything succeed.
pub(super) const NO_ACCIDENT: u64 = u64::MAX;

/// A process that runs so long without coming to a gate hangs.
const HANGS: Duration = Duration::from_secs(30);

enum Signal {
    Arrived(usize, Arrival),
    /// One more thread of a process runs.
    Forked,
    /// One thread less runs, without having come to a gate.
    Joined,
    Ended(usize),
}

/// Somebody who stands at the gate.
struct Arrival {
    label: String,
    grant: Sender<u64>,
}

/// The gate as a process sees it. One without a stage lets everybody pass.
#[derive(Clone)]
pub(super) struct Gate {
    process: usize,
    stage: Option<Sender<Signal>>,
}

impl Gate {
    pub(super) fn open() -> Self {
        Self { process: 0, stage: None }
    }

    /// Waits for its turn; gives the luck that the step has. `None`: the schedule is over.
    pub(super) fn pass(&self, label: impl Into<String>) -> Option<u64> {
        let Some(stage) = &self.stage else { return Some(NO_ACCIDENT) };
        let (grant, granted) = channel();
        let arrival = Arrival { label: label.into(), grant };
        stage.send(Signal::Arrived(self.process, arrival)).ok()?;
        granted.recv().ok()
    }

    /// The same, where the process can't go on without: it unwinds.
    pub(super) fn must_pass(&self, label: impl Into<String>) -> u64 {
        self.pass(label).unwrap_or_else(|| resume_unwind(Box::new(Over)))
    }

    pub(super) fn forked(&self) {
        self.tell(Signal::Forked);
    }

    pub(super) fn joined(&self) {
        self.tell(Signal::Joined);
    }

    pub(super) fn ended(&self) {
        self.tell(Signal::Ended(self.process));
    }

    /// Nobody listens any more when the schedule is over.
    fn tell(&self, signal: Signal) {
        let _ = self.stage.as_ref().map(|stage| stage.send(signal));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Has not begun.
    Waiting,
    Flying,
    Done,
}

/// All processes of a schedule, as the schedule sees them.
pub(super) struct Stage {
    signals: Receiver<Signal>,
    sender: Sender<Signal>,
    /// Threads that are on their way to a gate. Below zero if somebody gave up waiting at one.
    running: isize,
    arrived: Vec<Vec<Arrival>>,
    states: Vec<State>,
}

impl Stage {
    pub(super) fn new(processes: usize) -> Self {
        let (sender, signals) = channel();
        let arrived = (0..processes).map(|_| Vec::new()).collect();
        Self { signals, sender, running: 0, arrived, states: vec![State::Waiting; processes] }
    }

    pub(super) fn gate(&self, process: usize) -> Gate {
        Gate { process, stage: Some(self.sender.clone()) }
    }

    pub(super) fn state(&self, process: usize) -> State {
        self.states[process]
    }

    pub(super) fn all(&self, state: State) -> Vec<usize> {
        (0..self.states.len()).filter(|process| self.states[*process] == state).collect()
    }

    /// The process begins: runs to its first gate.
    pub(super) fn begin(&mut self, process: usize, run: impl FnOnce()) {
        self.states[process] = State::Flying;
        self.running += 1;
        run();
        self.settle();
    }

    /// Where the process stands: one gate, or two while base and list are under way.
    pub(super) fn labels(&self, process: usize) -> Vec<&str> {
        self.arrived[process].iter().map(|arrival| arrival.label.as_str()).collect()
    }

    /// Lets one thread of the process do one step.
    pub(super) fn grant(&mut self, process: usize, which: usize, luck: u64) {
        let arrival = self.arrived[process].remove(which);
        self.running += 1;
        let _ = arrival.grant.send(luck);
        self.settle();
    }

    /// Somebody gave up waiting at a gate: who stands where is not known any more.
    pub(super) fn is_confused(&self) -> bool {
        let lost = |process: &usize| {
            self.states[*process] == State::Flying && self.arrived[*process].is_empty()
        };
        self.running < 0 || (0..self.states.len()).any(|process| lost(&process))
    }

    /// The process gets no further step.
    pub(super) fn kill(&mut self, process: usize) {
        self.states[process] = State::Done;
    }

    /// Until everybody stands at a gate. Who stands where does not depend on who came first.
    fn settle(&mut self) {
        while self.running > 0 {
            let signal = self.signals.recv_timeout(HANGS);
            match signal.expect("a process neither comes to a gate nor ends") {
                Signal::Forked => {
                    self.running += 1;
                    continue;
                }
                Signal::Arrived(process, arrival) => {
                    let arrived = &mut self.arrived[process];
                    arrived.push(arrival);
                    arrived.sort_by(|a, b| a.label.cmp(&b.label));
                }
                Signal::Joined => {}
                Signal::Ended(process) => self.states[process] = State::Done,
            }
            self.running -= 1;
        }
    }
}
