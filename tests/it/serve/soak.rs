//! How long a change takes to its readers, and whether a server that runs for long stays as it is.
//!
//! `tests/run soak-serve MINUTES` for longer, `CHANGES=200 cargo test --release --test it
//! serve::soak::a_change -- --nocapture` for the figures.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Room;
use crate::support::served::Events;

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap())
}

/// The next change of metadata, and when it came.
fn change(events: &mut Events, value: &str) -> Instant {
    loop {
        let event = events.news();
        if event.name == "changed" && event.data["meta"]["turn"] == value {
            return Instant::now();
        }
    }
}

/// Every change reaches the reader; how soon is printed, not asserted.
#[test]
fn a_change_reaches_the_reader() {
    for args in ["--follow-interval 0s", ""] {
        let room = Room::with(args);
        room.served.get("/api/clients");
        let mut events = room.served.events(None);
        events.news();
        let mut times: Vec<Duration> = (0..number("CHANGES", 5))
            .map(|turn| {
                let began = Instant::now();
                room.sim.cluster().set_meta("worker-1", "turn", Some(&turn.to_string()));
                let took = change(&mut events, &turn.to_string()).duration_since(began);
                // Not in step with the server's own pauses.
                thread::sleep(Duration::from_millis(7 * (turn as u64 % 10)));
                took
            })
            .collect();
        times.sort();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        println!(
            "{:>24}: {} changes, p50 {:?}, p99 {:?}, longest {:?}",
            if args.is_empty() { "default" } else { args },
            times.len(),
            at(50),
            at(99),
            times[times.len() - 1]
        );
    }
}

/// What goes on around the server, and how much of it.
struct Bustle {
    room: Room,
    over: AtomicBool,
    changes: AtomicUsize,
    heard: AtomicUsize,
    asked: AtomicUsize,
}

impl Bustle {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn turn(&self, value: &str) {
        self.room.sim.cluster().set_meta("worker-1", "turn", Some(value));
    }

    /// Reads events; some readers leave and come back.
    fn read(&self, is_restless: bool) {
        let mut events = self.room.served.events(None);
        while self.goes_on() {
            match events.next() {
                Some(event) if event.name != "beat" => {
                    let heard = self.heard.fetch_add(1, Ordering::Relaxed);
                    if is_restless && heard % 50 == 49 {
                        events = self.room.served.events(None);
                    }
                }
                Some(_) => {}
                None => events = self.room.served.events(None),
            }
        }
    }

    fn change_and_clear(&self) {
        while self.goes_on() {
            let turn = self.changes.fetch_add(1, Ordering::Relaxed);
            self.turn(&turn.to_string());
            thread::sleep(Duration::from_millis(20));
            if turn % 250 == 249 {
                self.room.served.ask("POST", "/api/cache/clear", &[], "");
            }
        }
    }

    fn ask(&self) {
        while self.goes_on() {
            assert_eq!(self.room.served.get("/api/clients").status, 200);
            self.asked.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Twenty readers of events, changes, clears and questions: memory and descriptors stay.
#[test]
#[cfg(target_os = "linux")]
fn memory_and_descriptors_stay_as_they_are() {
    let seconds = number("SERVE_SOAK_SECONDS", 6);
    let bustle = Bustle {
        room: Room::with("--follow-interval 0s"),
        over: AtomicBool::new(false),
        changes: AtomicUsize::new(0),
        heard: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
    };
    let sizes = thread::scope(|scope| {
        let bustle = &bustle;
        for reader in 0..20 {
            scope.spawn(move || bustle.read(reader % 5 == 0));
        }
        scope.spawn(|| bustle.change_and_clear());
        scope.spawn(|| bustle.ask());
        let pause = Duration::from_millis(seconds as u64 * 1000 / 12);
        let size = |_| {
            thread::sleep(pause);
            bustle.room.served.size()
        };
        let sizes: Vec<(usize, usize)> = (0..12).map(size).collect();
        bustle.over.store(true, Ordering::Relaxed);
        // The readers wait for an event: the last change is theirs.
        bustle.turn("over");
        sizes
    });
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let [changes, heard, asked] = [&bustle.changes, &bustle.heard, &bustle.asked].map(count);
    println!(
        "{seconds} s, {changes} changes, {heard} events read, {asked} questions: \
         memory in KB and descriptors {sizes:?}"
    );
    assert!(heard > 20 && asked > 20);
    // The first quarter fills what is kept for readers who come back.
    let early = sizes[2..5].iter().max().unwrap();
    let late = sizes.last().unwrap();
    assert!(late.0 < early.0 + early.0 / 2 + 8_000, "memory grows: {sizes:?}");
    let most = |part: &[(usize, usize)]| part.iter().map(|(_, open)| *open).max().unwrap();
    assert!(most(&sizes[8..]) <= most(&sizes[..6]) + 8, "descriptors grow: {sizes:?}");
}
