//! Selects and orders nodes: the filters of the command line and of the API.

pub mod columns;
pub mod condition;
pub mod field;
pub mod glob;
pub mod natural;
pub mod node_arg;
pub mod value;
pub mod version;
use std::borrow::Borrow;
use std::cmp::Ordering;

use super::node::Full;
use super::selection::condition::Condition;
use super::selection::field::{Field, parse_list};
use super::selection::value::{Rank, compare};
use super::work_limit::{WorkLimit, WorkLimitExceeded};

/// All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    conditions: Vec<Condition>,
    sort: Vec<SortKey>,
    limit: Option<usize>,
}

/// One key of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SortKey {
    field: Field,
    descending: bool,
}

/// Further columns would not change the order.
const KEYS: usize = 16;
/// Each condition is tested for every node.
const CONDITIONS: usize = 64;

/// The options that compare one field with a list of values, and that field.
pub const FILTERS: [(&str, &str); 6] = [
    ("status", "status"),
    ("datacenter", "datacenter"),
    ("class", "node_class"),
    ("pool", "node_pool"),
    ("eligibility", "eligibility"),
    ("nomad-version", "version"),
];

impl Selection {
    /// Adds the values of an option; several values of a comma list, or of several uses of
    /// one of [`FILTERS`], are alternatives.
    ///
    /// # Errors
    /// A value is invalid.
    pub fn add(&mut self, option: &str, values: &[String]) -> Result<(), String> {
        if values.is_empty() {
            return Ok(());
        }
        let alternatives = || values.iter().flat_map(|value| value.split(','));
        if let Some((_, field)) = FILTERS.iter().find(|(name, _)| *name == option) {
            self.conditions.push(Condition::one_of(field, alternatives())?);
            return self.bounded();
        }
        match option {
            "drain" => self.conditions.push(Condition::one_of("drain", alternatives())?),
            "driver" => self.add_drivers(alternatives())?,
            "meta" | "attr" => {
                for value in values {
                    self.conditions.push(Condition::parse(&format!("{option}.{value}"))?);
                }
            }
            "sort" => {
                let keys: Result<Vec<_>, _> = values.iter().map(|keys| sort_keys(keys)).collect();
                self.sort = keys?.concat();
                if self.sort.len() > KEYS {
                    return Err(format!("at most {KEYS} columns can order the nodes"));
                }
            }
            other => return Err(format!("unknown filter {other:?}")),
        }
        self.bounded()
    }

    fn bounded(&self) -> Result<(), String> {
        if self.conditions.len() > CONDITIONS {
            return Err(format!("at most {CONDITIONS} conditions can be combined"));
        }
        Ok(())
    }

