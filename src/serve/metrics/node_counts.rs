//! Nodes counted by their properties for the metrics, in a bounded number of series.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::node::Full;
use crate::model::text::first_line;

/// The names of the labels.
pub(crate) const LABELS: [&str; 7] =
    ["status", "eligibility", "drain", "datacenter", "pool", "class", "version"];
/// A value for each of [`LABELS`].
pub(crate) type Series = [String; LABELS.len()];

/// How many values of each label are distinguished. Nodes choose the last four: each could have its own.
const VALUES: [usize; LABELS.len()] = [8, 4, 2, 100, 100, 100, 100];
/// The first labels, which have few values.
const FEW: usize = 3;
/// How many series are distinguished; the rest is counted by the labels with few values.
const SERIES: usize = 1_000;
/// Replaces values that are not distinguished.
const OTHER: &str = "other";
/// Longer values are cut, in characters.
const MAX_LABEL_CHARS: usize = 100;

/// Counts nodes by their labels; every node is in one of the series.
pub(crate) fn count(nodes: &[impl Borrow<Full>]) -> Vec<(Series, i64)> {
    let mut counts: BTreeMap<[&str; LABELS.len()], i64> = BTreeMap::new();
    for node in nodes {
        *counts.entry(labels(node.borrow())).or_default() += 1;
    }
    let common: Vec<BTreeSet<&str>> = (0..LABELS.len()).map(|at| common(&counts, at)).collect();
    let mut series: BTreeMap<Series, i64> = BTreeMap::new();
    for (labels, count) in counts {
        let mut at = 0..LABELS.len();
        let text = labels.map(|value| match at.next() {
            Some(at) if common[at].contains(value) => first_line(value, MAX_LABEL_CHARS),
            _ => OTHER.to_owned(),
        });
        *series.entry(text).or_default() += count;
    }
    bounded(series)
}

fn labels(node: &Full) -> [&str; LABELS.len()] {
    let record = &node.record;
    [
        &record.status,
        &record.eligibility,
        if record.drain { "true" } else { "false" },
        &record.datacenter,
        &record.node_pool,
        &record.node_class,
        &record.version,
    ]
}

/// The values of one label that most nodes have.
fn common<'a>(counts: &BTreeMap<[&'a str; LABELS.len()], i64>, at: usize) -> BTreeSet<&'a str> {
    let mut nodes: BTreeMap<&str, i64> = BTreeMap::new();
    for (labels, count) in counts {
        *nodes.entry(labels[at]).or_default() += count;
    }
    let mut values: Vec<(&str, i64)> = nodes.into_iter().collect();
    // Stable: among values with equally many nodes the first by name stay.
    values.sort_by_key(|(_, count)| -count);
    values.into_iter().take(VALUES[at]).map(|(value, _)| value).collect()
}

fn bounded(series: BTreeMap<Series, i64>) -> Vec<(Series, i64)> {
    let mut all: Vec<(Series, i64)> = series.into_iter().collect();
    if all.len() <= SERIES {
        return all;
    }
    all.sort_by_key(|(_, count)| -count);
    let rest = all.split_off(SERIES);
    let mut bounded: BTreeMap<Series, i64> = all.into_iter().collect();
    for (mut labels, count) in rest {
        labels[FEW..].fill(OTHER.to_owned());
        *bounded.entry(labels).or_default() += count;
    }
    bounded.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{FEW, LABELS, SERIES, Series, VALUES, count};
    use crate::model::node::Full;
    use crate::model::properties::sample;

    /// Many nodes, each of them changed.
    fn nodes(number: usize, change: impl Fn(usize, &mut Full)) -> Vec<Full> {
        let one = sample().remove(0);
        let mut nodes = vec![one; number];
        nodes.iter_mut().enumerate().for_each(|(at, node)| change(at, node));
        nodes
    }

    #[track_caller]
    fn counted(nodes: &[Full]) -> Vec<(Series, i64)> {
        let series = count(nodes);
        let total: i64 = series.iter().map(|(_, count)| count).sum();
        assert_eq!(usize::try_from(total), Ok(nodes.len()), "each node is counted once");
        let most = SERIES + VALUES[..FEW].iter().map(|values| values + 1).product::<usize>();
        assert!(series.len() <= most, "{} series", series.len());
        series
    }

    #[test]
    fn each_kind_of_node_has_its_series() {
        let kinds = |at: usize, node: &mut Full| {
            let record = &mut node.record;
            record.status = if at < 3 { "ready" } else { "down" }.to_owned();
            record.eligibility = "eligible".to_owned();
            record.drain = at == 0;
            record.datacenter = "dc1".to_owned();
            record.node_pool = "default".to_owned();
            record.node_class = String::new();
            record.version = "1.9.7".to_owned();
        };
        let series = |status: &str, drain: &str| {
            [status, "eligible", drain, "dc1", "default", "", "1.9.7"].map(str::to_owned)
        };
        let expected = [
            (series("down", "false"), 2),
            (series("ready", "false"), 2),
            (series("ready", "true"), 1),
        ];
        assert_eq!(counted(&nodes(5, kinds)), expected);
        assert_eq!(counted(&[]), []);
    }

    /// Whoever runs a node chooses its class, datacenter, pool and version.
    #[test]
    fn nodes_that_are_all_different_are_few_series() {
        let different = |at: usize, node: &mut Full| {
            let record = &mut node.record;
            record.status = "ready".to_owned();
            record.datacenter = format!("dc{}", at % 97);
            record.node_pool = format!("pool{}", at % 89);
            record.node_class = format!("class{at}");
            record.version = format!("{}\n{at}", "9".repeat(9_999));
        };
        let series = counted(&nodes(9_000, different));
        let longest = series.iter().flat_map(|(labels, _)| labels).map(String::len).max();
        assert_eq!(longest, Some(100));
        assert!(series.iter().all(|(labels, _)| labels[0] == "ready"));
        // What many have is told apart from what few have.
        let mostly = |at: usize, node: &mut Full| {
            different(at, node);
            if at.is_multiple_of(2) {
                node.record.node_class = "web".to_owned();
            }
        };
        let series = counted(&nodes(2_000, mostly));
        let web = series.iter().filter(|(labels, _)| labels[5] == "web").map(|(_, count)| count);
        assert!(web.sum::<i64>() > 0);
        let status = |at: usize, node: &mut Full| node.record.status = format!("status {at}");
        assert_eq!(counted(&nodes(100, status)).len(), VALUES[0] + 1);
        assert_eq!(VALUES.len(), LABELS.len());
    }
}
