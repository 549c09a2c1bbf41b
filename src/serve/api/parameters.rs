//! The parameters of the routes: their names, and the nodes that they select.

use std::collections::BTreeMap;

use crate::discovery::{How, Want};
use crate::model::selection::Selection;
use crate::model::selection::columns::{self, Columns};
use crate::model::selection::field::Field;
use crate::model::selection::node_arg::did_you_mean;

use crate::serve::http::problem::Problem;

/// The parameters that select nodes: the long options of `list`, with the same meaning.
pub(crate) const FILTERS: [&str; 11] = [
    "status",
    "datacenter",
    "class",
    "pool",
    "eligibility",
    "drain",
    "driver",
    "nomad-version",
    "meta",
    "attr",
    "sort",
];

/// The parameters of the page, which its script reads.
pub(crate) const PAGE: [&str; 10] = [
    "q",
    "status",
    "datacenter",
    "pool",
    "class",
    "eligibility",
    "drain",
    "sort",
    "columns",
    "node",
];

/// The longest value of a parameter, or name of a node, in bytes.
pub(crate) const MAX_PARAMETER_BYTES: usize = 1024;

/// The other parameters of a list.
pub(crate) const OTHERS: [&str; 6] = ["dc", "columns", "full", "limit", "refresh", "force"];

/// The nodes of a response, and their keys.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct NodeQuery {
    pub(crate) how: Option<How>,
    pub(crate) selection: Selection,
    pub(crate) columns: Option<Columns>,
    pub(crate) full: bool,
}

impl NodeQuery {
    pub(crate) fn want(&self) -> Want {
        if self.full || self.reads_full() { Want::Full } else { Want::Records }
    }

    /// Whether it needs full records.
    pub(crate) fn reads_full(&self) -> bool {
        let columns = self.columns.iter().flat_map(|columns| &columns.fields);
        columns.chain(self.selection.fields()).any(Field::needs_full)
    }

    /// The keys of each node; `None` = whole records.
    pub(crate) fn fields(&self) -> Option<Vec<Field>> {
        self.columns.as_ref().map(|columns| columns.after(columns::of_record(false)))
    }

    /// The bytes of the cache serve as they are.
    pub(crate) fn is_everything(&self) -> bool {
        self.selection.is_everything() && self.columns.is_none() && !self.full
    }
}

/// Rejects unknown parameters: they were meant to do something.
pub(crate) fn only(query: &str, known: &[&'static str]) -> Result<(), Problem> {
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    match names.find(|name| !known.contains(&&**name)) {
        Some(name) => Err(unknown(&name, known.iter().copied())),
        None => Ok(()),
    }
}

/// With `fetches`, `refresh` and `force` are allowed.
pub(crate) fn node_query(query: &str, fetches: bool) -> Result<NodeQuery, Problem> {
    let mut nodes = NodeQuery::default();
    let mut filters: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let (mut columns, mut limit) = (Vec::new(), None);
    let (mut refresh, mut force) = (false, false);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if value.len() > MAX_PARAMETER_BYTES {
            return Err(Problem::bad_request(format!(
                "a value is longer than {MAX_PARAMETER_BYTES} bytes"
            )));
        }
        let value = value.into_owned();
        match &*name {
            "refresh" if fetches => refresh = truth("refresh", &value)?,
            "force" if fetches => force = truth("force", &value)?,
            "full" => nodes.full = truth("full", &value)?,
            "columns" => columns.push(value),
            "limit" => limit = Some(number(&value)?),
            "dc" => filters.entry("datacenter").or_default().push(value),
            "drain" if value.is_empty() => filters.entry("drain").or_default().push("true".into()),
            name => {
                let known = FILTERS.iter().find(|known| **known == name);
                let known = known.ok_or_else(|| unknown(name, all(fetches)))?;
                filters.entry(known).or_default().push(value);
            }
        }
    }
    for (name, values) in &filters {
        let added = nodes.selection.add(name, values);
        added.map_err(|why| Problem::bad_request(format!("invalid value for {name}: {why}")))?;
    }
    nodes.selection = nodes.selection.limited(limit);
    nodes.columns = Columns::parse(&columns)
        .map_err(|why| Problem::bad_request(format!("invalid value for columns: {why}")))?;
    nodes.how = match (refresh, force) {
        (true, true) => {
            return Err(Problem::bad_request("refresh and force cannot be used together"));
        }
        (true, false) => Some(How::Refresh),
        (false, true) => Some(How::Force),
        (false, false) => None,
    };
    if nodes.full && nodes.columns.is_some() {
        return Err(Problem::bad_request("full and columns cannot be used together"));
    }
    Ok(nodes)
}

