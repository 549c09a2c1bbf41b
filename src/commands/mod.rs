//! What is done: one short function per command.

mod cache;
mod doctor;
mod list;
mod notice_limiter;
mod refresh;
mod serve;
mod show;

use std::cell::OnceCell;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use crate::cli::{self, CacheCommand, Command, Shell};
use crate::clock;
use crate::config::Config;
use crate::discovery::{self, Answer, Discovery, How, Shutdown, Source, Want};
use crate::error::{Exit, Hinted as _};
use crate::model::node::NodeId;
use crate::model::notice::Notifier;
use crate::model::selection::glob::Pattern;
use crate::nomad::{self, HttpNomad};
use crate::render::console::Console;
use crate::render::{OutputStyle, summary};
use crate::store::{self, Sample, Store};

pub(crate) use doctor::without_settings;

/// One run of the program: its settings, and where it writes.
pub(crate) struct CommandContext<'a> {
    pub(crate) config: Config,
    pub(crate) began: Instant,
    pub(crate) out: &'a mut dyn Write,
    /// Columns of the terminal that `out` is, if it is one.
    pub(crate) width: Option<usize>,
    /// Somebody looks at stderr.
    pub(crate) watched: bool,
    pub(crate) console: Arc<Console>,
    pub(crate) tell: Notifier,
    pub(crate) leaving: Arc<Shutdown>,
    /// Opened when the first round needs it.
    pub(crate) nomad: OnceCell<HttpNomad>,
}

/// # Errors
/// Whatever kept the command from its answer.
pub(crate) fn run(command: &Command, mut run: CommandContext<'_>) -> anyhow::Result<()> {
    match command {
        Command::List(list) => list::run(list, &mut run),
        Command::Show(show) => show::run(show, &mut run),
        Command::Refresh(refresh) => refresh::run(refresh, &mut run),
        Command::Cache { command: CacheCommand::Clear } => cache::clear(&mut run),
        Command::Cache { command: CacheCommand::Stats { json } } => cache::stats(*json, &mut run),
        Command::Serve(serve) => serve::run(serve, &mut run),
        Command::Doctor(doctor) => doctor::run(doctor, &mut run),
        Command::Completions { shell } => completions(*shell, run.out),
    }
}

/// The script that a shell reads. It needs no configuration.
pub(crate) fn completions(shell: Shell, out: &mut dyn Write) -> anyhow::Result<()> {
    out.write_all(&cli::completions(shell))?;
    Ok(out.flush()?)
}

impl CommandContext<'_> {
    fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        let opened = store::open(&self.config.place, &self.tell);
        opened.map_err(|error| Exit::Config.error(error))
    }

    /// Asks for the nodes; `show` does with the answer what the command is for. The statistics are
    /// counted after that, as nobody waits for them.
    fn nodes(
        &mut self,
        how: How,
        want: Want,
        show: impl FnOnce(&mut Self, &Answer) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let discovery = self.discovery()?;
        let answer = discovery.nodes(how, want)?;
        self.shown(&discovery, &answer, |run| show(run, &answer))
    }

    /// Shows an answer, and counts it.
    fn shown(
        &mut self,
        discovery: &Discovery,
        answer: &Answer,
        show: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let took = clock::since(self.began);
        let shown = show(self);
        let written = self.out.flush().map_err(anyhow::Error::from);
        let calls = answer.tally.nomad_calls;
        let hit = answer.source == Source::Cache;
        discovery.store.count(&Sample::of(hit, took, calls));
        shown.and(written)
    }

    /// Nomad for one round. All rounds share what was opened for the first: the connections, and
    /// what was warned of.
    fn nomad(&self) -> Result<HttpNomad, nomad::Error> {
        let opened = match self.nomad.get() {
            Some(opened) => opened,
            None => {
                let opened = HttpNomad::open(self.config.access.clone(), self.tell.clone())?;
                self.nomad.get_or_init(|| opened)
            }
        };
        Ok(opened.again(self.config.access.deadline))
    }

    fn discovery(&self) -> anyhow::Result<Discovery> {
        let nomad = self.nomad().map_err(discovery::Error::from)?;
        Ok(Discovery {
            nomad: Arc::new(nomad),
            store: self.store()?,
            policy: self.config.policy,
            probes: self.config.place.probes(),
            tell: self.tell.clone(),
            progress: Arc::<Console>::clone(&self.console),
            leaving: Arc::clone(&self.leaving),
            sleep: Arc::new(clock::sleep),
        })
    }

    /// The line about the answer: for people who watch, or who asked for more. `shown`: how many of
    /// its nodes; `None` = all.
    fn notice(&self, answer: &Answer, shown: Option<usize>) {
        self.told(summary::summary(answer, shown, clock::since(self.began)));
    }

    /// A remark about the answer.
    fn told(&self, text: String) {
        if self.watched { self.tell.summary(text) } else { self.tell.verbose(text) }
    }

    fn look(&self, headers: bool, secrets: bool) -> OutputStyle {
        let colour = self.config.colour.unwrap_or(self.width.is_some());
        OutputStyle { width: self.width, colour, headers, secrets }
    }
}

/// Whether a NODE that was typed can name any.
///
/// # Errors
/// A pattern that is too long.
fn node_is_possible(node: &str) -> anyhow::Result<()> {
    let usage = |why| Exit::Usage.error(format!("invalid value for NODE: {why}"));
    Pattern::parse(node).map(drop).map_err(usage)
}

/// An old answer is never shown without saying so.
fn told_if_stale(answer: &Answer, tell: &Notifier) {
    if let Some(outage) = &answer.outage {
        tell.warning(format!(
            "showing the nodes of {} ago: {outage}",
            summary::age(answer.snapshot.age)
        ));
    }
}

/// Rows without details are an error unless they are allowed; the rows are kept either way. Details
/// that are missing from a node that is not `shown` are missed by nobody.
fn complete(
    answer: &Answer,
    shown: Option<&[NodeId]>,
    allowed: bool,
    tell: &Notifier,
) -> anyhow::Result<()> {
    let is_shown = |id: &NodeId| shown.is_none_or(|shown| shown.contains(id));
    let missing: Vec<_> = answer.missing.iter().filter(|(id, _)| is_shown(id)).collect();
    let Some((id, why)) = missing.first() else { return Ok(()) };
    let total = shown.map_or(answer.tally.total(), <[NodeId]>::len);
    let text = format!("{} of {total} nodes without details: {id}: {why}", missing.len());
    if allowed {
        tell.warning(text);
        return Ok(());
    }
    Err(Exit::Partial.error(text).hinted("try again, or pass --allow-partial to exit with 0"))
}
