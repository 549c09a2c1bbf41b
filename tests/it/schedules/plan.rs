//! What a schedule is made of: processes, things that happen, and the acts in their order.

use super::actor::{Behaviour, Kind};
use super::rng::Rng;
use super::world::HOSTS;

/// What may happen between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Change,
    Delete,
    Restore,
    Evict,
    LoseLease,
    EndAll,
    EndHash,
    Foreign,
    SpoilKept,
    SpoilCopy,
    ClearByHand,
    Refuse,
    Allow,
    Save,
    Load,
    Renew,
    Kill,
    Interrupt,
    /// A few milliseconds go by.
    Tick,
}

/// One thing that a schedule does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// The process does its next step (`which`: of those it can do), or begins.
    Step {
        process: usize,
        which: usize,
        luck: u64,
    },
    Happen(Event, u64),
    /// Somebody looks at the cache at one instant; `luck` says how.
    Observe(u64),
}

/// Who takes part, and how often what may happen. All of it follows from the seed.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Kind, scope and host of every process.
    pub(super) processes: Vec<(Kind, usize, usize)>,
    /// The scopes that take part: one or both.
    pub(super) scopes: usize,
    pub(super) temper: Behaviour,
    /// The first process runs alone, undisturbed, before everybody else.
    pub(super) warm: bool,
    /// Chances that are left.
    pub(super) left: Vec<(Event, u32)>,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let scopes = if rng.percent(50) { 2 } else { 1 };
        let [flaky, warm, stale] = [25, 50, 10].map(|chance| rng.percent(chance));
        let left = events(&mut rng);
        let kinds = [
            (Kind::Get, 50),
            (Kind::Full, 30),
            (Kind::Refresh, 20),
            (Kind::Force, 15),
            (Kind::Clear, 13),
        ];
        let count = 2 + rng.below(5);
        // Of a clear that a rollback undoes, only its own host knows.
        let rolls_back = left.iter().any(|(event, _)| *event == Event::Load);
        let hosts = if rolls_back || rng.percent(50) { 1 } else { HOSTS };
        let process = |_| (rng.weighted(&kinds), rng.below(scopes), rng.below(hosts));
        let processes = (0..count).map(process).collect();
        let [probes, large] = [50, 30].map(|chance| rng.percent(chance));
        let temper = Behaviour { flaky, stale, probes, large };
        Self { seed, processes, scopes, temper, warm, left }
    }

    /// One line for a report.
    pub(super) fn describe(&self) -> String {
        let Self { seed, processes, scopes, temper, warm, left } = self;
        let may: Vec<_> = left.iter().map(|(event, times)| format!("{event:?} {times}")).collect();
        format!(
            "seed {seed}: {processes:?}, {scopes} scopes, warm: {warm}, {temper:?}, {}",
            may.join(", ")
        )
    }

    /// Takes one of the chances that are left.
    pub(super) fn take(&mut self, rng: &mut Rng) -> Option<Event> {
        let at = rng.below(self.left.len());
        let (event, times) = self.left.get_mut(at)?;
        let event = *event;
        *times -= 1;
        self.left.retain(|(_, times)| *times > 0);
        Some(event)
    }
}

fn events(rng: &mut Rng) -> Vec<(Event, u32)> {
    let [restore, rollback, slow] = [20, 12, 15].map(|chance| rng.percent(chance));
    let [expire, ttl] = [50, 50].map(|chance| rng.percent(chance));
    // After a rollback nothing else is lost besides, or the guard's limits are met too often.
    let [evict, foreign, by_hand] = [50, 15, 8].map(|chance| rng.percent(chance) && !rollback);
    let [spoil, refuse] = [40, 12].map(|chance| rng.percent(chance));
    let mut up_to = |limit: usize| u32::try_from(rng.below(limit + 1)).unwrap();
    let mut all = vec![
        (Event::Change, up_to(4)),
        (Event::Delete, up_to(1)),
        (Event::Restore, u32::from(restore)),
        (Event::Evict, up_to(2) * u32::from(evict)),
        (Event::LoseLease, up_to(3) * u32::from(expire)),
        (Event::EndAll, up_to(1) * u32::from(ttl)),
        (Event::EndHash, up_to(1) * u32::from(ttl)),
        (Event::Foreign, u32::from(foreign)),
        (Event::SpoilKept, up_to(2) * u32::from(spoil)),
        (Event::SpoilCopy, up_to(2) * u32::from(spoil)),
        (Event::ClearByHand, u32::from(by_hand)),
        (Event::Refuse, u32::from(refuse)),
        (Event::Allow, u32::from(refuse)),
        (Event::Save, u32::from(rollback)),
        (Event::Load, u32::from(rollback)),
        (Event::Renew, 2),
        (Event::Kill, up_to(1)),
        (Event::Interrupt, up_to(1)),
        (Event::Tick, 3 * u32::from(slow)),
    ];
    all.retain(|(_, times)| *times > 0);
    all
}
