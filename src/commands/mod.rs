//! What the commands do: one short function each.

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

use anyhow::{Error, Result};

use crate::cli::{self, CacheCommand, Command, Shell};
use crate::clock;
use crate::config::Config;
use crate::discovery::{self, Answer, Discovery, Request, Shutdown, Source};
use crate::error::{Exit, Hinted as _};
use crate::model::format;
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
    pub(crate) started: Instant,
    pub(crate) out: &'a mut dyn Write,
    /// The width of the terminal that `out` is, in columns; `None` if it is not a terminal.
    pub(crate) width: Option<usize>,
    pub(crate) stderr_is_terminal: bool,
    pub(crate) console: Arc<Console>,
    pub(crate) notifier: Notifier,
    pub(crate) shutdown: Arc<Shutdown>,
    /// Opened when the first round needs it.
    pub(crate) nomad: OnceCell<HttpNomad>,
}

/// # Errors
/// The command failed; the error has its exit code and hint.
pub(crate) fn run(command: &Command, mut context: CommandContext<'_>) -> Result<()> {
    let context = &mut context;
    match command {
        Command::List(list) => list::run(list, context),
        Command::Show(show) => show::run(show, context),
        Command::Refresh(refresh) => refresh::run(refresh, context),
        Command::Cache { command: CacheCommand::Clear } => cache::clear(context),
        Command::Cache { command: CacheCommand::Stats { json } } => cache::stats(*json, context),
        Command::Serve(serve) => serve::run(serve, context),
        Command::Doctor(doctor) => doctor::run(doctor, context),
        Command::Completions { shell } => completions(*shell, context.out),
    }
}

/// Prints the completion script of a shell. It needs no configuration.
pub(crate) fn completions(shell: Shell, out: &mut dyn Write) -> Result<()> {
    out.write_all(&cli::completions(shell))?;
    Ok(out.flush()?)
}

impl CommandContext<'_> {
    fn store(&self) -> Result<Arc<dyn Store>> {
        store::open(&self.config.place, &self.notifier).map_err(|error| Exit::Config.error(error))
    }

    /// Gets the nodes and lets `show` print the answer.
    fn nodes(
        &mut self,
        request: Request,
        show: impl FnOnce(&mut Self, &Answer) -> Result<()>,
    ) -> Result<()> {
        let discovery = self.discovery()?;
        let answer = discovery.nodes(request)?;
        self.present(&discovery, &answer, |context| show(context, &answer))
    }

    /// Prints an answer; notes and counts it afterwards, as nobody should wait for that.
    fn present(
        &mut self,
        discovery: &Discovery,
        answer: &Answer,
        show: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let took = clock::since(self.started);
        let shown = show(self);
        let written = self.out.flush().map_err(Error::from);
        discovery.store.printed(&answer.snapshot);
        let is_hit = answer.source == Source::Cache;
        discovery.store.count(&Sample::of(is_hit, took, answer.tally.nomad_calls));
        shown.and(written)
    }

    /// Nomad for one round. All rounds share the connections, and warnings are given once.
    fn nomad(&self) -> Result<HttpNomad, nomad::Error> {
        let nomad = match self.nomad.get() {
            Some(nomad) => nomad,
            None => {
                let nomad = HttpNomad::open(self.config.access.clone(), self.notifier.clone())?;
                self.nomad.get_or_init(|| nomad)
            }
        };
        Ok(nomad.again(self.config.access.deadline))
    }

    fn discovery(&self) -> Result<Discovery> {
        Ok(Discovery {
            nomad: Arc::new(self.nomad().map_err(discovery::Error::from)?),
            store: self.store()?,
            policy: self.config.policy,
            notifier: self.notifier.clone(),
            progress: Arc::<Console>::clone(&self.console),
            shutdown: Arc::clone(&self.shutdown),
            sleep: Arc::new(clock::sleep),
        })
    }

    /// Prints the summary of the answer; `visible` is the number of nodes shown, `None` = all.
    fn summarize(&self, answer: &Answer, visible: Option<usize>) {
        let took = clock::since(self.started);
        self.remark(summary::summary(answer, visible, took, std::time::Duration::ZERO));
    }

    /// A line about the answer, for a person at the terminal or with `-v`.
    fn remark(&self, text: String) {
        match self.stderr_is_terminal {
            true => self.notifier.summary(text),
            false => self.notifier.verbose(text),
        }
    }

    fn style(&self, headers: bool, secrets: bool) -> OutputStyle {
        let colour = self.config.colour.unwrap_or(self.width.is_some());
        OutputStyle { width: self.width, colour, headers, secrets }
    }
}

/// # Errors
/// The NODE argument is a pattern that is too long.
fn check_node_pattern(node: &str) -> Result<()> {
    let pattern = Pattern::parse(node).map(drop);
    pattern.map_err(|why| Exit::Usage.error(format!("invalid value for NODE: {why}")))
}

/// Stale nodes are never shown without a warning.
fn warn_if_stale(answer: &Answer, notifier: &Notifier) {
    if let Some(outage) = &answer.outage {
        let age = format::span(answer.snapshot.age);
        notifier.warning(format!("showing the nodes of {age} ago: {outage}"));
    }
}

/// Missing details are an error unless they are allowed; what was printed is kept either way. Only
/// the `visible` nodes count, `None` = all.
fn check_details(
    answer: &Answer,
    visible: Option<&[NodeId]>,
    allowed: bool,
    notifier: &Notifier,
) -> Result<()> {
    let is_visible = |id: &NodeId| visible.is_none_or(|visible| visible.contains(id));
    let missing: Vec<_> = answer.missing.iter().filter(|(id, _)| is_visible(id)).collect();
    let Some((id, why)) = missing.first() else { return Ok(()) };
    let total = visible.map_or(answer.tally.total(), <[NodeId]>::len);
    let text = format!("{} of {total} nodes without details: {id}: {why}", missing.len());
    if allowed {
        notifier.warning(text);
        return Ok(());
    }
    Err(Exit::Partial.error(text).hinted("try again, or pass --allow-partial to exit with 0"))
}
