//! The cache folder of this user.

use crate::model::format::bytes;
use crate::model::text::display_path;
use crate::store::redis::{CacheEntry, KeyFound, KeyOwner};
use crate::store::{FolderState, KeyStats, Place, Stats, UsableFolder, inspect_folder};

use super::{CheckStatus, Checks, Findings, Section};

/// Less than this, and the nodes of a large cluster do not fit.
const LITTLE: u64 = 64 << 20;
const NAMES: [&str; 4] = ["folder", "mode", "writable", "space"];

/// `is_spare`: Redis is the cache, and nobody misses these files while it answers.
pub(super) fn examined(place: &Place, is_spare: bool) -> Findings {
    let mut checks = Checks::of(Section::Files);
    let path = place.folder.as_deref().map(display_path).unwrap_or_default();
    let entry = match inspect_folder(place) {
        FolderState::Ready(mut ready) => self::ready(&mut checks, &path, &mut ready),
        FolderState::Missing(Ok(())) => {
            checks.ok(
                "folder",
                format!("{path} does not exist yet; the first run that needs it creates it"),
            );
            None
        }
        FolderState::Missing(Err(why)) => {
            let advice = "make it writable for this user, or set XDG_CACHE_HOME";
            broken(&mut checks, &format!("cannot create {path}: {why}"), advice)
        }
        FolderState::Homeless => {
            broken(&mut checks, "this user has no home directory", "set HOME or XDG_CACHE_HOME")
        }
        FolderState::Unusable(why) => {
            let is_folder =
                place.folder.as_deref().is_some_and(|path| path.is_dir() && !path.is_symlink());
            // No right of a link or a file makes a folder of it.
            let advice = match is_folder {
                true => format!("chown it to this user and chmod 700 it, or remove it: {path}"),
                false => format!("remove it, or set XDG_CACHE_HOME to a real folder: {path}"),
            };
            broken(&mut checks, &why, &advice)
        }
    };
    let problems = checks.all.iter_mut().filter(|check| check.state == CheckStatus::Problem);
    problems.filter(|_| is_spare).for_each(|check| check.state = CheckStatus::Warning);
    Findings { checks: checks.all, entry, ..Findings::default() }
}

fn broken(checks: &mut Checks, said: &str, advice: &str) -> Option<CacheEntry> {
    checks.problem(NAMES[0], said, advice);
    checks.skip_all(&NAMES[1..], "needs folder");
    None
}

fn ready(checks: &mut Checks, path: &str, ready: &mut UsableFolder) -> Option<CacheEntry> {
    let space = &ready.space;
    if ready.is_remote {
        let said = format!("{path} is on a network file system, where a lock can block; not used");
        checks.problem("folder", said, "set XDG_CACHE_HOME to a folder on a disk of this machine");
    } else {
        checks.ok("folder", path);
    }
    checks.ok("mode", format!("{:04o}, owned by this user (uid {})", space.mode, space.owner));
    match &space.writable {
        Ok(()) => checks.ok("writable", "files can be created"),
        Err(why) => {
            let advice = match why.as_str() {
                "read-only file system" => {
                    "mount it for writing, or set XDG_CACHE_HOME to another disk".to_owned()
                }
                _ => format!("chmod 700 {path}"),
            };
            checks.problem("writable", format!("cannot create files in it: {why}"), advice);
        }
    }
    let free = format!("{} free", bytes(space.free_bytes));
    match space.free_bytes {
        0 => checks.problem(
            "space",
            "the disk is full",
            "free some space, or set XDG_CACHE_HOME to another disk",
        ),
        1..LITTLE => {
            checks.warning("space", free, "free some space, or set XDG_CACHE_HOME to another disk");
        }
        _ => checks.ok("space", free),
    }
    let why = ready.ignored.take();
    ready.stats.take().map(|stats| entry(stats, why))
}

fn entry(stats: Stats, why: Option<String>) -> CacheEntry {
    let found = |file: &KeyStats| KeyFound {
        key: file.key.clone(),
        kind: file.kind.to_owned(),
        is_right_kind: true,
        bytes: file.bytes,
        ttl: file.ttl,
        whose: KeyOwner::Ours,
    };
    let keys = stats.keys.iter().map(found).collect();
    CacheEntry { keys, stats, is_of_others: false, why, index: None, took: None }
}

#[cfg(test)]
mod tests {
    use super::{LITTLE, ready};
    use crate::doctor::{CheckStatus, Checks, Section};
    use crate::store::{FolderSpace, UsableFolder};

    /// The lines of a folder with so much room, into which may be written or not.
    fn said(free_bytes: u64, writable: Result<(), &str>, is_remote: bool) -> Vec<String> {
        let writable = writable.map_err(str::to_owned);
        let space = FolderSpace { mode: 0o700, owner: 7, free_bytes, writable };
        let mut checks = Checks::of(Section::Files);
        let mut found = UsableFolder { space, is_remote, stats: None, ignored: None };
        assert!(ready(&mut checks, "/f", &mut found).is_none());
        let all = checks.all.into_iter().filter(|check| check.state != CheckStatus::Ok);
        all.map(|check| {
            let (state, advice) = (check.state.name(), check.advice.unwrap_or_default());
            format!("{state} {}: {} → {advice}", check.name, check.said)
        })
        .collect()
    }

    #[test]
    fn a_disk_without_room() {
        let advice = "free some space, or set XDG_CACHE_HOME to another disk";
        let full = format!("problem space: the disk is full → {advice}");
        assert_eq!(said(0, Ok(()), false), [full]);
        let little = format!("warning space: 1.0 MiB free → {advice}");
        assert_eq!(said(1 << 20, Ok(()), false), [little]);
        assert_eq!(said(LITTLE, Ok(()), false), [""; 0]);
    }

    #[test]
    fn a_folder_that_is_of_no_use() {
        let why = Err("permission denied");
        let problem =
            "problem writable: cannot create files in it: permission denied → chmod 700 /f";
        assert_eq!(said(LITTLE, why, false), [problem]);
        let why = Err("read-only file system");
        let problem = "problem writable: cannot create files in it: read-only file system → mount it for writing, or set XDG_CACHE_HOME to another disk";
        assert_eq!(said(LITTLE, why, false), [problem]);
        let problem = "problem folder: /f is on a network file system, where a lock can block; not used → set XDG_CACHE_HOME to a folder on a disk of this machine";
        assert_eq!(said(LITTLE, Ok(()), true), [problem]);
    }
}
