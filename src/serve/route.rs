//! What a method and a target mean. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::discovery::{How, Want};
use crate::model::columns::Columns;
use crate::model::pattern::Pattern;
use crate::model::pick::nearest;
use crate::model::selection::Selection;

use super::problem::Problem;

/// Every path and its methods; HEAD goes with GET, OPTIONS with all.
pub(super) const ROUTES: [(&str, &[&str]); 14] = [
    ("/", &["GET"]),
    ("/assets/{file}", &["GET"]),
    ("/login", &["GET", "POST"]),
    ("/api/discover/clients", &["GET", "POST"]),
    ("/api/clients", &["GET"]),
    ("/api/clients/{node}", &["GET"]),
    ("/api/cache/clear", &["POST"]),
    ("/api/cache/stats", &["GET"]),
    ("/api/events", &["GET"]),
    ("/metrics", &["GET"]),
    ("/openapi.json", &["GET"]),
    ("/healthz", &["GET"]),
    ("/readyz", &["GET"]),
    ("/favicon.ico", &["GET"]),
];

/// The parameters that choose nodes: the long options of `list` with the same meaning.
pub(super) const FILTERS: [&str; 11] = [
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
pub(super) const PAGE: [&str; 10] = [
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
const LONGEST: usize = 1024;

/// The other parameters of a list.
pub(super) const OTHERS: [&str; 6] = ["dc", "columns", "full", "limit", "refresh", "force"];

#[derive(Debug, PartialEq)]
pub(super) enum Route {
    Page,
    Asset(String),
    Login,
    SignIn,
    /// The nodes in the envelope.
    Discover(Arc<Choice>),
    /// The nodes as `list --json` prints them.
    Clients(Arc<Choice>),
    Client(String),
    Clear,
    Stats,
    Events,
    Metrics,
    OpenApi,
    Health,
    Ready,
}

impl Route {
    /// As the metrics name it: the entry of [`ROUTES`].
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Page => "/",
            Self::Asset(_) => "/assets/{file}",
            Self::Login | Self::SignIn => "/login",
            Self::Discover(_) => "/api/discover/clients",
            Self::Clients(_) => "/api/clients",
            Self::Client(_) => "/api/clients/{node}",
            Self::Clear => "/api/cache/clear",
            Self::Stats => "/api/cache/stats",
            Self::Events => "/api/events",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
        }
    }
}

/// Why there is no route.
#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    NotFound,
    /// The methods that there are.
    Method(String),
    /// Somebody only asks for them.
    Options(String),
    Problem(Problem),
}

/// Which nodes, and what of them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Choice {
    pub(super) how: Option<How>,
    pub(super) selection: Selection,
    pub(super) columns: Option<Columns>,
    pub(super) full: bool,
}

impl Choice {
    pub(super) fn want(&self) -> Want {
        let columns = self.columns.iter().flat_map(|columns| &columns.fields);
        let full =
            columns.chain(self.selection.fields()).any(crate::model::field::Field::needs_full);
        if self.full || full { Want::Full } else { Want::Records }
    }

    /// The very bytes of the cache.
    pub(super) fn is_everything(&self) -> bool {
        self.selection.is_everything() && self.columns.is_none() && !self.full
    }
}

pub(super) fn route(method: &str, path: &str, query: &str) -> Result<Route, Refused> {
    let (template, inner) = template(path).ok_or(Refused::NotFound)?;
    let methods =
        ROUTES.iter().find(|(path, _)| *path == template).map_or(&[][..], |found| found.1);
    if method == "OPTIONS" {
        return Err(Refused::Options(allowed(methods)));
    }
    let as_get = if method == "HEAD" { "GET" } else { method };
    if !methods.contains(&as_get) {
        return Err(Refused::Method(allowed(methods)));
    }
    match template {
        "/api/discover/clients" | "/api/clients" => {}
        "/" => only(query, &PAGE)?,
        _ => only(query, &[])?,
    }
    let choice = |fetches| choice(query, fetches).map(Arc::new).map_err(Refused::Problem);
    Ok(match (template, as_get) {
        ("/", _) => Route::Page,
        ("/favicon.ico", _) => Route::Asset("icon.svg".to_owned()),
        ("/assets/{file}", _) => Route::Asset(inner?),
        ("/login", "POST") => Route::SignIn,
        ("/login", _) => Route::Login,
        ("/api/discover/clients", _) => Route::Discover(choice(true)?),
        ("/api/clients", _) => Route::Clients(choice(false)?),
        ("/api/clients/{node}", _) => Route::Client(inner?),
        ("/api/cache/clear", _) => Route::Clear,
        ("/api/cache/stats", _) => Route::Stats,
        ("/api/events", _) => Route::Events,
        ("/metrics", _) => Route::Metrics,
        ("/openapi.json", _) => Route::OpenApi,
        ("/healthz", _) => Route::Health,
        _ => Route::Ready,
    })
}

