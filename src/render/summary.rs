//! Remarks for people: what an answer cost, and the states of the nodes.

use std::time::Duration;

use crate::discovery::{Answer, Source};
use crate::model::format::{count, short, span};
use crate::model::node::Record;
use crate::model::table_record::TableRecord;

/// `5 clients · cached 12s ago · 0 Nomad calls · 3ms`, or `2 of 5 clients · …` where filters chose.
/// `shown`: how many; `None` = all. `later`: how long ago the answer came, for a screen that stays:
/// `5 clients · fetched 3s ago · …`.
pub(crate) fn summary(
    answer: &Answer,
    shown: Option<usize>,
    took: Duration,
    later: Duration,
) -> String {
    let (total, calls) = (answer.tally.total(), answer.tally.nomad_calls);
    let source = match answer.source {
        Source::Cache | Source::Served | Source::Stale => {
            format!("cached {} ago", span(answer.snapshot.age + later))
        }
        Source::Nomad { cold: true } => format!("fetched{}", ago(later)),
        Source::Nomad { cold: false } => format!("updated{}: {}", ago(later), counts(answer)),
    };
    let of = shown.filter(|shown| *shown != total).map(|shown| format!("{shown} of "));
    format!(
        "{}{} · {source} · {} · {}",
        of.unwrap_or_default(),
        count(total as u64, "client"),
        count(calls, "Nomad call"),
        short(took)
    )
}

/// Nothing within the first second.
fn ago(later: Duration) -> String {
    if later.as_secs() == 0 { String::new() } else { format!(" {} ago", span(later)) }
}

/// What [`states`] counts of a node.
pub(crate) struct NodeState<'a> {
    status: &'a str,
    drain: bool,
    eligibility: &'a str,
}

impl<'a> From<&'a Record> for NodeState<'a> {
    fn from(record: &'a Record) -> Self {
        let Record { status, drain, eligibility, .. } = record;
        Self { status, drain: *drain, eligibility }
    }
}

impl<'a> From<&'a TableRecord<'_>> for NodeState<'a> {
    fn from(record: &'a TableRecord<'_>) -> Self {
        let TableRecord { status, drain, eligibility, .. } = record;
        Self { status, drain: *drain, eligibility }
    }
}

/// `3 ready · 1 down · 1 draining · 1 ineligible`; `None` if all are just ready.
pub(crate) fn states<'a>(nodes: impl Iterator<Item = NodeState<'a>>) -> Option<String> {
    const STATES: [&str; 6] =
        ["ready", "initializing", "down", "disconnected", "draining", "ineligible"];
    let mut counts = STATES.map(|state| (0, state));
    for NodeState { status, drain, eligibility } in nodes {
        let holds = |state: &str| match state {
            "draining" => drain,
            "ineligible" => eligibility == state,
            _ => status == state,
        };
        counts.iter_mut().for_each(|(count, state)| *count += usize::from(holds(state)));
    }
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let is_dull = counts.clone().all(|(_, state)| state == "ready");
    let said = counts.map(|(count, state)| format!("{count} {state}"));
    (!is_dull).then(|| said.collect::<Vec<_>>().join(" · "))
}

/// `0 new, 1 changed, 4 cached`, and how many are gone when there are such.
pub(crate) fn counts(answer: &Answer) -> String {
    let tally = &answer.tally;
    let gone = if tally.gone > 0 { format!(", {} gone", tally.gone) } else { String::new() };
    format!("{} new, {} changed, {} cached{gone}", tally.new, tally.changed, tally.cached)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::summary;
    use crate::discovery::{Answer, Source, Tally};
    use crate::model::snapshot::Snapshot;

    fn answer(source: Source, tally: Tally) -> Answer {
        let snapshot = Snapshot {
            rev: String::new(),
            index: 1,
            newest: 1,
            count: 5,
            all: crate::model::node::AllJson::default(),
            fulls: None,
            age: Duration::from_millis(12_900),
            since: Duration::ZERO,
        };
        let (file, missing, outage) = (None, Vec::new(), None);
        Answer { snapshot, file, source, missing, tally, outage }
    }

    #[test]
    fn the_summary_says_where_an_answer_came_from() {
        let cached = Tally { cached: 5, ..Tally::default() };
        let took = Duration::from_micros(3700);
        let said = |shown| summary(&answer(Source::Cache, cached), shown, took, Duration::ZERO);
        let all = "5 clients · cached 12s ago · 0 Nomad calls · 3ms";
        assert_eq!([said(None), said(Some(5))], [all, all]);
        assert_eq!([said(Some(0)), said(Some(2))], ["0", "2"].map(|n| format!("{n} of {all}")));
        let changed = Tally { changed: 1, cached: 4, gone: 2, nomad_calls: 2, ..Tally::default() };
        let took = Duration::from_millis(118);
        let said =
            summary(&answer(Source::Nomad { cold: false }, changed), None, took, Duration::ZERO);
        assert_eq!(
            said,
            "5 clients · updated: 0 new, 1 changed, 4 cached, 2 gone · 2 Nomad calls · 0.12s"
        );
        let new = Tally { new: 1, nomad_calls: 1, ..Tally::default() };
        let took = Duration::from_millis(7);
        let said = summary(&answer(Source::Nomad { cold: true }, new), None, took, Duration::ZERO);
        assert_eq!(said, "1 client · fetched · 1 Nomad call · 7ms");
    }

    #[test]
    fn an_answer_grows_older_while_it_is_shown() {
        let (took, later) = (Duration::from_millis(3), Duration::from_millis(3100));
        let said = |source| {
            let tally = Tally { cached: 5, ..Tally::default() };
            summary(&answer(source, tally), None, took, later)
        };
        let expected = [
            "5 clients · cached 16s ago · 0 Nomad calls · 3ms",
            "5 clients · fetched 3s ago · 0 Nomad calls · 3ms",
            "5 clients · updated 3s ago: 0 new, 0 changed, 5 cached · 0 Nomad calls · 3ms",
        ];
        let sources = [Source::Cache, Source::Nomad { cold: true }, Source::Nomad { cold: false }];
        assert_eq!(sources.map(said), expected);
    }
}
