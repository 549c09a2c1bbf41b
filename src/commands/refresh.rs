//! `refresh`: ask Nomad now and say what changed.

use serde::Serialize;

use crate::cli::Refresh;
use crate::discovery::{How, Tally, Want};
use crate::model::json;
use crate::render::summary;

use super::{CommandContext, complete};

pub(super) fn run(refresh: &Refresh, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
    run.nodes(How::Refresh, Want::Records, |run, answer| {
        let said = if refresh.json {
            Counts::of(&answer.tally).to_json()
        } else {
            format!("Updated: {}", summary::counts(answer))
        };
        writeln!(run.out, "{said}")?;
        run.notice(answer, None);
        complete(answer, None, false, &run.tell)
    })
}

/// What `refresh --json` prints, in this order.
#[derive(Serialize)]
struct Counts {
    total: usize,
    new: usize,
    changed: usize,
    cached: usize,
    gone: usize,
    nomad_calls: u64,
    took_ms: u64,
}

impl Counts {
    fn of(tally: &Tally) -> Self {
        Self {
            total: tally.total(),
            new: tally.new,
            changed: tally.changed,
            cached: tally.cached,
            gone: tally.gone,
            nomad_calls: tally.nomad_calls,
            took_ms: u64::try_from(tally.took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn to_json(&self) -> String {
        String::from_utf8_lossy(&json::bytes(self)).into_owned()
    }
}
