//! The cache directory of this user.

use std::io::ErrorKind;

use crate::model::format::bytes;
use crate::model::text::{display_path, io_reason};
use crate::store::{CacheEntry, FolderError, FolderFlaw, Place, UsableFolder, inspect_folder};

use super::{CheckStatus, Findings, Section};

/// Less than this, and the nodes of a large cluster do not fit.
const LITTLE: u64 = 64 << 20;

/// `is_spare`: Redis is the cache, and nobody misses these files while it answers.
pub(super) fn examined(place: &Place, is_spare: bool) -> Findings {
    let mut found = Findings::of(Section::Files, &["directory", "mode", "writable", "space"]);
    match place.folder.as_deref().map(|path| (display_path(path), inspect_folder(place, path))) {
        Some((path, Ok(Some(folder)))) => found.entry = usable(&mut found, &path, folder),
        Some((path, Ok(None))) => {
            let said = "does not exist yet; the first run that needs it creates it";
            found.ok("directory", format!("{path} {said}"));
        }
        Some((path, Err(error))) => unusable(&mut found, &path, &error),
        None => {
            let said = "this user has no home directory";
            found.problem("directory", said, "set HOME or XDG_CACHE_HOME");
            found.skip_after("directory");
        }
    }
    let problems = found.checks.iter_mut().filter(|check| check.state == CheckStatus::Problem);
    problems.filter(|_| is_spare).for_each(|check| check.state = CheckStatus::Warning);
    found
}

fn unusable(found: &mut Findings, path: &str, error: &FolderError) {
    let (said, advice) = match &error.flaw {
        FolderFlaw::Uncreatable(why) => (
            format!("cannot create {path}: {why}"),
            "make it writable for this user, or set XDG_CACHE_HOME".to_owned(),
        ),
        // No right of a link or a file makes a directory of it.
        FolderFlaw::NotDirectory => (
            error.to_string(),
            format!("remove it, or set XDG_CACHE_HOME to a real directory: {path}"),
        ),
        _ => (
            error.to_string(),
            format!("chown it to this user and chmod 700 it, or remove it: {path}"),
        ),
    };
    found.problem("directory", said, advice);
    found.skip_after("directory");
}

fn usable(found: &mut Findings, path: &str, folder: UsableFolder) -> Option<CacheEntry> {
    let space = folder.space;
    if space.is_remote {
        let said = format!("{path} {}; not used", FolderFlaw::Remote);
        let advice = "set XDG_CACHE_HOME to a directory on a disk of this machine";
        found.problem("directory", said, advice);
    } else {
        found.ok("directory", path);
    }
    found.ok("mode", format!("{:04o}, owned by this user (uid {})", space.mode, space.owner));
    match space.writable {
        Ok(()) => found.ok("writable", "files can be created"),
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::ReadOnlyFilesystem => {
                    "mount it for writing, or set XDG_CACHE_HOME to another disk"
                }
                _ => &format!("chmod 700 {path}"),
            };
            let said = format!("cannot create files in it: {}", io_reason(&error));
            found.problem("writable", said, advice);
        }
    }
    let advice = "free some space, or set XDG_CACHE_HOME to another disk";
    match space.free_bytes {
        0 => found.problem("space", "the disk is full", advice),
        free => found.ok_if(free >= LITTLE, "space", format!("{} free", bytes(free)), advice),
    }
    folder.entry
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::{LITTLE, usable};
    use crate::doctor::{CheckStatus, Findings, Section};
    use crate::store::{FolderSpace, UsableFolder};

    /// The lines of a directory with so much room, into which may be written or not.
    fn said(free_bytes: u64, writable: Result<(), Errno>, is_remote: bool) -> Vec<String> {
        let writable = writable.map_err(Into::into);
        let space = FolderSpace { mode: 0o700, owner: 7, free_bytes, is_remote, writable };
        let mut found = Findings::of(Section::Files, &[]);
        assert!(usable(&mut found, "/f", UsableFolder { space, entry: None }).is_none());
        let all = found.checks.into_iter().filter(|check| check.state != CheckStatus::Ok);
        all.map(|check| {
            let advice = check.advice.unwrap_or_default();
            format!("{:?} {}: {} → {advice}", check.state, check.name, check.said)
        })
        .collect()
    }

    #[test]
    fn a_disk_without_room() {
        let advice = "free some space, or set XDG_CACHE_HOME to another disk";
        let full = format!("Problem space: the disk is full → {advice}");
        assert_eq!(said(0, Ok(()), false), [full]);
        let little = format!("Warning space: 1.0 MiB free → {advice}");
        assert_eq!(said(1 << 20, Ok(()), false), [little]);
        assert_eq!(said(LITTLE, Ok(()), false), [""; 0]);
    }

    #[test]
    fn a_directory_that_cannot_be_used() {
        let why = Err(Errno::ACCESS);
        let problem =
            "Problem writable: cannot create files in it: permission denied → chmod 700 /f";
        assert_eq!(said(LITTLE, why, false), [problem]);
        let why = Err(Errno::ROFS);
        let problem = "Problem writable: cannot create files in it: read-only file system → mount it for writing, or set XDG_CACHE_HOME to another disk";
        assert_eq!(said(LITTLE, why, false), [problem]);
        let problem = "Problem directory: /f is on a network file system, where a lock can block; not used → set XDG_CACHE_HOME to a directory on a disk of this machine";
        assert_eq!(said(LITTLE, Ok(()), true), [problem]);
    }
}
