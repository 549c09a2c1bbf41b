//! A watch on a terminal: the table, and below it what is gone, how many, how old, and what is wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::commands::CommandContext;
use crate::config;
use crate::discovery::Answer;
use crate::model::node::{Full, NodeId, Record};
use crate::model::text::sanitised;
use crate::render::screen::{Screen, StatusLines};
use crate::render::{self, ChangeMark, NodeTable, OutputStyle, summary};

use super::{ChosenNodes, WatchedNode, gone};
use crate::commands::list::query::ListQuery;

/// Ages are told in seconds.
const SECOND: Duration = Duration::from_secs(1);
/// A node that is gone is named for as long, or until the next round.
const GONE: Duration = Duration::from_secs(10);

/// What stands on the screen.
pub(super) struct WatchScreen {
    screen: Screen,
    interval: Duration,
    /// Nodes were named: that one of them is gone is told until it is back.
    is_named: bool,
    shown: Option<LastAnswer>,
    /// How each row differs from the round before.
    marks: Vec<ChangeMark>,
    gone: Vec<GoneNode>,
    /// Why the last round failed, and since when rounds do.
    failure: Option<(String, Instant)>,
    warnings: Vec<String>,
    drawn: Option<(Instant, Size)>,
}

type Size = Option<(usize, usize)>;

/// The last answer.
struct LastAnswer {
    answer: Arc<Answer>,
    came: Instant,
    took: Duration,
    nodes: Vec<Full>,
    states: Option<String>,
    /// The table, and for which width it was made.
    table: Option<(Vec<u8>, Option<usize>)>,
}

/// A node that was shown.
struct GoneNode {
    id: NodeId,
    name: String,
    since: Instant,
}