/// A parameter that is not known was meant to do something: nothing is done without it.
fn only(query: &str, known: &[&'static str]) -> Result<(), Refused> {
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    match names.find(|name| !known.contains(&&**name)) {
        Some(name) => Err(Refused::Problem(unknown(&name, known.iter().copied()))),
        None => Ok(()),
    }
}

fn allowed(methods: &[&str]) -> String {
    let mut allowed: Vec<&str> = methods.to_vec();
    if methods.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    allowed.join(", ")
}

/// The entry of [`ROUTES`], and what stands in place of its braces.
fn template(path: &str) -> Option<(&'static str, Result<String, Refused>)> {
    let exact = ROUTES.iter().find(|(template, _)| *template == path);
    if let Some((template, _)) = exact {
        return Some((template, Err(Refused::NotFound)));
    }
    ROUTES.iter().find_map(|(template, _)| {
        let (before, _) = template.split_once('{')?;
        let inner =
            path.strip_prefix(before).filter(|inner| !inner.is_empty() && !inner.contains('/'))?;
        Some((*template, decoded(inner)))
    })
}

fn decoded(text: &str) -> Result<String, Refused> {
    if text.len() > LONGEST {
        return Err(Refused::NotFound);
    }
    let bad = |why: &str| Refused::Problem(Problem::bad(why));
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| bad("the path is not UTF-8"))?;
    Pattern::parse(&decoded).map_err(|why| bad(&why))?;
    Ok(decoded.into_owned())
}

/// `fetches`: the parameters may ask for a fetch.
fn choice(query: &str, fetches: bool) -> Result<Choice, Problem> {
    let mut choice = Choice::default();
    let mut filters: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let (mut columns, mut limit) = (Vec::new(), None);
    let (mut refresh, mut force) = (false, false);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if value.len() > LONGEST {
            return Err(Problem::bad(format!("a value may have {LONGEST} bytes")));
        }
        let value = value.into_owned();
        match &*name {
            "refresh" if fetches => refresh = truth("refresh", &value)?,
            "force" if fetches => force = truth("force", &value)?,
            "full" => choice.full = truth("full", &value)?,
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
        let added = choice.selection.add(name, values);
        added.map_err(|why| Problem::bad(format!("invalid value for {name}: {why}")))?;
    }
    choice.selection = choice.selection.limited(limit);
    choice.columns = Columns::parse(&columns)
        .map_err(|why| Problem::bad(format!("invalid value for columns: {why}")))?;
    choice.how = match (refresh, force) {
        (true, true) => return Err(Problem::bad("refresh and force exclude each other")),
        (true, false) => Some(How::Refresh),
        (false, true) => Some(How::Force),
        (false, false) => None,
    };
    if choice.full && choice.columns.is_some() {
        return Err(Problem::bad("full and columns exclude each other"));
    }
    Ok(choice)
}

fn truth(name: &str, value: &str) -> Result<bool, Problem> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Problem::bad(format!("invalid value for {name}: must be true or false"))),
    }
}

fn number(value: &str) -> Result<usize, Problem> {
    value.parse().map_err(|_| Problem::bad("invalid value for limit: must be a number"))
}

/// The parameters of a list.
fn all(fetches: bool) -> impl Iterator<Item = &'static str> {
    let others = &OTHERS[..if fetches { OTHERS.len() } else { OTHERS.len() - 2 }];
    FILTERS.iter().chain(others).copied()
}

fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> Problem {
    let shown: String = name.chars().take(60).collect();
    let near = nearest(known, name).join(", ");
    Problem::bad(match &*near {
        "" => format!("unknown parameter {shown:?}; this path has none"),
        near => format!("unknown parameter {shown:?}; the nearest are {near}"),
    })
}

#[cfg(test)]
mod tests {
    use super::{FILTERS, PAGE, ROUTES, Refused, Route, route};
    use crate::cli::Filters;
    use crate::discovery::{How, Want};

