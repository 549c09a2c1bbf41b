//! `refresh`: ask Nomad now and say what changed.

use serde_json::json;

use crate::cli::Refresh;
use crate::discovery::{Answer, How, Want};
use crate::error::Error;
use crate::render::notice;

use super::{Run, complete};

pub(super) fn run(refresh: &Refresh, run: &mut Run<'_>) -> Result<(), Error> {
    run.nodes(How::Refresh, Want::Records, |run, answer| {
        let said = if refresh.json {
            as_json(answer)
        } else {
            format!("Updated: {}", notice::counts(answer))
        };
        writeln!(run.out, "{said}")?;
        run.notice(answer);
        complete(answer, false, &run.tell)
    })
}

fn as_json(answer: &Answer) -> String {
    let tally = answer.tally;
    let took = u64::try_from(tally.took.as_millis()).unwrap_or(u64::MAX);
    json!({
        "total": tally.total(), "new": tally.new, "changed": tally.changed, "cached": tally.cached, "gone": tally.gone,
        "nomad_calls": tally.nomad_calls, "took_ms": took,
    })
    .to_string()
}
