//! LOOK's verdict: is what was read a hit, and if not, why not?

use std::time::Duration;

use crate::model::json::is_harmless;
use crate::model::snapshot::Snapshot;

use super::meta::Meta;
use super::{Present, scope::Scope};

/// What is wrong with an entry that is there and not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryFlaw {
    NoEpoch,
    NoMeta,
    UnreadableMeta,
    /// The plain names hold the nodes of another cluster or token.
    Others,
    Cleared,
    WrongType,
    WrongSum,
    /// Control characters, which no JSON of this program's holds.
    Harmful,
    WrongExpiry,
    /// Redis went back to what it held before a clear.
    BroughtBack,
}

impl EntryFlaw {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NoEpoch => "no epoch",
            Self::NoMeta => "no meta line",
            Self::UnreadableMeta => "unreadable meta line",
            Self::Others => "belongs to another cluster or token",
            Self::Cleared => "was cleared",
            Self::WrongType => "wrong type",
            Self::WrongSum => "wrong checksum",
            Self::Harmful => "contains control characters",
            Self::WrongExpiry => "unexpected TTL",
            Self::BroughtBack => "was cleared, but Redis went back to an older state",
        }
    }
}

/// What LOOK read of one family of keys.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredFamily {
    pub meta: Option<Meta>,
    /// There is something in the place of the meta line.
    pub is_unreadable: bool,
    pub all: Option<Vec<u8>>,
    /// PTTL of `all` in milliseconds, asked *before* the values: -1 = never expires, -2 = absent.
    /// If a publication falls between, the age comes out too high, never too low.
    pub ttl_left: i64,
}

impl StoredFamily {
    pub(super) fn read(line: Option<&[u8]>, all: Option<Vec<u8>>, ttl_left: i64) -> Self {
        let meta = line.and_then(Meta::parse);
        Self { is_unreadable: line.is_some() && meta.is_none(), meta, all, ttl_left }
    }
}

/// Everything LOOK read.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredEntry {
    pub epoch: Option<Vec<u8>>,
    pub literal: StoredFamily,
    pub own: StoredFamily,
}

#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Hit(Box<Hit>),
    Miss(Miss),
}

