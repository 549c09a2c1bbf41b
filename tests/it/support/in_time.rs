//! Scenarios that only mean something while Redis answers within the time that a run waits for it.

use super::sandbox::Output;

/// What runs have said.
pub(crate) trait Heard {
    /// One of them did without its Redis, as that did not answer in time: a busy machine.
    fn is_late(&self) -> bool;
}

impl Heard for Output {
    fn is_late(&self) -> bool {
        self.stderr.lines().any(|line| line.contains("redis") && line.contains("timed out after "))
    }
}

impl Heard for std::process::Output {
    fn is_late(&self) -> bool {
        Output::from(self.clone()).is_late()
    }
}

impl<T: Heard> Heard for [T] {
    fn is_late(&self) -> bool {
        self.iter().any(Heard::is_late)
    }
}

impl<T: Heard, const N: usize> Heard for [T; N] {
    fn is_late(&self) -> bool {
        self[..].is_late()
    }
}

impl<T: Heard> Heard for Vec<T> {
    fn is_late(&self) -> bool {
        self[..].is_late()
    }
}

impl<T: Heard, M> Heard for (T, M) {
    fn is_late(&self) -> bool {
        self.0.is_late()
    }
}

const TRIES: usize = 20;

/// Plays a whole scenario, from the start again if Redis was late in it; what it was in the end.
/// Whatever else goes wrong is never played again.
pub(crate) fn in_time<T: Heard>(mut play: impl FnMut() -> T) -> T {
    let mut found = play();
    for _ in 1..TRIES {
        if !found.is_late() {
            break;
        }
        found = play();
    }
    found
}
