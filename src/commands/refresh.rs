//! `refresh`: ask Nomad now and print what changed.

use anyhow::Result;
use serde::Serialize;

use crate::cli::Refresh;
use crate::discovery::{How, Request, Want};
use crate::model::format::millis;
use crate::model::json;
use crate::render::summary;

use super::{CommandContext, check_details};

pub(super) fn run(refresh: &Refresh, context: &mut CommandContext<'_>) -> Result<()> {
    context.nodes(Request::new(How::Refresh, Want::Records), |context, answer| {
        let tally = &answer.tally;
        if refresh.json {
            context.out.write_all(&json::bytes(&Counts {
                total: tally.total(),
                new: tally.new,
                changed: tally.changed,
                cached: tally.cached,
                gone: tally.gone,
                nomad_calls: tally.nomad_calls,
                took_ms: millis(tally.took),
            }))?;
            context.out.write_all(b"\n")?;
        } else {
            writeln!(context.out, "Updated: {}", summary::counts(answer))?;
        }
        context.summarize(answer, None);
        check_details(answer, None, false, &context.notifier)
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
