//! `list --watch`: again and again, in place on a terminal, one line per change in a pipe.

mod changes;
mod notice_buffer;
mod screen;

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::cli::List;
use crate::clock;
use crate::commands::{CommandContext, complete, told_if_stale};
use crate::config;
use crate::discovery::{self, Answer, Discovery, How, NoProgress};
use crate::error::{Exit, Hinted as _, is_closed_pipe};
use crate::model::node::{Full, NodeId};
use crate::render::{self, Format, stdout};
use crate::settings::OUTPUT;

use super::query::ListQuery;
use super::{chosen, output, shown};
use notice_buffer::NoticeBuffer;
use screen::WatchScreen;

/// Faster than this nobody reads.
const SHORTEST: Duration = Duration::from_millis(100);

/// What goes on from round to round.
struct Watch<'a> {
    list: &'a List,
    choice: &'a ListQuery,
    how: How,
    interval: Duration,
    /// What the last round found; `None` before the first.
    known: Option<ChosenNodes>,
    /// `None` = lines are printed.
    drawing: Option<WatchScreen>,
    heard: NoticeBuffer,
}

/// All nodes that were chosen, those beyond the limit too.
type ChosenNodes = HashMap<NodeId, WatchedNode>;

/// A node of the last round.
struct WatchedNode {
    name: String,
    /// Its JSON as it was shown last; `None` if the limit has always left it out.
    shown: Option<Vec<u8>>,
}

pub(super) fn watch(
    list: &List,
    choice: &ListQuery,
    how: How,
    interval: Duration,
    run: &mut CommandContext<'_>,
) -> anyhow::Result<()> {
    let draws = draws(list, choice, run)?;
    if interval < SHORTEST {
        return Err(Exit::Usage.error("invalid value for --watch: must be at least 100ms"));
    }
    let heard = NoticeBuffer::default();
    run.tell = heard.tell();
    let drawing = draws.then(|| WatchScreen::new(interval, !list.nodes.is_empty()));
    let mut watch = Watch { list, choice, how, interval, known: None, drawing, heard };
    let watched = watch.run(run);
    watch.heard.say_all(run);
    watched
}

/// Whether this is a screen to draw on; else lines are printed.
fn draws(list: &List, choice: &ListQuery, run: &CommandContext<'_>) -> anyhow::Result<bool> {
    let named = run.config.values.is_typed(&OUTPUT.setting) || list.printing.json;
    match choice.format {
        Format::Json | Format::Jsonl => Ok(false),
        Format::Table | Format::Wide if run.width.is_some() => Ok(true),
        Format::Table if !named => Ok(false),
        _ => {
            let what = "--watch prints a table on a terminal and JSON lines in a pipe";
            Err(Exit::Usage.error(what).hinted("leave --output out, or pass --json"))
        }
    }
}

