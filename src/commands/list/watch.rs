//! `list --watch`: again and again, in place on a terminal, one line per change in a pipe.

use std::collections::HashMap;
use std::time::Duration;

use crate::cli::List;
use crate::clock;
use crate::commands::Run;
use crate::config;
use crate::discovery::{Answer, How};
use crate::error::Error;
use crate::model::json;
use crate::model::node::{Full, NodeId};
use crate::model::text::sanitised;
use crate::render::{self, Format, Mark, Sheet, notice, screen};

use super::choice::Choice;
use super::{chosen, print, told_if_stale};

/// Faster than this nobody reads.
const SHORTEST: Duration = Duration::from_millis(100);

/// What the last round showed.
#[derive(Default)]
struct Shown {
    /// Each node's name and JSON; `None` before the first round.
    nodes: Option<HashMap<NodeId, (String, Vec<u8>)>>,
    screen: screen::Screen,
    failure: Option<String>,
    interval: Duration,
}

pub(super) fn watch(
    list: &List,
    choice: &Choice,
    how: How,
    interval: Duration,
    run: &mut Run<'_>,
) -> Result<(), Error> {
    let draws = draws(list, choice, run)?;
    if interval < SHORTEST {
        let what = "invalid value for --watch: must be at least 100ms".to_owned();
        return Err(Error::Usage { what, hint: None });
    }
    let mut shown = Shown { interval, ..Shown::default() };
    loop {
        run.began = clock::now();
        run.config.begin(run.began);
        let mut matched = Ok(());
        let round = run.nodes(how, choice.want, |run, answer| {
            told_if_stale(answer, &run.tell);
            let mut nodes = chosen(list, choice, answer, run)?;
            matched = choice.check(&nodes);
            nodes.truncate(choice.selection.most());
            if draws {
                draw(choice, &nodes, answer, &mut shown, run)?;
            } else {
                tell_changes(choice, &nodes, &mut shown, run)?;
            }
            shown.remember(choice, &nodes);
            Ok(())
        });
        if round.as_ref().is_err_and(Error::is_closed_pipe) {
            return matched.and(round);
        }
        shown.survive(round, run)?;
        matched?;
        if !waited(draws, &mut shown, run) {
            return Ok(());
        }
    }
}

/// Whether this is a screen to draw on; else lines are printed.
fn draws(list: &List, choice: &Choice, run: &Run<'_>) -> Result<bool, Error> {
    let named = list.printing.output.is_some() || list.printing.json;
    match choice.format {
        Format::Json | Format::Jsonl => Ok(false),
        Format::Table | Format::Wide if run.width.is_some() => Ok(true),
        Format::Table if !named => Ok(false),
        _ => Err(Error::Usage {
            what: "--watch prints a table on a terminal and JSON lines in a pipe".to_owned(),
            hint: Some("leave --output out, or pass --json".to_owned()),
        }),
    }
}

impl Shown {
    fn remember(&mut self, choice: &Choice, nodes: &[Full]) {
        let objects = print::objects(choice, nodes);
        let named = nodes
            .iter()
            .zip(objects)
            .map(|(node, object)| (node.record.id.clone(), (node.record.name.clone(), object)));
        self.nodes = Some(named.collect());
    }

