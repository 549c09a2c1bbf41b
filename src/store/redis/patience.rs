//! How long a run waits for a Redis that stays silent: as long as a full fetch would take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::host::notes::Notes;
use crate::model::format::millis;
use crate::store::{Place, Publication};

use super::socket::TimeBudget;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(5);
/// Where nobody knows how long a full fetch takes.
const UNKNOWN: Duration = Duration::from_secs(1);
/// Redis executes PUBLISH once all of it is there. That takes this long, and a second more for each
/// 10 MB.
const PUBLISH: Duration = Duration::from_secs(2);
const PUBLISH_BYTES_PER_MS: usize = 10_000;

/// How long one exchange may take.
#[derive(Debug, Clone, Copy)]
pub(super) enum StepLimit {
    /// As long as giving up would cost.
    Patience,
    /// The same for a publication of this many bytes.
    Publish(usize),
    /// The same, and no longer than this.
    Within(Duration),
    Fixed(TimeBudget),
}

/// What this run knows about the time that a full fetch of its scope takes.
#[derive(Debug)]
pub(super) struct Patience {
    /// `--redis-timeout`
    fixed: Option<Duration>,
    /// `--timeout`
    whole: Duration,
    /// In milliseconds; 0 = unknown.
    fetch_ms: AtomicU64,
    notes: Notes,
    /// The name of the note, for later runs of this scope.
    note: String,
}

impl Patience {
    pub(super) fn new(place: &Place, notes: Notes) -> Self {
        let note = format!("{}.fetch-ms", place.scope);
        let noted = notes.read(&note).and_then(|note| note.trim_end().parse().ok());
        Self {
            fixed: place.redis.silence,
            whole: place.redis.timeout,
            fetch_ms: AtomicU64::new(noted.unwrap_or(0)),
            notes,
            note,
        }
    }

    pub(super) fn budget(&self, limit: StepLimit) -> TimeBudget {
        let silence = self.silence();
        let silence = match limit {
            StepLimit::Fixed(budget) => return budget,
            StepLimit::Within(left) => {
                return TimeBudget { silence: silence.min(left), whole: self.whole.min(left) };
            }
            StepLimit::Patience => silence,
            StepLimit::Publish(_) if self.fixed.is_some() => silence,
            StepLimit::Publish(bytes) => {
                let transfer = (bytes / PUBLISH_BYTES_PER_MS) as u64;
                silence.max(PUBLISH + Duration::from_millis(transfer)).min(self.whole)
            }
        };
        TimeBudget { silence, whole: self.whole }
    }

    fn silence(&self) -> Duration {
        let fetch = match self.fetch_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(Duration::from_millis(ms)),
        };
        silence(fetch, self.fixed, self.whole)
    }

    /// A publication came this long after its list. Few are full fetches, so this is the least that one
    /// takes.
    pub(super) fn takes_at_least(&self, lag_ms: u64) {
        if lag_ms > self.fetch_ms.load(Ordering::Relaxed) {
            self.set(lag_ms);
        }
    }

    /// This is about to be published: if nothing of it was cached before, it is a full fetch.
    pub(super) fn publishes(&self, publication: &Publication<'_>) {
        let lag = millis(clock::since(publication.list_sent)).max(1);
        if publication.base.is_some() {
            self.takes_at_least(lag);
        } else {
            self.set(lag);
        }
    }

    fn set(&self, ms: u64) {
        let known = self.fetch_ms.swap(ms, Ordering::Relaxed);
        // Differences that change no patience are not worth a write.
        let of =
            |ms| silence(Some(Duration::from_millis(ms)), None, Duration::MAX).as_millis() / 100;
        if known == 0 || of(ms) != of(known) {
            self.notes.replace(&self.note, |_| format!("{ms}\n"));
        }
    }
}

/// How long Redis may be silent, if a full fetch takes `fetch`.
fn silence(fetch: Option<Duration>, fixed: Option<Duration>, whole: Duration) -> Duration {
    let measured = fetch.map_or(UNKNOWN, |fetch| fetch.clamp(SHORTEST, LONGEST));
    fixed.map_or_else(|| measured.min(whole / 3), |fixed| fixed.min(whole))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::silence;

    #[test]
    fn patience_is_measured_by_what_giving_up_costs() {
        let ms = Duration::from_millis;
        let of = |fetch: Option<u64>, fixed: Option<u64>, whole| {
            silence(fetch.map(ms), fixed.map(ms), ms(whole)).as_millis()
        };
        assert_eq!(of(None, None, 30_000), 1000);
        let fetches = [1, 500, 501, 4999, 5000, 5001, 60_000].map(|it| of(Some(it), None, 30_000));
        assert_eq!(fetches, [500, 500, 501, 4999, 5000, 5000, 5000]);
        assert_eq!([of(Some(9000), None, 6000), of(None, None, 600)], [2000, 200], "a third");
        assert_eq!(
            [of(Some(9000), Some(100), 30_000), of(None, Some(20_000), 30_000)],
            [100, 20_000]
        );
        assert_eq!(of(None, Some(20_000), 3000), 3000, "never more than the command has");
    }
}
