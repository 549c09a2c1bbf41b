//! Which nodes `list` selects, and which of them fail the run; checked before nodes are fetched.

use anyhow::Result;

use crate::cli::List;
use crate::commands::{CommandContext, check_node_pattern};
use crate::discovery::{Answer, Want};
use crate::error::Exit;
use crate::model::node::Full;
use crate::model::notice::Notifier;
use crate::model::projection::Wanted;
use crate::model::selection::Selection;
use crate::model::selection::condition::Condition;
use crate::model::selection::field::Field;
use crate::model::selection::node_arg::{named, nearest};
use crate::model::snapshot::Snapshot;
use crate::model::text::{first_line, sanitised};
use crate::model::work_limit::WorkLimit;
use crate::settings::{SORT, WATCH};

use super::invalid_value;
use super::output::ListOutput;

/// Names in the error of `--fail-on`.
const FAILED_NAMES: usize = 5;

pub(super) struct ListQuery {
    /// Empty = all nodes.
    pub(super) arguments: Vec<String>,
    selection: Selection,
    /// The conditions of `--fail-on`, as they were typed and parsed.
    fail_on: Vec<(String, Condition)>,
    pub(super) want: Want,
    /// What is read of each node to select, order and print it.
    wanted: Wanted,
    /// Every field that was named.
    fields: Vec<Field>,
}

impl ListQuery {
    pub(super) fn new(
        list: &List,
        output: &ListOutput,
        context: &CommandContext<'_>,
    ) -> Result<Self> {
        list.nodes.iter().try_for_each(|node| check_node_pattern(node))?;
        let mut selection = Selection::default();
        for (option, values) in list.filters.options() {
            selection.add(option, values).map_err(|why| invalid_value(option, why))?;
        }
        if let Some((keys, origin)) = context.config.values.texts(&SORT)? {
            selection.add("sort", &keys).map_err(|why| origin.error(&why))?;
        }
        // With --count-by the limit is one of counts.
        let selection = selection.limited(list.filters.limit.filter(|_| !output.is_counts()));
        let fail_on = list.fail_on.iter().map(|text| {
            let condition = Condition::parse(text).map_err(|why| invalid_value("fail-on", why))?;
            Ok((text.clone(), condition))
        });
        let fail_on: Vec<(String, Condition)> = fail_on.collect::<Result<_>>()?;
        let conditions = fail_on.iter().map(|(_, condition)| &condition.field);
        let fields = output.fields().chain(selection.fields()).chain(conditions);
        let fields: Vec<Field> = fields.cloned().collect();
        let wanted = match context.config.values.is_typed(&WATCH.setting) {
            true => Wanted::everything(),
            false => output.wanted().and(&fields),
        };
        let needs_full = output.full || fields.iter().any(Field::needs_full);
        let want = if needs_full { Want::Full } else { Want::Records };
        Ok(Self { arguments: list.nodes.clone(), selection, fail_on, want, wanted, fields })
    }

    /// Whether every node is listed in its usual place.
    pub(super) fn is_everything(&self) -> bool {
        self.arguments.is_empty() && self.selection.is_everything() && self.fail_on.is_empty()
    }

    pub(super) fn is_ordered(&self) -> bool {
        self.selection.is_ordered()
    }

    /// The selected nodes in order, also those beyond the limit. With `required`, arguments must name
    /// nodes that exist.
    pub(super) fn select(
        &self,
        answer: &Answer,
        required: bool,
        notifier: &Notifier,
    ) -> Result<Vec<Full>> {
        let nodes = self.read(answer, &self.wanted)?;
        if self.fields.iter().any(|field| is_unknown(field, &nodes)) {
            // Similar keys are among those that were not read.
            self.warn_of_unknown_keys(&self.read(answer, &Wanted::everything())?, notifier);
        }
        let mut positions = named(&nodes, &self.arguments, required)?.into_iter().peekable();
        let nodes = nodes.into_iter().enumerate();
        let named = nodes.filter_map(|(at, node)| positions.next_if_eq(&at).map(|_| node));
        Ok(self.selection.select_all(named.collect()))
    }

    /// The selected nodes that `--limit` leaves.
    pub(super) fn visible<'a>(&self, nodes: &'a [Full]) -> &'a [Full] {
        &nodes[..self.selection.max_nodes().min(nodes.len())]
    }

    /// After a fetch, full records are there even if nobody wants them: they are not read.
    fn read(&self, answer: &Answer, wanted: &Wanted) -> Result<Vec<Full>> {
        let Snapshot { all, fulls, .. } = &answer.snapshot;
        let fulls = fulls.as_deref().filter(|_| self.want == Want::Full);
        Ok(Snapshot::assembled(all, fulls, wanted)?)
    }

    fn warn_of_unknown_keys(&self, nodes: &[Full], notifier: &Notifier) {
        for field in &self.fields {
            let Some(key) = field.map_key().filter(|_| is_unknown(field, nodes)) else { continue };
            let mut warning = format!("no node has {}", field.name());
            let similar = nearest(field.siblings(nodes), key);
            if !similar.is_empty() {
                warning += &format!("; similar keys: {}", similar.join(", "));
            }
            notifier.warning(sanitised(&warning));
        }
    }

    /// # Errors
    /// A condition of `--fail-on` holds for one of the nodes.
    pub(super) fn check(&self, nodes: &[Full]) -> Result<()> {
        let work = WorkLimit::unbounded();
        for (text, condition) in &self.fail_on {
            let matching = nodes.iter().filter(|node| condition.holds(node, &work));
            let names: Vec<String> =
                matching.map(|node| first_line(&node.record.name, 100)).collect();
            let shown = names.iter().take(FAILED_NAMES).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > FAILED_NAMES { ", …" } else { "" };
            let verb = match names.len() {
                0 => continue,
                1 => "1 node matches".to_owned(),
                count => format!("{count} nodes match"),
            };
            return Err(Exit::Matched.error(format!("{verb} {text}: {shown}{more}")));
        }
        Ok(())
    }
}

/// Whether this is a key of metadata or attributes that no node has.
fn is_unknown(field: &Field, nodes: &[Full]) -> bool {
    let has = |key| field.siblings(nodes).any(|sibling| sibling == key);
    !nodes.is_empty() && field.map_key().is_some_and(|key| !has(key))
}
