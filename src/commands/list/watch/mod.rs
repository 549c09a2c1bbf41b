//! `list --watch`: repeats the list, in place on a terminal, as one line per change in a pipe.

mod changes;
mod notice_buffer;
mod screen;

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::clock;
use crate::commands::{CommandContext, check_details, warn_if_stale};
use crate::config;
use crate::discovery::{self, Answer, Discovery, NoProgress, Request};
use crate::error::{Exit, Hinted as _, is_closed_pipe};
use crate::model::node::{Full, NodeId};
use crate::render::{Format, stdout};

use super::node_ids;
use super::output::ListOutput;
use super::query::ListQuery;
use notice_buffer::NoticeBuffer;
use screen::WatchScreen;

/// The shortest interval, and how often the screen and the reader are looked at.
const TICK: Duration = Duration::from_millis(100);

struct Watch<'a> {
    query: &'a ListQuery,
    output: &'a ListOutput,
    request: Request,
    interval: Duration,
    /// What the last round found; `None` before the first.
    known: Option<KnownNodes>,
    /// `None` = changes are printed as lines.
    screen: Option<WatchScreen>,
    notices: NoticeBuffer,
}

/// All selected nodes of a round, also those beyond the limit.
type KnownNodes = HashMap<NodeId, KnownNode>;

struct KnownNode {
    name: String,
    /// Its JSON when it was shown last; `None` if it was always beyond the limit.
    object: Option<Vec<u8>>,
}

/// How a node that is shown differs from the round before.
enum Change<'a> {
    /// It was there before, but not shown.
    Present,
    New,
    Same,
    /// Its JSON before.
    Changed(&'a [u8]),
}

pub(super) fn run(
    query: &ListQuery,
    output: &ListOutput,
    request: Request,
    interval: Duration,
    context: &mut CommandContext<'_>,
) -> Result<()> {
    let is_screen = match output.format {
        Format::Json | Format::Jsonl => false,
        Format::Table | Format::Wide if context.width.is_some() => true,
        Format::Table if !output.is_typed => false,
        _ => {
            let error = "--watch prints a table on a terminal and JSON lines in a pipe";
            let hint = "leave --output out, or pass --json";
            return Err(Exit::Usage.error(error).hinted(hint));
        }
    };
    if interval < TICK {
        return Err(Exit::Usage.error("invalid value for --watch: must be at least 100ms"));
    }
    // It ends with a signal, which also the first process of a container must obey.
    context.shutdown.watch();
    let notices = NoticeBuffer::default();
    context.notifier = notices.notifier();
    let screen = is_screen.then(|| WatchScreen::new(interval, !query.arguments.is_empty()));
    let mut watch = Watch { query, output, request, interval, known: None, screen, notices };
    let result = watch.run(context);
    watch.notices.show_all(context);
    result
}

