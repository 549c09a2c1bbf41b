//! Many schedules in a row, on several grounds at once, and a short counterexample if one fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::plan::Plan;
use super::run::{Outcome, Runner};
use super::world::PROMISES;

/// The most that is tried to make a counterexample shorter.
const SHRINKS: u32 = 400;

/// Which schedules are played: those of `count` seeds from `first` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) count: u64,
    /// Schedules played at the same time, each on a ground of its own.
    pub(super) stages: usize,
}

/// What came of a batch.
pub(super) struct BatchReport {
    pub(super) played: u64,
    /// Schedules that prove nothing because the machine was too slow.
    pub(super) disturbed: u64,
    pub(super) took: Duration,
    /// How often what happened.
    pub(super) ends: BTreeMap<String, u64>,
    /// The first schedule that broke a promise.
    pub(super) failure: Option<Counterexample>,
}

pub(super) struct Counterexample {
    plan: Plan,
    outcome: Outcome,
    runner: Runner,
}

impl Batch {
    /// Plays until one fails.
    pub(super) fn play(&self, runner: impl Fn() -> Runner + Sync) -> BatchReport {
        let began = Instant::now();
        let next = AtomicU64::new(0);
        let report = Mutex::new(BatchReport {
            played: 0,
            disturbed: 0,
            took: Duration::ZERO,
            ends: BTreeMap::new(),
            failure: None,
        });
        thread::scope(|scope| {
            for _ in 0..self.stages {
                scope.spawn(|| self.stage(&runner(), &next, &report));
            }
        });
        BatchReport { took: began.elapsed(), ..report.into_inner().unwrap() }
    }

    fn stage(&self, runner: &Runner, next: &AtomicU64, report: &Mutex<BatchReport>) {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                return;
            }
            let plan = Plan::of(self.first + number);
            let outcome = runner.play(&plan);
            let mut report = report.lock().unwrap();
            report.played += 1;
            report.disturbed += u64::from(outcome.disturbed);
            for end in &outcome.ends {
                *report.ends.entry(end.clone()).or_default() += 1;
            }
            if outcome.violations.is_empty() || outcome.disturbed {
                continue;
            }
            next.store(self.count, Ordering::Relaxed);
            let earlier = |failure: &Counterexample| failure.plan.seed < plan.seed;
            if !report.failure.as_ref().is_some_and(earlier) {
                report.failure = Some(Counterexample { plan, outcome, runner: runner.clone() });
            }
        }
    }
}

impl BatchReport {
    /// One line, and the counterexample if there is one.
    pub(super) fn text(&self, name: &str) -> String {
        let Self { played, disturbed, took, failure, .. } = self;
        let rate = f64::from(u32::try_from(*played).unwrap()) / took.as_secs_f64();
        let broken = failure.as_ref().map_or(0, |_| 1);
        let mut text = format!(
            "{name}: {played} schedules in {:.1} s ({rate:.0}/s), {broken} violations, {disturbed} not judged (too slow)",
            took.as_secs_f64()
        );
        if let Some(failure) = failure {
            let _ = write!(text, "\n{}", failure.text());
        }
        text
    }
}

impl Counterexample {
    pub(super) fn promise(&self) -> char {
        self.outcome.violations[0]
    }

    pub(super) fn seed(&self) -> u64 {
        self.plan.seed
    }

    fn text(&self) -> String {
        let promise = self.promise();
        let words = PROMISES.iter().find(|(letter, _)| *letter == promise).expect("a promise").1;
        let shortest = self.shortest();
        let trace = shortest.as_ref().unwrap_or(&self.outcome).log.join("\n  ");
        let seed = self.plan.seed;
        format!(
            "broken: {promise}, {words}\nagain: SEED={seed} SCHEDULES=1\n{}\nshortest trace found:\n  {trace}",
            self.plan.describe()
        )
    }

    /// The same violation with fewer acts.
    fn shortest(&self) -> Option<Outcome> {
        let mut best: Option<Outcome> = None;
        let mut acts = self.outcome.acts.clone();
        let (mut size, mut tries) = (acts.len() / 2, 0);
        while size > 0 {
            let mut at = 0;
            while at < acts.len() && tries < SHRINKS {
                let mut fewer = acts.clone();
                fewer.drain(at..(at + size).min(acts.len()));
                let outcome = self.runner.replay(&self.plan, &fewer);
                tries += 1;
                if outcome.violations.contains(&self.promise()) && outcome.acts.len() < acts.len() {
                    acts.clone_from(&outcome.acts);
                    best = Some(outcome);
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        best
    }
}
