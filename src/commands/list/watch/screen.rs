//! The screen of a watch: the table, and below it the nodes that are gone, the summary and failures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::clock;
use crate::commands::CommandContext;
use crate::config;
use crate::discovery::Answer;
use crate::model::format::{short, span};
use crate::model::node::{Full, NodeId, Record};
use crate::model::table_record::TableRecord;
use crate::model::text::sanitised;
use crate::render::screen::{Screen, StatusLines};
use crate::render::{self, ChangeMark, OutputStyle, summary};

use super::{Change, KnownNodes, change, gone};
use crate::commands::list::output::ListOutput;

/// Ages are shown in seconds.
const SECOND: Duration = Duration::from_secs(1);
/// A node that is gone is named for this long, at least until the next round.
const GONE: Duration = Duration::from_secs(10);

pub(super) struct WatchScreen {
    screen: Screen,
    interval: Duration,
    /// Nodes were named: one that is gone is named until it is back.
    is_named: bool,
    last: Option<LastAnswer>,
    /// How each row differs from the round before.
    marks: Vec<ChangeMark>,
    gone: Vec<GoneNode>,
    /// Why the last round failed, and since when rounds have failed.
    failure: Option<(String, Instant)>,
    warnings: Vec<String>,
    drawn: Option<(Instant, Size)>,
}

type Size = Option<(usize, usize)>;

struct LastAnswer {
    answer: Arc<Answer>,
    received: Instant,
    took: Duration,
    nodes: Vec<Full>,
    states: Option<String>,
    /// The table, and the width that it was made for.
    table: Option<(Vec<u8>, Option<usize>)>,
}

struct GoneNode {
    id: NodeId,
    name: String,
    since: Instant,
}

/// Smaller is more urgent. Urgent nodes are listed first, where a small screen still shows them.
pub(super) fn urgency(record: &Record) -> u8 {
    match record.status.as_str() {
        "down" => 0,
        "disconnected" => 1,
        "ready" if record.drain => 3,
        "ready" if record.eligibility == "ineligible" => 4,
        "ready" => 5,
        _ => 2,
    }
}

impl WatchScreen {
    pub(super) fn new(interval: Duration, is_named: bool) -> Self {
        Self {
            screen: Screen::default(),
            interval,
            is_named,
            last: None,
            marks: Vec::new(),
            gone: Vec::new(),
            failure: None,
            warnings: Vec::new(),
            drawn: None,
        }
    }

    pub(super) fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    /// Something else was printed below.
    pub(super) fn forget(&mut self) {
        self.screen.forget();
    }

    /// Marks the nodes that differ from the round before; `objects` are those of the visible ones.
    pub(super) fn compare(
        &mut self,
        before: Option<&KnownNodes>,
        nodes: &[Full],
        objects: &[Vec<u8>],
    ) {
        let mark = |(node, object): (&Full, &Vec<u8>)| match change(before, node, object) {
            Change::New => ChangeMark::New,
            Change::Changed(_) => ChangeMark::Changed,
            Change::Present | Change::Same => ChangeMark::Same,
        };
        self.marks = nodes.iter().zip(objects).map(mark).collect();
        let (now, longest) = (clock::now(), GONE.max(self.interval));
        let is_named = self.is_named;
        self.gone.retain(|gone| {
            let is_back = nodes.iter().any(|node| node.record.id == gone.id);
            !is_back && (is_named || now.saturating_duration_since(gone.since) < longest)
        });
        let new = gone(before, nodes).into_iter();
        self.gone.extend(new.map(|(id, name, _)| GoneNode {
            id: id.clone(),
            name: name.to_owned(),
            since: now,
        }));
    }

    /// The answer of a round, and how long it took.
    pub(super) fn take(&mut self, answer: Arc<Answer>, nodes: Vec<Full>, took: Duration) {
        let (received, states) =
            (clock::now(), summary::states(nodes.iter().map(|node| (&node.record).into())));
        self.last = Some(LastAnswer { answer, received, took, nodes, states, table: None });
    }

    /// Why the round has failed, if it has.
    pub(super) fn fail(&mut self, failure: Option<String>) {
        let since = self.failure.take().map_or_else(clock::now, |(_, since)| since);
        self.failure = failure.map(|why| (why, since));
    }

    pub(super) fn warn(&mut self, warnings: Vec<String>) {
        self.warnings = warnings;
    }

    /// Draws again when a second has passed, or the terminal has another size.
    pub(super) fn draw_if_old(
        &mut self,
        output: &ListOutput,
        context: &mut CommandContext<'_>,
    ) -> Result<()> {
        let Some((at, size)) = self.drawn else { return Ok(()) };
        if clock::now().saturating_duration_since(at) >= SECOND || size != config::stdout_size() {
            self.draw(output, context)?;
        }
        Ok(())
    }