impl Watch<'_> {
    fn run(&mut self, context: &mut CommandContext<'_>) -> Result<()> {
        loop {
            let mut verdict = Ok(());
            let round = self.round(context, &mut verdict);
            if round.as_ref().is_err_and(is_closed_pipe) {
                return verdict.and(round);
            }
            self.survive(round, context)?;
            verdict?;
            if !self.wait(context)? {
                return Ok(stdout::left()?);
            }
        }
    }

    /// Lists once and shows the answer. `verdict` is set to that of `--fail-on`.
    fn round(&mut self, context: &mut CommandContext<'_>, verdict: &mut Result<()>) -> Result<()> {
        context.started = clock::now();
        context.config.begin(context.started);
        let mut discovery = context.discovery()?;
        if self.screen.as_ref().is_some_and(WatchScreen::is_drawn) {
            // A progress bar would be drawn into the table.
            discovery.progress = Arc::new(NoProgress);
        }
        let answer = Arc::new(self.discover(&discovery, context)?);
        warn_if_stale(&answer, &context.notifier);
        // Named nodes must exist in the first round; later they may go and come back.
        let mut nodes = self.query.select(&answer, self.known.is_none(), &context.notifier)?;
        *verdict = self.query.check(&nodes);
        if self.screen.is_some() && !self.query.is_ordered() {
            nodes.sort_by_key(|node| screen::urgency(&node.record));
        }
        let ids = node_ids(self.query.visible(&nodes));
        check_details(&answer, Some(&ids), true, &context.notifier)?;
        context.present(&discovery, &answer, |context| self.show(&answer, nodes, context))
    }

    /// Asks on another thread, so that the ages on the screen stay current meanwhile.
    fn discover(
        &mut self,
        discovery: &Discovery,
        context: &mut CommandContext<'_>,
    ) -> Result<Answer> {
        let request = self.request;
        let (sender, receiver) = sync_channel(1);
        thread::scope(|scope| {
            let ask = move || drop(sender.send(discovery.nodes(request)));
            let Ok(thread) = thread::Builder::new().spawn_scoped(scope, ask) else {
                return Ok(discovery.nodes(request)?);
            };
            loop {
                match receiver.recv_timeout(TICK) {
                    Ok(answer) => return Ok(answer?),
                    Err(RecvTimeoutError::Timeout) => self.tick(context)?,
                    Err(RecvTimeoutError::Disconnected) => {
                        let panic = thread.join().expect_err("the thread ended without an answer");
                        resume_unwind(panic);
                    }
                }
            }
        })
    }

    fn show(
        &mut self,
        answer: &Arc<Answer>,
        mut nodes: Vec<Full>,
        context: &mut CommandContext<'_>,
    ) -> Result<()> {
        let visible = self.query.visible(&nodes);
        let objects = self.output.objects(visible);
        let visible = visible.len();
        match &mut self.screen {
            Some(screen) => screen.compare(self.known.as_ref(), &nodes, &objects),
            None => changes::print(self.known.as_ref(), &nodes, &objects, context.out)?,
        }
        self.known = Some(known(self.known.take(), &nodes, objects));
        if let Some(screen) = &mut self.screen {
            nodes.truncate(visible);
            screen.take(Arc::clone(answer), nodes, clock::since(context.started));
        }
        Ok(context.out.flush()?)
    }

    /// The first round must succeed; later, a failed one is reported and the watch goes on.
    fn survive(&mut self, round: Result<()>, context: &mut CommandContext<'_>) -> Result<()> {
        let failure = match round {
            Ok(()) => None,
            Err(error) if self.known.is_some() && error.is::<discovery::Error>() => {
                Some(error.to_string())
            }
            Err(error) => return Err(error),
        };
        match &mut self.screen {
            Some(screen) => {
                // Warnings have a line below the table, once there is one.
                if self.notices.show(context, !screen.is_drawn()) {
                    screen.forget();
                }
                screen.fail(failure);
                screen.warn(self.notices.end_round());
                screen.draw(self.output, context)
            }
            None => {
                failure.into_iter().for_each(|failure| context.notifier.warning(failure));
                self.notices.show(context, true);
                self.notices.end_round();
                Ok(())
            }
        }
    }

    /// Shows new notices, and redraws the screen if its ages have changed.
    fn tick(&mut self, context: &mut CommandContext<'_>) -> Result<()> {
        match &mut self.screen {
            Some(screen) if screen.is_drawn() => {
                if self.notices.show(context, false) {
                    screen.forget();
                }
                screen.draw_if_old(self.output, context)
            }
            _ => {
                self.notices.show(context, true);
                Ok(())
            }
        }
    }

    /// Waits for the next round; `false` if the reader of the output is gone.
    fn wait(&mut self, context: &mut CommandContext<'_>) -> Result<bool> {
        let until = clock::now() + self.interval;
        while let Some(left) =
            until.checked_duration_since(clock::now()).filter(|left| !left.is_zero())
        {
            clock::sleep(left.min(TICK));
            if config::stdout_is_closed() {
                return Ok(false);
            }
            self.tick(context)?;
        }
        Ok(true)
    }
}

/// What is known after a round; `objects` are those of the first nodes, which are visible.
fn known(before: Option<KnownNodes>, nodes: &[Full], objects: Vec<Vec<u8>>) -> KnownNodes {
    let (mut before, mut objects) = (before.unwrap_or_default(), objects.into_iter());
    let known = nodes.iter().map(|node| {
        let last = || before.remove(&node.record.id)?.object;
        let object = objects.next().or_else(last);
        (node.record.id.clone(), KnownNode { name: node.record.name.clone(), object })
    });
    known.collect()
}

fn change<'a>(before: Option<&'a KnownNodes>, node: &Full, object: &[u8]) -> Change<'a> {
    match before.map(|before| before.get(&node.record.id)) {
        None | Some(Some(KnownNode { object: None, .. })) => Change::Present,
        Some(None) => Change::New,
        Some(Some(KnownNode { object: Some(before), .. })) if before == object => Change::Same,
        Some(Some(KnownNode { object: Some(before), .. })) => Change::Changed(before),
    }
}

/// The nodes that were visible and are no longer among `nodes`, by name, with their last JSON.
fn gone<'a>(
    before: Option<&'a KnownNodes>,
    nodes: &[Full],
) -> Vec<(&'a NodeId, &'a str, &'a [u8])> {
    let present: HashSet<&NodeId> = nodes.iter().map(|node| &node.record.id).collect();
    let gone = before.into_iter().flatten().filter(|(id, _)| !present.contains(id));
    let mut gone: Vec<_> = gone
        .filter_map(|(id, known)| Some((id, known.name.as_str(), known.object.as_deref()?)))
        .collect();
    gone.sort_unstable_by_key(|(id, name, _)| (*name, id.as_str()));
    gone
}

#[cfg(test)]
mod tests {
    use super::{KnownNodes, gone, known};
    use crate::model::node::Full;
    use crate::model::properties::sample;

    fn names(known: &KnownNodes, nodes: &[Full]) -> Vec<String> {
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
        assert_eq!(after[&first.record.id].object.as_deref(), Some(&b"1"[..]));
        let mut both = [name, other];
        both.sort();
        assert_eq!(names(&after, &[]), both);
    }
}