    #[test]
    fn methods_and_paths() {
        let to = |method: &str, path: &str| route(method, path, "");
        assert_eq!(to("GET", "/"), Ok(Route::Page));
        assert_eq!(to("HEAD", "/api/cache/stats"), Ok(Route::Stats));
        assert_eq!(to("POST", "/api/cache/clear"), Ok(Route::Clear));
        assert_eq!(to("GET", "/api/clients/web%2D1%20x"), Ok(Route::Client("web-1 x".to_owned())));
        assert_eq!(to("GET", "/assets/app.js"), Ok(Route::Asset("app.js".to_owned())));
        for path in
            ["/api", "/api/clients/", "/api/clients/a/b", "/assets/", "//", "", "/index.html"]
        {
            assert_eq!(to("GET", path), Err(Refused::NotFound), "{path}");
        }
        let method = |allow: &str| Err(Refused::Method(allow.to_owned()));
        assert_eq!(to("GET", "/api/cache/clear"), method("POST, OPTIONS"));
        assert_eq!(to("DELETE", "/api/clients"), method("GET, HEAD, OPTIONS"));
        let options = Err(Refused::Options("GET, POST, HEAD, OPTIONS".to_owned()));
        assert_eq!(to("OPTIONS", "/api/discover/clients"), options);
        assert!(matches!(to("GET", "/api/clients/%ff"), Err(Refused::Problem(_))));
        let long = format!("/api/clients/{}", "*".repeat(257));
        assert!(matches!(to("GET", &long), Err(Refused::Problem(_))));
    }

    fn discover(query: &str) -> Result<(Option<How>, Want, bool), String> {
        match route("GET", "/api/discover/clients", query) {
            Ok(Route::Discover(choice)) => Ok((choice.how, choice.want(), choice.is_everything())),
            Err(Refused::Problem(problem)) => {
                let json: serde_json::Value = serde_json::from_slice(&problem.json()).unwrap();
                Err(format!("{} {}", problem.status.as_u16(), json["error"].as_str().unwrap()))
            }
            other => panic!("{other:?}"),
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
            ("refresh&force", "400 refresh and force exclude each other"),
            ("full&columns=id", "400 full and columns exclude each other"),
            ("limit=-1", "400 invalid value for limit: must be a number"),
            ("stats=ready", "400 unknown parameter \"stats\"; the nearest are status, attr, class"),
            ("columns=", "400 invalid value for columns: no column is named"),
            (&format!("meta={}", "x".repeat(1025)), "400 a value may have 1024 bytes"),
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
        let refresh = route("GET", "/api/clients", "refresh=true");
        assert!(matches!(refresh, Err(Refused::Problem(_))), "{refresh:?}");
    }

    #[test]
    fn no_route_takes_a_parameter_that_it_does_not_know() {
        for (path, methods) in ROUTES {
            let path = path.replace("{file}", "app.js").replace("{node}", "web-1");
            for method in methods.iter().copied().chain(["HEAD"]) {
                if method == "HEAD" && !methods.contains(&"GET") {
                    continue;
                }
                assert!(route(method, &path, "").is_ok(), "{method} {path}");
                for query in ["nope", "nope=1", "&&nope=1", "=", "%6eope=1"] {
                    let Err(Refused::Problem(problem)) = route(method, &path, query) else {
                        panic!("{method} {path}?{query} is answered");
                    };
                    assert_eq!(problem.status.as_u16(), 400, "{method} {path}?{query}");
                }
            }
        }
        let why = |path: &str, query: &str| match route("GET", path, query) {
            Err(Refused::Problem(problem)) => {
                let json: serde_json::Value = serde_json::from_slice(&problem.json()).unwrap();
                json["error"].as_str().unwrap().to_owned()
            }
            other => format!("{other:?}"),
        };
        let none = "unknown parameter \"refresh\"; this path has none";
        assert_eq!(why("/api/cache/stats", "refresh=true"), none);
        let near = "unknown parameter \"stauts\"; the nearest are status, ";
        assert!(why("/", "stauts=ready").starts_with(near), "{}", why("/", "stauts=ready"));
        let page = PAGE.map(|name| format!("{name}=x")).join("&");
        assert_eq!(route("GET", "/", &page), Ok(Route::Page));
    }

    #[test]
    fn the_filters_are_those_of_the_command_line() {
        assert_eq!(Filters::default().options().map(|(name, _)| name), FILTERS);
    }
}
