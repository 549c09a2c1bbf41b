//! The files of the dashboard, which are part of the program.

use std::sync::LazyLock;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue};

use crate::store::meta;

use crate::serve::http::body::BodyContent;
use crate::serve::http::negotiate::{has, tagged};
use crate::serve::http::response::{HttpResponse, JSON, response};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PAGE: &str = include_str!("../dashboard/index.html");
const LOGIN: &str = include_str!("../dashboard/login.html");
const OPENAPI: &str = include_str!("../openapi.json");

/// Name, type and bytes.
const ASSETS: [(&str, &str, &str); 8] = [
    ("app.js", SCRIPT, include_str!("../dashboard/app.js")),
    ("api.js", SCRIPT, include_str!("../dashboard/api.js")),
    ("contact.js", SCRIPT, include_str!("../dashboard/contact.js")),
    ("table.js", SCRIPT, include_str!("../dashboard/table.js")),
    ("stats.js", SCRIPT, include_str!("../dashboard/stats.js")),
    ("detail.js", SCRIPT, include_str!("../dashboard/detail.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("../dashboard/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("../dashboard/icon.svg")),
];

/// The entity tag of all files: they change together.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = ASSETS.iter().map(|(_, _, text)| *text).chain([PAGE]);
    meta::sum(all.collect::<String>().as_bytes())
});

pub(crate) fn page(headers: &HeaderMap) -> HttpResponse {
    file(HTML, PAGE, headers)
}

pub(crate) fn asset(name: &str, headers: &HeaderMap) -> Option<HttpResponse> {
    let (_, kind, text) = ASSETS.iter().find(|(known, _, _)| *known == name)?;
    Some(file(kind, text, headers))
}

/// `message` is our own text.
pub(crate) fn login(status: StatusCode, message: &'static str) -> HttpResponse {
    response(status, HTML, LOGIN.replace("<!--message-->", message))
}

pub(crate) fn openapi() -> HttpResponse {
    response(StatusCode::OK, JSON, OPENAPI)
}

/// Browsers keep it, and check each time whether it has changed.
fn file(kind: &'static str, text: &'static str, headers: &HeaderMap) -> HttpResponse {
    let mut response = response(StatusCode::OK, kind, Bytes::from_static(text.as_bytes()));
    let own = response.headers_mut();
    own.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    own.insert(ETAG, HeaderValue::from_str(&tagged(&VERSION, false)).expect("hexadecimal digits"));
    if has(headers, &VERSION) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = BodyContent::of([]);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{ASSETS, LOGIN, OPENAPI, PAGE};
    use crate::model::selection::field::KNOWN;
    use crate::serve::api::parameters::{FILTERS, OTHERS, PAGE as PAGE_PARAMETERS};
    use crate::serve::api::route::ROUTES;

    fn keys(value: &Value) -> Vec<&str> {
        let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        names
    }

    /// Every reference leads somewhere.
    fn resolved(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(path) = members.get("$ref").and_then(Value::as_str) {
                    let found = document.pointer(path.trim_start_matches('#'));
                    assert!(found.is_some(), "{path}");
                }
                members.values().for_each(|member| resolved(document, member));
            }
            Value::Array(members) => members.iter().for_each(|member| resolved(document, member)),
            _ => {}
        }
    }

    #[test]
    fn the_description_lists_every_route_parameter_and_key_and_no_other() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        resolved(&document, &document);
        assert_eq!(keys(&document["paths"]), sorted(ROUTES.map(|(path, _)| path)));
        for (path, methods) in ROUTES {
            let told = keys(&document["paths"][path]);
            let methods: Vec<String> = methods.iter().map(|name| name.to_lowercase()).collect();
            assert_eq!(told, sorted(methods.iter().map(String::as_str)), "{path}");
        }
        let list = |path: &str| -> Vec<&str> {
            let told = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            let own = |told: &'static Value| told["name"].as_str().unwrap();
            let name = |told: &'static Value| match told["$ref"].as_str() {
                Some(told) => told.rsplit('/').next().unwrap(),
                None => own(told),
            };
            sorted(told.clone().leak().iter().map(name))
        };
        assert_eq!(list("/"), sorted(PAGE_PARAMETERS));
        assert_eq!(list("/api/discover/clients"), sorted(FILTERS.into_iter().chain(OTHERS)));
        let without_fetches = OTHERS[..4].iter().copied();
        assert_eq!(list("/api/clients"), sorted(FILTERS.into_iter().chain(without_fetches)));
        let schemas = &document["components"]["schemas"];
        let known = |full| KNOWN.iter().filter(move |it| it.full == full).map(|it| it.key);
        assert_eq!(keys(&schemas["Node"]["properties"]), sorted(known(false)));
        let extra = &schemas["FullNode"]["allOf"][1]["properties"];
        assert_eq!(keys(extra), sorted(known(true)));
        let chosen = &schemas["ChosenColumns"]["properties"];
        assert_eq!(keys(chosen), sorted(known(false).chain(known(true))));
    }

    /// Others are refused, so a parameter that the script reads has to be known.
    #[test]
    fn the_page_reads_its_parameters_and_no_other() {
        let (_, _, script) = ASSETS[0];
        let facets = script.split("const FACETS = [").nth(1).unwrap().split("];").next().unwrap();
        let named = |text: &'static str, before: &'static str| {
            let rests = text.split(before).skip(1);
            rests.map(|rest| rest.split('\'').next().unwrap()).collect::<BTreeSet<&str>>()
        };
        let mut read = named(facets, "name: '");
        read.extend(named(script, "query.get('"));
        assert_eq!(read, BTreeSet::from(PAGE_PARAMETERS));
    }

    /// The page works without anybody else: what it names is part of the program.
    #[test]
    fn every_file_of_the_page_is_served() {
        let texts = ASSETS.iter().filter(|(_, _, text)| !text.starts_with("<svg"));
        for text in texts.map(|(_, _, text)| *text).chain([PAGE, LOGIN]) {
            for quoted in text.split(['"', '\'', '`']) {
                let name = quoted.strip_prefix("assets/").or_else(|| quoted.strip_prefix("./"));
                let known = |name: &str| ASSETS.iter().any(|(known, _, _)| *known == name);
                assert!(name.is_none_or(known), "{quoted}");
                // Below a path of a proxy an absolute address leads elsewhere.
                let path = quoted.strip_prefix('/').unwrap_or_default();
                assert!(!path.starts_with(char::is_alphabetic), "{quoted} is not relative");
            }
            // The name of a kind of element is no address.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "no outside request");
        }
    }
}