#[derive(Debug, PartialEq)]
pub(super) struct Hit {
    /// Without full records.
    pub snapshot: Snapshot,
    pub meta: Meta,
    /// Found under the literal names.
    pub literal: bool,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Miss {
    /// The publication that is there and can't be used.
    pub refuse: Option<String>,
    /// What is wrong with the entry; `None` if there simply is nothing fresh.
    pub why: Option<EntryFlaw>,
}

impl Miss {
    fn ignored(why: EntryFlaw) -> Self {
        Self { refuse: None, why: Some(why) }
    }
}

/// Judges by the protocol's rules. `ttl` is the caller's own; `elapsed` since LOOK was sent.
pub(super) fn judge(seen: StoredEntry, scope: &Scope, ttl: Duration, elapsed: Duration) -> Verdict {
    let (meta, family, literal) = match choose(seen.literal, seen.own, scope) {
        Ok(chosen) => chosen,
        Err(miss) => return Verdict::Miss(miss),
    };
    let since = match usable(&meta, &family, seen.epoch.as_deref(), ttl) {
        Ok(since) => since,
        Err(miss) => return Verdict::Miss(miss),
    };
    let lag = Duration::from_millis(meta.lag_ms);
    let snapshot = Snapshot {
        rev: meta.rev.clone(),
        index: meta.index,
        count: meta.count,
        all: family.all.unwrap_or_default().into(),
        fulls: None,
        age: lag.saturating_add(since).saturating_add(elapsed),
        since: since.saturating_add(elapsed),
    };
    Verdict::Hit(Box::new(Hit { snapshot, meta, literal }))
}

/// The publication that [`judge`] would hit, told without the bytes of `all`. Whoever holds those
/// can't hold those of a publication that came after the question for the expiry: that is a miss.
pub(super) fn present(
    seen: StoredEntry,
    scope: &Scope,
    ttl: Duration,
    elapsed: Duration,
) -> Option<Present> {
    let (meta, family, _) = choose(seen.literal, seen.own, scope).ok()?;
    let known = seen.epoch.as_deref() == Some(meta.epoch.as_bytes()) && meta.len > 0;
    let since = since(&meta, family.ttl_left).filter(|_| known && family.ttl_left >= 0)?;
    let fresh = since <= ttl && !ttl.is_zero();
    let age = Duration::from_millis(meta.lag_ms).saturating_add(since).saturating_add(elapsed);
    let since = since.saturating_add(elapsed);
    fresh.then_some(Present { rev: meta.rev, index: meta.index, age, since })
}

/// The family that is this scope's: the literal one if its meta names the scope, else the own one.
fn choose(
    mut literal: StoredFamily,
    mut own: StoredFamily,
    scope: &Scope,
) -> Result<(Meta, StoredFamily, bool), Miss> {
    let mine = |meta: &mut Meta| meta.scope == scope.as_str();
    if let Some(meta) = literal.meta.take_if(mine) {
        return Ok((meta, literal, true));
    }
    match own.meta.take_if(mine) {
        Some(meta) => Ok((meta, own, false)),
        None if literal.is_unreadable => Err(Miss::ignored(EntryFlaw::UnreadableMeta)),
        None if literal.meta.is_some() => Err(Miss::ignored(EntryFlaw::Others)),
        None if literal.ttl_left != -2 => Err(Miss::ignored(EntryFlaw::NoMeta)),
        None => Err(Miss::default()),
    }
}

/// How long ago it was published, if it can be shown.
fn usable(
    meta: &Meta,
    family: &StoredFamily,
    epoch: Option<&[u8]>,
    ttl: Duration,
) -> Result<Duration, Miss> {
    let epoch = epoch.ok_or(Miss::ignored(EntryFlaw::NoEpoch))?;
    if meta.epoch.as_bytes() != epoch {
        return Err(Miss::ignored(EntryFlaw::Cleared));
    }
    let all = match &family.all {
        Some(all) if meta.len > 0 => all,
        None if meta.len > 0 && family.ttl_left != -2 => {
            return Err(Miss::ignored(EntryFlaw::WrongType));
        }
        _ => return Err(Miss::default()),
    };
    let refuse = |why| Miss { refuse: Some(meta.rev.clone()), why };
    if !meta.describes(all) {
        return Err(refuse(Some(EntryFlaw::WrongSum)));
    }
    // Whoever may write there can make the sums right too.
    if !is_harmless(all) {
        return Err(refuse(Some(EntryFlaw::Harmful)));
    }
    let since = since(meta, family.ttl_left).ok_or_else(|| refuse(Some(EntryFlaw::WrongExpiry)))?;
    // A TTL of zero means never, even for what was published in this very millisecond.
    if since > ttl || ttl.is_zero() { Err(refuse(None)) } else { Ok(since) }
}

/// `None` for an entry that never expires or lives longer than it was written for: it would be
/// taken for fresher than it is.
fn since(meta: &Meta, ttl_left: i64) -> Option<Duration> {
    match ttl_left {
        // It was published after the question for the expiry.
        -2 => Some(Duration::ZERO),
        left => {
            let left = u64::try_from(left).ok()?;
            meta.ttl_ms.checked_sub(left).map(Duration::from_millis)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{EntryFlaw, Miss, StoredEntry, StoredFamily, Verdict, judge, present};
    use crate::store::meta;
    use crate::store::scope::{Cluster, Scope};

    fn line(scope: &Scope, all: &str, lag: u64) -> Vec<u8> {
        let (len, sum) = (all.len(), meta::sum(all.as_bytes()));
        format!("v2|{scope}|ab|N1|{:020}|0|{len}|{sum}|60000|{lag}", 7).into()
    }

    fn family(scope: &Scope, ttl_left: i64) -> StoredFamily {
        StoredFamily::read(Some(&line(scope, "[1]", 100)), Some(b"[1]".to_vec()), ttl_left)
    }

    fn verdict(change: impl Fn(&mut StoredEntry)) -> Verdict {
        let scope = Scope::of(&Cluster::default());
        let epoch = Some(b"ab".to_vec());
        let mut seen =
            StoredEntry { epoch, literal: family(&scope, 50_000), own: StoredFamily::default() };
        change(&mut seen);
        judge(seen, &scope, Duration::from_secs(30), Duration::from_millis(5))
    }

    #[test]
    fn ages() {
        let age = |left| match verdict(|seen| seen.literal.ttl_left = left) {
            Verdict::Hit(hit) => {
                Some((hit.snapshot.since.as_millis(), hit.snapshot.age.as_millis()))
            }
            Verdict::Miss(_) => None,
        };
        assert_eq!(age(50_000), Some((10_005, 10_105)));
        // Published between PTTL and MGET: the PTTL of the old one makes it older, none makes it new.
        assert_eq!(age(30_000), Some((30_005, 30_105)));
        assert_eq!(age(-2), Some((5, 105)));
        assert_eq!([age(29_999), age(-1), age(60_001)], [None; 3]);
    }

    #[test]
    fn what_is_present_is_what_would_be_hit() {
        let scope = Scope::of(&Cluster::default());
        let present = |change: fn(&mut StoredEntry)| {
            let literal = StoredFamily { all: None, ..family(&scope, 50_000) };
            let epoch = Some(b"ab".to_vec());
            let mut seen = StoredEntry { epoch, literal, own: StoredFamily::default() };
            change(&mut seen);
            let present = present(seen, &scope, Duration::from_secs(30), Duration::from_millis(5))?;
            Some((present.rev, present.since.as_millis(), present.age.as_millis()))
        };
        assert_eq!(present(|_| ()), Some(("N1".to_owned(), 10_005, 10_105)));
        let misses: [fn(&mut StoredEntry); 7] = [
            |seen| seen.literal.ttl_left = -2,
            |seen| seen.literal.ttl_left = -1,
            |seen| seen.literal.ttl_left = 29_999,
            |seen| seen.literal.ttl_left = 60_001,
            |seen| seen.literal.meta = None,
            |seen| seen.epoch = Some(b"cd".to_vec()),
            |seen| seen.epoch = None,
        ];
        for (at, change) in misses.into_iter().enumerate() {
            assert_eq!(present(change), None, "{at}");
        }
    }

    #[test]
    fn misses() {
        let miss = |change: fn(&mut StoredEntry)| match verdict(change) {
            Verdict::Miss(Miss { refuse, why }) => (refuse, why),
            Verdict::Hit(_) => panic!("a hit"),
        };
        let refused = Some("N1".to_owned());
        assert_eq!(
            miss(|seen| seen.literal.ttl_left = -1),
            (refused.clone(), Some(EntryFlaw::WrongExpiry))
        );
        assert_eq!(miss(|seen| seen.literal.ttl_left = 1), (refused.clone(), None));
        assert_eq!(
            miss(|seen| seen.literal.all = Some(b"[2]".to_vec())),
            (refused, Some(EntryFlaw::WrongSum))
        );
        assert_eq!(miss(|seen| seen.literal.all = None), (None, Some(EntryFlaw::WrongType)));
        assert_eq!(miss(|seen| seen.epoch = None), (None, Some(EntryFlaw::NoEpoch)));
        assert_eq!(
            miss(|seen| seen.epoch = Some(b"cd".to_vec())),
            (None, Some(EntryFlaw::Cleared))
        );
        assert_eq!(miss(|seen| seen.literal.meta = None), (None, Some(EntryFlaw::NoMeta)));
        let junk = |seen: &mut StoredEntry| {
            seen.literal = StoredFamily::read(Some(b"null"), Some(b"[1]".to_vec()), 50_000);
        };
        assert_eq!(miss(junk), (None, Some(EntryFlaw::UnreadableMeta)));
    }

    #[test]
    fn the_family_is_the_one_whose_meta_names_the_scope() {
        let other = Scope::of(&Cluster { host: "other".to_owned(), ..Cluster::default() });
        let mine = Scope::of(&Cluster::default());
        let taken = verdict(|seen| seen.literal = family(&other, 50_000));
        let why = Some(EntryFlaw::Others);
        assert_eq!(taken, Verdict::Miss(Miss { refuse: None, why }));
        let overflow = verdict(|seen| {
            seen.literal = family(&other, 50_000);
            seen.own = family(&mine, 40_000);
        });
        let Verdict::Hit(hit) = overflow else { panic!("a miss") };
        assert_eq!((hit.literal, hit.snapshot.since.as_millis()), (false, 20_005));
    }
}
