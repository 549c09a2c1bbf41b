//! Which nodes, and in which order: the filters of the command line and of the API.

use std::borrow::Borrow;
use std::cmp::Ordering;

use super::condition::Condition;
use super::field::{Field, list};
use super::node::Full;
use super::value::compare;

/// All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    conditions: Vec<Condition>,
    sort: Vec<Key>,
    limit: Option<usize>,
}

/// One key of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    field: Field,
    descending: bool,
}

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
    /// Adds what an option of that name says; several values of a comma list, or of several uses of
    /// one of [`FILTERS`], are alternatives.
    ///
    /// # Errors
    /// Why a value is impossible.
    pub fn add(&mut self, option: &str, values: &[String]) -> Result<(), String> {
        if values.is_empty() {
            return Ok(());
        }
        let alternatives = || values.iter().flat_map(|value| value.split(','));
        if let Some((_, field)) = FILTERS.iter().find(|(name, _)| *name == option) {
            self.conditions.push(Condition::one_of(field, alternatives())?);
            return Ok(());
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
            }
            other => return Err(format!("{other:?} is no filter")),
        }
        Ok(())
    }

    /// `NAME` is healthy there, `NAME=HEALTH` is what it says. All of them.
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

    /// Takes every node in its place.
    pub fn is_everything(&self) -> bool {
        self.conditions.is_empty() && self.sort.is_empty() && self.limit.is_none()
    }

    /// Those of `nodes` that are wanted, in the wanted order; equal ones stay as they stood.
    pub fn of<N: Borrow<Full>>(&self, nodes: Vec<N>) -> Vec<N> {
        let mut nodes = self.all_of(nodes);
        nodes.truncate(self.most());
        nodes
    }

    /// How many of them are shown at most.
    pub fn most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// The same without a limit.
    pub fn all_of<N: Borrow<Full>>(&self, mut nodes: Vec<N>) -> Vec<N> {
        let holds = |node: &Full| self.conditions.iter().all(|condition| condition.holds(node));
        nodes.retain(|node| holds(node.borrow()));
        if !self.sort.is_empty() {
            nodes.sort_by(|a, b| self.order(a.borrow(), b.borrow()));
        }
        nodes
    }

    /// Nothing stands last in either direction.
    fn order(&self, a: &Full, b: &Full) -> Ordering {
        let by = |key: &Key| {
            let (a, b) = (key.field.value(a), key.field.value(b));
            let empty = super::value::is_empty(&a) || super::value::is_empty(&b);
            let order = compare(&a, &b);
            if key.descending && !empty { order.reverse() } else { order }
        };
        self.sort.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// `A,-B`
fn sort_keys(text: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, descending) = part.strip_prefix('-').map_or((part, false), |name| (name, true));
        keys.extend(list(name)?.into_iter().map(|field| Key { field, descending }));
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