fn truth(name: &str, value: &str) -> Result<bool, Problem> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Problem::bad_request(format!("invalid value for {name}: must be true or false"))),
    }
}

fn number(value: &str) -> Result<usize, Problem> {
    value.parse().map_err(|_| Problem::bad_request("invalid value for limit: must be a number"))
}

/// The names of the parameters of a list.
fn all(fetches: bool) -> impl Iterator<Item = &'static str> {
    let others = &OTHERS[..if fetches { OTHERS.len() } else { OTHERS.len() - 2 }];
    FILTERS.iter().chain(others).copied()
}

fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> Problem {
    let shortened: String = name.chars().take(60).collect();
    let mut known = known.peekable();
    let suggestion = match known.peek() {
        Some(_) => did_you_mean(known, name),
        None => "; this path has no parameters".to_owned(),
    };
    Problem::bad_request(format!("unknown parameter {shortened:?}{suggestion}"))
}

#[cfg(test)]
mod tests {
    use super::{FILTERS, node_query};
    use crate::cli::Filters;
    use crate::discovery::{How, Want};
    use crate::settings::SORT;

    fn discover(query: &str) -> Result<(Option<How>, Want, bool), String> {
        match node_query(query, true) {
            Ok(query) => Ok((query.how, query.want(), query.is_everything())),
            Err(problem) => {
                let json: serde_json::Value = serde_json::from_slice(&problem.json()).unwrap();
                Err(format!("{} {}", problem.status.as_u16(), json["error"].as_str().unwrap()))
            }
        }
    }

    #[test]
    fn parameters() {
        let get = |want, all| Ok((None, want, all));
        assert_eq!(discover(""), get(Want::Records, true));
        assert_eq!(discover("refresh=true"), Ok((Some(How::Refresh), Want::Records, true)));
        assert_eq!(discover("force"), Ok((Some(How::Force), Want::Records, true)));
        assert_eq!(discover("refresh=false&force=0"), get(Want::Records, true));
        assert_eq!(
            discover("status=ready&meta=rack%3Dr1&sort=-name&limit=3"),
            get(Want::Records, false)
        );
        assert_eq!(discover("dc=dc*&drain&columns=id,meta.rack"), get(Want::Records, false));
        assert_eq!(discover("attr=kernel.name%3Dlinux"), get(Want::Full, false));
        assert_eq!(discover("columns=attr.kernel.name"), get(Want::Full, false));
        assert_eq!(discover("full=true"), get(Want::Full, false));
        for (query, why) in [
            ("refresh=yes", "400 invalid value for refresh: must be true or false"),
            ("refresh&force", "400 refresh and force cannot be used together"),
            ("full&columns=id", "400 full and columns cannot be used together"),
            ("limit=-1", "400 invalid value for limit: must be a number"),
            ("stats=ready", "400 unknown parameter \"stats\"; did you mean \"status\"?"),
            ("columns=", "400 invalid value for columns: no column is named"),
            (&format!("meta={}", "x".repeat(1025)), "400 a value is longer than 1024 bytes"),
            (
                &format!("meta=a%3D*{}x", "[".repeat(1000)),
                "400 invalid value for meta: a pattern may have at most 256 characters",
            ),
            (
                &format!(
                    "columns={}",
                    (0..101).map(|at| format!("meta.{at},")).collect::<String>()
                ),
                "400 invalid value for columns: at most 100 columns can be named",
            ),
            (
                &format!("sort={}", (0..17).map(|at| format!("meta.{at},")).collect::<String>()),
                "400 invalid value for sort: at most 16 columns can order the nodes",
            ),
        ] {
            assert_eq!(discover(query), Err(why.to_owned()), "{query}");
        }
        assert!(discover("status=redy").unwrap_err().starts_with("400 invalid value for status: "));
        assert!(node_query("refresh=true", false).is_err());
    }

    #[test]
    fn the_filters_are_those_of_the_command_line() {
        let filters = Filters::default();
        let names = filters.options().into_iter().map(|(name, _)| name);
        assert!(names.chain([SORT.setting.name]).eq(FILTERS));
    }
}
