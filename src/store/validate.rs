//! LOOK's verdict: is what was read a hit, and if not, why not?

use std::time::Duration;

use crate::model::json::is_harmless;
use crate::model::node::AllJson;
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
    WrongLength,
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
            Self::WrongLength => "wrong length",
            Self::WrongSum => "wrong checksum",
            Self::Harmful => "contains control characters",
            Self::WrongExpiry => "unexpected TTL",
            Self::BroughtBack => "was cleared, but Redis went back to an older state",
        }
    }
}

/// What was read of `all`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Payload {
    /// Nothing, or nothing that is a string.
    #[default]
    None,
    /// Its length, and the first bytes if they were asked for.
    Length(u64, Vec<u8>),
    Bytes(Vec<u8>),
}

/// What LOOK read of one family of keys.
#[derive(Debug, Clone)]
pub(super) struct StoredFamily {
    pub meta: Option<Meta>,
    /// There is something in the place of the meta line.
    pub is_unreadable: bool,
    pub all: Payload,
    /// PTTL of `all` in milliseconds, asked *before* the values: -1 = never expires, -2 = absent.
    /// If a publication falls between, the age comes out too high, never too low.
    pub ttl_left: i64,
}

impl Default for StoredFamily {
    /// Nothing is there.
    fn default() -> Self {
        Self { meta: None, is_unreadable: false, all: Payload::None, ttl_left: -2 }
    }
}

impl StoredFamily {
    pub(super) fn read(line: Option<&[u8]>, all: Payload, ttl_left: i64) -> Self {
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
    pub meta: Meta,
    /// Found under the literal names.
    pub literal: bool,
    /// How long ago it was published, when LOOK was sent.
    pub since: Duration,
    /// `None` = its bytes must be read, or are here already.
    pub all: Option<Vec<u8>>,
}

impl Hit {
    /// How old the list is; `elapsed` since LOOK was sent.
    pub(super) fn age(&self, elapsed: Duration) -> Duration {
        Duration::from_millis(self.meta.lag_ms).saturating_add(self.since).saturating_add(elapsed)
    }

    pub(super) fn present(self, elapsed: Duration) -> Present {
        let (age, since) = (self.age(elapsed), self.since.saturating_add(elapsed));
        Present { rev: self.meta.rev, index: self.meta.index, age, since }
    }