    /// The first round must succeed; later an outage is told once, and the watch goes on.
    fn survive(&mut self, round: Result<(), Error>, run: &Run<'_>) -> Result<(), Error> {
        match round {
            Ok(()) => self.failure = None,
            Err(Error::Discovery(error)) if self.nodes.is_some() => {
                let told = error.to_string();
                if self.failure.as_ref() != Some(&told) {
                    run.tell.warning(told.as_str());
                    self.screen.forget();
                }
                self.failure = Some(told);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn mark(&self, id: &NodeId, object: &[u8]) -> Mark {
        match self.nodes.as_ref().map(|nodes| nodes.get(id)) {
            None => Mark::Same,
            Some(None) => Mark::New,
            Some(Some((_, before))) if before == object => Mark::Same,
            Some(Some(_)) => Mark::Changed,
        }
    }

    /// Those that were shown and are no longer among `nodes`, by name.
    fn gone(&self, nodes: &[Full]) -> Vec<(&str, &[u8])> {
        let present: std::collections::HashSet<&NodeId> =
            nodes.iter().map(|node| &node.record.id).collect();
        let before = self.nodes.iter().flatten();
        let gone = before.filter(|(id, _)| !present.contains(id));
        let mut gone: Vec<(&str, &[u8])> =
            gone.map(|(_, (name, object))| (name.as_str(), object.as_slice())).collect();
        gone.sort_unstable();
        gone
    }
}

fn draw(
    choice: &Choice,
    nodes: &[Full],
    answer: &Answer,
    shown: &mut Shown,
    run: &mut Run<'_>,
) -> Result<(), Error> {
    let (shapes, named) = choice.shapes();
    let objects = print::objects(choice, nodes);
    let marks: Vec<Mark> = nodes
        .iter()
        .zip(&objects)
        .map(|(node, object)| shown.mark(&node.record.id, object))
        .collect();
    let look = render::Look { width: run.width, ..choice.look };
    let mut text = Vec::new();
    render::table(&mut text, nodes, &Sheet { shapes, named, marks: &marks }, &look)?;
    let said = notice::summary(answer, Some(nodes.len()), run.began.elapsed());
    let every = match shown.interval {
        whole if whole.subsec_millis() == 0 => notice::age(whole),
        part => notice::short(part),
    };
    let mut foot = format!("{said} · every {every}");
    let gone: Vec<_> = shown.gone(nodes).into_iter().map(|(name, _)| sanitised(name)).collect();
    if !gone.is_empty() {
        foot = format!("gone: {}\n{foot}", gone.join(", "));
    }
    shown.screen.draw(run.out, &text, &foot, config::stdout_size())?;
    Ok(run.out.flush()?)
}

/// One line for each node that is new, changed or gone; in the first round `present` for all.
fn tell_changes(
    choice: &Choice,
    nodes: &[Full],
    shown: &mut Shown,
    run: &mut Run<'_>,
) -> Result<(), Error> {
    let time = render::time(clock::unix_seconds());
    for (node, after) in nodes.iter().zip(print::objects(choice, nodes)) {
        let before = shown.nodes.as_ref().map(|nodes| nodes.get(&node.record.id));
        let (change, before) = match before {
            None => ("present", None),
            Some(None) => ("new", None),
            Some(Some((_, before))) if *before == after => continue,
            Some(Some((_, before))) => ("changed", Some(before.as_slice())),
        };
        line(run, &time, change, before, Some(&after))?;
    }
    for (_, before) in shown.gone(nodes) {
        line(run, &time, "gone", Some(before), None)?;
    }
    Ok(run.out.flush()?)
}

fn line(
    run: &mut Run<'_>,
    time: &str,
    change: &str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Result<(), Error> {
    let (time, change) = (json::bytes(time), json::bytes(change));
    let parts: [&[u8]; 9] = [
        b"{\"time\":",
        &time,
        b",\"change\":",
        &change,
        b",\"before\":",
        before.unwrap_or(b"null"),
        b",\"after\":",
        after.unwrap_or(b"null"),
        b"}\n",
    ];
    Ok(parts.iter().try_for_each(|part| run.out.write_all(part))?)
}

/// Until the next round; a window that changes its size is drawn anew at once.
fn waited(draws: bool, shown: &mut Shown, run: &mut Run<'_>) -> bool {
    let until = clock::now() + shown.interval;
    while let Some(left) = until.checked_duration_since(clock::now()).filter(|left| !left.is_zero())
    {
        clock::sleep(left.min(SHORTEST));
        let size = config::stdout_size();
        if draws && size.map(|(width, _)| width) != run.width {
            run.width = size.map(|(width, _)| width);
            shown.screen.resized();
            return true;
        }
        if config::stdout_is_closed() {
            return false;
        }
    }
    true
}