    pub(super) fn draw(
        &mut self,
        output: &ListOutput,
        context: &mut CommandContext<'_>,
    ) -> Result<()> {
        let (now, size) = (clock::now(), config::stdout_size());
        if self.drawn.is_some_and(|(_, before)| before != size) {
            self.screen.resized();
        }
        let width = size.map(|(width, _)| width);
        let style = OutputStyle { width, ..output.style };
        let status = self.status_lines(now, style.colour);
        let Some(last) = &mut self.last else { return Ok(()) };
        let table = match last.table.take() {
            Some((table, made_for)) if made_for == width => table,
            _ => {
                let (mut table, nodes) = (Vec::new(), TableRecord::of(&last.nodes));
                render::table(&mut table, &nodes, &output.table(&self.marks), &style)?;
                table
            }
        };
        self.screen.draw(context.out, &table, &status, size)?;
        last.table = Some((table, width));
        self.drawn = Some((now, size));
        Ok(context.out.flush()?)
    }

    /// The lines below the table.
    fn status_lines(&self, now: Instant, colour: bool) -> StatusLines {
        let mut lines = Vec::new();
        if !self.gone.is_empty() {
            let names: Vec<_> = self.gone.iter().map(|gone| sanitised(&gone.name)).collect();
            lines.push(format!("gone: {}", names.join(", ")));
        }
        if let Some(last) = &self.last {
            lines.extend(last.states.clone());
            let later = now.saturating_duration_since(last.received);
            let summary = summary::summary(&last.answer, Some(last.nodes.len()), last.took, later);
            let every = match self.interval {
                whole if whole.subsec_millis() == 0 => span(whole),
                part => short(part),
            };
            lines.push(format!("{summary} · every {every}"));
        }
        StatusLines { lines, trouble: self.trouble(now), colour }
    }

    /// The failure and the warnings of the last round, in one line.
    fn trouble(&self, now: Instant) -> Option<String> {
        let failure = self.failure.iter().map(|(why, since)| {
            format!("failing for {}: {why}", span(now.saturating_duration_since(*since)))
        });
        let warnings = self.warnings.iter().map(|warning| format!("warning: {warning}"));
        let all: Vec<String> = failure.chain(warnings).collect();
        (!all.is_empty()).then(|| sanitised(&all.join(" · ")).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::KnownNode;
    use super::{GONE, SECOND, WatchScreen, urgency};
    use crate::clock;
    use crate::model::node::{Full, Record};
    use std::collections::HashMap;

    fn node(name: &str) -> Full {
        let id = format!("6f1c36aa-0000-4000-8000-0000000000{name}");
        let record: Record = serde_json::from_str(&format!(
            r#"{{"id":"{id}","name":"{name}","status":"ready","status_description":"",
            "eligibility":"eligible","drain":false,"datacenter":"dc1","node_class":"",
            "node_pool":"default","address":"","version":"","drivers":{{}},
            "create_index":1,"modify_index":1}}"#
        ))
        .unwrap();
        Full::from(record)
    }

    fn with(name: &str, change: impl Fn(&mut Record)) -> Full {
        let mut node = node(name);
        change(&mut node.record);
        node
    }

    #[test]
    fn what_needs_attention_comes_first() {
        let mut nodes = [
            node("01"),
            with("02", |it| it.eligibility = "ineligible".into()),
            with("03", |it| it.drain = true),
            with("04", |it| it.status = "initializing".into()),
            with("05", |it| it.status = "disconnected".into()),
            with("06", |it| it.status = "down".into()),
            node("07"),
        ];
        nodes.sort_by_key(|node| urgency(&node.record));
        let names: Vec<&str> = nodes.iter().map(|node| node.record.name.as_str()).collect();
        assert_eq!(names, ["06", "05", "04", "03", "02", "01", "07"]);
    }

    #[test]
    fn a_named_node_is_gone_until_it_is_back_and_others_for_a_while() {
        let a = node("01");
        let known = HashMap::from([(
            a.record.id.clone(),
            KnownNode { name: "01".to_owned(), object: Some(b"{}".to_vec()) },
        )]);
        for is_named in [true, false] {
            let mut screen = WatchScreen::new(SECOND, is_named);
            screen.compare(Some(&known), &[], &[]);
            let gone = |screen: &WatchScreen| screen.status_lines(clock::now(), false).lines;
            assert_eq!(gone(&screen), ["gone: 01"]);
            screen.gone[0].since = clock::now().checked_sub(GONE).unwrap();
            screen.compare(Some(&HashMap::new()), &[], &[]);
            assert_eq!(gone(&screen).len(), usize::from(is_named));
            screen.compare(Some(&HashMap::new()), std::slice::from_ref(&a), &[b"{}".to_vec()]);
            assert_eq!(gone(&screen), Vec::<String>::new());
        }
    }

    #[test]
    fn trouble_is_one_line_and_goes() {
        let mut screen = WatchScreen::new(SECOND, false);
        screen.fail(Some("cannot reach\nNomad".to_owned()));
        let since = screen.failure.as_ref().unwrap().1;
        screen.fail(Some("timed out".to_owned()));
        screen.warn(vec!["using the local cache".to_owned()]);
        let said = screen.trouble(since + 12 * SECOND).unwrap();
        assert_eq!(said, "failing for 12s: timed out · warning: using the local cache");
        screen.fail(Some("a\nb".to_owned()));
        assert_eq!(screen.trouble(since).unwrap().lines().count(), 1);
        screen.fail(None);
        screen.warn(Vec::new());
        assert_eq!(screen.trouble(since), None);
    }
}