impl Watch<'_> {
    fn run(&mut self, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
        loop {
            let mut matched = Ok(());
            let round = self.round(run, &mut matched);
            if round.as_ref().is_err_and(is_closed_pipe) {
                return matched.and(round);
            }
            self.survive(round, run)?;
            matched?;
            if !self.waited(run)? {
                return Ok(stdout::left()?);
            }
        }
    }

    /// Asks once and shows what came; `matched` is the verdict of `--fail-on`.
    fn round(
        &mut self,
        run: &mut CommandContext<'_>,
        matched: &mut anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        run.began = clock::now();
        run.config.begin(run.began);
        let mut discovery = run.discovery()?;
        if self.drawing.as_ref().is_some_and(WatchScreen::is_drawn) {
            // A bar would be drawn into the table.
            discovery.progress = Arc::new(NoProgress);
        }
        let answer = Arc::new(self.asked(&discovery, run)?);
        told_if_stale(&answer, &run.tell);
        let nodes = self.chosen(&answer, matched, run)?;
        run.shown(&discovery, &answer, |run| self.show(&answer, nodes, run))
    }

    /// Asks on another thread: what is drawn grows older meanwhile.
    fn asked(
        &mut self,
        discovery: &Discovery,
        run: &mut CommandContext<'_>,
    ) -> anyhow::Result<Answer> {
        let (how, want) = (self.how, self.choice.want);
        let (tell, told) = sync_channel(1);
        thread::scope(|scope| {
            let ask = move || drop(tell.send(discovery.nodes(how, want)));
            let Ok(asking) = thread::Builder::new().spawn_scoped(scope, ask) else {
                return Ok(discovery.nodes(how, want)?);
            };
            loop {
                match told.recv_timeout(SHORTEST) {
                    Ok(answer) => return Ok(answer?),
                    Err(RecvTimeoutError::Timeout) => self.tick(run)?,
                    Err(RecvTimeoutError::Disconnected) => {
                        let broken = asking.join().expect_err("it ended without an answer");
                        resume_unwind(broken);
                    }
                }
            }
        })
    }

    /// The nodes to compare, of which the limit leaves the first to be shown. A node that was named must be there at first; later it may go and come back.
    fn chosen(
        &self,
        answer: &Answer,
        matched: &mut anyhow::Result<()>,
        run: &CommandContext<'_>,
    ) -> anyhow::Result<Vec<Full>> {
        let is_first = self.known.is_none();
        let mut nodes = chosen(self.list, self.choice, answer, run, is_first)?;
        *matched = self.choice.check(&nodes);
        if self.drawing.is_some() && !self.choice.selection.is_ordered() {
            nodes.sort_by_key(|node| screen::urgency(&node.record));
        }
        let ids: Vec<NodeId> =
            shown(&nodes, self.choice).iter().map(|node| node.record.id.clone()).collect();
        complete(answer, Some(&ids), true, &run.tell)?;
        Ok(nodes)
    }

    fn show(
        &mut self,
        answer: &Arc<Answer>,
        mut nodes: Vec<Full>,
        run: &mut CommandContext<'_>,
    ) -> anyhow::Result<()> {
        let objects = output::objects(self.choice, shown(&nodes, self.choice));
        match &mut self.drawing {
            None => {
                let time = render::time(clock::unix_seconds());
                changes::tell(self.known.as_ref(), &nodes, &objects, &time, run)?;
                self.known = Some(known(self.known.take(), &nodes, objects));
            }
            Some(drawing) => {
                drawing.compare(self.known.as_ref(), &nodes, &objects);
                self.known = Some(known(self.known.take(), &nodes, objects));
                nodes.truncate(self.choice.selection.most());
                drawing.take(Arc::clone(answer), nodes, clock::since(run.began));
            }
        }
        Ok(run.out.flush()?)
    }

    /// The first round must succeed; later an outage is told, and the watch goes on.
    fn survive(
        &mut self,
        round: anyhow::Result<()>,
        run: &mut CommandContext<'_>,
    ) -> anyhow::Result<()> {
        let failure = match round {
            Ok(()) => None,
            Err(error) if self.known.is_some() && error.is::<discovery::Error>() => {
                Some(error.to_string())
            }
            Err(error) => return Err(error),
        };
        match &mut self.drawing {
            Some(drawing) => {
                if !drawing.is_drawn() {
                    self.heard.say(run);
                } else if self.heard.say_details(run) {
                    drawing.forget();
                }
                drawing.fails(failure);
                drawing.warned(self.heard.end_of_round());
                drawing.draw(self.choice, run)
            }
            None => {
                failure.into_iter().for_each(|failure| run.tell.warning(failure));
                self.heard.say(run);
                self.heard.end_of_round();
                Ok(())
            }
        }
    }

    /// What is to be said is said, and what was drawn grows older.
    fn tick(&mut self, run: &mut CommandContext<'_>) -> anyhow::Result<()> {
        match &mut self.drawing {
            Some(drawing) if drawing.is_drawn() => {
                if self.heard.say_details(run) {
                    drawing.forget();
                }
                drawing.draw_if_old(self.choice, run)
            }
            _ => {
                self.heard.say(run);
                Ok(())
            }
        }
    }

    /// Until the next round; says whether there is to be one.
    fn waited(&mut self, run: &mut CommandContext<'_>) -> anyhow::Result<bool> {
        let until = clock::now() + self.interval;
        while let Some(left) =
            until.checked_duration_since(clock::now()).filter(|left| !left.is_zero())
        {
            clock::sleep(left.min(SHORTEST));
            if config::stdout_is_closed() {
                return Ok(false);
            }
            self.tick(run)?;
        }
        Ok(true)
    }
}

/// `objects`: those of the first nodes, which are shown.
fn known(before: Option<ChosenNodes>, nodes: &[Full], objects: Vec<Vec<u8>>) -> ChosenNodes {
    let (mut before, mut objects) = (before.unwrap_or_default(), objects.into_iter());
    let seen = nodes.iter().map(|node| {
        let last = || before.remove(&node.record.id)?.shown;
        let shown = objects.next().or_else(last);
        (node.record.id.clone(), WatchedNode { name: node.record.name.clone(), shown })
    });
    seen.collect()
}

/// Those that were shown and are no longer among `nodes`, by name.
fn gone<'a>(
    known: Option<&'a ChosenNodes>,
    nodes: &[Full],
) -> Vec<(&'a NodeId, &'a str, &'a [u8])> {
    let present: std::collections::HashSet<&NodeId> =
        nodes.iter().map(|node| &node.record.id).collect();
    let gone = known.into_iter().flatten().filter(|(id, _)| !present.contains(id));
    let gone = gone.filter_map(|(id, seen)| Some((id, &*seen.name, seen.shown.as_deref()?)));
    let mut gone: Vec<_> = gone.collect();
    gone.sort_unstable_by_key(|(id, name, _)| (*name, id.as_str()));
    gone
}

#[cfg(test)]
mod tests {
    use super::{ChosenNodes, gone, known};
    use crate::model::node::Full;
    use crate::model::properties::sample;

    fn names(known: &ChosenNodes, nodes: &[Full]) -> Vec<String> {
        gone(Some(known), nodes).into_iter().map(|(_, name, _)| name.to_owned()).collect()
    }

    #[test]
    fn only_what_was_shown_can_be_gone_and_what_the_limit_hides_is_not() {
        let mut nodes = sample();
        nodes.truncate(2);
        let [first, second] = &nodes[..] else { panic!("two nodes") };
        let (name, other) = (first.record.name.clone(), second.record.name.clone());
        let before = known(None, &nodes, vec![b"1".to_vec()]);
        assert_eq!(names(&before, &[]), [&*name], "the other was never shown");
        // The limit shows the second instead of the first.
        let pushed = [second.clone(), first.clone()];
        assert_eq!(names(&before, &pushed), Vec::<String>::new());
        let after = known(Some(before), &pushed, vec![b"2".to_vec()]);
        assert_eq!(after[&first.record.id].shown.as_deref(), Some(&b"1"[..]));
        let mut both = [name, other];
        both.sort();
        assert_eq!(names(&after, &[]), both);
    }
}