    /// Without full records.
    pub(super) fn snapshot(&self, all: AllJson, elapsed: Duration) -> Snapshot {
        Snapshot {
            rev: self.meta.rev.clone(),
            index: self.meta.index,
            newest: self.meta.index,
            count: self.meta.count,
            all,
            fulls: None,
            age: self.age(elapsed),
            since: self.since.saturating_add(elapsed),
        }
    }
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

/// Judges by the protocol's rules. `ttl` is the caller's own.
pub(super) fn judge(seen: StoredEntry, scope: &Scope, ttl: Duration) -> Verdict {
    let hit = choose(seen.literal, seen.own, scope)
        .and_then(|chosen| usable(chosen, seen.epoch.as_deref(), ttl));
    hit.map_or_else(Verdict::Miss, |hit| Verdict::Hit(Box::new(hit)))
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

/// What can be shown.
fn usable(
    (meta, family, literal): (Meta, StoredFamily, bool),
    epoch: Option<&[u8]>,
    ttl: Duration,
) -> Result<Hit, Miss> {
    let epoch = epoch.ok_or(Miss::ignored(EntryFlaw::NoEpoch))?;
    if meta.epoch.as_bytes() != epoch {
        return Err(Miss::ignored(EntryFlaw::Cleared));
    }
    if meta.len == 0 {
        return Err(Miss::default());
    }
    let refuse = |why| Miss { refuse: Some(meta.rev.clone()), why };
    let is_gone = family.ttl_left == -2;
    let all = match family.all {
        Payload::Bytes(all) => Some(all),
        Payload::None | Payload::Length(0, _) if is_gone => return Err(Miss::default()),
        Payload::None => return Err(Miss::ignored(EntryFlaw::WrongType)),
        Payload::Length(len, _) if len != meta.len => {
            return Err(refuse(Some(EntryFlaw::WrongLength)));
        }
        // Only bytes that were read together with their meta line prove that both came after the
        // question for the expiry: the same bytes may have been published anew behind an old line.
        Payload::Length(..) if is_gone => return Err(Miss::default()),
        Payload::Length(_, first) if u64::try_from(first.len()) == Ok(meta.len) => Some(first),
        Payload::Length(..) => None,
    };
    if let Some(all) = &all {
        if !meta.describes(all) {
            return Err(refuse(Some(EntryFlaw::WrongSum)));
        }
        // Whoever may write there can make the sums right too.
        if !is_harmless(all) {
            return Err(refuse(Some(EntryFlaw::Harmful)));
        }
    }
    let since =
        since(&meta, family.ttl_left).ok_or_else(|| refuse(Some(EntryFlaw::WrongExpiry)))?;
    // A TTL of zero means never, even for what was published in this very millisecond.
    if since > ttl || ttl.is_zero() {
        return Err(refuse(None));
    }
    Ok(Hit { meta, literal, since, all })
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

    use super::{EntryFlaw, Miss, Payload, StoredEntry, StoredFamily, Verdict, judge};
    use crate::store::meta;
    use crate::store::scope::{Cluster, Scope};

    fn line(scope: &Scope, all: &str, lag: u64) -> Vec<u8> {
        let (len, sum) = (all.len(), meta::sum(all.as_bytes()));
        format!("v2|{scope}|ab|N1|{:020}|0|{len}|{sum}|60000|{lag}", 7).into()
    }

    fn family(scope: &Scope, ttl_left: i64) -> StoredFamily {
        let all = Payload::Bytes(b"[1]".to_vec());
        StoredFamily::read(Some(&line(scope, "[1]", 100)), all, ttl_left)
    }

    fn verdict(change: impl Fn(&mut StoredEntry)) -> Verdict {
        let scope = Scope::of(&Cluster::default());
        let epoch = Some(b"ab".to_vec());
        let mut seen =
            StoredEntry { epoch, literal: family(&scope, 50_000), own: StoredFamily::default() };
        change(&mut seen);
        judge(seen, &scope, Duration::from_secs(30))
    }

    #[test]
    fn ages() {
        let age = |left| match verdict(|seen| seen.literal.ttl_left = left) {
            Verdict::Hit(hit) => {
                let present = hit.present(Duration::from_millis(5));
                Some((present.since.as_millis(), present.age.as_millis()))
            }
            Verdict::Miss(_) => None,
        };
        assert_eq!(age(50_000), Some((10_005, 10_105)));
        // Published between PTTL and MGET: the PTTL of the old one makes it older, none makes it new.
        assert_eq!(age(30_000), Some((30_005, 30_105)));
        assert_eq!(age(-2), Some((5, 105)));
        assert_eq!([age(29_999), age(-1), age(60_001)], [None; 3]);
    }

    /// A publication that is known by its length alone: its bytes are read, or are here already.
    #[test]
    fn without_bytes_what_has_expired_is_a_miss() {
        let verdict = |len: u64, first: &[u8], left: i64| {
            let seen = |seen: &mut StoredEntry| {
                seen.literal.all = Payload::Length(len, first.to_vec());
                seen.literal.ttl_left = left;
            };
            match verdict(seen) {
                Verdict::Hit(hit) => Ok(hit.all),
                Verdict::Miss(Miss { refuse, why }) => Err((refuse.is_some(), why)),
            }
        };
        assert_eq!(verdict(3, b"", 50_000), Ok(None));
        assert_eq!(verdict(3, b"[1", 50_000), Ok(None), "a part is nothing");
        assert_eq!(verdict(3, b"[1]", 50_000), Ok(Some(b"[1]".to_vec())));
        // The bytes that LOOK brings along were read behind the meta line.
        assert_eq!(verdict(3, b"", -2), Err((false, None)));
        assert_eq!(verdict(0, b"", -2), Err((false, None)));
        assert_eq!(verdict(3, b"[1]", -2), Err((false, None)));
        let flaws = |flaw| Err((true, Some(flaw)));
        assert_eq!(verdict(3, b"", -1), flaws(EntryFlaw::WrongExpiry));
        assert_eq!(verdict(3, b"[1]", -1), flaws(EntryFlaw::WrongExpiry));
        assert_eq!(verdict(3, b"", 60_001), flaws(EntryFlaw::WrongExpiry));
        assert_eq!(verdict(3, b"", 29_999), Err((true, None)));
        assert_eq!(verdict(4, b"", 50_000), flaws(EntryFlaw::WrongLength));
        assert_eq!(verdict(0, b"", 50_000), flaws(EntryFlaw::WrongLength));
        assert_eq!(verdict(3, b"[2]", 50_000), flaws(EntryFlaw::WrongSum));
        let gone = Miss { refuse: None, why: Some(EntryFlaw::WrongType) };
        let none = super::tests::verdict(|seen| seen.literal.all = Payload::None);
        assert_eq!(none, Verdict::Miss(gone));
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
            miss(|seen| seen.literal.all = Payload::Bytes(b"[2]".to_vec())),
            (refused, Some(EntryFlaw::WrongSum))
        );
        assert_eq!(
            miss(|seen| seen.literal.all = Payload::None),
            (None, Some(EntryFlaw::WrongType))
        );
        assert_eq!(miss(|seen| seen.epoch = None), (None, Some(EntryFlaw::NoEpoch)));
        assert_eq!(
            miss(|seen| seen.epoch = Some(b"cd".to_vec())),
            (None, Some(EntryFlaw::Cleared))
        );
        assert_eq!(miss(|seen| seen.literal.meta = None), (None, Some(EntryFlaw::NoMeta)));
        let junk = |seen: &mut StoredEntry| {
            seen.literal =
                StoredFamily::read(Some(b"null"), Payload::Bytes(b"[1]".to_vec()), 50_000);
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
        assert_eq!((hit.literal, hit.since.as_millis()), (false, 20_000));
    }
}