    /// `NAME` must be healthy, `NAME=HEALTH` must have that health. All must hold.
    fn add_drivers<'a>(&mut self, drivers: impl Iterator<Item = &'a str>) -> Result<(), String> {
        for driver in drivers {
            let text = if driver.contains(['=', '!']) {
                driver.to_owned()
            } else {
                format!("{driver}=healthy")
            };
            self.conditions.push(Condition::parse(&format!("drivers.{text}"))?);
        }
        Ok(())
    }

    #[must_use]
    pub fn limited(self, limit: Option<usize>) -> Self {
        Self { limit, ..self }
    }

    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let keys = self.sort.iter().map(|key| &key.field);
        self.conditions.iter().map(|condition| &condition.field).chain(keys)
    }

    /// Whether it selects every node in its usual place.
    pub fn is_everything(&self) -> bool {
        self.conditions.is_empty() && self.sort.is_empty() && self.limit.is_none()
    }

    /// Whether an order was given.
    pub fn is_ordered(&self) -> bool {
        !self.sort.is_empty()
    }

    /// Those of `nodes` that are wanted, in the wanted order; equal ones stay as they stood.
    ///
    /// # Errors
    /// It takes more than `work` allows.
    pub fn select<N: Borrow<Full>>(
        &self,
        nodes: Vec<N>,
        work: &WorkLimit,
    ) -> Result<Vec<N>, WorkLimitExceeded> {
        let mut nodes = self.ordered(self.chosen(nodes, work), work)?;
        nodes.truncate(self.max_nodes());
        Ok(nodes)
    }

    /// The most nodes to show; `usize::MAX` without a limit.
    pub fn max_nodes(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// The same without a limit, however long it takes.
    pub fn select_all<N: Borrow<Full>>(&self, nodes: Vec<N>) -> Vec<N> {
        let work = WorkLimit::unbounded();
        self.ordered(self.chosen(nodes, &work), &work).unwrap_or_default()
    }

    /// Once the work limit is exceeded, the rest is skipped.
    fn chosen<N: Borrow<Full>>(&self, mut nodes: Vec<N>, work: &WorkLimit) -> Vec<N> {
        nodes.retain(|node| {
            let mut conditions = self.conditions.iter();
            conditions.all(|condition| !work.is_over() && condition.holds(node.borrow(), work))
        });
        nodes
    }

    fn ordered<N: Borrow<Full>>(
        &self,
        nodes: Vec<N>,
        work: &WorkLimit,
    ) -> Result<Vec<N>, WorkLimitExceeded> {
        if self.sort.is_empty() {
            return work.checked().map(|()| nodes);
        }
        // Each step of a sort compares a value with at most as much as it is long itself.
        let steps = usize::BITS - nodes.len().leading_zeros();
        let rank = |node: &Full, key: &SortKey| {
            let rank = Rank::of(&key.field.value(node));
            work.spend((rank.text.len() + 1).saturating_mul(steps as usize));
            work.checked().map(|()| rank)
        };
        let ranked = nodes.into_iter().map(|node| {
            let ranks = self.sort.iter().map(|key| rank(node.borrow(), key));
            Ok((ranks.collect::<Result<Vec<_>, _>>()?, node))
        });
        let mut ranked = ranked.collect::<Result<Vec<_>, _>>()?;
        ranked.sort_by(|(a, _), (b, _)| self.order(a, b));
        Ok(ranked.into_iter().map(|(_, node)| node).collect())
    }

    /// Empty values come last in either direction.
    fn order(&self, a: &[Rank], b: &[Rank]) -> Ordering {
        let by = |((key, a), b): ((&SortKey, &Rank), &Rank)| {
            let order = a.compare(b);
            if key.descending && !a.is_empty && !b.is_empty { order.reverse() } else { order }
        };
        let orders = self.sort.iter().zip(a).zip(b).map(by);
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// `A,-B`
fn sort_keys(text: &str) -> Result<Vec<SortKey>, String> {
    let mut keys = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, descending) = part.strip_prefix('-').map_or((part, false), |name| (name, true));
        keys.extend(parse_list(name)?.into_iter().map(|field| SortKey { field, descending }));
    }
    Ok(keys)
}

/// How many nodes there are of each combination of values, most first, then in the order of the values.
pub fn count_by(nodes: &[Full], fields: &[Field]) -> Vec<(Vec<serde_json::Value>, u64)> {
    let mut counts: std::collections::HashMap<String, (Vec<serde_json::Value>, u64)> =
        std::collections::HashMap::new();
    for node in nodes {
        let values: Vec<_> = fields.iter().map(|field| field.value(node)).collect();
        let key = serde_json::to_string(&values).expect("values are JSON");
        counts.entry(key).or_insert((values, 0)).1 += 1;
    }
    let mut counts: Vec<_> = counts.into_values().collect();
    counts.sort_by(|a, b| {
        let values =
            || a.0.iter().zip(&b.0).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
        b.1.cmp(&a.1).then_with(|| values().unwrap_or(Ordering::Equal))
    });
    counts
}

