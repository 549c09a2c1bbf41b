//! `cache clear` and `cache stats`.

use anyhow::Context as _;

use crate::error::Exit;
use crate::render;
use crate::store::{ClearedPlace, ErrorKind};

use super::CommandContext;

/// Says what was cleared where. Whatever could not be cleared is an error, and nothing is on stdout then.
pub(super) fn clear(run: &mut CommandContext<'_>) -> anyhow::Result<()> {
    let cleared = run.store()?.clear();
    let failed: Vec<_> = cleared.places.iter().filter(|place| place.outcome.is_err()).collect();
    if let Some(Err(first)) = failed.first().map(|place| &place.outcome) {
        let done = cleared.places.iter().filter(|place| place.outcome.is_ok());
        done.for_each(|place| run.tell.note(format!("cleared {}", place.place)));
        let exit = match first.kind() {
            ErrorKind::Credentials | ErrorKind::Forbidden => Exit::Denied,
            _ => Exit::NotCleared,
        };
        return Err(exit.error(format!(
            "cache NOT cleared {}; old data may be served up to {} s; rerun",
            failed.iter().map(|place| why(place)).collect::<Vec<_>>().join("; "),
            run.config.place.ttl.as_secs()
        )));
    }
    for place in &cleared.places {
        writeln!(run.out, "cleared {}", place.place)?;
    }
    if cleared.places.iter().any(|place| place.is_redis) {
        let text =
            "a machine that can't reach this redis may show its own files, up to its --ttl old";
        run.tell.verbose(text);
    }
    Ok(run.out.flush()?)
}

/// Where it was not cleared, and why.
fn why(place: &ClearedPlace) -> String {
    let of = if place.is_redis { "redis" } else { &place.place };
    let why = place.outcome.as_ref().err().map(ToString::to_string);
    format!("in {of}: {}", why.unwrap_or_default())
}

pub(super) fn stats(json: bool, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
    let stats = run.store()?.stats().context("cannot read the cache")?;
    if json {
        run.out.write_all(&render::stats_json(&stats, &run.config.cluster))?;
        run.out.write_all(b"\n")?;
    } else {
        render::stats(run.out, &stats, &run.config.cluster)?;
    }
    Ok(run.out.flush()?)
}
