//! `cache clear` and `cache stats`.

use anyhow::{Context as _, Result};

use crate::error::Exit;
use crate::render;
use crate::store::ErrorKind;

use super::CommandContext;

/// Prints each place that was cleared. If one could not be cleared, that is an error and stdout stays
/// empty.
pub(super) fn clear(context: &mut CommandContext<'_>) -> Result<()> {
    let cleared = context.store()?.clear();
    let (mut done, mut failures, mut exit) = (Vec::new(), Vec::new(), Exit::NotCleared);
    for place in &cleared.places {
        let Err(error) = &place.outcome else {
            done.push(format!("cleared {}", place.place));
            continue;
        };
        let denied = matches!(error.kind(), ErrorKind::Credentials | ErrorKind::Forbidden);
        if failures.is_empty() && denied {
            exit = Exit::Denied;
        }
        let name = if place.is_redis { "redis" } else { &place.place };
        failures.push(format!("in {name}: {error}"));
    }
    if !failures.is_empty() {
        done.into_iter().for_each(|line| context.notifier.note(line));
        let (failures, ttl) = (failures.join("; "), context.config.place.ttl.as_secs());
        return Err(exit.error(format!(
            "cache NOT cleared {failures}; old data may be served up to {ttl} s; rerun"
        )));
    }
    for line in done {
        writeln!(context.out, "{line}")?;
    }
    if cleared.places.iter().any(|place| place.is_redis) {
        context.notifier.verbose(
            "a machine that can't reach this redis may show its own files, up to its --ttl old",
        );
    }
    Ok(context.out.flush()?)
}

pub(super) fn stats(json: bool, context: &mut CommandContext<'_>) -> Result<()> {
    let stats = context.store()?.stats().context("cannot read the cache")?;
    if json {
        context.out.write_all(&render::stats_json(&stats, &context.config.cluster))?;
        context.out.write_all(b"\n")?;
    } else {
        render::stats(context.out, &stats, &context.config.cluster)?;
    }
    Ok(context.out.flush()?)
}