#[cfg(test)]
mod tests {
    use super::{CONDITIONS, Selection};
    use crate::model::node::Full;
    use crate::model::properties::sample;
    use crate::model::work_limit::{WorkLimit, WorkLimitExceeded};

    fn selection(option: &str, value: &str) -> Selection {
        let mut selection = Selection::default();
        selection.add(option, &[value.to_owned()]).unwrap();
        selection
    }

    /// Nodes whose metadata was made to be slow.
    fn hostile() -> Vec<Full> {
        let slow = |mut node: Full| {
            node.record.meta = Some([("k".to_owned(), "[".repeat(2000))].into());
            node
        };
        sample().into_iter().cycle().take(40).map(slow).collect()
    }

    #[test]
    fn a_request_is_given_up_when_it_costs_too_much() {
        let pattern = format!("k=*{}x", "[".repeat(200));
        for asked in [selection("meta", &pattern), selection("sort", "meta.k")] {
            let work = WorkLimit::unbounded();
            asked.select(hostile(), &work).unwrap();
            assert!((40 * 2000..1_000_000).contains(&work.spent()), "{} steps", work.spent());
            let most = work.spent();
            assert!(asked.select(hostile(), &WorkLimit::at_most(most)).is_ok());
            assert_eq!(
                asked.select(hostile(), &WorkLimit::at_most(most - 1)),
                Err(WorkLimitExceeded)
            );
            assert!(asked.select(hostile(), &WorkLimit::of_request()).is_ok());
        }
        let mut asked = Selection::default();
        asked.add("meta", &vec!["none!=y".to_owned(); CONDITIONS]).unwrap();
        let work = WorkLimit::at_most(50_000);
        assert_eq!(asked.select(hostile(), &work), Err(WorkLimitExceeded));
        assert!(work.spent() < 50_100, "nothing is done any more: {} steps", work.spent());
    }

    #[test]
    fn no_usual_request_is_given_up() {
        let mut node = sample().swap_remove(0);
        node.record.meta = Some([("rack".to_owned(), "rack-17-row-4".to_owned())].into());
        let usual = ["rack!=*x*-[0-9]", "rack=rack-*-row-?", "rack=rack-17-row-4", "none!=y"];
        let usual = usual.iter().cycle().map(|text| (*text).to_owned());
        let mut asked = Selection::default();
        asked.add("meta", &usual.take(CONDITIONS).collect::<Vec<_>>()).unwrap();
        asked.add("sort", &["meta.rack,name,id".to_owned()]).unwrap();
        let work = WorkLimit::of_request();
        assert_eq!(asked.select(vec![&node; 10_000], &work).map(|nodes| nodes.len()), Ok(10_000));
        assert!(work.spent() > 1 << 24, "{} steps", work.spent());
    }

    #[test]
    fn conditions_are_bounded_over_all_options() {
        let mut asked = Selection::default();
        asked.add("meta", &vec!["none!=y".to_owned(); CONDITIONS - 1]).unwrap();
        asked.add("status", &["ready,down".to_owned()]).unwrap();
        for (option, value) in [("driver", "docker"), ("class", "a"), ("drain", "true")] {
            let why = asked.clone().add(option, &[value.to_owned()]).unwrap_err();
            assert_eq!(why, "at most 64 conditions can be combined");
        }
    }

    #[test]
    fn alternatives_count_as_steps() {
        let many = vec!["x"; 500].join(",");
        let work = WorkLimit::unbounded();
        selection("class", &many).select(sample(), &work).unwrap();
        assert!(work.spent() > 500, "{} steps", work.spent());
    }

    #[test]
    fn an_order_by_many_columns_is_refused() {
        let keys = (0..17).map(|at| format!("meta.{at}")).collect::<Vec<_>>();
        let mut asked = Selection::default();
        let why = asked.add("sort", &[keys.join(",")]).unwrap_err();
        assert_eq!(why, "at most 16 columns can order the nodes");
        assert!(asked.add("sort", &[keys[..16].join(",")]).is_ok());
    }
}
