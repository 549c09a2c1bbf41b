//! The cache folder of this user.

use std::path::Path;

use crate::model::figures::bytes;
use crate::model::text::first_line;
use crate::store::{Place, Ready, Room, room};

use super::cache::Answering;
use super::{Check, Checks, Link};

/// Less than this, and the nodes of a large cluster do not fit.
const LITTLE: u64 = 64 << 20;
const NAMES: [&str; 4] = ["folder", "mode", "writable", "space"];

pub(super) struct Examined {
    pub(super) checks: Vec<Check>,
    pub(super) answering: Option<Answering>,
}

pub(super) fn examined(place: &Place) -> Examined {
    let mut checks = Checks::of(Link::Files);
    let path = place.folder.as_deref().map(shown).unwrap_or_default();
    let answering = match room(place) {
        Room::Ready(mut ready) => self::ready(&mut checks, &path, &mut ready),
        Room::Missing(Ok(())) => {
            checks.ok(
                "folder",
                format!("{path} is not there yet: the first run that needs it makes it"),
            );
            None
        }
        Room::Missing(Err(why)) => {
            let advice = "let this user write there, or set XDG_CACHE_HOME to a folder of its own";
            broken(&mut checks, &format!("{path} can't be made: {why}"), advice)
        }
        Room::Homeless => broken(
            &mut checks,
            "this user has no home folder to keep files in",
            "set HOME or XDG_CACHE_HOME",
        ),
        Room::Unusable(why) => {
            let advice = format!("chown it to this user and chmod 700 it, or remove it: {path}");
            broken(&mut checks, &why, &advice)
        }
    };
    Examined { checks: checks.all, answering }
}

fn broken(checks: &mut Checks, said: &str, advice: &str) -> Option<Answering> {
    checks.problem(NAMES[0], said, advice);
    checks.skip_all(&NAMES[1..], "needs folder");
    None
}

fn ready(checks: &mut Checks, path: &str, ready: &mut Ready) -> Option<Answering> {
    let space = &ready.space;
    if ready.is_remote {
        let said =
            format!("{path} is on a network file system, where a lock can block: it is not used");
        checks.problem("folder", said, "set XDG_CACHE_HOME to a folder on a disk of this machine");
    } else {
        checks.ok("folder", path);
    }
    checks.ok("mode", format!("{:04o}, owned by this user (uid {})", space.mode, space.owner));
    match &space.writable {
        Ok(()) => checks.ok("writable", "files can be made in it"),
        Err(why) => checks.problem(
            "writable",
            format!("no file can be made in it: {why}"),
            format!("chmod 700 {path}"),
        ),
    }
    let free = format!("{} free", bytes(space.free_bytes));
    match space.free_bytes {
        0 => checks.problem(
            "space",
            "the disk is full",
            "make room, or set XDG_CACHE_HOME to another disk",
        ),
        1..LITTLE => {
            checks.warning("space", free, "make room, or set XDG_CACHE_HOME to another disk");
        }
        _ => checks.ok("space", free),
    }
    let why = ready.ignored.take();
    ready.stats.take().map(|stats| Answering::files(stats, why))
}

fn shown(path: &Path) -> String {
    first_line(&path.to_string_lossy(), 400)
}