/// Smaller is more urgent: what needs attention stands first, where a low screen does not hide it.
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
            shown: None,
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

    /// Something else was written below.
    pub(super) fn forget(&mut self) {
        self.screen.forget();
    }

    /// How the nodes of this round differ from those of the round before; `objects`: of those that
    /// are shown.
    pub(super) fn compare(
        &mut self,
        known: Option<&ChosenNodes>,
        nodes: &[Full],
        objects: &[Vec<u8>],
    ) {
        let mark = |(node, object): (&Full, &Vec<u8>)| match known
            .map(|known| known.get(&node.record.id))
        {
            None => ChangeMark::Same,
            Some(None) => ChangeMark::New,
            Some(Some(WatchedNode { shown: Some(before), .. })) if before != object => {
                ChangeMark::Changed
            }
            Some(Some(_)) => ChangeMark::Same,
        };
        self.marks = nodes.iter().zip(objects).map(mark).collect();
        let (now, longest) = (clock::now(), GONE.max(self.interval));
        let is_named = self.is_named;
        self.gone.retain(|gone| {
            let is_back = nodes.iter().any(|node| node.record.id == gone.id);
            !is_back && (is_named || now.saturating_duration_since(gone.since) < longest)
        });
        let new = gone(known, nodes).into_iter();
        self.gone.extend(new.map(|(id, name, _)| GoneNode {
            id: id.clone(),
            name: name.to_owned(),
            since: now,
        }));
    }

    /// The answer of a round, and how long it took.
    pub(super) fn take(&mut self, answer: Arc<Answer>, nodes: Vec<Full>, took: Duration) {
        let states = summary::states(&nodes);
        let (came, table) = (clock::now(), None);
        self.shown = Some(LastAnswer { answer, came, took, nodes, states, table });
    }

    /// Whether the round has failed, and why.
    pub(super) fn fails(&mut self, failure: Option<String>) {
        let since = self.failure.take().map_or_else(clock::now, |(_, since)| since);
        self.failure = failure.map(|why| (why, since));
    }

    pub(super) fn warned(&mut self, warnings: Vec<String>) {
        self.warnings = warnings;
    }

    /// Draws again when a second has passed, or the terminal has another size.
    pub(super) fn draw_if_old(
        &mut self,
        choice: &ListQuery,
        run: &mut CommandContext<'_>,
    ) -> anyhow::Result<()> {
        let Some((at, size)) = self.drawn else { return Ok(()) };
        if clock::now().saturating_duration_since(at) >= SECOND || size != config::stdout_size() {
            self.draw(choice, run)?;
        }
        Ok(())
    }

    pub(super) fn draw(
        &mut self,
        choice: &ListQuery,
        run: &mut CommandContext<'_>,
    ) -> anyhow::Result<()> {
        let (now, size) = (clock::now(), config::stdout_size());
        if self.drawn.is_some_and(|(_, before)| before != size) {
            self.screen.resized();
        }
        run.width = size.map(|(width, _)| width);
        let look = OutputStyle { width: run.width, ..choice.look };
        let foot = self.foot(now, look.colour);
        let Some(shown) = &mut self.shown else { return Ok(()) };
        let table = match shown.table.take() {
            Some((table, width)) if width == look.width => table,
            _ => {
                let (shapes, named) = choice.shapes();
                let mut table = Vec::new();
                let sheet = NodeTable { shapes, named, marks: &self.marks };
                render::table(&mut table, &shown.nodes, &sheet, &look)?;
                table
            }
        };
        self.screen.draw(run.out, &table, &foot, size)?;
        shown.table = Some((table, look.width));
        self.drawn = Some((now, size));
        Ok(run.out.flush()?)
    }

    /// What stands below the table at this moment.
    fn foot(&self, now: Instant, colour: bool) -> StatusLines {
        let mut lines = Vec::new();
        if !self.gone.is_empty() {
            let names: Vec<_> = self.gone.iter().map(|gone| sanitised(&gone.name)).collect();
            lines.push(format!("gone: {}", names.join(", ")));
        }
        if let Some(shown) = &self.shown {
            lines.extend(shown.states.clone());
            let later = now.saturating_duration_since(shown.came);
            let said =
                summary::summary_after(&shown.answer, Some(shown.nodes.len()), shown.took, later);
            let every = match self.interval {
                whole if whole.subsec_millis() == 0 => summary::age(whole),
                part => summary::short(part),
            };
            lines.push(format!("{said} · every {every}"));
        }
        StatusLines { lines, trouble: self.trouble(now), colour }
    }

    /// In one line, that goes when it is over.
    fn trouble(&self, now: Instant) -> Option<String> {
        let failure = self.failure.iter().map(|(why, since)| {
            format!("failing for {}: {why}", summary::age(now.saturating_duration_since(*since)))
        });
        let warnings = self.warnings.iter().map(|warning| format!("warning: {warning}"));
        let all: Vec<String> = failure.chain(warnings).collect();
        (!all.is_empty()).then(|| sanitised(&all.join(" · ")).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{GONE, SECOND, WatchScreen, WatchedNode, urgency};
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
            WatchedNode { name: "01".to_owned(), shown: Some(b"{}".to_vec()) },
        )]);
        for is_named in [true, false] {
            let mut drawing = WatchScreen::new(SECOND, is_named);
            drawing.compare(Some(&known), &[], &[]);
            let gone = |drawing: &WatchScreen| drawing.foot(clock::now(), false).lines;
            assert_eq!(gone(&drawing), ["gone: 01"]);
            drawing.gone[0].since = clock::now().checked_sub(GONE).unwrap();
            drawing.compare(Some(&HashMap::new()), &[], &[]);
            assert_eq!(gone(&drawing).len(), usize::from(is_named));
            drawing.compare(Some(&HashMap::new()), std::slice::from_ref(&a), &[b"{}".to_vec()]);
            assert_eq!(gone(&drawing), Vec::<String>::new());
        }
    }

    #[test]
    fn trouble_is_one_line_and_goes() {
        let mut drawing = WatchScreen::new(SECOND, false);
        drawing.fails(Some("cannot reach\nNomad".to_owned()));
        let since = drawing.failure.as_ref().unwrap().1;
        drawing.fails(Some("timed out".to_owned()));
        drawing.warned(vec!["using the local cache".to_owned()]);
        let said = drawing.trouble(since + 12 * SECOND).unwrap();
        assert_eq!(said, "failing for 12s: timed out · warning: using the local cache");
        drawing.fails(Some("a\nb".to_owned()));
        assert_eq!(drawing.trouble(since).unwrap().lines().count(), 1);
        drawing.fails(None);
        drawing.warned(Vec::new());
        assert_eq!(drawing.trouble(since), None);
    }
}
